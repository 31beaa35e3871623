"""What a session will do next, folded: labels of steps, and what followed what."""
