"""A model and what is computed from it between two updates: outputs, cost, gradient, its file."""
