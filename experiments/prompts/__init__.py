"""Prompts of users: what was served on each, and what they say of the work before them."""
