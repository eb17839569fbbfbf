"""Warnings about a training that makes no progress, with suggestions."""

from __future__ import annotations

import math
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sigmax.errors import Change, Mention, Part, TrainingWarning, Words, joined

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array
    from sigmax._model.model import Model
    from sigmax._training.history import History
    from sigmax._training.options import FitOptions
    from sigmax._training.training_data import TrainingData

# With weights of variance 1/n_in, the root mean square of X is that of z_1: beyond this, most
# neurons of the first layer sit where the sigmoid is flat, and learn slowly.
_LARGE_X = 4.0
_SMALL_X = 0.01  # below this root mean square, a gradient is small wherever the weights are
_LARGEST_SUM = sys.float_info.max / 4  # of a column that can be standardized
_SAMPLE = 1000  # rows that are examined
_SAMPLE_ENTRIES = 1 << 16  # and entries of X, which should cost no more than a few batches
# As shares of the cost of guessing: the cost that remains after training on a well-scaled X. (The
# digits, 30 neurons, 30 epochs: 0.01 with pixels up to 4, 0.18 with pixels up to 16.)
_HIGH_AFTER_AN_EPOCH = 0.5
_HIGH_AT_THE_END = 0.05
_STALLED = 0.99
_SOMETHING = 0.01  # share that can be learnt: below it, learning nothing is not remarkable
_VISIBLE = 0.01  # share above which a penalty may prevent learning
_ENOUGH_EPOCHS = 10  # before a training is called stalled

_kept = threading.local()


def after_first_epoch(model: Model, data: TrainingData, history: History, words: Words) -> bool:
    """Warn about an X that is too large, after the first epoch; return whether it did."""
    high = history.cost[0] > _HIGH_AFTER_AN_EPOCH * math.log(model.layout.n_out)
    return high and _warn_of_large_x(data, history, words)


def at_the_end(
    model: Model, data: TrainingData, options: FitOptions, history: History, words: Words
) -> None:
    """Warn about a training that learnt nothing, or a large X that keeps the cost high."""
    if not history.epochs:
        return
    cost = history.cost[-1]
    guessing, floor = _guessing_and_floor(model, data, options)
    to_learn = guessing - floor
    scale = math.log(model.layout.n_out)
    if (
        (history.epochs >= _ENOUGH_EPOCHS or history.stopped == "converged")
        and to_learn > _SOMETHING * scale
        and cost - floor >= _STALLED * to_learn
    ):
        warning = _stalled(model, cost, guessing, data, options, history)
        if warning is not None:
            _warn(warning, words)
    elif cost - floor > _HIGH_AT_THE_END * scale and history.stopped != "callback":
        _warn_of_large_x(data, history, words)


def _warn_of_large_x(data: TrainingData, history: History, words: Words) -> bool:
    if data.preparation is not None and data.preparation.mean is not None:
        return False
    root_mean_square, largest = _size_of_x(data)
    if root_mean_square <= _LARGE_X:
        return False
    known = data.training.examples
    assert known is not None
    remedies: list[Part] = ["scale its columns to about -1 ... 1"]
    if largest < _LARGEST_SUM / len(known):
        remedies.insert(0, Mention("standardize", True))
    epochs = f"{history.epochs} epoch{'s' if history.epochs > 1 else ''}"
    warning = TrainingWarning(
        f"X has a root mean square of {root_mean_square:.3g} and entries up to "
        f"{largest:.3g}, with which sigmoids saturate and learn slowly (cost "
        f"{history.cost[-1]:.3g} after {epochs}): ",
        "pass " if len(remedies) > 1 else "",
        *joined(remedies, last=", or "),
    )
    _warn(warning, words)
    return True


def _stalled(
    model: Model,
    cost: float,
    guessing: float,
    data: TrainingData,
    options: FitOptions,
    history: History,
) -> TrainingWarning | None:
    """Return the warning; None where L-BFGS converged and nothing suggests a better optimum."""
    remedies: list[Part] = []
    converged = history.stopped == "converged"
    as_it_comes = data.preparation is None or data.preparation.mean is None
    if as_it_comes and (not converged or 0 < _size_of_x(data)[0] < _SMALL_X):
        remedies.append(Mention("standardize", True))
    if options.optimizer in ("sgd", "momentum", "nesterov"):
        remedies.append(Mention("optimizer", "adam"))
    if options.optimizer != "lbfgs":
        falling = all(b < a for a, b in pairwise(history.cost))
        size = "larger" if falling else "smaller" if cost > 1.1 * guessing else "different"
        rate = f" (it was {max(history.learning_rate):g})"
        remedies.append(Change(f"a {size}", "learning_rate", rate))
        remedies += [Change("more", "epochs")] * falling
    # what the penalty was with weights as at the beginning, where all sum w^2 are about n_l
    l2 = options.l2 / 2 * model.layout.n_units > _VISIBLE * guessing
    l2 &= not converged or len(model.layout.sizes) > 2  # else it is the optimum, the only one
    remedies += [
        Change("less", name)
        for name, on in (("l2", l2), ("l1", options.l1), ("dropout", options.dropout))
        if on
    ]
    if len(model.layout.sizes) > 3:
        remedies.append("fewer hidden layers")
    if converged and not remedies:
        return None
    return TrainingWarning(
        f"training stalled: after {history.epochs} epochs the cost is {cost:.4g}, and always "
        f"giving the shares of the classes costs {guessing:.4g}; try ",
        *joined(remedies),
        ", and see whether X and y belong together",
    )


def _guessing_and_floor(
    model: Model, data: TrainingData, options: FitOptions
) -> tuple[float, float]:
    """Return the least cost of an answer that ignores X, and the least possible cost, in nats.

    The first is the entropy of the mean target, the second the mean entropy of the targets.
    """
    known, n_classes, e = data.training.examples, model.layout.n_out, options.label_smoothing
    if known is None:  # a stream's targets are not in memory
        shares, floor = np.full(n_classes, 1 / n_classes), 0.0
    elif known.labels is not None:
        shares = np.bincount(known.labels, known.weights, n_classes) / len(known)
        floor = float(
            _entropy(np.array([1 - e + e / n_classes] + [e / n_classes] * (n_classes - 1)))
        )
    else:
        assert known.targets is not None
        shares = np.average(known.targets, axis=0, weights=known.weights)
        some = slice(0, _SAMPLE)
        entropies = _entropy((1 - e) * known.targets[some] + e / n_classes)
        floor = float(np.mean(entropies))
    return float(_entropy((1 - e) * shares + e / n_classes)), floor


def _entropy(shares: Array) -> Array:
    """Return -sum_i p_i ln p_i of each row."""
    p = np.asarray(shares, np.float64)
    entropies: Array = -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1)
    return entropies


def _size_of_x(data: TrainingData) -> tuple[float, float]:
    """Return root mean square and largest size of entries, of the first rows as C gets them."""
    known = data.training.examples
    if known is None:
        return 0.0, 0.0
    rows = known.rows
    first = slice(0, max(1, min(_SAMPLE, len(known), _SAMPLE_ENTRIES // max(1, rows.width))))
    entries, count = rows.entries(first)
    entries = np.abs(entries, dtype=np.float64)
    if not entries.size:
        return 0.0, 0.0
    largest = float(entries.max())
    shares = entries / largest if largest > 0 else entries  # their squares do not overflow
    return largest * math.sqrt(float((shares**2).sum()) / count), largest


def _warn(warning: TrainingWarning, words: Words) -> None:
    """Warn with the caller's line, outside this package."""
    depth, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("sigmax."):
        depth, frame = depth + 1, frame.f_back
    warning.words = words
    kept: list[TrainingWarning] | None = getattr(_kept, "warnings", None)
    if kept is None:
        warnings.warn(warning, stacklevel=depth)
    else:
        kept.append(warning)


@contextmanager
def kept_warnings() -> Iterator[list[TrainingWarning]]:
    """Keep the warnings of this thread's trainings in a list: `warn_of` gives them elsewhere.

    A thread that works for another one has no line of the caller to point at.

    Examples
    --------
    >>> with kept_warnings() as found:
    ...     network.fit(X, y)
    """
    found: list[TrainingWarning] = []
    _kept.warnings = found
    try:
        yield found
    finally:
        _kept.warnings = None


def warn_of(warning: TrainingWarning) -> None:
    """Give a warning that was kept, with the caller's line."""
    _warn(warning, warning.words)
