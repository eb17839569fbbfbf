"""`bag`: networks that differ in seed and in the rows they see, trained and folded into one."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from sigmax._boundary.scalars import truth
from sigmax._data.splitting import held_out
from sigmax._ensemble.members import (
    Member,
    SharedRows,
    folded_and_scored,
    new_members,
    one_at_a_time,
    rows_of_members,
)
from sigmax._ensemble.plan import Plan, begin, member_path, new_plan, stored_plan
from sigmax._ensemble.side_by_side import Job, side_by_side
from sigmax._training.option_rules import callbacks
from sigmax._training.options import OPTION_NAMES, FitKeywords, with_options
from sigmax._training.progress_bar import progress_bar
from sigmax._training.resuming import data_marks
from sigmax.errors import TrainingWarning
from sigmax.network import Network

if TYPE_CHECKING:
    import numpy.typing as npt

    from sigmax._boundary.arrays import Array
    from sigmax._model.calibration import Calibration
    from sigmax._training.history import History


@dataclass(frozen=True, eq=False)
class Bagged:
    """What `bag` returns.

    Attributes
    ----------
    network : Network
        The fold of all members.
    oof_proba : numpy.ndarray (n, n_L) of float64
        Out of fold: probabilities of each row by the geometric mean of the members that held it
        out. NaN in rows that none did, which only a single network leaves.
    histories : list of History
        Of each member; val_cost and val_accuracy are those on the rows it held out.
    oof_cost, oof_accuracy : float
        Of oof_proba, in nats and as a share, rows counted by sample_weight. An honest estimate for
        new rows; a little worse than the fold, since fewer members hold a row out.
    calibration : Calibration or None
        What calibrate=True found.

    Examples
    --------
    >>> bagged = sigmax.bag(X, y, epochs=100)
    >>> bagged.network.predict(X), bagged.oof_accuracy
    """

    network: Network
    oof_proba: Array
    histories: list[History]
    oof_cost: float
    oof_accuracy: float
    calibration: Calibration | None = None

    def __repr__(self) -> str:
        """Return the sizes and the scores."""
        return (
            f"Bagged(sizes={list(self.network.sizes)}, networks={len(self.histories)}, "
            f"oof_cost={self.oof_cost:.4g}, oof_accuracy={self.oof_accuracy:.4f})"
        )


@with_options(OPTION_NAMES)
def bag(
    X: Any,
    y: Any,
    *,
    n_networks: int | None = None,
    hidden: Iterable[int] | None = None,
    repeats: int | None = None,
    calibrate: bool | None = None,
    dtype: npt.DTypeLike | None = None,
    seed: int | None = None,
    init: str | None = None,
    sample_weight: npt.ArrayLike | None = None,
    resume: str | os.PathLike[str] | None = None,
    **options: Unpack[FitKeywords],
) -> Bagged:
    """Train several networks on the same data, and fold them into one: see docs/folding.md.

    The rows are divided into n_networks folds, with the same share of each class. Each member
    trains on all folds but its own, and holds that one out: for early stopping, if the options ask
    for it, and for honest scores in any case. Members train side by side, in as many threads as
    `get_num_threads` gives; the results have the same bits for any number, and a member those of
    `Network.fit` on its rows. Ctrl-C and errors end all of them, as they end `fit`.

    Parameters
    ----------
    X, y : array_like
        See `Network`; all but a stream. Rows in memory are prepared once, and shared.
    n_networks : int or None
        >= 1; None stands for 5. A single network holds out `validation_fraction` of the rows.
    hidden : iterable of int or None
        Sizes of the hidden layers of each member; None stands for (30,), () is softmax regression.
    repeats : int or None
        How often all rows are divided, anew each time, into n_networks/repeats folds, at least two;
        None stands for 1. So many members did not see a row.
    calibrate : bool or None
        Fit the network's temperature out of fold, which needs repeats >= 3. With rows that nobody
        trained on, use `Bagged.network.calibrate`.
    dtype, init
        As of `Network`; None stands for float32 and "lecun".
    seed : int or None
        Determines all of the result; None draws one. It is the seed of member 0 and of the fold.
    sample_weight : array_like (n,), optional
        How much each row counts, see `Network.fit`. Those of weight 0 are spread evenly, too.
    resume : path, optional
        A checkpoint of a bag to go on with. Pass the data and the options that are functions again;
        others may be omitted.
    checkpoint : path
        Of the whole; member m writes to that path with ".m" appended.
    callbacks
        Called with each member, from its thread, one at a time; the order of members is not
        determined. One that returns True ends the training of its member.
    progress : bool
        Draw one bar for all members.
    **options
        The other options of `Network.fit`, the same for each member.

    Returns
    -------
    Bagged
        The fold of the members, and their scores.

    Raises
    ------
    TypeError, ValueError, DivergedError, ImportError
        As `Network.fit`; for a stream; and for n_networks, repeats and rows that do not fit
        together.
    KeyboardInterrupt
        After Ctrl-C; with a checkpoint, `resume` goes on.

    Warns
    -----
    TrainingWarning
        As `Network.fit`, once of each kind; when no temperature is the best.

    Examples
    --------
    >>> bagged = sigmax.bag(X, y, n_networks=5, early_stopping="cost", epochs=200)
    >>> bagged.network.save("irises.npz")
    """
    given: dict[str, Any] = dict(options)
    progress = truth(given.pop("progress", False), "progress")
    if resume is None:
        plan = new_plan(X, y, given, n_networks, hidden, repeats, calibrate, dtype, seed, init)
    else:
        wanted = {
            "n_networks": n_networks, "repeats": repeats, "calibrate": calibrate, "seed": seed
        }  # fmt: skip
        plan = stored_plan(resume, given, wanted, hidden, dtype, init)
    shared = SharedRows(
        plan.layout,
        X,
        y,
        sample_weight,
        sample_weight,
        class_weight=plan.options.class_weight,
        standardize=plan.options.standardize,
        fill_missing=plan.options.nan == "mean",
    )
    members = new_members(shared, plan.seed, plan.init, _rows(plan, shared))
    n_rows = plan.options.epochs * max(len(member.trained) for member in members)
    with progress_bar(progress, len(members) * n_rows) as bar:
        jobs = _jobs(plan, members, shared, given)
        try:
            histories = side_by_side(jobs, n_rows, bar)
        except KeyboardInterrupt as interrupt:
            if plan.path is not None:
                interrupt.add_note(f"sigmax.bag(X, y, resume={plan.path!r}) goes on")
            raise
    network, scores = folded_and_scored(members, shared)
    calibration = None
    if plan.calibrate:
        try:
            calibration = scores.calibration()
            network._model.temperature = calibration.temperature
        except ValueError as error:  # every row is right, say: the network is worth keeping
            reason = str(error).partition(": ")[2]
            warnings.warn(TrainingWarning(f"not calibrated: {reason}"), stacklevel=2)
    return Bagged(network, scores.proba, histories, scores.cost, scores.accuracy, calibration)


def _rows(plan: Plan, shared: SharedRows) -> list[tuple[Array, Array | None]]:
    """Return for each member the rows to train on, and those to hold out."""
    fraction = plan.options.validation_fraction
    if plan.n_networks > 1:
        return rows_of_members(shared, plan.n_networks, plan.repeats, plan.seed)
    if fraction:
        return [held_out(shared.that_count(), fraction, plan.seed)]
    return [(shared.numbers, None)]


def _jobs(
    plan: Plan, members: Sequence[Member], shared: SharedRows, given: Mapping[str, Any]
) -> list[Job]:
    """Return the trainings. With a checkpoint, all of them resume from what is written first."""
    given = dict(given)
    if "callbacks" in given:
        given["callbacks"] = one_at_a_time(callbacks(given["callbacks"], "callbacks"))
    path = plan.path
    if path is None:
        return [partial(member.fit, shared, given) for member in members]
    if not plan.resumed:
        one_by_one = ((member.network._model, member.data(shared)) for member in members)
        begin(plan, [(model, data_marks(data)) for model, data in one_by_one])
    jobs: list[Job] = []
    for m, member in enumerate(members):
        own = member_path(path, m)
        jobs.append(partial(member.fit, shared, {**given, "checkpoint": own}, resume=own))
    return jobs
