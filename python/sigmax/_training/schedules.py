"""Learning rates over the epochs."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

from sigmax._boundary.scalars import above_zero
from sigmax._training.options import FitOptions


class LearningRate:
    """The rate of each epoch t = 0, 1, ..., by the schedule of the options.

    With w = warmup_epochs, epochs t < w have learning_rate (t + 1)/(w + 1). Then, with u = t - w,
    U = epochs - w and the factor f:

        constant     learning_rate
        step         learning_rate f^floor(u / schedule_epochs)
        exponential  learning_rate f^u
        cosine       min + (learning_rate - min)(1 + cos(pi u/U))/2, min = min_learning_rate
                     (Loshchilov & Hutter 2017, SGDR, without restarts)
        plateau      times f whenever the cost has not fallen for schedule_epochs epochs
        a function   its value for t

    but not below min_learning_rate. The cost is the validation cost where there is one.

    Parameters
    ----------
    options : FitOptions
    state : mapping of str to float, optional
        The `state` after the previous epochs, to continue from.

    Examples
    --------
    >>> rate = LearningRate(FitOptions(schedule="step", schedule_epochs=2))
    >>> [rate(t) for t in range(4)]
    [0.5, 0.5, 0.05, 0.05]
    """

    def __init__(self, options: FitOptions, state: Mapping[str, float] | None = None) -> None:
        self._options = options
        self.state: dict[str, float] = {}  # of the plateau: share of the rate, best cost, epochs
        if options.schedule == "plateau":
            self.state = {"share": 1.0, "best": math.inf, "waited": 0, **(state or {})}

    def __call__(self, epoch: int) -> float:
        """Return the rate of an epoch, counted from 0.

        Raises
        ------
        TypeError, ValueError
            When a function as schedule returns anything but a finite number > 0.
        """
        options = self._options
        if callable(options.schedule):
            return above_zero(options.schedule(epoch), f"schedule({epoch})")
        if epoch < options.warmup_epochs:
            return options.rate * (epoch + 1) / (options.warmup_epochs + 1)
        if options.schedule == "constant":
            return options.rate
        lowest = options.min_learning_rate
        after = epoch - options.warmup_epochs
        if options.schedule == "cosine":
            turn = math.pi * after / max(1, options.epochs - options.warmup_epochs)
            rate = lowest + (options.rate - lowest) * (1 + math.cos(turn)) / 2
        elif options.schedule == "step":
            rate = options.rate * options.factor ** (after // options.schedule_epochs)
        elif options.schedule == "exponential":
            rate = options.rate * options.factor**after
        else:
            rate = options.rate * self.state["share"]
        # powers of a factor end at 0, and an update needs a rate above it
        return max(rate, lowest, sys.float_info.min)

    def observe(self, epoch: int, cost: float) -> None:
        """Record an epoch's cost for the plateau; `state` is replaced, not modified."""
        state = self.state
        if not state or epoch < self._options.warmup_epochs:
            return
        if cost < state["best"]:
            self.state = {**state, "best": cost, "waited": 0}
        elif state["waited"] + 1 < self._options.schedule_epochs:
            self.state = {**state, "waited": state["waited"] + 1}
        else:
            share = state["share"] * self._options.factor
            self.state = {**state, "share": share, "waited": 0}
