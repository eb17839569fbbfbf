"""Prints a hash of the parameters after some iterations of L-BFGS; the argument is the dtype.

There are enough parameters for a BLAS to divide a dot product among threads.
"""

import hashlib
import sys

import numpy as np
import sigmax

rng = np.random.default_rng(0)
X, y = rng.normal(size=(200, 600)), rng.integers(0, 10, 200)
network = sigmax.Network([600, 40, 10], dtype=sys.argv[1], seed=1)
history = network.fit(X, y, optimizer="lbfgs", epochs=15, l2=1e-3)
print(hashlib.sha256(network.parameters.tobytes()).hexdigest(), history.cost[-1].hex())
