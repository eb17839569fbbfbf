"""X, y and weights in every form, prepared, as blocks that C takes. Knows no parameters."""
