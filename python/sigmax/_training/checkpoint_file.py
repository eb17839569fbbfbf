"""Checkpoints: everything that a training needs to resume with the bits of an uninterrupted run.

A checkpoint is an archive (see `sigmax._formats.archive`) of the arrays that make the network, as
in a model file, and of these:

| name               | dtype, shape      | what                                                   |
|--------------------|-------------------|--------------------------------------------------------|
| checkpoint_version | int64, ()         | 1 or 2, as in a model file                             |
| options            | uint8, (n,)       | JSON in UTF-8: the options of `fit`, by name           |
| progress           | uint8, (n,)       | JSON in UTF-8: the numbers of `TrainingState`          |
| moments            | as the parameters | the optimiser's state, (0,) where it has none          |
| best               | as the parameters | optional: the best parameters so far                   |
| last               | as the parameters | optional: those after the last epoch, if others        |
| lbfgs_x            | float64, (n)      | optional, of L-BFGS: its point; n parameters           |
| lbfgs_s, lbfgs_y   | float64, (k n)    | with it: `Pair.s` and `Pair.y` of its k last steps     |
| history_...        | float64, (epochs) | a series of `History`, (0,) where it is empty          |

JSON keeps every bit of a float64 and executes nothing. Data and functions are not stored: they are
passed again. All shuffles and dropout masks are functions of the network's seed, its epochs and the
number of updates, so no generator's state must be stored.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sigmax._formats import archive
from sigmax._model import model_file
from sigmax._sigmax import lib
from sigmax._training.history import SERIES, History
from sigmax._training.lbfgs import MEMORY, LbfgsState, Pair, dot
from sigmax._training.options import DEFAULTS, OPTIONS, FitOptions
from sigmax._training.training_state import TrainingState, new_progress
from sigmax.errors import FileFormatError

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array
    from sigmax._model.model import Model

VERSION = 2

_HISTORY = tuple(f"history_{name}" for name in SERIES)
_REQUIRED = ("progress", "moments", *_HISTORY)
_OPTIONAL = ("best", "last", "lbfgs_x", "lbfgs_s", "lbfgs_y")

_COUNTS = ("epoch", "position", "batch", "step")
_SUMS = ("cost", "n_correct", "seconds")

_FORM = archive.Form(
    what="checkpoint",
    version="checkpoint_version",
    newest=VERSION,
    required=(*model_file.MODEL_REQUIRED, "options", *_REQUIRED),
    optional=(*_OPTIONAL, *model_file.MODEL_OPTIONAL),
    others={
        "format_version": "it is a model, and no checkpoint: Network.load reads it",
        "bag_version": "it is a checkpoint of a bag: sigmax.bag(X, y, resume=path) goes on with it",
    },
)
_FUNCTION = {"function": True}  # in the JSON, the place of an option that must be passed again


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint.

    Attributes
    ----------
    path : str
        Its path.
    model : Model
        The network at that moment.
    options : dict
        The options by name; a resumed run must have the same.
    functions : frozenset of str
        The options that were functions, which are passed again.
    state : TrainingState
        The state of the training.
    """

    path: str
    model: Model
    options: dict[str, Any]
    functions: frozenset[str]
    state: TrainingState


def save(path: archive.Path, model: Model, options: FitOptions, state: TrainingState) -> None:
    """Write a checkpoint; a failure leaves an earlier one at that path as it was.

    Raises
    ------
    OSError
        When the file cannot be written.
    ValueError
        When a parameter is not finite.

    Examples
    --------
    >>> save("run.checkpoint", model, FitOptions(epochs=100), state)
    """
    stored = {name: _plain(options, name) for name in OPTIONS if _is_kept(name)}
    arrays = {
        **model_file.model_arrays(model),
        "options": archive.as_json(stored),
        **state_arrays(state, model),
    }
    archive.write(path, model_file.versioned("checkpoint_version", arrays))


def load(path: archive.Path) -> Checkpoint:
    """Read a checkpoint that `save` wrote, and check all of it.

    Raises
    ------
    OSError
        When the file cannot be read.
    FileFormatError
        When the file is damaged, incomplete, or no checkpoint, saying in what way.

    Examples
    --------
    >>> load("run.checkpoint").state.epoch
    17
    """
    arrays = archive.read(path, _FORM)
    try:
        model = model_file.as_model(arrays)
        options, functions = _options(archive.from_json(arrays, "options", dict))
        state = as_state(arrays, model, options)
    except FileFormatError as error:
        raise FileFormatError(f"{os.fsdecode(path)}: {error}") from error.__cause__
    return Checkpoint(os.fsdecode(path), model, options, functions, state)


def _is_kept(name: str) -> bool:
    return str(OPTIONS[name].metadata["resume"]) != "free"


# ---- options as JSON -----------------------------------------------------------------------------


def _plain(options: FitOptions, name: str) -> Any:
    """Return an option in a form that JSON can hold."""
    value = getattr(options, name)
    if callable(value) or (OPTIONS[name].metadata["resume"] == "again" and value):
        return _FUNCTION
    if isinstance(value, Mapping):
        return {"pairs": list(value.items())}  # JSON keys cannot be integers
    return value


def _options(stored: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the stored options, checked, and the names of those that were functions."""
    known = {name for name in OPTIONS if _is_kept(name)}
    for name in stored.keys() ^ known:
        problem = "is not an option of this release" if name in stored else "is missing"
        raise FileFormatError(f"options: {name!r} {problem}")
    if stored["checkpoint_every"] is None:  # as earlier releases wrote its default
        stored["checkpoint_every"] = DEFAULTS["checkpoint_every"]
    functions = frozenset(name for name, value in stored.items() if value == _FUNCTION)
    values = {name: _unpaired(value) for name, value in stored.items() if name not in functions}
    if not functions <= {"schedule", "callbacks"}:
        raise FileFormatError(f"options: {', '.join(sorted(functions))} cannot be a function")
    try:
        # with a checkpoint, for that is what made sense of checkpoint_every
        options = FitOptions(**values, checkpoint="-")
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"options: {error}") from error
    return {name: getattr(options, name) for name in values}, functions


def _unpaired(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    try:
        return dict(value["pairs"])
    except (LookupError, TypeError, ValueError) as error:
        raise FileFormatError(f"options: {value!r} is not a mapping") from error


# ---- the state as arrays -------------------------------------------------------------------------


def state_arrays(state: TrainingState, model: Model) -> dict[str, Any]:
    """Return a state as arrays; `as_state` does the reverse.

    Examples
    --------
    >>> state_arrays(TrainingState(), model)["moments"]
    array([], dtype=float32)
    """
    # in the file, updates are called step
    c = state.progress
    progress: dict[str, Any] = {
        "epoch": state.epoch,
        "position": state.position,
        "batch": c.batch,
        "step": c.step,
        "cost": c.cost,
        "n_correct": c.n_correct,
        "seconds": state.elapsed,
    }
    if state.search is not None:
        progress |= {
            "evaluations": state.search.evaluations,
            "converged": state.search.converged,
        }
    progress |= {
        "n_rows": state.n_rows,
        "finished": state.finished,
        "marks": dict(state.marks),
        "stopping": dict(state.stopping),
        "schedule": dict(state.schedule),
        "best_epoch": state.history.best_epoch,
        "stopped": state.history.stopped,
    }
    arrays: dict[str, Any] = {
        "progress": archive.as_json(progress),
        "moments": np.asarray(state.optimizer_state, model.layout.dtype),
    }
    arrays |= {
        name: array
        for name, array in (("best", state.best), ("last", state.last))
        if array is not None
    }
    if state.search is not None:
        arrays |= _search_arrays(state.search)
    for name, array in zip(SERIES, _HISTORY, strict=True):
        arrays[array] = np.asarray(getattr(state.history, name), np.float64)
    return arrays


def as_state(
    arrays: Mapping[str, Array], model: Model, options: Mapping[str, Any]
) -> TrainingState:
    """Check the arrays, and return the state of a training of this network with these options.

    Raises FileFormatError, naming what is wrong, its value and what was expected.

    Examples
    --------
    >>> as_state(arrays, model, {"epochs": 30, "optimizer": "adam"}).epoch
    17
    """
    progress = archive.from_json(arrays, "progress", dict)
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
    if model.epochs_trained < numbers["epoch"]:
        raise FileFormatError(
            f"epochs_trained is {model.epochs_trained}, but epoch is {numbers['epoch']}"
        )
    state_count = _state_count(model, options["optimizer"])
    moments = _finite(arrays, "moments", model)
    if moments.size not in (0, state_count) or (
        moments.size == 0 and numbers["step"] and state_count
    ):
        raise FileFormatError(f"moments has {moments.size} entries; expected {state_count}")
    return TrainingState(
        epoch=numbers["epoch"],
        progress=new_progress(
            cost=numbers["cost"],
            n_correct=numbers["n_correct"],
            batch=numbers["batch"],
            updates=numbers["step"],
        ),
        offset=numbers["position"],
        seconds=numbers["seconds"],
        optimizer_state=moments.copy(),
        history=history,
        stopping=read.mapping("stopping", "value", "epoch", "waited"),
        best=_parameters(arrays, "best", model),
        last=_parameters(arrays, "last", model),
        search=_search(arrays, read, model, options["optimizer"]),
        schedule=read.mapping("schedule", "share", "best", "waited"),
        n_rows=n_rows,
        marks=read.marks(),
        finished=read.truth("finished"),
    )


class _Numbers:
    """The numbers of a JSON object, each checked on access."""

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
        return cast(int, self._found(name, fits, "an integer >= 0"))

    def number(self, name: str) -> float:
        value: Any = self.values.get(name)
        fits = type(value) in (int, float) and math.isfinite(value) and value >= 0
        return float(self._found(name, fits, "a finite number >= 0"))

    def truth(self, name: str) -> bool:
        return cast(bool, self._found(name, type(self.values.get(name)) is bool, "true or false"))

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        fits = name in self.values and (value is None or type(value) is str)
        return cast("str | None", self._found(name, fits, "a string or null"))

    def mapping(self, name: str, *keys: str) -> dict[str, float]:
        value: Any = self.values.get(name)
        fits = isinstance(value, dict) and (not value or value.keys() == set(keys))
        fits = fits and all(type(v) in (int, float) for v in value.values())
        return dict(self._found(name, fits, f"numbers named {', '.join(keys)}, or none"))

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


def _state_count(model: Model, optimizer: str) -> int:
    if optimizer == "lbfgs":  # its state is another one
        return 0
    kind = getattr(lib, f"SIGMAX_{optimizer.upper()}")
    return lib.sigmax_state_count(model.layout.handle, kind)


def _finite(arrays: Mapping[str, Array], name: str, model: Model) -> Array:
    array = archive.vector(arrays, name, model.layout.dtype.newbyteorder("<").str)
    if not np.isfinite(array).all():
        raise FileFormatError(
            f"{name} has an infinity or NaN at {int(np.argmin(np.isfinite(array)))}"
        )
    return array.astype(model.layout.dtype, copy=False)


def _parameters(arrays: Mapping[str, Array], name: str, model: Model) -> Array | None:
    """Return parameters that a checkpoint may have, or None."""
    if name not in arrays:
        return None
    array, n_parameters = _finite(arrays, name, model), model.layout.n_parameters
    if array.size != n_parameters:
        raise FileFormatError(f"{name} has {array.size} entries; expected {n_parameters}")
    return array.copy()


def _search_arrays(search: LbfgsState) -> dict[str, Array]:
    empty = np.empty(0)
    return {
        "lbfgs_x": search.x,
        "lbfgs_s": np.concatenate([empty, *(pair.s for pair in search.memory)]),
        "lbfgs_y": np.concatenate([empty, *(pair.y for pair in search.memory)]),
    }


def _search(
    arrays: Mapping[str, Array], read: _Numbers, model: Model, optimizer: str
) -> LbfgsState | None:
    """Return where L-BFGS stood; None with other optimisers, and in files of earlier releases."""
    names = ("lbfgs_x", "lbfgs_s", "lbfgs_y")
    there = [name for name in names if name in arrays]
    if not there:
        return None
    if optimizer != "lbfgs":
        raise FileFormatError(f"{there[0]} is there, but the optimizer is {optimizer!r}")
    for name in names:
        if name not in there:
            raise FileFormatError(f"{name} is missing, but {there[0]} is there")
    x, s, y = (archive.vector(arrays, name, "<f8").astype(np.float64) for name in names)
    n = model.layout.n_parameters
    if x.size != n:
        raise FileFormatError(f"lbfgs_x has {x.size} entries; expected {n}")
    for name, array in zip(names, (x, s, y), strict=True):
        if not np.isfinite(array).all():
            raise FileFormatError(f"{name} has an infinity or NaN")
    if s.size != y.size or s.size % n or s.size > MEMORY * n:
        raise FileFormatError(
            f"lbfgs_s and lbfgs_y have {s.size} and {y.size} entries; expected the same multiple "
            f"of {n}, at most {MEMORY * n}"
        )
    memory = tuple(
        Pair(step, change, dot(step, change))
        for step, change in zip(s.reshape(-1, n), y.reshape(-1, n), strict=True)
    )
    for i, pair in enumerate(memory):
        if not 0 < pair.curvature < math.inf:
            raise FileFormatError(
                f"lbfgs_s . lbfgs_y is {pair.curvature} in step {i}; expected > 0"
            )
    return LbfgsState(
        x, memory, read.count("epoch"), read.count("evaluations"), read.truth("converged")
    )
