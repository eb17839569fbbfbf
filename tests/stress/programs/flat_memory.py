"""Everything that a network does, n times. Argument: n. Prints by how many bytes memory grows.

What leaks does so in each fifth of them; the least of the fifths is printed.
"""

import contextlib
import gc
import pickle
import sys

import numpy as np
import sigmax
from common import problem
from pages import resident

X, y = problem(200, (20, 30, 4))


def everything():
    network = sigmax.Network((20, 30, 4), seed=1)
    network.fit(X, y, epochs=1, optimizer="adam", dropout=0.1)
    network.backprop(X, y)
    network.activations(X)
    network.predict(X.tolist())
    pickle.loads(pickle.dumps(network)).cost(X, y)
    for bad in (X[:, :3], np.full_like(X, np.nan), "text"):
        with contextlib.suppress(TypeError, ValueError):
            network.predict(bad)


for _ in range(60):
    everything()
grown = []
for _ in range(5):
    gc.collect()
    before = resident()
    for _ in range(int(sys.argv[1]) // 5):
        everything()
    gc.collect()
    grown.append(resident() - before)
print(min(grown))
