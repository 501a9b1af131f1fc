"""What papers say, decided from tables."""
