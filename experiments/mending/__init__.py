"""Errors and their fixes: how they are judged, and the figures of it."""
