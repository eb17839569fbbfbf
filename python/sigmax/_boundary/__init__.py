"""Values from outside, checked and handed to C; C's answers, as Python values and exceptions."""
