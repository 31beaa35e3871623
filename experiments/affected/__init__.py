"""Real projects, version after version, with their tests run by several tools."""
