"""Is a session getting anywhere? What counts as progress, and the fold over it."""
