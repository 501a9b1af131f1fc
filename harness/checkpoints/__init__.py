"""Models as people keep them: names, the hub, folders, pickles, and what identifies a checkpoint."""
