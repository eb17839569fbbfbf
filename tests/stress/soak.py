"""Random operations on all cores against the reference: python tests/stress/soak.py --minutes 10.

One process for each core runs random cases of `against_reference`, training and asking from several
threads, saving, loading, making mistakes. From the second fifth of the time to the last, memory
must not grow by more than 1 MiB.
"""

import argparse
import ctypes
import gc
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLAT = 1 << 20  # bytes


def fill_cache_of_numpy():
    """Let NumPy keep all that it will: up to seven freed blocks of each size below 1 KiB."""
    import numpy as np

    for size in range(1, 1025):
        blocks = [np.empty(size, np.uint8) for _ in range(8)]
        blocks.clear()


def resident():
    """Bytes of its own in memory: neither code, nor what the allocator keeps for later."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"RssAnon:\s+(\d+) kB", status)[1])


def work(seconds, seed):
    """Run cases for so long; print how many, and how much memory grew."""
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    import numpy as np
    import sigmax
    from against_reference import check, random_case

    fill_cache_of_numpy()
    rng = np.random.default_rng(seed)
    began, counts, marks = time.monotonic(), dict.fromkeys(("cases", "files", "mistakes"), 0), []
    with ThreadPoolExecutor(3) as pool, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.npz"
        while (spent := time.monotonic() - began) < seconds:
            cases = [random_case(rng) for _ in range(6)]
            try:
                list(pool.map(check, cases))
            except BaseException:
                print(*cases, sep="\n", file=sys.stderr)
                raise
            counts["cases"] += len(cases)
            network = sigmax.Network(cases[0].sizes, dtype=cases[0].dtype, seed=cases[0].seed)
            network.save(path)
            assert sigmax.Network.load(path).parameters.tobytes() == network.parameters.tobytes()
            counts["files"] += 1
            for wrong in (
                np.zeros((2, 999)),
                [["x"]],
                None,
                np.full((1, network.sizes[0]), np.nan),
            ):
                try:
                    network.fit(wrong, [0])
                except (TypeError, ValueError):
                    counts["mistakes"] += 1
            if spent > (len(marks) + 1) * seconds / 50:
                marks.append(resident())
    # Single marks differ by what is cached at that moment: medians tell what grows.
    fifth = len(marks) // 5
    levels = [statistics.median(marks[i * fifth : (i + 1) * fifth]) for i in range(5)]
    print(*counts.values(), *(int(level - levels[1]) for level in levels), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    seconds = 60 * arguments.minutes
    seed = time.time_ns() % 2**32 if arguments.seed is None else arguments.seed
    if arguments.worker:
        work(seconds, seed)
        return 0
    # NumPy's own pool is not what is tried here; one arena, so that memory can be told.
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    cores = len(os.sched_getaffinity(0))
    command = [sys.executable, __file__, "--minutes", str(arguments.minutes), "--worker", "--seed"]
    workers = [
        subprocess.Popen([*command, str(seed + i)], stdout=subprocess.PIPE, text=True, env=env)
        for i in range(cores)
    ]
    failed = 0
    for i, worker in enumerate(workers):
        out, _ = worker.communicate(timeout=2 * seconds + 120)
        if worker.returncode:
            print(f"process {i}, seed {seed + i}: exit code {worker.returncode}")
            failed += 1
            continue
        cases, files, mistakes, *levels = map(int, out.split())
        print(
            f"process {i}, seed {seed + i}: {cases} cases against the reference, {files} files, "
            f"{mistakes} mistakes refused; memory in each fifth: "
            f"{', '.join(f'{level / 1024:+.0f}' for level in levels)} KiB"
        )
        failed += levels[-1] > FLAT
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
