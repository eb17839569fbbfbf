"""A model and what is asked of it between two updates: outputs, cost, gradient, its file."""
