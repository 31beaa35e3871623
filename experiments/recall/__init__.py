"""Recall that is measured: questions with judged notes, methods, trials, times."""
