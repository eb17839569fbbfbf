"""The options of training: defaults, checks and help, once for every place that takes them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sigmax._arrays import as_integer

_SGD_LEARNING_RATE = 0.5  # what learning_rate=None stands for


def _option(default: Any, kind: type, text: str) -> Any:
    return field(default=default, metadata={"type": kind, "help": text})


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How `fit` trains. Every field is checked; `metadata` of a field holds its `type` and `help`.

    Raises
    ------
    TypeError, ValueError
        Naming the option, its value and what was expected.

    Examples
    --------
    >>> FitOptions(epochs=5).rate
    0.5
    >>> [(f.name, f.default, f.metadata["help"]) for f in dataclasses.fields(FitOptions)]
    """

    epochs: int = _option(30, int, "passes over the data; 0 does nothing")
    batch_size: int = _option(
        10, int, "rows per update; the last batch of an epoch holds what is left"
    )
    learning_rate: float | None = _option(
        None,
        float,
        "step size along the gradient of the mean over a batch; "
        f"by default {_SGD_LEARNING_RATE} for plain gradient descent",
    )
    l2: float = _option(
        0.0, float, "weight decay: adds l2/2 times the sum of the squared weights to the cost"
    )
    shuffle: bool = _option(True, bool, "take the rows in a new random order in each epoch")
    progress: bool = _option(False, bool, "draw a progress bar")

    def __post_init__(self) -> None:
        """Check every option and turn NumPy scalars into Python numbers."""
        checked = {
            "epochs": as_integer(self.epochs, "epochs", 0),
            "batch_size": as_integer(self.batch_size, "batch_size", 1),
            "learning_rate": None
            if self.learning_rate is None
            else _as_float(self.learning_rate, "learning_rate", zero_allowed=False),
            "l2": _as_float(self.l2, "l2", zero_allowed=True),
            "shuffle": _as_bool(self.shuffle, "shuffle"),
            "progress": _as_bool(self.progress, "progress"),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def rate(self) -> float:
        """The learning rate in use: `learning_rate`, or its default."""
        return _SGD_LEARNING_RATE if self.learning_rate is None else self.learning_rate


def _as_float(value: object, name: str, *, zero_allowed: bool) -> float:
    limits = ">= 0" if zero_allowed else "> 0"
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} is {value!r}; expected a number {limits}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number < 0 or (number == 0 and not zero_allowed):
        raise ValueError(f"{name} is {number}; expected a finite number {limits}")
    return number


def _as_bool(value: object, name: str) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} is {value!r}; expected True or False")
    return bool(value)
