"""GLUE: eight tasks, their pairs and partitions, and the made-up world for tiny models."""
