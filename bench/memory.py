"""Peak memory of one fit beyond X and y, measured in a process of its own.

``python bench/memory.py nielsen30`` prints one JSON object. The high-water mark is reset before the
network is made, so it counts the parameters, their copy, the gradient, one batch's arrays and
packed panels, and nothing of X and y.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys

ROWS = 20_000
MIB = 1024.0 * 1024.0


def _status(key: str) -> int:
    """Return a line of ``/proc/self/status`` in bytes."""
    with open("/proc/self/status", encoding="ascii") as lines:
        for line in lines:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    raise KeyError(key)


def _reset_high_water() -> int:
    """Hand freed memory back, set the mark to the present size, and return that size in bytes."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")
    return _status("VmRSS")


def peak_of_fit(name: str) -> dict[str, float | str]:
    """Return the measured peak of a fit, and what the arrays that it needs add up to, in MiB."""
    import sigmax
    from sigmax._bench.workloads import data, named

    (workload,) = named([name])
    workload = workload.replace(steps=max(1, ROWS // workload.batch))
    X, y = data(workload)

    def fit(sizes, X, y, batch):
        network = sigmax.Network(sizes, dtype="float32", seed=0)
        network.fit(X, y, epochs=1, batch_size=batch, learning_rate=0.1)
        return network.n_parameters

    fit(
        [8, 8, 4], X[:32, :1].repeat(8, axis=1), y[:32] % 4, 8
    )  # modules and pages of code are in memory now
    before = _reset_high_water()
    n_parameters = fit(workload.sizes, X, y, workload.batch)
    measured = _status("VmHWM") - before
    batch_arrays = workload.batch * (workload.sizes[0] + 2 * sum(workload.sizes[1:]))
    return {
        "workload": workload.title,
        "rows": len(X),
        "measured": measured / MIB,
        "data": (X.nbytes + y.nbytes) / MIB,
        "parameters": 4 * n_parameters / MIB,
        "batch_arrays": 4 * batch_arrays / MIB,
        "allowed": 4 * (3 * n_parameters + batch_arrays) / MIB + 1.0,
    }


def measure(name: str) -> dict[str, float | str]:
    """Run ``peak_of_fit`` in a fresh process on one thread."""
    environment = os.environ | {"SIGMAX_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, os.path.abspath(__file__), name],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"peak memory of {name}: status {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def can_measure() -> bool:
    """Say whether this system lets a process reset its high-water mark (Linux does)."""
    return os.path.exists("/proc/self/clear_refs")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python bench/memory.py WORKLOAD")
    print(json.dumps(peak_of_fit(sys.argv[1])))
