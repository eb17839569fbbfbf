"""kill -9 of n children that write a file again and again.

Arguments: "save" or "checkpoint", n, a folder. Prints after how many of them there was a file, and
how many were in the middle of writing one.
"""

import os
import signal
import sys
import time
from pathlib import Path

import sigmax
from common import problem, rng
from sigmax._training import checkpoint_file as checkpoints

kind, n, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
path = folder / "file.npz"
X, y = problem(200, (60, 80, 3))
options = {"epochs": 10**6, "optimizer": "adam", "batch_size": 200, "learning_rate": 1e-4}


def save_again_and_again():
    network = sigmax.Network((60, 80, 3), seed=1)
    for k in range(10**9):
        network.parameters[:] = k % 1000
        network.save(path)


def checkpoint_again_and_again():
    network = sigmax.Network((60, 80, 3), seed=1)
    if path.exists():
        network.fit(X, y, resume=path)
    else:
        network.fit(X, y, checkpoint=path, **options)


write = {"save": save_again_and_again, "checkpoint": checkpoint_again_and_again}[kind]
sigmax.Network((60, 80, 3)).fit(X, y, epochs=1, checkpoint=folder / "first.npz")  # imports all
(folder / "first.npz").unlink()
found, epochs, longest = 0, -1, 0.1
for _ in range(n):
    begun, begins = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(begins, b".")
            write()
        finally:
            os._exit(9)
    os.read(begun, 1)
    os.close(begun)
    os.close(begins)
    time.sleep(rng.uniform(0.001, longest))
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    if not path.exists():
        longest *= 1.5  # or a busy machine would never write one
        continue
    found += 1
    if kind == "save":
        values = set(sigmax.Network.load(path).parameters.tolist())
        assert len(values) == 1, values
    else:
        state = checkpoints.load(path).state
        assert state.epoch >= epochs and len(state.history.cost) == state.epoch
        epochs = state.epoch
left = len(list(folder.glob(".sigmax-*.tmp")))
print(found, left)
