"""Rows with their targets and weights, checked together, and as C sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from sigmax._boundary.arrays import Array, as_targets, pointer
from sigmax._data.columns import UNNAMED, Columns
from sigmax._data.rows import DenseRows, Index, Rows, open_rows
from sigmax._sigmax import ffi

if TYPE_CHECKING:
    from sigmax._boundary.layout import Layout
    from sigmax._data.preparation import Preparation
    from sigmax._sigmax import CData


class Examples:
    """Rows with labels (n,) or targets (n, n_L), and weights (n,) if any; n >= 1.

    Attributes
    ----------
    rows : Rows
        X.
    labels : ndarray of int64 or None
    targets : ndarray of the network's dtype or None
        One of the two.
    weights : ndarray of float64 or None
        How much each row counts.
    """

    __slots__ = ("_alive", "_struct", "labels", "rows", "targets", "weights")

    def __init__(
        self,
        rows: Rows,
        labels: Array | None,
        targets: Array | None,
        weights: Array | None = None,
    ) -> None:
        self.rows, self.labels, self.targets, self.weights = rows, labels, targets, weights
        self._struct: CData | None = None
        self._alive: tuple[object, ...] = ()

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.rows)

    @property
    def fits_c(self) -> bool:
        """Whether C can take all rows at once without a copy, and `struct` exists."""
        return self.rows.pointers() is not None

    @property
    def struct(self) -> CData:
        """Return a `sigmax_data *`, valid as long as this object lives; see `fits_c`."""
        if self._struct is None:
            found = self.rows.pointers()
            if found is None:
                raise TypeError("these rows are passed to C in blocks")
            X, sparse, alive = found
            fields: dict[str, object] = {"X": X, "rows": len(self)}
            if self.labels is not None:
                fields["labels"] = pointer("int64_t[]", self.labels)
            if self.targets is not None:
                fields["targets"] = pointer(self.targets)
            if self.weights is not None:
                fields["sample_weight"] = pointer("double[]", self.weights)
            if sparse != ffi.NULL:
                fields["sparse"] = sparse
            self._alive = (alive, fields)
            self._struct = ffi.new("sigmax_data *", fields)
        return self._struct

    def prepared(self, preparation: Preparation | None, *, at_once: bool = True) -> Examples:
        """Return the examples as the network wants them; see `Rows.prepared`."""
        rows = self.rows.prepared(preparation, at_once=at_once)
        return Examples(rows, self.labels, self.targets, self.weights)

    def dense(self) -> Examples:
        """Return the examples with all rows dense in memory."""
        return Examples(self.rows.dense(), self.labels, self.targets, self.weights)

    def weighted(self, weights: Array | None) -> Examples:
        """Return the examples with these weights, (n,) of float64, finite and >= 0."""
        return Examples(self.rows, self.labels, self.targets, weights)

    def take(self, index: Index) -> Examples:
        """Return some of the rows: a slice start:stop, or an array of row numbers."""
        return self._beside(self.rows.take(index), index)

    def block(self, index: Index) -> Examples:
        """Return these rows as C takes them, dense and checked."""
        return self._beside(DenseRows(self.rows.block(index), self.rows.name), index)

    def blocks(self, n_rows: int) -> Iterator[Examples]:
        """Yield the rows in order and dense, n_rows at a time, without copies where possible."""
        for start in range(0, len(self), n_rows):
            yield self.block(slice(start, min(start + n_rows, len(self))))

    def _beside(self, rows: Rows, index: Index) -> Examples:
        """Return rows, selected by index, with their targets and weights."""
        labels, targets, weights = (
            None if array is None else np.ascontiguousarray(array[index])
            for array in (self.labels, self.targets, self.weights)
        )
        return Examples(rows, labels, targets, weights)


def as_examples(
    X: object,
    y: object,
    layout: Layout,
    names: tuple[str, str] = ("X", "y"),
    *,
    columns: Columns = UNNAMED,
    empty_allowed: bool = False,
) -> Examples:
    """Return X (n, n_0), opened, and y, (n,) labels or (n, n_L) rows, checked; n >= 1.

    Preparing X checks its values.
    """
    rows = open_rows(X, layout.dtype, layout.n_in, names[0], columns)
    labels, targets = as_targets(y, layout.dtype, layout.n_out, names[1])
    n_targets = len(labels if labels is not None else targets)  # type: ignore[arg-type]
    if len(rows) != n_targets:
        raise ValueError(f"{names[0]} has {len(rows)} rows but {names[1]} has {n_targets}")
    if len(rows) == 0 and not empty_allowed:
        raise ValueError(f"{names[0]} has no rows; expected at least one")
    return Examples(rows, labels, targets)
