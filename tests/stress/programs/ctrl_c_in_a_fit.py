"""A fit that only Ctrl-C ends. Prints "ready" before; ends with 42 where the network is whole."""

import sys

import numpy as np
from wide_network import X, network, y

try:
    print("ready", flush=True)
    network.fit(X, y, epochs=10**6, batch_size=500, learning_rate=1e-3)
except KeyboardInterrupt:
    assert np.isfinite(network.parameters).all()
    network.fit(X, y, epochs=1)
    sys.exit(42)
