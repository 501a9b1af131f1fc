"""A session of pytest: its words, its cells, its voice."""
