"""Checkpoints: all that a training needs to go on as if it had never been interrupted.

A checkpoint is an archive (see `sigmax.archive`) of the arrays that make the network, as in a model
file, and of these:

| name               | dtype, shape      | what                                                   |
|--------------------|-------------------|--------------------------------------------------------|
| checkpoint_version | int64, ()         | 1                                                      |
| options            | uint8, (n,)       | JSON in UTF-8: the options of `fit`, by name           |
| progress           | uint8, (n,)       | JSON in UTF-8: the numbers of `TrainingState`          |
| moments            | as the parameters | the optimiser's state, (0,) where it has none          |
| best               | as the parameters | optional: the best parameters so far                   |
| history_...        | float64, (epochs) | a series of `History`, (0,) where it is empty          |

JSON keeps every bit of a float64 and executes nothing. Data and functions are not stored: they are
passed again. All shuffles and dropout masks are functions of the network's seed, its epochs and the
number of updates, so that no generator has a state of its own to keep.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

import numpy as np

from sigmax import _option_checks, archive, files
from sigmax._checkpoint_state import OPTIONAL, REQUIRED, as_json, as_state, from_json, state_arrays
from sigmax._errors import FileFormatError
from sigmax._examples import Examples
from sigmax._rows import Index, block_rows
from sigmax.network import Network
from sigmax.options import FitOptions
from sigmax.state import TrainingState

if TYPE_CHECKING:
    from sigmax.assembly import Assembly

VERSION = 1

_MARKED_WHOLE = 1 << 30  # bytes of an X, as C gets it, all of which a checksum takes in: a second
_MARKED_ROWS = 64  # of a larger one
_MARKED_BYTES = 1 << 20

_FORM = archive.Form(
    what="checkpoint",
    required=("checkpoint_version", *files.NETWORK_REQUIRED, "options", *REQUIRED),
    optional=(*OPTIONAL, *files.NETWORK_OPTIONAL),
    others={"format_version": "it is a model, and no checkpoint: Network.load reads it"},
)
_FIELDS = {field.name: field for field in dataclasses.fields(FitOptions)}
_FUNCTION = {"function": True}  # stands in the JSON for what has to be passed again


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes
    ----------
    path : str
        Where it was read.
    network : Network
        As it was at that moment.
    options : dict
        The options by name, those that a resumed run has to have as well.
    functions : frozenset of str
        The options that were functions, which are passed again.
    state : TrainingState
        Where the training stood.
    """

    path: str
    network: Network
    options: dict[str, Any]
    functions: frozenset[str]
    state: TrainingState


def save(path: archive.Path, network: Network, options: FitOptions, state: TrainingState) -> None:
    """Write a checkpoint; a failure leaves an earlier one at that path as it was.

    Raises
    ------
    OSError
        When the file cannot be written.
    ValueError
        When a parameter is not finite.

    Examples
    --------
    >>> save("run.checkpoint", network, FitOptions(epochs=100), state)
    """
    stored = {name: _plain(options, name) for name in _FIELDS if _is_kept(name)}
    arrays = {
        "checkpoint_version": np.asarray(VERSION, "<i8"),
        **files.network_arrays(network),
        "options": as_json(stored),
        **state_arrays(state, network),
    }
    archive.write(path, arrays)


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
        version = archive.scalar(arrays, "checkpoint_version", "<i8")
        if version != VERSION:
            raise FileFormatError(f"checkpoint_version is {version}; this release reads {VERSION}")
        network = files.as_network(arrays)
        options, functions = _options(from_json(arrays, "options"))
        state = as_state(arrays, network, options)
    except FileFormatError as error:
        raise FileFormatError(f"{os.fsdecode(path)}: {error}") from error.__cause__
    return Checkpoint(os.fsdecode(path), network, options, functions, state)


def require_same_network(checkpoint: Checkpoint, network: Network) -> None:
    """Refuse a network of other sizes or dtype; its seed need not be the same.

    Examples
    --------
    >>> require_same_network(load("run.npz"), sigmax.Network([4, 9, 2]))
    ValueError: run.npz is of a network [4, 8, 2] of float32; this one is [4, 9, 2] of float32
    """
    stored = checkpoint.network
    if (stored.sizes, stored.dtype) != (network.sizes, network.dtype):
        raise ValueError(
            f"{checkpoint.path} is of a network {list(stored.sizes)} of {stored.dtype}; "
            f"this one is {list(network.sizes)} of {network.dtype}"
        )


def data_marks(work: Assembly) -> dict[str, int]:
    """Return checksums of the data, to tell on resuming whether they are the same.

    They are taken of targets, weights and X as C gets them, of some rows where X has more than
    1 GiB: so it does not matter whether X is an array, sparse, or a mapped file. A stream has none.

    Examples
    --------
    >>> data_marks(assemble(network, X, y, FitOptions()))
    {'training': 2767411932}
    """
    marks = {}
    for name, examples in (("training", work.data), ("validation", work.validation)):
        if isinstance(examples, Examples):
            marks[name] = _mark(examples)
    return marks


def _mark(examples: Examples) -> int:
    mark = 0
    for array in (examples.labels, examples.targets, examples.weights):
        if array is not None:
            mark = crc32(np.ascontiguousarray(array).data, mark)
    rows = examples.rows
    row_bytes = rows.width * rows.dtype.itemsize
    chosen: Iterable[Index]
    if len(rows) * row_bytes <= _MARKED_WHOLE:
        step = block_rows(rows.width, rows.dtype)
        chosen = (slice(i, min(i + step, len(rows))) for i in range(0, len(rows), step))
    else:
        n_looked_at = max(1, min(_MARKED_ROWS, _MARKED_BYTES // row_bytes))
        chosen = [np.linspace(0, len(rows) - 1, n_looked_at).astype(np.intp)]
    for index in chosen:
        mark = crc32(np.ascontiguousarray(rows.block(index)).data, mark)
    return mark


def take_over(checkpoint: Checkpoint, network: Network, work: Assembly) -> None:
    """Put the network of a checkpoint into another one, whose arrays stay where they are.

    Parameters
    ----------
    checkpoint : Checkpoint
    network : Network
        One that `require_same_network` accepts.
    work : Assembly
        The data to go on with.

    Raises
    ------
    ValueError
        When the data are not those of the checkpoint; nothing is changed then.

    Examples
    --------
    >>> take_over(load("run.npz"), network, assemble(network, X, y, FitOptions()))
    """
    stored, path = checkpoint.network, checkpoint.path
    expected = "expected the same, as a resumed training goes on with the same data"
    n_rows, n_stored = work.source.n_rows, checkpoint.state.n_rows
    if None not in (n_rows, n_stored) and n_rows != n_stored:
        raise ValueError(f"X has {n_rows} rows to train on, {path} has {n_stored}; {expected}")
    marks = data_marks(work)
    for name, arguments in (("training", "X, y or weights"), ("validation", "validation data")):
        now, then = marks.get(name), checkpoint.state.marks.get(name)
        if now is not None and then is not None and now != then:
            raise ValueError(f"{arguments} are not those of {path}; {expected}")
        if (now is None) != (then is None) and name == "validation":
            given, kept = ("given", "none") if then is None else ("missing", "some")
            raise ValueError(f"{arguments} are {given}, but {path} has {kept}; {expected}")
        if (now is None) != (then is None):
            given, kept = ("an array", "a stream") if then is None else ("a stream", "an array")
            raise ValueError(f"X is {given}, but {path} was made with {kept}; {expected}")
    network.parameters[:] = stored.parameters
    network._seed, network._epochs_trained = stored.seed, stored.epochs_trained
    network._preparation, network._temperature = stored.preparation, stored.temperature


def resumed_options(checkpoint: Checkpoint, given: Mapping[str, Any]) -> FitOptions:
    """Return the options of a resumed run: the stored ones, and what had to be passed again.

    Parameters
    ----------
    checkpoint : Checkpoint
    given : mapping of str to object
        The options that the caller has named, and no others.

    Raises
    ------
    TypeError, ValueError
        When one of them is wrong or differs from the stored one, or a function is missing.

    Examples
    --------
    >>> resumed_options(load("run.checkpoint"), {"epochs": 31})
    ValueError: epochs is 31, but run.checkpoint has 30: a resumed training goes on as it began
    """
    plain = _checked(given)
    for name in given:
        if name in checkpoint.functions:
            if not (callable(plain[name]) or (name == "callbacks" and plain[name])):
                raise ValueError(
                    f"{name} is {given[name]!r}, but {checkpoint.path} was made with a function; "
                    "expected that function"
                )
        elif _FIELDS[name].metadata["resume"] == "same" and plain[name] != checkpoint.options[name]:
            raise ValueError(
                f"{name} is {given[name]!r}, but {checkpoint.path} has "
                f"{checkpoint.options[name]!r}: a resumed training goes on as it began"
            )
    for name in sorted(checkpoint.functions - set(given)):
        raise ValueError(
            f"{name} is missing: {checkpoint.path} was made with a function, which a file does not "
            "keep; expected it again"
        )
    fresh = {
        name: plain[name]
        for name in given
        if name in checkpoint.functions or _FIELDS[name].metadata["resume"] != "same"
    }
    if fresh.get("checkpoint") is None:
        fresh["checkpoint"] = checkpoint.path
    options = FitOptions(**{**checkpoint.options, **fresh})
    _option_checks.require_used(given, options)
    return options


def default(name: str) -> Any:
    """Return the default of an option.

    Examples
    --------
    >>> default("epochs")
    30
    """
    return _FIELDS[name].default


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check each option by itself: whether they make sense together is the stored ones' matter."""
    values = {name: given.get(name, field.default) for name, field in _FIELDS.items()}
    return _option_checks.checked(cast(FitOptions, SimpleNamespace(**values)))


def _is_kept(name: str) -> bool:
    return str(_FIELDS[name].metadata["resume"]) != "free"


# ---- options as JSON -----------------------------------------------------------------------------


def _plain(options: FitOptions, name: str) -> Any:
    """Return an option as JSON can have it."""
    value = getattr(options, name)
    if callable(value) or (_FIELDS[name].metadata["resume"] == "again" and value):
        return _FUNCTION
    if isinstance(value, Mapping):
        return {"pairs": list(value.items())}  # JSON has no integers as keys
    return value


def _options(stored: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the stored options, checked, and the names of those that were functions."""
    known = {name for name in _FIELDS if _is_kept(name)}
    for name in stored.keys() ^ known:
        problem = "is no option of this release" if name in stored else "is missing"
        raise FileFormatError(f"options: {name!r} {problem}")
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
        raise FileFormatError(f"options: {value!r} is no mapping") from error
