"""Prints the effects of ``import sigmax`` on its process, as one line of JSON.

Run as ``python -I import_probe.py FOLDER``; the package is imported from the folder.
"""

import ctypes
import json
import os
import sys
import threading
import time

# Processor time, because wall-clock time means little on a busy machine; of this thread only,
# because NumPy's OpenBLAS has started threads that spin for a while before they sleep.
clock = time.thread_time

begin = clock()
import numpy as np  # noqa: E402

numpy_seconds = clock() - begin


def environment() -> list[str]:
    """Return the environment as C sees it; os.environ would miss a putenv in C."""
    if os.name != "posix":
        return sorted(f"{k}={v}" for k, v in os.environ.items())
    variables = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    result = []
    while (variable := variables[len(result)]) is not None:
        result.append(os.fsdecode(variable))
    return sorted(result)


def n_threads() -> int:
    """Return the number of threads, including C's if the system reports them."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def arithmetic() -> dict[str, bool]:
    """Return whether rounding or subnormals were changed; all False in a fresh process."""
    one, tiny = np.float64([1.0]), np.float64([2.0**-54])
    smallest32, smallest64 = np.full(64, 2.0**-126, np.float32), np.full(64, 2.0**-1022)
    subnormal32 = np.full(64, 2.0**-140, np.float32)
    return {
        "rounds down": bool((-one - tiny < -one)[0]),
        "rounds up": bool((one + tiny > one)[0]),
        "rounds to zero": bool((one + 3 * tiny == one)[0]),
        "flushes float32": bool((smallest32 / np.float32(8) == 0).any()),
        "flushes float64": bool((smallest64 / 8 == 0).any()),
        "takes subnormals for zero": bool((subnormal32 * np.float32(2**20) == 0).any()),
    }


before = environment(), n_threads(), arithmetic()
modules = set(sys.modules)
sys.path.insert(0, sys.argv[1])
begin = clock()
import sigmax  # noqa: E402

seconds = clock() - begin
after = environment(), n_threads(), arithmetic()
report = {
    "file": sigmax.__file__,
    "seconds": seconds,
    "numpy_seconds": numpy_seconds,
    "environment": sorted(set(before[0]) ^ set(after[0])),
    "threads": [before[1], after[1]],
    "arithmetic": [name for name in before[2] if before[2][name] != after[2][name]],
    "modules": sorted({name.partition(".")[0] for name in set(sys.modules) - modules}),
    "instruction_sets": sigmax.instruction_sets(),
}
print(json.dumps(report))
