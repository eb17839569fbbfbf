"""A network wide enough for threads, and what it answers."""

import os
import signal

import numpy as np
import sigmax
from common import problem

sizes = (300, 400, 10)
X, y = problem(1500, sizes)
network = sigmax.Network(sizes, seed=2)
expected = network.copy().predict_proba(X).tobytes()


def bits(network=network):
    return network.predict_proba(X).tobytes()


def child_agrees():
    """Return the status of a child, 0 where it predicts and trains with as many threads."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(600)
        good = bits() == expected
        good = good and np.isfinite(network.copy().fit(X, y, epochs=1, batch_size=500).cost).all()
        os._exit(0 if good else 3)
    return os.waitpid(pid, 0)[1]
