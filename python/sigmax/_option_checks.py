"""The checks behind FitOptions: each option by itself, and all of them together."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax._arrays import as_integer

if TYPE_CHECKING:
    from sigmax.options import FitOptions

# Which optimisers look at an option. The others refuse it, rather than ignore it, unless it has
# its default.
_USED_BY = {
    "momentum": ("momentum", "nesterov"),
    "beta1": ("adam", "adamw"),
    "beta2": ("adam", "adamw"),
    "rho": ("rmsprop",),
    "epsilon": ("rmsprop", "adam", "adamw"),
    "gtol": ("lbfgs",),
    "max_evaluations": ("lbfgs",),
    "weight_decay": ("adamw",),
}
_NOT_WITH_LBFGS = {
    "batch_size": "it takes all rows at once",
    "learning_rate": "its line search finds the steps",
    "schedule": "its line search finds the steps",
    "warmup_epochs": "its line search finds the steps",
    "l1": "it needs a smooth cost",
    "clip_norm": "its line search finds the steps",
    "dropout": "it needs a cost that is the same at each look",
}


def checked(options: FitOptions) -> dict[str, Any]:
    """Return every option as a plain Python value; refuse what is not what it should be."""
    from sigmax.options import OPTIMIZERS, SCHEDULES  # not at the top: options imports this module

    o = options
    return {
        "epochs": as_integer(o.epochs, "epochs", 0),
        "batch_size": as_integer(o.batch_size, "batch_size", 1),
        "learning_rate": _optional(o.learning_rate, "learning_rate", above_zero),
        "optimizer": choice(o.optimizer, "optimizer", OPTIMIZERS),
        "momentum": share(o.momentum, "momentum"),
        "beta1": share(o.beta1, "beta1"),
        "beta2": share(o.beta2, "beta2"),
        "rho": share(o.rho, "rho"),
        "epsilon": above_zero(o.epsilon, "epsilon"),
        "gtol": from_zero(o.gtol, "gtol"),
        "max_evaluations": _optional(o.max_evaluations, "max_evaluations", _from_one),
        "weight_decay": _optional(o.weight_decay, "weight_decay", from_zero),
        "l2": from_zero(o.l2, "l2"),
        "l1": from_zero(o.l1, "l1"),
        "clip_norm": _optional(o.clip_norm, "clip_norm", above_zero),
        "dropout": share(o.dropout, "dropout"),
        "label_smoothing": share(o.label_smoothing, "label_smoothing"),
        "shuffle": _truth(o.shuffle, "shuffle"),
        "class_weight": _class_weight(o.class_weight),
        "validation_fraction": share(o.validation_fraction, "validation_fraction"),
        "early_stopping": None
        if o.early_stopping is None
        else choice(o.early_stopping, "early_stopping", ("cost", "accuracy"), " or None"),
        "patience": as_integer(o.patience, "patience", 1),
        "min_delta": from_zero(o.min_delta, "min_delta"),
        "schedule": o.schedule
        if callable(o.schedule)
        else choice(o.schedule, "schedule", SCHEDULES, " or a function of the epoch"),
        "schedule_factor": _optional(o.schedule_factor, "schedule_factor", _factor),
        "schedule_epochs": as_integer(o.schedule_epochs, "schedule_epochs", 1),
        "warmup_epochs": as_integer(o.warmup_epochs, "warmup_epochs", 0),
        "min_learning_rate": from_zero(o.min_learning_rate, "min_learning_rate"),
        "standardize": _truth(o.standardize, "standardize"),
        "nan": choice(o.nan, "nan", ("error", "mean")),
        "callbacks": _callbacks(o.callbacks),
        "checkpoint": _path(o.checkpoint, "checkpoint"),
        "checkpoint_every": _optional(o.checkpoint_every, "checkpoint_every", _from_one),
        "progress": _truth(o.progress, "progress"),
    }


def require_sense(options: FitOptions, defaults: Mapping[str, object]) -> None:
    """Refuse options that another option makes meaningless; those at their default never are."""
    changed = {name for name, default in defaults.items() if getattr(options, name) != default}

    def refuse(name: str, reason: str) -> None:
        if name in changed:
            expected = f"expected its default, {defaults[name]!r}"
            raise ValueError(f"{name} is {getattr(options, name)!r}, but {reason}; {expected}")

    optimizer = options.optimizer
    for name, users in _USED_BY.items():
        if optimizer not in users:
            named = " and ".join(map(repr, users))
            refuse(name, f"optimizer {optimizer!r} does not use it, only {named}")
    if optimizer == "lbfgs":
        for name, reason in _NOT_WITH_LBFGS.items():
            refuse(name, f"optimizer 'lbfgs' does not use it: {reason}")
    schedule = options.schedule if isinstance(options.schedule, str) else "function"
    if schedule not in ("step", "exponential", "plateau"):
        refuse("schedule_factor", f"schedule {schedule!r} has no factor")
    if schedule not in ("step", "plateau"):
        refuse("schedule_epochs", f"schedule {schedule!r} does not use it")
    if schedule in ("constant", "function"):
        refuse("min_learning_rate", f"schedule {schedule!r} does not use it")
    if schedule == "function":
        for name in ("learning_rate", "warmup_epochs"):
            refuse(name, "schedule is a function, which gives the rate by itself")
    if options.early_stopping is None:
        for name in ("patience", "min_delta"):
            refuse(name, "early_stopping is None")
    if options.checkpoint is None:
        refuse("checkpoint_every", "checkpoint is None")
    if options.min_learning_rate > options.rate:
        raise ValueError(
            f"min_learning_rate is {options.min_learning_rate}; expected at most the "
            f"learning_rate, {options.rate}"
        )


def require_used(given: Mapping[str, object], options: FitOptions) -> None:
    """Refuse what somebody wrote down, if only as its default, in the belief that it works."""
    if "momentum" in given and options.optimizer == "sgd":
        raise ValueError(
            f"momentum is {given['momentum']!r}, but optimizer is 'sgd', which does not use it; "
            "expected optimizer='momentum' or optimizer='nesterov', or no momentum"
        )
    if "patience" in given and options.early_stopping is None:
        raise ValueError(
            f"patience is {given['patience']!r}, but early_stopping is None; expected "
            "early_stopping='cost' or early_stopping='accuracy', or no patience"
        )


def number(value: object, name: str, limits: str) -> float:
    """Return value as a finite float; limits is what the error says was expected."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} is {value!r}; expected a number {limits}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise ValueError(f"{name} is {result}; expected a finite number {limits}")
    return result


def above_zero(value: object, name: str) -> float:
    """Return a finite float > 0."""
    result = number(value, name, "> 0")
    if result <= 0:
        raise ValueError(f"{name} is {result}; expected a finite number > 0")
    return result


def from_zero(value: object, name: str) -> float:
    """Return a finite float >= 0."""
    result = number(value, name, ">= 0")
    if result < 0:
        raise ValueError(f"{name} is {result}; expected a finite number >= 0")
    return result


def share(value: object, name: str) -> float:
    """Return a float >= 0 and < 1."""
    result = number(value, name, "from 0 to below 1")
    if not 0 <= result < 1:
        raise ValueError(f"{name} is {result}; expected a number from 0 to below 1")
    return result


def _factor(value: object, name: str) -> float:
    result = number(value, name, "above 0 to 1")
    if not 0 < result <= 1:
        raise ValueError(f"{name} is {result}; expected a number above 0, at most 1")
    return result


def _from_one(value: object, name: str) -> int:
    return as_integer(value, name, 1, 2**31 - 1)


def _optional(value: object, name: str, check: Callable[[object, str], float]) -> float | None:
    return None if value is None else check(value, name)


def _truth(value: object, name: str) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} is {value!r}; expected True or False")
    return bool(value)


def choice(value: object, name: str, choices: Sequence[str], more: str = "") -> str:
    """Return value when it is one of choices; more is what else the error says was expected."""
    expected = f"expected one of {', '.join(map(repr, choices))}{more}"
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}; {expected}")
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; {expected}")
    return value


def _path(value: object, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} is {value!r}; expected a path")
    path = os.fsdecode(value)
    if not path:
        raise ValueError(f"{name} is empty; expected a path")
    return path


def _callbacks(value: object) -> tuple[object, ...]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
        raise TypeError(f"callbacks is {value!r}; expected a list of callables")
    for i, callback in enumerate(value):
        if not callable(getattr(callback, "on_epoch_end", callback)):
            raise TypeError(
                f"callbacks[{i}] is {callback!r}; expected a callable of (network, epoch, history) "
                "or an object with on_epoch_end"
            )
    return tuple(value)


def _class_weight(value: object) -> str | dict[int, float] | tuple[float, ...] | None:
    if value is None:
        return None
    expected = "expected 'balanced', a weight per class in a sequence, or a dict {label: weight}"
    if isinstance(value, str):
        if value != "balanced":
            raise ValueError(f"class_weight is {value!r}; {expected}")
        return value
    if isinstance(value, Mapping):
        return {
            as_integer(label, "a label in class_weight", 0): from_zero(
                weight, f"class_weight[{label!r}]"
            )
            for label, weight in value.items()
        }
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise TypeError(f"class_weight is {value!r}; {expected}")
    return tuple(from_zero(weight, f"class_weight[{i}]") for i, weight in enumerate(value))
