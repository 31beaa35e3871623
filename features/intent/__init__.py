"""What a user's words led to, folded."""
