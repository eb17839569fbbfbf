"""Warnings of a training that gets nowhere, with what to change."""

from __future__ import annotations

import contextlib
import math
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax._errors import TrainingWarning
from sigmax._sparse import Csr

if TYPE_CHECKING:
    from sigmax._arrays import Array
    from sigmax.assembly import Assembly
    from sigmax.history import History
    from sigmax.network import Network
    from sigmax.options import FitOptions

# With weights of variance 1/n_in, the root mean square of X is that of z_1: beyond this, most
# neurons of the first layer sit where the sigmoid is flat, and learn slowly.
_LARGE_X = 4.0
_SAMPLE = 1000  # rows that are looked at
_SAMPLE_ENTRIES = 1 << 16  # and entries of X, which should cost no more than a few batches
# As shares of the cost of guessing: what a training on X of the right size has left behind. (The
# digits, 30 neurons, 30 epochs: 0.01 with pixels up to 4, 0.18 with pixels up to 16.)
_HIGH_AFTER_AN_EPOCH = 0.5
_HIGH_AT_THE_END = 0.05
_STALLED = 0.99
_SOMETHING = 0.01  # of it there must be to learn, before learning nothing is remarkable
_VISIBLE = 0.01  # of it is a penalty that may keep a training from learning
_ENOUGH_EPOCHS = 10  # before a training is called stalled

_names: ContextVar[Mapping[str, str]] = ContextVar("_names")


@contextlib.contextmanager
def in_words_of(names: Mapping[str, str]) -> Iterator[None]:
    """Let warnings say names[word] for word: what the options of `fit` are to the caller's user.

    Examples
    --------
    >>> with in_words_of({"optimizer": "solver"}):
    ...     network.fit(X, y)
    """
    token = _names.set(names)
    try:
        yield
    finally:
        _names.reset(token)


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Return text with names[word] for word.

    Examples
    --------
    >>> renamed("optimizer='adam'", {"optimizer": "solver"})
    "solver='adam'"
    """
    words = "|".join(names)
    return re.sub(rf"(?<!\w)({words})(?!\w)", lambda word: names[word[0]], text) if names else text


def after_first_epoch(network: Network, work: Assembly, history: History) -> bool:
    """Warn of an X that is too large as soon as it shows, and return whether it does."""
    high = history.cost[0] > _HIGH_AFTER_AN_EPOCH * math.log(network.sizes[-1])
    return high and _warn_of_large_x(work, history)


def at_the_end(network: Network, work: Assembly, options: FitOptions, history: History) -> None:
    """Warn of a training that learnt nothing, or of a large X that keeps the cost high."""
    if not history.epochs:
        return
    cost = history.cost[-1]
    guessing, floor = _guessing_and_floor(network, work, options)
    to_learn = guessing - floor
    scale = math.log(network.sizes[-1])
    if (
        history.epochs >= _ENOUGH_EPOCHS
        and to_learn > _SOMETHING * scale
        and cost - floor >= _STALLED * to_learn
    ):
        _warn(_stalled(network, cost, guessing, work, options, history))
    elif cost - floor > _HIGH_AT_THE_END * scale and history.stopped != "callback":
        _warn_of_large_x(work, history)


def _warn_of_large_x(work: Assembly, history: History) -> bool:
    if work.preparation is not None and work.preparation.mean is not None:
        return False
    mean_square, largest = _size_of_x(work)
    if mean_square <= _LARGE_X**2:
        return False
    epochs = f"{history.epochs} epoch{'s' if history.epochs > 1 else ''}"
    _warn(
        f"X has a root mean square of {math.sqrt(mean_square):.3g} and entries up to "
        f"{largest:.3g}, with which sigmoids saturate and learn slowly (cost "
        f"{history.cost[-1]:.3g} after {epochs}): pass standardize=True, or scale its columns to "
        "about -1 ... 1"
    )
    return True


def _stalled(
    network: Network,
    cost: float,
    guessing: float,
    work: Assembly,
    options: FitOptions,
    history: History,
) -> str:
    advice = []
    if work.preparation is None or work.preparation.mean is None:
        advice.append("standardize=True")
    if options.optimizer in ("sgd", "momentum", "nesterov"):
        advice.append("optimizer='adam'")
    if options.optimizer != "lbfgs":
        falling = all(b < a for a, b in pairwise(history.cost))
        size = "larger" if falling else "smaller" if cost > 1.1 * guessing else "different"
        advice.append(f"a {size} learning_rate (it was {max(history.learning_rate):g})")
        advice += ["more epochs"] * falling
    # what the penalty was with weights as at the beginning, where all sum w^2 are about n_l
    l2 = options.l2 / 2 * network._layout.n_units > _VISIBLE * guessing
    advice += [
        f"less {name}"
        for name, on in (("l2", l2), ("l1", options.l1), ("dropout", options.dropout))
        if on
    ]
    if len(network.sizes) > 3:
        advice.append("fewer hidden layers")
    return (
        f"training stalled: after {history.epochs} epochs the cost is {cost:.4g}, and always "
        f"giving the shares of the classes costs {guessing:.4g}; try {', '.join(advice)}, and see "
        "whether X and y belong together"
    )


def _guessing_and_floor(
    network: Network, work: Assembly, options: FitOptions
) -> tuple[float, float]:
    """Return the least cost of an answer that ignores X, and the least cost there can be, in nats.

    The first is the entropy of the mean target, the second the mean entropy of the targets.
    """
    from sigmax._examples import Examples

    data, n_classes, e = work.data, network.sizes[-1], options.label_smoothing
    if not isinstance(data, Examples):  # a stream's targets are not at hand
        shares, floor = np.full(n_classes, 1 / n_classes), 0.0
    elif data.labels is not None:
        shares = np.bincount(data.labels, data.weights, n_classes) / len(data)
        floor = float(
            _entropy(np.array([1 - e + e / n_classes] + [e / n_classes] * (n_classes - 1)))
        )
    else:
        assert data.targets is not None
        shares = np.average(data.targets, axis=0, weights=data.weights)
        some = slice(0, _SAMPLE)
        entropies = _entropy((1 - e) * data.targets[some] + e / n_classes)
        floor = float(np.mean(entropies))
    return float(_entropy((1 - e) * shares + e / n_classes)), floor


def _entropy(shares: Array) -> Array:
    """Return -sum_i p_i ln p_i of each row."""
    p = np.asarray(shares, np.float64)
    entropies: Array = -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1)
    return entropies


def _size_of_x(work: Assembly) -> tuple[float, float]:
    """Return mean square and largest size of the entries, of the first rows as C gets them."""
    from sigmax._examples import Examples
    from sigmax._rows import SparseRows

    data = work.data
    if not isinstance(data, Examples):
        return 0.0, 0.0
    rows = data.rows
    first = slice(0, max(1, min(_SAMPLE, len(data), _SAMPLE_ENTRIES // max(1, rows.width))))
    if isinstance(rows, SparseRows):
        part: Any = rows.csr.take(first)
        assert isinstance(part, Csr)
        entries, count = part.values, len(part) * rows.width
    else:
        entries = rows.block(first)
        count = entries.size
    entries = np.abs(entries, dtype=np.float64)
    if not entries.size:
        return 0.0, 0.0
    with np.errstate(over="ignore"):
        return float((entries**2).sum() / count), float(entries.max())


def _warn(text: str) -> None:
    """Warn at the line that called into this package."""
    depth, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("sigmax."):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(renamed(text, _names.get({})), TrainingWarning, stacklevel=depth)
