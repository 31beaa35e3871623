"""Errors that are measured: messages that are grouped, builds that failed, and who else does it."""
