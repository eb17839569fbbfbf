"""Prints a hash of the parameters after a training by each optimiser, in both precisions.

Arguments, as JSON: the optimisers, the sizes of the network, the options of fit.
"""

import hashlib
import json
import sys

import numpy as np
import sigmax

optimizers, sizes, options = map(json.loads, sys.argv[1:])
X = (np.arange(300 * sizes[0]) * 7919 % 10_007 / 5_003.5 - 1.0).reshape(300, sizes[0])
y = np.arange(300) % sizes[-1]
for dtype in ("float32", "float64"):
    for optimizer in optimizers:
        network = sigmax.Network(sizes, dtype=dtype, seed=2**64 - 1)
        network.fit(X, y, optimizer=optimizer, **options)
        print(hashlib.sha256(network.parameters.tobytes()).hexdigest())
