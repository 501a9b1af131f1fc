"""What a session's records answer: which merge wins, by how much, and what would decide what is undecided."""
