"""What a cell answered and what decided it: written, hashed, read again."""
