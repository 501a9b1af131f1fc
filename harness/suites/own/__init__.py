"""A suite that a user describes in one TOML file: tasks, corpora, splits, and no Python."""
