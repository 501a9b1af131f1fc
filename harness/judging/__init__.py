"""How a model's answers become scores, and what that costs."""
