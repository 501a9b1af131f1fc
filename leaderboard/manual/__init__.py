"""A page for each built-in method: what its own file tells, and what records say of it."""
