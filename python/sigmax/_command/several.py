"""`sigmax train --networks`: several networks, folded into the one that the model file holds."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sigmax._command.shared import UserError
from sigmax._ensemble.bagging import Bagged, bag
from sigmax._ensemble.plan import FEWEST_SCORERS, Plan, is_bag, load, member_path
from sigmax._training import checkpoint_file

if TYPE_CHECKING:
    from sigmax._training.checkpoint_file import Checkpoint
    from sigmax._training.history import History
    from sigmax.network import Network


def stored(path: str) -> tuple[Checkpoint, Plan | None]:
    """Return a checkpoint to resume; of several networks, that of the first, and the plan of all.

    Examples
    --------
    >>> checkpoint, whole = stored("run.npz")
    """
    if not is_bag(path):
        return checkpoint_file.load(path), None
    whole = load(path)
    return checkpoint_file.load(member_path(path, 0)), whole


def wanted(arguments: argparse.Namespace, whole: Plan | None) -> bool:
    """Return whether several networks are to be trained, or raise UserError."""
    repeats = arguments.repeats
    if whole is not None:
        if arguments.calibrate and arguments.validation is None and not whole.calibrate:
            raise UserError(
                f"--calibrate: {whole.path} was begun without it; expected it omitted, or "
                "--validation with rows that nobody trained on"
            )
        return True
    if arguments.networks is None or arguments.networks == 1:
        if repeats is not None:
            raise UserError("--repeats needs --networks, which it divides the rows among")
        return False
    if arguments.from_model is not None:
        raise UserError(
            "--from with --networks: several networks begin with weights of their own; "
            "expected one of them"
        )
    if arguments.resume is not None:
        raise UserError(
            f"--networks {arguments.networks}: {arguments.resume} is a checkpoint of one network"
        )
    if arguments.calibrate and arguments.validation is None and (repeats or 1) < FEWEST_SCORERS:
        raise UserError(
            f"--calibrate with --networks needs --validation, or --repeats {FEWEST_SCORERS} (as "
            f"--networks 15 --repeats {FEWEST_SCORERS}), so that enough of the networks did not "
            "see a row"
        )
    return True


def train(
    arguments: argparse.Namespace,
    given: Mapping[str, Any],
    untrained: Network,
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    progress: bool,
) -> Bagged:
    """Train and fold; given are the options of fit, untrained has sizes, dtype and seed."""
    new: dict[str, Any] = {}
    if arguments.resume is None:
        new = {
            "hidden": untrained.sizes[1:-1],
            "dtype": untrained.dtype,
            "seed": untrained.seed,
            "init": arguments.init,
            # with validation data, they are better: nobody trained on them
            "calibrate": arguments.calibrate and arguments.validation is None,
        }
    return bag(
        X,
        y,
        n_networks=arguments.networks,
        repeats=arguments.repeats,
        sample_weight=sample_weight,
        resume=arguments.resume,
        progress=progress,
        **new,
        **given,
    )


def epochs(histories: Sequence[History]) -> str:
    """Return how long they trained: "5 networks of 12 to 31 epochs".

    Examples
    --------
    >>> epochs([history, history])
    '2 networks of 30 epochs'
    """
    counts = sorted(history.epochs for history in histories)
    span = str(counts[0]) if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
    return f"{len(counts)} networks of {span} epochs"
