"""Emotion classification: ten corpora with labels in common, and the made-up world for tiny models."""
