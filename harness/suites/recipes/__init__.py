"""Merging recipes: a model that speaks a language and models that calculate in another, and the made-up world."""
