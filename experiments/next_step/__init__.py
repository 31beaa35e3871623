"""The next step: the streams that it is asked of, and what a model of it must beat."""
