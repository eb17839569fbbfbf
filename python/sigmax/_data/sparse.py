"""SciPy's sparse arrays as compressed sparse rows (CSR), checked, without importing SciPy."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from sigmax._boundary.arrays import INT64, Array, require_shape

INT32 = np.dtype(np.int32)


class SparseLike(Protocol):
    """A sparse array or matrix of SciPy, of any format."""

    @property
    def nnz(self) -> int: ...
    def tocsr(self) -> Any: ...


class Csr(NamedTuple):
    """Rows in compressed sparse row form.

    Attributes
    ----------
    row_start : ndarray of int64, shape (rows + 1,)
        Row i has the entries row_start[i] ... row_start[i + 1] - 1.
    columns : ndarray of int32, shape (entries,)
        Ascending within a row, none twice.
    values : ndarray, shape (entries,)
        As given; absent entries are 0.
    """

    row_start: Array
    columns: Array
    values: Array

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.row_start) - 1

    def rows_of(self, entries: slice) -> Array:
        """Return the row of each entry."""
        positions = np.arange(entries.start, entries.stop)
        return np.searchsorted(self.row_start, positions, side="right") - 1

    def take(self, index: slice | Array) -> Csr:
        """Return the rows in the order of index: views for a slice, copies otherwise."""
        if isinstance(index, slice):
            start, stop, _ = index.indices(len(self))
            bounds = self.row_start[start : max(start, stop) + 1]
            entries = slice(int(bounds[0]), int(bounds[-1]))
            return Csr(bounds - bounds[0], self.columns[entries], self.values[entries])
        counts = np.diff(self.row_start)[index]
        row_start = np.concatenate([[0], np.cumsum(counts, dtype=INT64)])
        # entry e of the new rows was entry e + (how far its row has moved) of the old ones
        moved = self.row_start[:-1][index] - row_start[:-1]
        entries_of = np.arange(row_start[-1]) + np.repeat(moved, counts)
        return Csr(row_start, self.columns[entries_of], self.values[entries_of])

    def toarray(self, width: int) -> Array:
        """Return the dense array (rows, width) of the values' dtype."""
        dense = np.zeros((len(self), width), self.values.dtype)
        dense[np.repeat(np.arange(len(self)), np.diff(self.row_start)), self.columns] = self.values
        return dense


def as_csr(X: Any, width: int, name: str) -> Csr:
    """Return a sparse array or matrix of any of SciPy's formats as `Csr`; X is not changed.

    Arrays of X that need no conversion are used without a copy. Entries given more than once are
    added up in X's dtype, as X.toarray() does.
    """
    require_shape(tuple(X.shape), width, name)
    if np.dtype(X.dtype).kind not in "biuf":
        raise TypeError(f"{name} has dtype {X.dtype}; expected real numbers")
    matrix = X if getattr(X, "format", None) == "csr" else X.tocsr()
    row_start = np.asarray(matrix.indptr, INT64)
    columns, values = np.asarray(matrix.indices), np.asarray(matrix.data)
    _check(row_start, columns, values, X.shape[0], width, name)
    return _canonical(Csr(row_start, np.asarray(columns, INT32), values))


def _check(
    row_start: Array, columns: Array, values: Array, rows: int, width: int, name: str
) -> None:
    """Raise ValueError for arrays that SciPy allows but that are no matrix."""
    if row_start.shape != (rows + 1,) or row_start[0] != 0:
        raise ValueError(f"{name}.indptr: expected {rows + 1} entries, the first of them 0")
    descending = np.flatnonzero(np.diff(row_start) < 0)
    if descending.size:
        row = int(descending[0])
        raise ValueError(
            f"{name}.indptr, row {row}: from {row_start[row]} to {row_start[row + 1]}; "
            "expected entries that never descend"
        )
    entries = int(row_start[-1])
    if len(columns) < entries or len(values) < entries:
        raise ValueError(
            f"{name}.indptr ends at {entries}, but {name} has {min(len(columns), len(values))} "
            "entries; expected as many"
        )
    columns = columns[:entries]
    if entries and (columns.min() < 0 or columns.max() >= min(width, 2**31)):
        entry = int(np.flatnonzero((columns < 0) | (columns >= min(width, 2**31)))[0])
        row = int(np.searchsorted(row_start, entry, side="right")) - 1
        raise ValueError(
            f"{name}.indices, row {row}: column {columns[entry]}; "
            f"expected 0 to {min(width, 2**31) - 1}"
        )


def _canonical(csr: Csr) -> Csr:
    """Return the rows with ascending columns, none twice."""
    entries = int(csr.row_start[-1])
    csr = Csr(csr.row_start, csr.columns[:entries], csr.values[:entries])
    ascending = np.diff(csr.columns) > 0
    first_of_row = csr.row_start[1:-1]
    first_of_row = first_of_row[(first_of_row > 0) & (first_of_row < entries)]
    ascending[first_of_row - 1] = True  # rows need not be adjacent
    if ascending.all():
        return csr
    rows = np.repeat(np.arange(len(csr)), np.diff(csr.row_start))
    order = np.lexsort((csr.columns, rows))  # stable: equal columns stay in the order given
    rows, columns, values = rows[order], csr.columns[order], csr.values[order]
    new = np.ones(entries, bool)
    new[1:] = (np.diff(rows) > 0) | (np.diff(columns) > 0)
    if new.all():
        return Csr(csr.row_start, columns, values)
    total = np.zeros(int(new.sum()), values.dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow raises later, with its place
        np.add.at(total, np.cumsum(new) - 1, values)
    counts = np.bincount(rows[new], minlength=len(csr))
    row_start = np.concatenate([[0], np.cumsum(counts, dtype=INT64)])
    return Csr(row_start, columns[new], total)
