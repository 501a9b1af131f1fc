"""Routes through the blocks of several models: what can be searched of them, and the searches that the papers make."""
