"""Prints as JSON how fast this process computes: a program for test_vectorised.py.

For each precision the best of several rounds, in floating-point operations per second on one
thread: "peak" of multiply-adds on registers, "training" and "prediction" of a 512-512-10 network.
"""

import json
import time

import numpy as np
import sigmax
from sigmax._sigmax import ffi, lib

SIZES = [512, 512, 10]
ROWS = 256
ROUNDS = 12


def peak_flops(size, n=50_000):
    """Runs the probe for n rounds; returns how many operations that was."""
    flops = ffi.new("double *")
    assert lib.sigmax_peak(size, n, flops) == 0
    return flops[0]


def jobs(dtype):
    """Each job by name: a function that does it, and returns its operations."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, SIZES[0])).astype(dtype)
    y = rng.integers(0, SIZES[-1], ROWS)
    network = sigmax.Network(SIZES, dtype=dtype, seed=0)
    weights = sum(W.size for W in network.weights)

    def train():
        network.fit(X, y, epochs=1, batch_size=ROWS, learning_rate=0.1, shuffle=False)
        return ROWS * (6 * weights - 2 * SIZES[0] * SIZES[1])  # no delta for the input

    def predict():
        network.predict_proba(X)
        return ROWS * 2 * weights

    size = np.dtype(dtype).itemsize
    return {"peak": lambda: peak_flops(size), "training": train, "prediction": predict}


def measure(dtype):
    """The best rate of each job, the jobs taken in turn."""
    rates = {}
    todo = jobs(dtype)
    for _ in range(ROUNDS):
        for name, job in todo.items():
            begin = time.process_time()
            flops = job()
            rate = flops / (time.process_time() - begin)
            rates[name] = max(rates.get(name, 0.0), rate)
    return rates


if __name__ == "__main__":
    sigmax.set_num_threads(1)
    print(json.dumps({dtype: measure(dtype) for dtype in ("float32", "float64")}))
