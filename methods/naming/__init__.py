"""What a name means: registered methods, what is built around them, and their knobs from the words of a user."""
