"""The rules of options: checks of single ones, and which make no sense together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sigmax._boundary.scalars import as_integer, from_zero
from sigmax.errors import Mention, OptionTypeError, OptionValueError, Part, joined


def require_sense(
    options: Mapping[str, Any],
    rate: float,
    defaults: Mapping[str, object],
    users: Mapping[str, Sequence[str]],
    not_lbfgs: Mapping[str, str],
) -> None:
    """Raise ValueError for an option that another one makes meaningless, unless at its default.

    Parameters
    ----------
    options, defaults : mapping
        The values and the defaults of all options, by name.
    rate : float
        The learning rate in use.
    users : mapping
        The optimisers that use an option, where not all do.
    not_lbfgs : mapping
        Why lbfgs cannot use an option; empty where it can.
    """
    changed = {name for name, default in defaults.items() if options[name] != default}

    def refuse(name: str, *because: Part) -> None:
        if name in changed:
            expected = f"its default, {defaults[name]!r}"
            raise OptionValueError(name, options[name], expected, (", but ", *because))

    optimizer = Mention("optimizer", options["optimizer"], " ")
    for name, of in users.items():
        if options["optimizer"] not in of:
            named = " and ".join(map(repr, of))
            refuse(name, optimizer, f" does not use it, only {named}")
    if options["optimizer"] == "lbfgs":
        for name, reason in not_lbfgs.items():
            if reason:
                refuse(name, optimizer, f" does not use it: {reason}")
    kind = "function" if callable(options["schedule"]) else options["schedule"]
    schedule = Mention("schedule", kind, " ")
    if kind not in ("step", "exponential", "plateau"):
        refuse("schedule_factor", schedule, " has no factor")
    if kind not in ("step", "plateau"):
        refuse("schedule_epochs", schedule, " does not use it")
    if kind in ("constant", "function"):
        refuse("min_learning_rate", schedule, " does not use it")
    if kind == "function":
        for name in ("learning_rate", "warmup_epochs"):
            refuse(name, Mention("schedule"), " is a function, which gives the rate by itself")
    if options["early_stopping"] is None:
        for name in ("patience", "min_delta"):
            refuse(name, Mention("early_stopping", None, " is "))
    if options["checkpoint"] is None:
        refuse("checkpoint_every", Mention("checkpoint", None, " is "))
    lowest = options["min_learning_rate"]
    if lowest > rate:
        expected = "at most the ", Mention("learning_rate"), f", {rate}"
        raise OptionValueError("min_learning_rate", lowest, expected)


def require_used(given: Mapping[str, object], options: Mapping[str, Any]) -> None:
    """Raise `OptionError` for an option that was given but has no effect, even at its default."""
    if "momentum" in given and options["optimizer"] == "sgd":
        _refuse_unused(
            "momentum",
            given["momentum"],
            (Mention("optimizer", "sgd", " is "), ", which does not use it"),
            [Mention("optimizer", "momentum"), Mention("optimizer", "nesterov")],
        )
    if "patience" in given and options["early_stopping"] is None:
        _refuse_unused(
            "patience",
            given["patience"],
            (Mention("early_stopping", None, " is "),),
            [Mention("early_stopping", "cost"), Mention("early_stopping", "accuracy")],
        )


def _refuse_unused(
    name: str, value: object, because: Sequence[Part], instead: Sequence[Mention]
) -> None:
    expected = [*joined(instead, last=" or "), ", or no ", Mention(name)]
    raise OptionValueError(name, value, expected, (", but ", *because))


def callbacks(value: object, name: str) -> tuple[object, ...]:
    """Return a sequence of callables, or of objects with on_epoch_end, as a tuple."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
        raise OptionTypeError(name, value, "a list of callables")
    for i, callback in enumerate(value):
        if not callable(getattr(callback, "on_epoch_end", callback)):
            expected = "a callable of (network, epoch, history) or an object with on_epoch_end"
            raise OptionTypeError(f"{name}[{i}]", callback, expected)
    return tuple(value)


def class_weight(value: object, name: str) -> str | dict[int, float] | tuple[float, ...]:
    """Return "balanced", weights of the classes as a tuple, or as a dict {label: weight}."""
    expected = "'balanced', a weight per class in a sequence, or a dict {label: weight}"
    if isinstance(value, str):
        if value != "balanced":
            raise OptionValueError(name, value, expected)
        return value
    if isinstance(value, Mapping):
        return {
            as_integer(label, f"a label in {name}", 0): from_zero(weight, f"{name}[{label!r}]")
            for label, weight in value.items()
        }
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise OptionTypeError(name, value, expected)
    weights: Sequence[Any] = value
    return tuple(from_zero(weight, f"{name}[{i}]") for i, weight in enumerate(weights))
