"""What most programs here begin with: data at random, the same each time, and Ctrl-C as usual.

A program is run by a test beside this folder, in a process of its own; its docstring names its
arguments. It ends with an error where something is wrong, and prints what the test asks for.
"""

import signal

import numpy as np

signal.signal(signal.SIGINT, signal.default_int_handler)
rng = np.random.default_rng(1)


def problem(rows=400, sizes=(40, 64, 5), dtype=np.float32):
    """Rows and labels for a network of these sizes."""
    return rng.normal(size=(rows, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], rows)
