"""Readings of the machine, folded: one resource in time, who takes it, what commands peak at."""
