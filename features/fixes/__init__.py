"""Failing checks and what mended them, mined from history as it comes."""
