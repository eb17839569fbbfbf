"""What is decided of a bag before its training: from arguments, or from its checkpoint.

The checkpoint is an archive (see `sigmax._formats.archive`) of

| name        | dtype, shape | what                                  |
|-------------|--------------|---------------------------------------|
| bag_version | int64, ()    | 1                                     |
| n_networks  | int64, ()    | how many members                      |
| repeats     | int64, ()    | how often the rows are divided        |
| calibrate   | int64, ()    | 1: fit a temperature at the end       |
| seed        | uint64, ()   | of the whole, and of member 0         |

and member m has a checkpoint of `fit` at the same path with ".m" appended. All of those are there
before it is written, each with its options and its untrained network: a bag can be resumed wherever
its file exists.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import numpy as np

from sigmax._boundary.arrays import FLOAT32, as_numbers, is_sparse
from sigmax._boundary.scalars import as_integer, truth
from sigmax._formats import archive
from sigmax._training import checkpoint_file
from sigmax._training.options import OPTION_NAMES, FitOptions, chosen, require_known
from sigmax._training.resuming import resumed_options
from sigmax._training.schedules import LearningRate
from sigmax._training.training_data import require_hidden_layer
from sigmax._training.training_state import TrainingState
from sigmax.errors import FileFormatError, Mention, OptionValueError
from sigmax.network import Network

if TYPE_CHECKING:
    from sigmax._boundary.layout import Layout
    from sigmax._model.model import Model

HIDDEN = (30,)
FEWEST_SCORERS = 3  # of each row, for a temperature: that of single members is not the fold's

_VERSION = 1
_COUNTS = {"n_networks": 1, "repeats": 1, "calibrate": 0}  # and the least that each can be
_FORM = archive.Form(
    what="checkpoint of a bag",
    version="bag_version",
    newest=_VERSION,
    required=(*_COUNTS, "seed"),
    others={
        "checkpoint_version": "it is a checkpoint of one network: Network.fit resumes it",
        "format_version": "it is a model, and no checkpoint: Network.load reads it",
    },
)


@dataclass(frozen=True)
class Plan:
    """What is decided of a bag: see `sigmax.bag`.

    Attributes
    ----------
    layout : Layout
        Of each member.
    n_networks, repeats, calibrate, seed, init
        See `sigmax.bag`.
    options : FitOptions
        The same for each member.
    path : str or None
        Of the checkpoint.
    resumed : bool
        That checkpoint exists, and the training goes on from there.
    """

    layout: Layout
    n_networks: int
    repeats: int
    calibrate: bool
    seed: int
    options: FitOptions
    path: str | None
    init: str = "lecun"
    resumed: bool = False


def new_plan(
    X: object,
    y: object,
    given: Mapping[str, Any],
    n_networks: object,
    hidden: Iterable[int] | None,
    repeats: object,
    calibrate: object,
    dtype: Any,
    seed: Any,
    init: Any,
) -> Plan:
    """Return the plan of a new bag, with all that was given checked but the rows."""
    n = 5 if n_networks is None else as_integer(n_networks, "n_networks", 1)
    n_repeats = 1 if repeats is None else as_integer(repeats, "repeats", 1)
    wants_temperature = calibrate is not None and truth(calibrate, "calibrate")
    _require_folds(n, n_repeats, wants_temperature)
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
    init = "lecun" if init is None else init
    first = Network(
        (_n_columns(X), *layers, _n_classes(y)),
        dtype=FLOAT32 if dtype is None else dtype,
        seed=seed,
        init=init,
    )
    layout, path = first._model.layout, options.checkpoint
    require_hidden_layer(first._model, options)
    if path is not None:
        path = os.fsdecode(path)
        LearningRate(options)(0)  # raises where a function returns what is no rate: see `begin`
    return Plan(layout, n, n_repeats, wants_temperature, first.seed, options, path, init)


def _require_folds(n_networks: int, repeats: int, calibrate: bool) -> None:
    """Raise ValueError where the members cannot be divided so."""
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
                ": fewer members than that are less sure than the fold is",
            ),
        )


def stored_plan(
    resume: str | os.PathLike[str],
    given: Mapping[str, Any],
    wanted: Mapping[str, object],
    hidden: Iterable[int] | None,
    dtype: Any,
    init: object,
) -> Plan:
    """Return the plan of a checkpoint, after comparing with it what was given."""
    require_known(given, "bag", OPTION_NAMES)
    stored = load(resume)
    path = stored.path
    assert path is not None
    if init is not None:
        raise OptionValueError("init", init, "it omitted", (f", but {path} has the weights",))
    others = dict(given)
    checkpoint = others.pop("checkpoint", None)
    if checkpoint is not None and os.path.realpath(checkpoint) != os.path.realpath(path):
        raise OptionValueError(
            "checkpoint",
            os.fsdecode(checkpoint),
            "the same, or none: its files can be copied",
            (f", but {path} is resumed",),
        )
    own: dict[str, tuple[object, object]] = {
        name: (value, getattr(stored, name)) for name, value in wanted.items()
    }
    own["hidden"] = (None if hidden is None else _hidden(hidden), stored.layout.sizes[1:-1])
    own["dtype"] = (None if dtype is None else np.dtype(dtype).name, stored.layout.dtype.name)
    for name, (value, kept) in own.items():
        if value is not None and value != kept:
            because = (f", but {path} has {kept!r}",)
            raise OptionValueError(name, value, "the same, or none", because)
    first = checkpoint_file.load(member_path(path, 0))
    return replace(stored, options=replace(resumed_options(first, others), checkpoint=path))


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
    found = np.unique(given)
    # what is no label has an error that names it, when y is opened
    if not found.size or not np.isfinite(found).all() or found[0] < 0 or (found % 1).any():
        return 2
    n_classes = max(2, int(found[-1]) + 1)
    if len(found) < n_classes and found[-1] > 0:  # a wrong label would make a huge output layer
        missing = int(np.flatnonzero(found != np.arange(len(found)))[0])
        raise ValueError(
            f"y, row {int(given.argmax())}: label {found[-1]:.0f}, but no row has {missing}; "
            "expected each of 0, 1, ..., K-1 in some row, as of numpy.unique(y, "
            "return_inverse=True)[1], or rows of class probabilities, numpy.eye(K)[y]"
        )
    return n_classes


# ---- the checkpoint ------------------------------------------------------------------------------


def member_path(path: str, number: int) -> str:
    """Return where a member has its checkpoint.

    Examples
    --------
    >>> member_path("bag.npz", 3)
    'bag.npz.3'
    """
    return f"{path}.{number}"


def is_bag(path: str | os.PathLike[str]) -> bool:
    """Return whether the file says that it is the checkpoint of a bag, damaged or not.

    Examples
    --------
    >>> is_bag("there is no such file")
    False
    """
    with suppress(Exception), ZipFile(path) as found:  # who reads it next says what is wrong
        return f"{_FORM.version}.npy" in found.namelist()
    return False


def begin(plan: Plan, members: Sequence[tuple[Model, dict[str, int]]]) -> None:
    """Write the files of a bag that was not trained yet; an earlier one at this path ends.

    members holds the network of each, and the checksums of its data.

    Raises
    ------
    OSError
        When a file cannot be written.
    FileFormatError
        When a path is in use for another kind of file, which stays.
    """
    path = plan.path
    assert path is not None
    archive.require_writable(path)
    if os.path.exists(path):
        archive.read(path, _FORM)
    for number in range(plan.n_networks):
        own = member_path(path, number)
        archive.require_writable(own)
        if os.path.exists(own):
            checkpoint_file.load(own)
    with suppress(FileNotFoundError):
        os.unlink(os.path.realpath(path))
    for number, (model, marks) in enumerate(members):
        state = TrainingState(marks=marks)
        checkpoint_file.save(member_path(path, number), model, plan.options, state)
    arrays = {"bag_version": np.asarray(_VERSION, "<i8"), "seed": np.asarray(plan.seed, "<u8")}
    arrays |= {name: np.asarray(int(getattr(plan, name)), "<i8") for name in _COUNTS}
    archive.write(path, arrays)


def load(path: str | os.PathLike[str]) -> Plan:
    """Read the file of a bag, and of its first member what all of them have.

    Of options that were functions, the plan has the defaults.

    Raises
    ------
    OSError
        When a file cannot be read.
    FileFormatError
        When it is damaged, or of another kind, or belongs to another bag.

    Examples
    --------
    >>> load("bag.npz").n_networks
    5
    """
    name = os.fsdecode(path)
    arrays = archive.read(path, _FORM)
    try:
        counts = {count: int(archive.scalar(arrays, count, "<i8")) for count in _COUNTS}
        for count, least in _COUNTS.items():
            if counts[count] < least:
                raise FileFormatError(f"{count} is {counts[count]}; expected at least {least}")
        n, repeats, calibrate = counts.values()
        if n % repeats:
            raise FileFormatError(f"repeats is {repeats}, which does not divide {n}")
        seed = int(archive.scalar(arrays, "seed", "<u8"))
    except FileFormatError as error:
        raise FileFormatError(f"{name}: {error}") from error.__cause__
    first = checkpoint_file.load(member_path(name, 0))
    if first.model.seed != seed:
        raise FileFormatError(
            f"{first.path} has seed {first.model.seed}; expected {seed}, as {name} has it"
        )
    options = FitOptions(**first.options)
    return Plan(first.model.layout, n, repeats, bool(calibrate), seed, options, name, resumed=True)
