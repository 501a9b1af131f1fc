"""One question from its name to its record."""
