"""Decisions that are kept so that they are found again, by words and by vectors."""
