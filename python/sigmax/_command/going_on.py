"""Going on: from a trained model, from a checkpoint, and after Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sigmax import files
from sigmax._command.shared import UserError
from sigmax._model.model import Model
from sigmax._training import resuming
from sigmax._training.checkpoint_file import Checkpoint
from sigmax.network import Network

# The options, each with a value, that a command with --resume takes the place of.
_NOT_WITH_RESUME = ("--resume", "--checkpoint", "--init")


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a training with a checkpoint; the message is the command that resumes it."""


# ---- from a model or a checkpoint ---------------------------------------------------------------


def trained_model(
    arguments: argparse.Namespace, resumed: Checkpoint | None = None
) -> files.StoredModel:
    """Return the model of --from; options, and a checkpoint, that contradict it raise UserError.

    Of a checkpoint to resume, whose training began from this model, it gives the classes.

    Examples
    --------
    >>> trained_model(arguments).network.epochs_trained
    30
    """
    stored = files.load(arguments.from_model)
    network = stored.network
    if resumed is not None:
        layout = resumed.model.layout
        if (layout.sizes, layout.dtype) != (network.sizes, network.dtype):
            raise UserError(
                f"--from {arguments.from_model} is a network {list(network.sizes)} of "
                f"{network.dtype}, but {resumed.path} is of {list(layout.sizes)} of "
                f"{layout.dtype}; expected the model from which that training began"
            )
    hidden = ",".join(map(str, network.sizes[1:-1])) or "none"
    for name, own in (("hidden", hidden), ("dtype", str(network.dtype)), ("seed", network.seed)):
        given = getattr(arguments, name)
        if name == "hidden" and given is not None:
            given = ",".join(map(str, given)) or "none"
        if given is not None and given != own:
            raise UserError(f"--{name} {given}: {arguments.from_model} has {own}")
    if arguments.divide is not None and network.preparation is not None:
        raise UserError(
            f"--divide with --from: {arguments.from_model} prepares its columns by itself; "
            "expected the data as they were when it was first trained"
        )
    return stored


def fills_missing(network: Network | Model) -> bool:
    """Return whether a network fills missing values in by itself.

    Examples
    --------
    >>> fills_missing(network)
    False
    """
    return network.preparation is not None and network.preparation.fill is not None


def where_it_resumes(checkpoint: Checkpoint, given: Mapping[str, Any]) -> str:
    """Return a sentence about where a training goes on, with the options that were given.

    Examples
    --------
    >>> where_it_resumes(checkpoint_file.load("run.checkpoint"), {"epochs": 30})
    'resuming run.checkpoint in epoch 3 of 30'
    """
    options = resuming.resumed_options(checkpoint, given)
    state = resuming.resumed_state(checkpoint, options)
    if state.finished:
        ended = f", ended by {state.history.stopped}" if state.history.stopped else ""
        return f"{checkpoint.path}: this training is already complete{ended}"
    return f"resuming {checkpoint.path} in epoch {state.epoch + 1} of {options.epochs}"


# ---- after Ctrl-C --------------------------------------------------------------------------------


@contextlib.contextmanager
def going_on(arguments: argparse.Namespace, checkpoint: str | None) -> Iterator[None]:
    """On Ctrl-C, raise Interrupted with the command to resume, if there is a checkpoint.

    Examples
    --------
    >>> with going_on(arguments, "run.checkpoint"):
    ...     network.fit(X, y, checkpoint="run.checkpoint")
    """
    before = _changed_at(checkpoint)
    try:
        yield
    except KeyboardInterrupt:
        there = checkpoint == arguments.resume or _changed_at(checkpoint) != before
        if checkpoint is None or not there:
            raise
        raise Interrupted(_command_that_goes_on(arguments.command_line, checkpoint)) from None


def _command_that_goes_on(command_line: Sequence[str], checkpoint: str) -> str:
    """Return the command that resumes from a checkpoint: the same one with --resume for others.

    Words after "--" are no options, and stay at the end.
    """
    options, kept, skip = list(command_line), [], False
    names = options[options.index("--") :] if "--" in options else []
    for word in options[: len(options) - len(names)]:
        if skip:
            skip = False
        elif word in _NOT_WITH_RESUME:
            skip = True
        elif not word.startswith(tuple(f"{option}=" for option in _NOT_WITH_RESUME)):
            kept.append(word)
    return shlex.join(["sigmax", *kept, "--resume", checkpoint, *names])


def _changed_at(path: str | None) -> int | None:
    try:
        return None if path is None else os.stat(path).st_mtime_ns
    except OSError:
        return None
