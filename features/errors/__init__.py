"""Errors, folded into templates that keep their ids, with the line and the cause of each."""
