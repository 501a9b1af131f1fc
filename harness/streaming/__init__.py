"""Models that are larger than memory: tensor by tensor from files to files."""
