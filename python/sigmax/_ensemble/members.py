"""The members of a bag: which rows each sees, its seed, and what becomes of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax._data.splitting import fold_numbers
from sigmax._ensemble.folding import fold
from sigmax._ensemble.out_of_fold import Scores, out_of_fold
from sigmax._training.fit import fit
from sigmax._training.training_data import require_hidden_layer
from sigmax.errors import PYTHON, Words

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array
    from sigmax._ensemble.shared_rows import SharedRows
    from sigmax._training.history import History
    from sigmax._training.options import FitOptions
    from sigmax._training.progress_bar import Bar
    from sigmax._training.training_data import TrainingData
    from sigmax.network import Network

_SEED_STEP = 0xC13FA9A902A6328F  # 2^64 / plastic number, odd; not the step of dropout's seeds


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
        The others.
    """

    number: int
    network: Network
    trained: Array
    held: Array | None

    def fit(
        self,
        shared: SharedRows,
        given: Mapping[str, Any],
        bar: Bar,
        *,
        resume: object = None,
        words: Words = PYTHON,
    ) -> History:
        """Train on the member's rows of the shared ones."""

        def assembled(options: FitOptions) -> TrainingData:
            require_hidden_layer(self.network._model, options)
            return shared.of_member(self.number, self.trained, self.held)

        return fit(
            self.network._model,
            None,
            None,
            given,
            owner=self.network,
            resume=resume,  # type: ignore[arg-type]
            words=words,
            assembled=assembled,
            bar=bar,
        )


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
) -> list[tuple[Array, Array]]:
    """Return for each of several members the rows to train on, and those to hold out.

    Raises ValueError when there are fewer rows that count than folds.

    Examples
    --------
    >>> rows_of_members(shared, 5, 1, seed=0)
    """
    examples, n_folds = shared.examples, n_networks // repeats
    weights = examples.weights
    n_counting = len(examples) if weights is None else int(np.count_nonzero(weights))
    if n_counting < n_folds:
        which = "rows" if weights is None else "rows with a weight above 0"
        raise ValueError(
            f"n_networks is {n_networks}, with {n_folds} folds; expected at most as many as there "
            f"are {which}, {n_counting}"
        )
    divided = []
    for repeat in range(repeats):
        numbers = fold_numbers(examples, n_folds, seed, repeat)
        for number in range(n_folds):
            divided.append((np.flatnonzero(numbers != number), np.flatnonzero(numbers == number)))
    return divided


def folded_and_scored(
    members: Sequence[Member], shared: SharedRows
) -> tuple[Network, Array, Scores]:
    """Return the fold of the members, their out-of-fold answers, and the scores of these."""
    networks = [member.network for member in members]
    held = [np.empty(0, np.intp) if member.held is None else member.held for member in members]
    answers = out_of_fold(networks, held, shared.examples)
    return fold(networks), answers, Scores(answers, shared.examples)


def one_at_a_time(callbacks: Sequence[Any]) -> list[Any]:
    """Return callbacks that members in several threads can share."""
    lock = Lock()

    def locked(callback: Any, *arguments: Any) -> object:
        with lock:
            return getattr(callback, "on_epoch_end", callback)(*arguments)

    return [partial(locked, callback) for callback in callbacks]
