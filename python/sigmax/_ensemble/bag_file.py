"""Checkpoints of a bag: a file that names the whole, and a checkpoint of `fit` for each member.

The file at `path` is an archive (see `sigmax._formats.archive`) of

| name        | dtype, shape | what                                  |
|-------------|--------------|---------------------------------------|
| bag_version | int64, ()    | 1                                     |
| n_networks  | int64, ()    | how many members                      |
| repeats     | int64, ()    | how often the rows are divided        |
| calibrate   | int64, ()    | 1: fit a temperature at the end       |
| seed        | uint64, ()   | of the whole, and of member 0         |

and member m has its checkpoint at `path.m`. All of those are there before it is written, each with
its options and its untrained network: a bag can be resumed wherever its file exists.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax._formats import archive
from sigmax._training import checkpoint_file
from sigmax._training.resuming import data_marks
from sigmax._training.training_state import TrainingState
from sigmax.errors import FileFormatError

if TYPE_CHECKING:
    from sigmax._boundary.layout import Layout
    from sigmax._model.model import Model
    from sigmax._training.options import FitOptions
    from sigmax._training.training_data import TrainingData

VERSION = 1

_COUNTS = {"n_networks": 1, "repeats": 1, "calibrate": 0}  # and the least that each can be
_FORM = archive.Form(
    what="checkpoint of a bag",
    version="bag_version",
    newest=VERSION,
    required=(*_COUNTS, "seed"),
    others={
        "checkpoint_version": "it is a checkpoint of one network: Network.fit resumes it",
        "format_version": "it is a model, and no checkpoint: Network.load reads it",
    },
)


@dataclass(frozen=True)
class BagFile:
    """What the files of a bag hold, beside the states of its members.

    Attributes
    ----------
    path : str
    n_networks, repeats, calibrate, seed
        See `sigmax.bag`.
    layout : Layout
        Of each member.
    options : dict
        Of `fit`, by name, without those that were functions.
    """

    path: str
    n_networks: int
    repeats: int
    calibrate: bool
    layout: Layout
    seed: int
    options: dict[str, Any]


def member_path(path: str, number: int) -> str:
    """Return where a member has its checkpoint.

    Examples
    --------
    >>> member_path("bag.npz", 3)
    'bag.npz.3'
    """
    return f"{path}.{number}"


def begin(
    path: str,
    bag: BagFile,
    options: FitOptions,
    members: Sequence[tuple[Model, TrainingData]],
) -> None:
    """Write the files of a bag that was not trained yet; an earlier one at this path ends.

    Raises
    ------
    OSError
        When a file cannot be written, or a member's path is in use for another kind of file.
    """
    for number in range(len(members)):
        own = member_path(path, number)
        archive.require_writable(own)
        if os.path.exists(own):
            checkpoint_file.load(own)  # raises for what is no checkpoint, which stays
    with suppress(FileNotFoundError):
        os.unlink(os.path.realpath(path))
    for number, (model, data) in enumerate(members):
        state = TrainingState(marks=data_marks(data))
        checkpoint_file.save(member_path(path, number), model, options, state)
    arrays = {"bag_version": np.asarray(VERSION, "<i8"), "seed": np.asarray(bag.seed, "<u8")}
    arrays |= {name: np.asarray(int(getattr(bag, name)), "<i8") for name in _COUNTS}
    archive.write(path, arrays)


def load(path: str | os.PathLike[str]) -> BagFile:
    """Read the file of a bag, and of its first member what all of them have.

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
        if counts["n_networks"] % counts["repeats"]:
            raise FileFormatError(
                f"repeats is {counts['repeats']}, which does not divide {counts['n_networks']}"
            )
        seed = int(archive.scalar(arrays, "seed", "<u8"))
    except FileFormatError as error:
        raise FileFormatError(f"{name}: {error}") from error.__cause__
    first = checkpoint_file.load(member_path(name, 0))
    if first.model.seed != seed:
        raise FileFormatError(
            f"{first.path} has seed {first.model.seed}; expected {seed}, as {name} has it"
        )
    return BagFile(
        name,
        counts["n_networks"],
        counts["repeats"],
        bool(counts["calibrate"]),
        first.model.layout,
        seed,
        dict(first.options),
    )
