"""What a record answered, row by row, beside the rows of whoever asks: they stay on the user's machine."""
