"""The part of a checkpoint that is a `TrainingState`: as arrays, and back after every check."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from sigmax import archive
from sigmax._arrays import Array
from sigmax._errors import FileFormatError
from sigmax._sigmax import lib
from sigmax.history import SERIES, History
from sigmax.network import Network
from sigmax.state import TrainingState

_HISTORY = tuple(f"history_{name}" for name in SERIES)
REQUIRED = ("progress", "moments", *_HISTORY)
OPTIONAL = ("best",)

_COUNTS = ("epoch", "position", "batch", "step")
_SUMS = ("cost", "n_correct", "seconds")


def state_arrays(state: TrainingState, network: Network) -> dict[str, Any]:
    """Return a state as arrays; `as_state` is the way back.

    Examples
    --------
    >>> state_arrays(TrainingState(), network)["moments"]
    array([], dtype=float32)
    """
    progress: dict[str, Any] = {name: getattr(state, name) for name in (*_COUNTS, *_SUMS)}
    progress |= {
        "n_rows": state.n_rows,
        "finished": state.finished,
        "marks": state.marks,
        "stopping": state.stopping,
        "schedule": state.schedule,
        "best_epoch": state.history.best_epoch,
        "stopped": state.history.stopped,
    }
    arrays: dict[str, Any] = {
        "progress": as_json(progress),
        "moments": np.asarray(state.moments, network.dtype),
    }
    if state.best is not None:
        arrays["best"] = state.best
    for name, array in zip(SERIES, _HISTORY, strict=True):
        arrays[array] = np.asarray(getattr(state.history, name), np.float64)
    return arrays


def as_state(
    arrays: Mapping[str, Array], network: Network, options: Mapping[str, Any]
) -> TrainingState:
    """Return the state of a training of this network with these options, after every check.

    Raises FileFormatError, naming what is wrong, its value and what was expected.

    Examples
    --------
    >>> as_state(arrays, network, {"epochs": 30, "optimizer": "adam"}).epoch
    17
    """
    progress = from_json(arrays, "progress")
    read = _Numbers(progress)
    numbers: dict[str, Any] = {name: read.count(name) for name in _COUNTS}
    numbers |= {name: read.number(name) for name in _SUMS}
    n_rows = None if progress.get("n_rows") is None else read.count("n_rows")
    if n_rows is not None and numbers["position"] > n_rows:
        raise FileFormatError(f"progress: position is {numbers['position']} of {n_rows} rows")
    history = _history(arrays, read)
    if not history.epochs == numbers["epoch"] <= options["epochs"]:
        raise FileFormatError(
            f"progress: epoch is {numbers['epoch']} of {options['epochs']}, "
            f"history has {history.epochs}"
        )
    if network.epochs_trained < numbers["epoch"]:
        raise FileFormatError(
            f"epochs_trained is {network.epochs_trained}, but epoch is {numbers['epoch']}"
        )
    state_count = _state_count(network, options["optimizer"])
    moments = _finite(arrays, "moments", network)
    if moments.size not in (0, state_count) or (
        moments.size == 0 and numbers["step"] and state_count
    ):
        raise FileFormatError(f"moments has {moments.size} entries; expected {state_count}")
    best = _finite(arrays, "best", network) if "best" in arrays else None
    if best is not None and best.size != network.n_parameters:
        raise FileFormatError(f"best has {best.size} entries; expected {network.n_parameters}")
    return TrainingState(
        **numbers,
        moments=moments.copy(),
        history=history,
        stopping=read.mapping("stopping", "value", "epoch", "waited"),
        best=None if best is None else best.copy(),
        schedule=read.mapping("schedule", "share", "best", "waited"),
        n_rows=n_rows,
        marks=read.marks(),
        finished=read.truth("finished"),
    )


class _Numbers:
    """The numbers of a JSON object, each checked when it is asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def _found(self, name: str, fits: bool, expected: str) -> Any:
        if not fits:
            raise FileFormatError(
                f"progress: {name} is {self.values.get(name)!r}; expected {expected}"
            )
        return self.values[name]

    def count(self, name: str) -> int:
        value: Any = self.values.get(name)
        fits = type(value) is int and 0 <= value < 2**63
        return cast(int, self._found(name, fits, "a whole number >= 0"))

    def number(self, name: str) -> float:
        value: Any = self.values.get(name)
        fits = type(value) in (int, float) and math.isfinite(value) and value >= 0
        return float(self._found(name, fits, "a finite number >= 0"))

    def truth(self, name: str) -> bool:
        return cast(bool, self._found(name, type(self.values.get(name)) is bool, "true or false"))

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        fits = name in self.values and (value is None or type(value) is str)
        return cast("str | None", self._found(name, fits, "a text or null"))

    def mapping(self, name: str, *keys: str) -> dict[str, float]:
        value: Any = self.values.get(name)
        fits = isinstance(value, dict) and (not value or value.keys() == set(keys))
        fits = fits and all(type(v) in (int, float) for v in value.values())
        return dict(self._found(name, fits, f"numbers by the names {', '.join(keys)}, or none"))

    def marks(self) -> dict[str, int]:
        value: Any = self.values.get("marks")
        fits = isinstance(value, dict) and value.keys() <= {"training", "validation"}
        fits = fits and all(type(mark) is int for mark in value.values())
        return dict(self._found("marks", fits, "checksums of training and validation"))


def _history(arrays: Mapping[str, Array], read: _Numbers) -> History:
    series = {
        name: archive.vector(arrays, array, "<f8").tolist()
        for name, array in zip(SERIES, _HISTORY, strict=True)
    }
    n_epochs = len(series["cost"])
    for name, values in series.items():
        if len(values) != n_epochs and not (name.startswith("val_") and not values):
            raise FileFormatError(
                f"history_{name} has {len(values)} entries; expected {n_epochs}, as history_cost"
            )
    best_epoch = None if read.values.get("best_epoch") is None else read.count("best_epoch")
    return History(**series, best_epoch=best_epoch, stopped=read.text("stopped"))


def _state_count(network: Network, optimizer: str) -> int:
    if optimizer == "lbfgs":  # SciPy keeps its memory, which begins anew at each checkpoint
        return 0
    kind = getattr(lib, f"SIGMAX_{optimizer.upper()}")
    return lib.sigmax_state_count(network._layout.handle, kind)


def _finite(arrays: Mapping[str, Array], name: str, network: Network) -> Array:
    array = archive.vector(arrays, name, network.dtype.newbyteorder("<").str)
    if not np.isfinite(array).all():
        raise FileFormatError(
            f"{name} has an infinity or NaN at {int(np.argmin(np.isfinite(array)))}"
        )
    return array.astype(network.dtype, copy=False)


def as_json(value: Mapping[str, Any]) -> Array:
    """Return numbers, texts and truth values as JSON in UTF-8, which keeps all bits of a float.

    Examples
    --------
    >>> as_json({"a": 0.1}).tobytes()
    b'{"a": 0.1}'
    """
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def from_json(arrays: Mapping[str, Array], name: str) -> dict[str, Any]:
    """Return what `as_json` was given, or raise FileFormatError.

    Examples
    --------
    >>> from_json({"numbers": as_json({"a": 0.1})}, "numbers")
    {'a': 0.1}
    """
    try:
        value = json.loads(archive.vector(arrays, name, "u1").tobytes())
    except (ValueError, RecursionError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{name} is no JSON text: {error}") from error
    if not isinstance(value, dict):
        raise FileFormatError(f"{name} is JSON, but no object")
    return value
