"""Importing sigmax, and training on every instruction set, change neither of them."""

import os

import numpy as np


def environment():
    one, tiny = np.float64([1.0]), np.float64([2.0**-54])
    smallest32 = np.full(64, 2.0**-126, np.float32)  # of the normal numbers
    smallest64 = np.full(64, 2.0**-1022, np.float64)
    subnormal32 = np.full(64, 2.0**-140, np.float32)
    return {
        "rounds down": bool((-one - tiny < -one)[0]),
        "rounds up": bool((one + tiny > one)[0]),
        "rounds to zero": bool((one + 3 * tiny == one)[0]),
        "flushes float32": bool((smallest32 / np.float32(8) == 0).any()),
        "flushes float64": bool((smallest64 / 8 == 0).any()),
        "takes subnormals for zero": bool((subnormal32 * np.float32(2**20) == 0).any()),
    }


before = environment()

import sigmax  # noqa: E402

after_import = environment()
X = np.random.default_rng(0).normal(size=(600, 200))
for name in sigmax.instruction_sets():
    os.environ["SIGMAX_ISA"] = name
    for dtype in ("float32", "float64"):
        with sigmax.num_threads(2):
            net = sigmax.Network([200, 300, 3], dtype=dtype, seed=0)
            net.fit(X, np.arange(600) % 3, epochs=1, batch_size=300)
assert not any(before.values()), before
assert after_import == before, after_import
assert environment() == before, environment()
