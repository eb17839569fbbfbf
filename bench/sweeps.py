"""The workloads of the sweeps over batch and width, and their evaluation."""

from __future__ import annotations

import itertools

from sigmax._bench.race import Result
from sigmax._bench.workloads import TRAINING, Workload

BATCHES = (
    1,
    2,
    3,
    4,
    7,
    8,
    10,
    16,
    17,
    31,
    32,
    33,
    64,
    65,
    100,
    127,
    128,
    129,
    256,
    257,
    512,
    1024,
)
# fmt: off
WIDTHS = (
    16, 17, 23, 31, 32, 33, 47, 48, 49, 61, 64, 65, 96, 97, 127, 128, 129, 191, 192, 193, 251,
    256, 257, 383, 384, 509, 512, 513, 769, 1021, 1024, 1025, 1531, 2039, 2048,
)
# fmt: on
EPOCH_FLOPS = 3e8  # of one epoch of a sweep, where 2 steps are fewer
SHUFFLED_ROWS = 20_000  # more than a cache holds, so that gathering rows has its true cost
SHUFFLED_FLOPS = 4e10  # of one epoch of the options, at most


def _steps(workload: Workload, flops: float) -> int:
    return max(2, min(500, round(flops / workload.flops)))


def batch_sweep() -> list[Workload]:
    """Return 784-100-10 with batches of 1 to 1024."""
    workloads = [Workload(f"batch_{n}", (784, 100, 10), n, 1) for n in BATCHES]
    return [w.replace(steps=_steps(w, EPOCH_FLOPS)) for w in workloads]


def width_sweep() -> list[Workload]:
    """Return 784-w-w-10, batch 128, for widths of 16 to 2048.

    Primes and neighbours of powers of two are among them, since tiles like neither.
    """
    workloads = [Workload(f"width_{n}", (784, n, n, 10), 128, 1) for n in WIDTHS]
    return [w.replace(steps=_steps(w, EPOCH_FLOPS)) for w in workloads]


def option_workloads(names: list[str]) -> list[Workload]:
    """Return the named training workloads, their rows too many for the caches."""
    found = []
    for w in TRAINING:
        if w.name in names:
            steps = min(SHUFFLED_ROWS // w.batch, round(SHUFFLED_FLOPS / w.flops))
            found.append(w.replace(steps=max(w.steps, steps)))
    return found


def cliffs(results: list[Result], contender: str = "sigmax") -> list[tuple[float, Result, Result]]:
    """Return ``(fall, before, after)`` for neighbours of a sweep, the largest fall first.

    The fall is by how much time per flop grows from one point to the next larger one: 0.25 is 25 %
    more.
    """
    pairs = itertools.pairwise(results)
    falls = [(a.rate(contender) / b.rate(contender) - 1, a, b) for a, b in pairs]
    return sorted(falls, key=lambda fall: -fall[0])
