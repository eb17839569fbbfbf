"""The members of a bag: the rows they share, what each sees, the fold and the scores of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax._boundary.arrays import FLOAT64
from sigmax._boundary.layout import Layout
from sigmax._data.column_statistics import fit_preparation
from sigmax._data.columns import Columns
from sigmax._data.examples import Examples
from sigmax._data.rows import ArrayRows, DenseRows, block_rows
from sigmax._data.sources import ChosenSource, KnownExamples, Source, open_data
from sigmax._data.splitting import fold_numbers
from sigmax._data.weighting import as_weights, row_weights, rows_that_count
from sigmax._ensemble.folding import fold
from sigmax._model.calibration import Calibration, best_temperature
from sigmax._model.inference import probabilities, score, weighted_inputs
from sigmax._model.model import Model
from sigmax._training import checkpoint_file
from sigmax._training.fit import fit
from sigmax._training.training_data import TrainingData, require_hidden_layer
from sigmax.errors import PYTHON, OptionValueError, Words
from sigmax.network import Network

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array
    from sigmax._data.preparation import Preparation
    from sigmax._data.rows import Rows
    from sigmax._data.weighting import ClassWeight
    from sigmax._training.history import History
    from sigmax._training.options import FitOptions
    from sigmax._training.progress_bar import Bar

_SEED_STEP = 0xC13FA9A902A6328F  # 2^64 / plastic number, odd; not the step of dropout's seeds


class SharedRows:
    """All rows that members train on or hold out. Members only read them, at the same time.

    Parameters
    ----------
    layout : Layout
        Of each member.
    X, y : array_like
        See `Network`.
    sample_weight, held_out_weight : array_like (n,) or None
        How much each row counts where it is trained on, and where it is held out.
    class_weight, standardize
        Options of `fit`.
    fill_missing : bool
        Whether its `nan` is "mean".

    Attributes
    ----------
    layout : Layout
    numbers : numpy.ndarray
        Of all rows.
    examples : Examples
        Prepared; their weights are those of held-out rows.
    preparation : Preparation or None
        Fitted on all rows, each counted by its weight.
    column_names : tuple of str, or None
        Of X, where it has some.
    """

    def __init__(
        self,
        layout: Layout,
        X: object,
        y: object,
        sample_weight: object,
        held_out_weight: object,
        *,
        class_weight: ClassWeight,
        standardize: bool,
        fill_missing: bool,
    ) -> None:
        columns = Columns(missing_allowed=fill_missing)
        opened = open_data(layout, X, y, columns).examples
        if opened is None:
            raise TypeError(
                "X is a callable; expected an array, a sparse matrix or a numpy.memmap: the "
                "members hold out different rows, which must be known. Networks that were each "
                "trained on a stream by fit can be joined by sigmax.fold"
            )
        self.layout, self._class_weight = layout, class_weight
        self.numbers = np.arange(len(opened))
        self._weights = _weights(sample_weight, len(opened), "sample_weight")
        self._opened = opened
        self.column_names = opened.rows.columns
        rows = opened.weighted(self._row_weights(slice(0, len(opened)), "sample_weight"))
        self.preparation: Preparation | None = fit_preparation(
            KnownExamples(rows), standardize=standardize, fill_missing=fill_missing
        )
        self.examples = opened.prepared(self.preparation).weighted(
            _weights(held_out_weight, len(opened), "sample_weight")
        )

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.examples)

    def that_count(self) -> Examples:
        """Return all rows with weight 0 for those that no training counts, to be divided."""
        labels, targets = self.examples.labels, self.examples.targets
        counts = rows_that_count(
            self._weights, self._class_weight, labels, targets, self.layout.n_out
        )
        return self.examples.weighted(counts)

    def of_member(self, m: int, trained: Array, held: Array | None) -> TrainingData:
        """Return the data of member m, which trains on some rows and holds others out."""
        examples = self.examples
        weights = self._row_weights(trained, f"sample_weight of the rows that member {m} trains on")
        chosen = Examples(
            self._some_rows(trained),
            None if examples.labels is None else examples.labels[trained],
            None if examples.targets is None else examples.targets[trained],
            weights,
        )
        validation = None if held is None else self.held_out(held, f"member {m}")
        source: Source
        if isinstance(examples.rows, DenseRows):
            of_all = None
            if weights is not None:
                of_all = np.zeros(len(self))
                of_all[trained] = weights
            source = ChosenSource(examples.weighted(of_all), trained.astype(np.uintp))
        else:
            source = KnownExamples(chosen).source()
        training = KnownExamples(chosen, self.column_names)
        return TrainingData(training, source, validation, self.preparation)

    def held_out(self, rows: Array, by: str) -> Examples:
        """Return rows to measure on, with their weights."""
        taken = self.examples.take(rows)
        name = f"sample_weight of the rows that {by} holds out"
        return taken.weighted(
            row_weights(
                taken.weights, None, taken.labels, taken.targets, self.layout.n_out, name=name
            )
        )

    def _some_rows(self, index: Array) -> Rows:
        rows = self.examples.rows
        if isinstance(rows, DenseRows):  # by their numbers, without a copy
            return ArrayRows(rows.X, rows.name, rows.dtype, mapped=False, chosen=index)
        return rows.take(index)

    def _row_weights(self, index: slice | Array, name: str) -> Array | None:
        labels, targets = self._opened.labels, self._opened.targets
        return row_weights(
            None if self._weights is None else self._weights[index],
            self._class_weight,
            None if labels is None else labels[index],
            None if targets is None else targets[index],
            self.layout.n_out,
            name=name,
        )


def _weights(given: object, n_rows: int, name: str) -> Array | None:
    return None if given is None else as_weights(given, n_rows, name)


# ---- members -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Member:
    """One of the networks that are folded.

    Attributes
    ----------
    number : int
        From 0.
    network : Network
        Trained in place.
    trained : numpy.ndarray
        The numbers of the rows that it trains on, ascending.
    held : numpy.ndarray or None
        Of those that it holds out.
    """

    number: int
    network: Network
    trained: Array
    held: Array | None

    def data(self, shared: SharedRows) -> TrainingData:
        """Return its part of the shared rows."""
        return shared.of_member(self.number, self.trained, self.held)

    def fit(
        self,
        shared: SharedRows,
        given: Mapping[str, Any],
        bar: Bar,
        *,
        resume: str | None = None,
        words: Words = PYTHON,
    ) -> History:
        """Train on the member's rows of the shared ones."""

        def assembled(options: FitOptions) -> TrainingData:
            require_hidden_layer(self.network._model, options)
            return self.data(shared)

        if resume is not None:
            state = checkpoint_file.load(resume).state
            bar.update(state.epoch * (state.n_rows or 0) + state.position)
        return fit(
            self.network._model,
            None,
            None,
            given,
            owner=self.network,
            resume=resume,
            words=words,
            assembled=assembled,
            bar=bar,
        )


def new_members(
    shared: SharedRows, seed: int, init: str, rows: Iterable[tuple[Array, Array | None]]
) -> list[Member]:
    """Return untrained members; rows has for each those to train on, and those to hold out."""
    members = []
    for m, (trained, held) in enumerate(rows):
        layout = shared.layout
        network = Network(layout.sizes, dtype=layout.dtype, seed=member_seed(seed, m), init=init)
        network._model.preparation = shared.preparation
        members.append(Member(m, network, trained, held))
    return members


def member_seed(seed: int, number: int) -> int:
    """Return the seed of a member; that of member 0 is the seed of the whole.

    Examples
    --------
    >>> member_seed(7, 0)
    7
    """
    return (seed + number * _SEED_STEP) % 2**64


def rows_of_members(
    shared: SharedRows, n_networks: int, repeats: int, seed: int
) -> list[tuple[Array, Array | None]]:
    """Return for each of several members the rows to train on, and those to hold out.

    Raises ValueError when there are fewer rows that count than folds.
    """
    examples, n_folds = shared.that_count(), n_networks // repeats
    weights = examples.weights
    n_counting = len(examples) if weights is None else int(np.count_nonzero(weights))
    if n_counting < n_folds:
        which = "rows" if weights is None else "rows with a weight above 0"
        expected = f"at most as many as there are {which}, {n_counting}"
        because = (f", with {n_folds} folds",)
        raise OptionValueError("n_networks", n_networks, expected, because)
    divided: list[tuple[Array, Array | None]] = []
    for repeat in range(repeats):
        numbers = fold_numbers(examples, n_folds, seed, repeat)
        for number in range(n_folds):
            divided.append((np.flatnonzero(numbers != number), np.flatnonzero(numbers == number)))
    return divided


def one_at_a_time(callbacks: Sequence[Any]) -> list[Any]:
    """Return callbacks that members in several threads can share."""
    lock = Lock()

    def locked(callback: Any, *arguments: Any) -> object:
        with lock:
            return getattr(callback, "on_epoch_end", callback)(*arguments)

    return [partial(locked, callback) for callback in callbacks]


# ---- the fold, and honest scores -----------------------------------------------------------------


def folded_and_scored(members: Sequence[Member], shared: SharedRows) -> tuple[Network, Scores]:
    """Return the fold of the members, and its scores out of fold."""
    return fold([member.network for member in members]), Scores(
        _out_of_fold(members, shared.examples), shared.examples
    )


def _out_of_fold(members: Sequence[Member], examples: Examples) -> Array:
    """Return z_L (n, n_L) of each row by the fold of those who held it out, float64.

    A row that none held out has NaN.
    """
    n_rows, rows = len(examples), examples.rows
    holds = np.zeros((n_rows, len(members)), bool)
    for m, member in enumerate(members):
        if member.held is not None:
            holds[member.held, m] = True
    groups, group_of_row = np.unique(np.packbits(holds, axis=1), axis=0, return_inverse=True)
    group_of_row = group_of_row.reshape(-1)
    z: Array = np.full((n_rows, members[0].network.sizes[-1]), np.nan)
    for number in range(len(groups)):
        of_group = np.flatnonzero(group_of_row == number)
        networks = [members[m].network for m in np.flatnonzero(holds[of_group[0]]).tolist()]
        if not networks:
            continue
        folded = fold(networks, dtype=FLOAT64)._model
        folded.preparation = None  # which the rows have had
        widest = max(rows.width, folded.layout.n_units)
        step = min(folded.call_rows, block_rows(widest, FLOAT64))
        for start in range(0, len(of_group), step):
            part = of_group[start : start + step]
            z[part] = weighted_inputs(folded, rows.block(part).astype(FLOAT64))[-1]
    return z


class Scores:
    """How good the z_L are that were found for rows.

    Parameters
    ----------
    z : numpy.ndarray (n, n_L)
        Rows of NaN are left out.
    examples : Examples
        The truth, and how much each row counts.

    Attributes
    ----------
    proba : numpy.ndarray (n, n_L)
        softmax(z).
    cost, accuracy : float
        In nats, and as a share; NaN where there is no row.
    """

    def __init__(self, z: Array, examples: Examples) -> None:
        there = np.flatnonzero(~np.isnan(z[:, 0]))
        labels, targets, weights = examples.labels, examples.targets, examples.weights
        if weights is not None:
            weights = weights[there]
            weights = weights / weights.mean() if weights.any() else None
        self._examples = Examples(
            DenseRows(z[there], "z"),
            None if labels is None else labels[there],
            None if targets is None else targets[there].astype(FLOAT64),
            weights,
        )
        # a network that passes its inputs on: the cost of C is exact for any z
        n_classes = z.shape[1]
        layout = Layout((n_classes, n_classes), FLOAT64)
        self._softmax = Model(layout, layout.new_arena(), 0)
        self._softmax.weights[0][:] = np.eye(n_classes)
        self._softmax.biases[0][:] = 0
        self.proba: Array = np.full(z.shape, np.nan)
        self.cost = self.accuracy = np.nan
        if there.size:
            self.proba[there] = probabilities(self._softmax, z[there])
            self.cost, self.accuracy = score(self._softmax, self._examples)

    def calibration(self) -> Calibration:
        """Return the temperature that suits z best, see `calibrate`."""
        return best_temperature(self._softmax, self._examples)
