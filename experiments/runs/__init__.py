"""Recorded runs and real series: what runs, walking through them, figures."""
