"""Trains and predicts from a wheel on an emulated processor that has no AVX.

``python wheels/run_without_avx.py WHEEL``: there, any AVX instruction executed with the
baseline engine is a fault. Needs qemu-x86_64-static of Debian's qemu-user-static.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

QEMU = "qemu-x86_64-static"
PROCESSOR = "Nehalem"  # of 2008: x86-64-v2, the least that NumPy's own wheels run on

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import sigmax

assert sigmax.__file__.startswith(sys.argv[1]), sigmax.__file__
assert sigmax.instruction_sets() == ("baseline",), sigmax.instruction_sets()
X = np.random.default_rng(0).normal(size=(200, 30))
y = (X[:, 0] > 0).astype(int)
for dtype in ("float32", "float64"):
    network = sigmax.Network([30, 50, 2], dtype=dtype, seed=0)
    network.fit(X, y, epochs=20, batch_size=40, learning_rate=2.0)
    assert network.accuracy(X, y) > 0.95, network.accuracy(X, y)
    gap = network.gradient_check(X[:5], y[:5])
    assert gap < 1e-6, gap
try:
    import os
    os.environ["SIGMAX_ISA"] = "v3"
    sigmax.Network([2, 2])
except ValueError as error:
    print("refused, as it should be:", error)
else:
    sys.exit("v3 was accepted by a processor without AVX")
print("trained on", network.instruction_set)
"""


def main() -> None:
    """Unpack the wheel that is named, and run the program above with it."""
    if shutil.which(QEMU) is None:
        raise SystemExit(f"there is no {QEMU}: install Debian's qemu-user-static")
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(sys.argv[1]) as archive:
        folder = str(Path(name).resolve())
        archive.extractall(folder)
        command = [QEMU, "-cpu", PROCESSOR, sys.executable, "-I", "-c", PROGRAM, folder]
        subprocess.run(command, check=True, timeout=600)


if __name__ == "__main__":
    main()
