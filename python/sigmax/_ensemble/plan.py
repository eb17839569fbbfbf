"""What is decided of a bag before a row is looked at: from arguments, or from a checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax._boundary.arrays import FLOAT32, as_numbers, is_sparse
from sigmax._boundary.scalars import as_integer, truth
from sigmax._ensemble import bag_file
from sigmax._training.options import OPTION_NAMES, FitOptions, chosen
from sigmax.errors import Mention, OptionValueError
from sigmax.network import Network

if TYPE_CHECKING:
    from sigmax._boundary.layout import Layout

N_NETWORKS = 5
HIDDEN = (30,)
FEWEST_SCORERS = 3  # of each row, for a temperature: that of single members is not the fold's


@dataclass(frozen=True)
class Plan:
    """All that is decided before a row is looked at; stored says where it was read from."""

    layout: Layout
    n_networks: int
    repeats: int
    calibrate: bool
    seed: int
    options: FitOptions
    init: str = "lecun"
    stored: bag_file.BagFile | None = None


def new_plan(
    X: object,
    y: object,
    given: Mapping[str, Any],
    n_networks: object,
    hidden: Iterable[int] | None,
    repeats: object,
    calibrate: object,
    dtype: object,
    seed: object,
    init: object,
) -> Plan:
    n = N_NETWORKS if n_networks is None else as_integer(n_networks, "n_networks", 1)
    n_repeats = 1 if repeats is None else as_integer(repeats, "repeats", 1)
    wants_temperature = calibrate is not None and truth(calibrate, "calibrate")
    require_folds(n, n_repeats, wants_temperature)
    options = chosen(given, "bag", OPTION_NAMES)
    if n > 1 and options.validation_fraction:
        because = (f", but each of the {n} networks holds out a fold of its own",)
        raise OptionValueError("validation_fraction", options.validation_fraction, "0", because)
    if n == 1 and options.early_stopping and not options.validation_fraction:
        raise OptionValueError(
            "early_stopping",
            options.early_stopping,
            ("a ", Mention("validation_fraction"), ", or more networks"),
            (", but there is no validation data",),
        )
    layers = HIDDEN if hidden is None else _hidden(hidden)
    sizes = (_n_columns(X), *layers, _n_classes(y))
    first = Network(
        sizes,
        dtype=FLOAT32 if dtype is None else dtype,  # type: ignore[arg-type]
        seed=seed,  # type: ignore[arg-type]
        init="lecun" if init is None else init,  # type: ignore[arg-type]
    )
    return Plan(
        first._model.layout,
        n,
        n_repeats,
        wants_temperature,
        first.seed,
        options,
        "lecun" if init is None else str(init),
    )


def require_folds(n_networks: int, repeats: int, calibrate: bool) -> None:
    """Raise ValueError where the members cannot be divided so.

    Examples
    --------
    >>> require_folds(9, 3, True)
    """
    if n_networks % repeats or (repeats > 1 and n_networks // repeats < 2):
        raise OptionValueError(
            "repeats",
            repeats,
            "1, or a divisor of it that leaves at least two folds each",
            (", but ", Mention("n_networks", n_networks, " is ")),
        )
    if calibrate and repeats < FEWEST_SCORERS:
        raise OptionValueError(
            "calibrate",
            True,
            (
                f"{FEWEST_SCORERS} repeats or more, as ",
                Mention("n_networks", 15),
                " and ",
                Mention("repeats", 3),
                ", or rows that nobody trained on, for Bagged.network.calibrate",
            ),
            (
                ", but ",
                Mention("repeats", repeats, " is "),
                ": answers by fewer members than that are less sure than the fold is",
            ),
        )


def stored_plan(
    resume: str | os.PathLike[str],
    given: Mapping[str, Any],
    wanted: Mapping[str, object],
    hidden: Iterable[int] | None,
    dtype: object,
    seed: object,
    init: object,
) -> Plan:
    """Return the plan of a checkpoint, after comparing with it what was given."""
    stored = bag_file.load(resume)
    if init is not None:
        raise ValueError(
            f"init is {init!r}, but {stored.path} has the weights; expected it omitted"
        )
    checkpoint = given.get("checkpoint")
    if checkpoint is not None and os.path.realpath(checkpoint) != os.path.realpath(stored.path):
        raise ValueError(
            f"checkpoint is {os.fsdecode(checkpoint)!r}, but {stored.path} is resumed; expected "
            "the same, or none: its files can be copied"
        )
    layout = stored.layout
    own: dict[str, tuple[object, object]] = {
        name: (value, getattr(stored, name)) for name, value in wanted.items()
    }
    own["seed"] = (seed, stored.seed)
    own["hidden"] = (None if hidden is None else _hidden(hidden), layout.sizes[1:-1])
    own["dtype"] = (None if dtype is None else np.dtype(dtype), layout.dtype)  # type: ignore[call-overload]
    for name, (value, kept) in own.items():
        if value is not None and value != kept:
            raise ValueError(
                f"{name} is {value}, but {stored.path} has {kept}; expected the same, or none"
            )
    options = FitOptions(**{**stored.options, "checkpoint": stored.path})
    return Plan(
        layout,
        stored.n_networks,
        stored.repeats,
        stored.calibrate,
        stored.seed,
        options,
        stored=stored,
    )


# ---- sizes ---------------------------------------------------------------------------------------


def _hidden(hidden: Iterable[int]) -> tuple[int, ...]:
    if isinstance(hidden, str | bytes) or not isinstance(hidden, Iterable):
        raise TypeError(f"hidden is {hidden!r}; expected a sequence of integers >= 1, like [30]")
    return tuple(as_integer(n, f"hidden[{i}]", 1) for i, n in enumerate(hidden))


def _n_columns(X: Any) -> int:
    """Return the number of columns of X, which is checked later; 1 where it has none."""
    if callable(X):
        return 1
    shape = getattr(X, "shape", None)
    if not isinstance(shape, tuple):
        shape = as_numbers(X, "X").shape
    if len(shape) != 2 or not shape[1]:
        raise ValueError(f"X has shape {shape}; expected two dimensions, (rows, columns)")
    return int(shape[1])


def _n_classes(y: object) -> int:
    """Return the number of classes of y, which is checked later."""
    if y is None or is_sparse(y):
        return 2
    given = as_numbers(y, "y", ": integer labels from 0, or rows of class probabilities")
    if given.ndim == 2:
        return int(given.shape[1])
    largest = given.max() if given.size else 0
    return max(2, int(largest) + 1) if np.isfinite(largest) else 2
