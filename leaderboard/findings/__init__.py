"""The numbers of docs/findings.md: each with a name, how records give it, and what its sentence says of it."""
