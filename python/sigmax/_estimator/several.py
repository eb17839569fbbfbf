"""n_networks above 1: members with stopping rules of their own, trained side by side and folded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sigmax._ensemble.members import (
    Member,
    SharedRows,
    folded_and_scored,
    new_members,
    one_at_a_time,
    rows_of_members,
)
from sigmax._ensemble.side_by_side import side_by_side
from sigmax._estimator import parameters
from sigmax._estimator.convergence import Convergence
from sigmax._model.inference import score
from sigmax.network import Network

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array
    from sigmax._ensemble.members import Scores
    from sigmax._estimator.held_out import Division
    from sigmax._training.history import History
    from sigmax._training.progress_bar import Bar


class Several(NamedTuple):
    """Several networks after their training.

    Attributes
    ----------
    network : Network
        The fold of all of them; after Ctrl-C, of those that were trained for an epoch.
    watch : Convergence
        Their means: see `_together`.
    histories : list of History or None
        None after Ctrl-C.
    batch_size : int or None
        In use; None with lbfgs.
    scores : Scores
        Out of fold.
    """

    network: Network
    watch: Convergence
    histories: list[History] | None
    batch_size: int | None
    scores: Scores


def fit_several(
    c: Mapping[str, Any], first: Network, data: Division, sample_weight: Any, stops_early: bool
) -> Several:
    """Train several networks as `first`, each without the fold that it holds out, and fold them.

    c are the classifier's parameters, checked; sample_weight says how much each row of data counts
    where it is held out; stops_early asks for the rules of early_stopping.

    Raises ValueError when there are fewer rows that count than networks.
    """
    n_rows = len(data.labels)
    if sample_weight is not None:
        sample_weight = np.broadcast_to(np.asarray(sample_weight), n_rows)
    shared = SharedRows(
        first._model.layout,
        data.X,
        data.labels,
        data.weights,
        sample_weight,
        class_weight=None,
        standardize=c["standardize"],
        fill_missing=c["nan"] == "mean",
    )
    callbacks = one_at_a_time(c["callbacks"])
    rows = rows_of_members(shared, int(c["n_networks"]), 1, first.seed)
    parts = [
        _Part(member, c, data.weights, callbacks, stops_early)
        for member in new_members(shared, first.seed, c["init"], rows)
    ]
    most = int(c["max_iter"]) * max(len(part.member.trained) for part in parts)
    histories: list[History] | None = None
    try:
        histories = side_by_side([partial(part.train, shared) for part in parts], most)
    except KeyboardInterrupt:
        for part in parts:
            part.restore_best()
        parts = [part for part in parts if part.watch.n_iter] or parts
    network, scores = folded_and_scored([part.member for part in parts], shared)
    watch = _together([part.watch for part in parts])
    batch_size = parts[0].options.get("batch_size")
    return Several(network, watch, histories, batch_size, scores)


class _Part:
    """A member with the options and stopping rules that `SigmaxClassifier.fit` gives it."""

    def __init__(
        self,
        member: Member,
        c: Mapping[str, Any],
        weights: Array | None,
        callbacks: Sequence[Any],
        stops_early: bool,
    ) -> None:
        n_rows = len(member.trained)
        mean_weight = parameters.mean_of(None if weights is None else weights[member.trained])
        options = parameters.fit_options(c, n_rows, mean_weight or 1.0)
        self.member, self.options = member, options
        self.watch = Convergence(stops_early)
        self.watch.name = f"Network {member.number}: "
        self.watch.begin(parameters.rules(c, options, n_rows))
        if c["solver"] == "sgd" and c["learning_rate"] != "constant":
            del options["learning_rate"]
            options["schedule"] = self.watch.schedule
        options["callbacks"] = (self.watch, *callbacks)

    def train(self, shared: SharedRows, bar: Bar) -> History:
        """Train until the rules or max_iter end it."""
        history = self.member.fit(shared, self.options, bar, words=parameters.WORDS)
        if self.options["optimizer"] == "lbfgs":
            member = self.member
            training = member.data(shared).training.examples
            assert training is not None
            self.watch.end(member.network, score(member.network._model, training)[0])
        self.restore_best()
        return history

    def restore_best(self) -> None:
        """Put back the parameters with the best validation score, where early stopping has some."""
        if self.watch.best_parameters is not None:
            self.member.network.parameters[:] = self.watch.best_parameters


def _together(watches: Sequence[Convergence]) -> Convergence:
    """Return means, of each epoch over those that trained in it; the largest n_iter, all rows."""
    joined = Convergence(watches[0].early_stopping)
    joined.loss_curve = _means(watch.loss_curve for watch in watches)
    joined.validation_scores = _means(watch.validation_scores for watch in watches)
    for name in ("loss", "best_loss", "best_validation_score"):
        setattr(joined, name, float(np.mean([getattr(watch, name) for watch in watches])))
    joined.n_iter = max(watch.n_iter for watch in watches)
    joined.rows_seen = sum(watch.rows_seen for watch in watches)
    joined.converged = all(watch.converged for watch in watches)
    return joined


def _means(curves: Iterable[Sequence[float]]) -> list[float]:
    epochs = zip_longest(*curves, fillvalue=np.nan)
    return [float(np.nanmean(values)) for values in epochs]
