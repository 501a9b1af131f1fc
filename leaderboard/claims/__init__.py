"""What the Evolver paper says, decided from tables."""
