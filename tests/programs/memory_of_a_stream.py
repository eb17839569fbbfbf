"""Train on a stream of 320 MiB in blocks of 8 MiB. Prints by how many KiB the most memory grew."""

import numpy as np
import sigmax
from memory import peak


def stream(blocks=40):
    for i in range(blocks):
        yield np.full((2047, 1024), i / 40, np.float32), np.full(2047, i % 2)


network = sigmax.Network([1024, 2], seed=0)
network.fit(lambda: stream(1), epochs=1, batch_size=100)
before = peak()
network = sigmax.Network([1024, 2], seed=0)
network.fit(stream, epochs=2, batch_size=100, standardize=True)
print(peak() - before)
