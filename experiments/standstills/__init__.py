"""Standstills as a reader sees them, and as they are defined."""
