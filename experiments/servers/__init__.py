"""Servers that are measured, ours and others, and the load on them."""
