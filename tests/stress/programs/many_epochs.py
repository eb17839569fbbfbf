"""A fit of n epochs of next to nothing. Argument: n. Prints the bytes that each epoch keeps."""

import sys

import numpy as np
import sigmax
from pages import resident

n = int(sys.argv[1])
network = sigmax.Network([1, 1, 2], seed=1)
X, y = np.array([[0.5], [-0.5]], np.float32), np.array([0, 1])
marks = []


def mark(network, epoch, history):
    if (epoch + 1) % (n // 10) == 0:
        marks.append(resident())


network.fit(X, y, epochs=n, learning_rate=1e-6, callbacks=[mark])
assert network.epochs_trained == n and np.isfinite(network.parameters).all()
print((marks[-1] - marks[1]) / (n * 0.8))
