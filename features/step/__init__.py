"""What the fold of a step is made of: session, files, situation, blocks of numbers."""
