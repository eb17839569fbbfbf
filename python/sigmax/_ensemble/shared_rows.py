"""The rows of a bag: opened, checked and prepared once for all members."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sigmax._data.column_statistics import fit_preparation
from sigmax._data.columns import Columns
from sigmax._data.examples import Examples
from sigmax._data.rows import ArrayRows, DenseRows
from sigmax._data.sources import ChosenSource, KnownExamples, Source, open_data
from sigmax._data.weighting import as_weights, row_weights
from sigmax._training.training_data import TrainingData

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array
    from sigmax._boundary.layout import Layout
    from sigmax._data.preparation import Preparation
    from sigmax._data.rows import Rows
    from sigmax._data.weighting import ClassWeight


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
