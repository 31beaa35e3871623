"""Sets of real history: what is read, what is held out of them, and how a stream is walked."""
