"""The benchmark: contenders must agree on the result, then are timed in turn, round by round."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sigmax._bench.contenders import Float, NumPyFloat64, split
from sigmax._bench.workers import ContenderError, Runner, Worker
from sigmax._bench.workloads import Workload, initial_parameters

# Float32 against float64. A layer's parameters may be off by this share of the farthest that they
# have moved, and by this share of the largest of them, since every update is rounded.
PARAMETER_TOLERANCE = 1e-3
ROUNDING = 32 * float(np.finfo(np.float32).eps)
PROBABILITY_TOLERANCE = 2e-5

# Results are compared after few steps: rounding adds up, and training is chaotic (after 20,000
# online steps float32 is far from float64).
AGREEMENT_STEPS = 2000
AGREEMENT_FLOPS = 6e9


def reference_result(workload: Workload, mnist: str | None = None) -> Float:
    """Return the result that every contender must reach, from NumPy in float64 in this process."""
    reference = Runner(NumPyFloat64())
    reference.setup(workload, mnist)
    return reference.result()


def check_agreement(name: str, workload: Workload, result: Float, reference: Float) -> None:
    """Compare a contender's result with the reference; raise ``ContenderError`` when they differ.

    Parameters are compared layer by layer, weights and biases apart, against the distance that the
    reference itself has moved from the initial parameters: doing nothing fails, and so does one
    forgotten bias.
    """
    if result.shape != reference.shape:
        raise ContenderError(
            f"{name}, {workload.name}: shape {result.shape}, expected {reference.shape}"
        )
    if workload.inference:
        worst = float(np.abs(result - reference).max())
        if not worst <= PROBABILITY_TOLERANCE:
            raise ContenderError(f"{name}, {workload.name}: probabilities differ by {worst:.2g}")
        return
    initial = initial_parameters(workload.sizes)
    parts = [[*w, *b] for w, b in (split(a, workload.sizes) for a in (result, reference, initial))]
    kinds = [f"{kind}_{layer}" for kind in "Wb" for layer in range(1, len(workload.sizes))]
    for kind, mine, right, first in zip(kinds, *parts, strict=True):
        moved = float(np.abs(right - first).max())
        worst = float(np.abs(mine - right).max())
        allowed = PARAMETER_TOLERANCE * moved + ROUNDING * float(np.abs(right).max())
        if not worst <= allowed:
            raise ContenderError(
                f"{name}, {workload.name}: {kind} is off by {worst:.2g} after "
                f"{workload.steps} steps, expected at most {allowed:.2g}; it moves by {moved:.2g}"
            )


@dataclass
class Result:
    """The samples of one workload: seconds per step, and flop/s of the peak probe in each round."""

    workload: Workload
    threads: int
    peaks: list[float] = field(default_factory=list)
    samples: dict[str, list[float]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        """Return the median seconds per step."""
        return float(np.median(self.samples[name]))

    def spread(self, name: str) -> float:
        """Return half the distance of the quartiles, relative to the median."""
        low, high = np.percentile(self.samples[name], [25, 75])
        return float(high - low) / 2 / self.median(name)

    def rate(self, name: str) -> float:
        """Return the flop/s at the median."""
        return self.workload.flops / self.median(name)

    @property
    def peak(self) -> float:
        """The median of the peak probe, in flop/s."""
        return float(np.median(self.peaks))

    def share(self, name: str) -> float:
        """Return the rate as a share of the peak measured in the same rounds."""
        return self.rate(name) / self.peak

    def ratio(self, name: str, other: str) -> float:
        """Return how many times as fast ``name`` is as ``other``."""
        return self.median(other) / self.median(name)


def _short(workload: Workload) -> Workload:
    """Return the workload with at most the number of steps after which results are compared."""
    most = min(AGREEMENT_STEPS, max(4, int(AGREEMENT_FLOPS / workload.flops)))
    return workload if workload.steps <= most else workload.replace(steps=most)


def race(
    workload: Workload,
    workers: Sequence[Worker],
    *,
    rounds: int,
    seconds: float = 0.1,
    until: float = float("inf"),
    mnist: str | None = None,
) -> Result:
    """Check that the contenders agree on a workload's result, then time them in turn.

    Parameters
    ----------
    workload : Workload
    workers : sequence of Worker
        All with the same number of threads. Those that don't do this kind of workload are passed
        over.
    rounds : int
        Samples of each contender.
    seconds : float
        About how long one sample takes; it is one epoch at least.
    until : float
        No round after the first begins later than this ``time.monotonic()``.
    mnist : str, optional
        See ``data``.

    Raises
    ------
    ContenderError
        When a contender disagrees or fails.
    """
    racing = [worker for worker in workers if worker.does(workload)]
    if not racing:
        raise ContenderError(f"{workload.name}: none of the contenders does this workload")
    short = _short(workload)
    reference = reference_result(short, mnist)
    epochs = {}
    for worker in racing:
        worker.call("setup", short, mnist)
        result = worker.call("result")
        if worker.contender.in_file_order:
            check_agreement(worker.name, short, result, reference)
        if short != workload:
            worker.call("setup", workload, mnist)
        epochs[worker.name] = worker.call("epochs_for", seconds)
    outcome = Result(workload, racing[0].threads, samples={w.name: [] for w in racing})
    for number in range(rounds):
        if number and time.monotonic() > until:
            break
        outcome.peaks.append(racing[0].call("peak"))
        first = number % len(racing)  # the order rotates, so that none always follows the same one
        for worker in racing[first:] + racing[:first]:
            outcome.samples[worker.name].append(worker.call("sample", epochs[worker.name]))
    return outcome
