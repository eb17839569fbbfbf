"""Honest scores: each row by the members that did not train on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sigmax._boundary.arrays import FLOAT64
from sigmax._boundary.layout import Layout
from sigmax._data.examples import Examples
from sigmax._data.rows import DenseRows, block_rows
from sigmax._ensemble.folding import fold
from sigmax._model.calibration import Calibration, best_temperature
from sigmax._model.inference import probabilities, score
from sigmax._model.model import Model

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array
    from sigmax.network import Network


def out_of_fold(networks: Sequence[Network], held: Sequence[Array], examples: Examples) -> Array:
    """Return the probabilities (n, n_L) of each row by the fold of those who held it out, float64.

    A row that all members trained on has NaN.

    Parameters
    ----------
    networks : sequence of Network
        With the same preparation.
    held : sequence of numpy.ndarray
        The numbers of the rows that each held out.
    examples : Examples
        Prepared rows.

    Examples
    --------
    >>> out_of_fold(networks, held, shared.examples).argmax(axis=1)
    """
    n_rows, rows = len(examples), examples.rows
    holds = np.zeros((n_rows, len(networks)), bool)
    for m, of_member in enumerate(held):
        holds[of_member, m] = True
    packed = np.packbits(holds, axis=1)
    groups, group_of_row = np.unique(packed, axis=0, return_inverse=True)
    group_of_row = group_of_row.reshape(-1)
    answers: Array = np.full((n_rows, networks[0].sizes[-1]), np.nan)
    step = block_rows(rows.width, FLOAT64)
    for number in range(len(groups)):
        of_group = np.flatnonzero(group_of_row == number)
        members = np.flatnonzero(holds[of_group[0]]).tolist()
        if not members:
            continue
        folded = fold([networks[m] for m in members], dtype=FLOAT64)._model
        folded.preparation = None  # which the rows have had
        for start in range(0, len(of_group), step):
            part = of_group[start : start + step]
            answers[part] = folded.read(probabilities, rows.block(part).astype(FLOAT64))
    return answers


class Scores:
    """Probabilities that were given to rows, beside the truth.

    Parameters
    ----------
    answers : numpy.ndarray (n, n_L)
        Rows of NaN are left out.
    examples : Examples
        The truth, and how much each row counts.
    """

    def __init__(self, answers: Array, examples: Examples) -> None:
        there = np.flatnonzero(~np.isnan(answers[:, 0]))
        smallest = np.finfo(FLOAT64).smallest_subnormal
        z = np.log(np.maximum(answers[there], smallest))
        labels, targets, weights = examples.labels, examples.targets, examples.weights
        if weights is not None:
            weights = weights[there]
            weights = weights / weights.mean() if weights.any() else None
        self._examples = Examples(
            DenseRows(z, "the probabilities"),
            None if labels is None else labels[there],
            None if targets is None else targets[there].astype(FLOAT64),
            weights,
        )
        # softmax(z) with z = ln p is p: a network that passes its inputs on
        n_classes = answers.shape[1]
        layout = Layout((n_classes, n_classes), FLOAT64)
        self._softmax = Model(layout, layout.new_arena(), 0)
        self._softmax.weights[0][:] = np.eye(n_classes)
        self._softmax.biases[0][:] = 0

    def __len__(self) -> int:
        """Count the rows that have probabilities."""
        return len(self._examples)

    def cost_and_accuracy(self) -> tuple[float, float]:
        """Return cost in nats and share of right rows; NaN where there is no row."""
        return score(self._softmax, self._examples) if len(self) else (np.nan, np.nan)

    def calibration(self) -> Calibration:
        """Return the temperature that suits these probabilities best, see `calibrate`."""
        return best_temperature(self._softmax, self._examples)
