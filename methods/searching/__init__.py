"""What a search is made of: which knobs, in which groups of layers, and how the candidate of a point is made."""
