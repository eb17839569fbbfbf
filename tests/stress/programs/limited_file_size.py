"""Saving where no file may grow beyond a size, for sizes from 0 to the whole. Argument: a folder.

Prints how often that was an error.
"""

import os
import resource
import signal
import sys
from pathlib import Path

import sigmax

folder = Path(sys.argv[1])
path = folder / "model.npz"
network = sigmax.Network([5, 4, 3], seed=1)
network.save(path)
content = path.read_bytes()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
refused = 0
for size in range(0, len(content) + 200, 29):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        network.save(path)
    except OSError as error:
        assert "too large" in str(error), error
        refused += 1
    assert path.read_bytes() == content
    assert os.listdir(folder) == ["model.npz"], os.listdir(folder)
print(refused)
