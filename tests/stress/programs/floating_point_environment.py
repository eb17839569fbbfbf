"""Importing and using sigmax changes neither rounding nor subnormals."""

import ctypes

import numpy as np


def probe():
    # flush-to-zero and denormals-are-zero show in sums of subnormals, the rounding mode in these
    tiny = np.array([5e-324, 1e-310]), np.array([1e-45, 1e-40], np.float32)
    return (
        [(t + t).tobytes() for t in tiny],
        [(t * t.dtype.type(0.5)).tobytes() for t in tiny],
        ctypes.CDLL(None).fegetround(),
        (np.float64(1) / np.float64(3)).hex(),
        (np.float64(-1) / np.float64(3)).hex(),
        (np.float64(1) + np.float64(2) ** -53).hex(),
    )


before = probe()
assert any(b != bytes(len(b)) for b in before[0]), "this Python flushes subnormals already"
import sigmax  # noqa: E402  (what it changes is looked at)

assert probe() == before, "importing changed it"
network = sigmax.Network([30, 40, 3], seed=1)
X, y = np.random.default_rng(0).normal(size=(300, 30)), np.arange(300) % 3
network.fit(X, y, epochs=1)
network.predict(X)
assert probe() == before, "using it changed it"
