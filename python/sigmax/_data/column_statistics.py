"""Mean, standard deviation and range of each column of X, one block of rows after the other."""

from __future__ import annotations

import numpy as np

from sigmax._boundary.arrays import FLOAT64, Array, not_finite
from sigmax._data.preparation import Preparation
from sigmax._data.rows import Rows, SparseRows
from sigmax._data.sources import TrainingExamples

_LEAST_DEVIATION = 1e-15  # of a column, as a share of its range
_ENTRIES = 1 << 16  # of a block: its temporaries stay in the cache


class ColumnStatistics:
    """Statistics of the rows added so far, each counted by its weight, in float64.

    Blocks are merged as Chan, Golub and LeVeque do (1983, Algorithms for computing the sample
    variance), with standard deviations in place of variances, so that no large or tiny number is
    squared.

    Attributes
    ----------
    mean : ndarray of float64, shape (width,)
    """

    def __init__(self, width: int, *, missing_allowed: bool) -> None:
        self._missing_allowed = missing_allowed
        self._names: tuple[str, ...] | None = None
        self._weight = np.zeros(width)
        self.mean = np.zeros(width)
        self._deviation = np.zeros(width)
        self._low, self._high = np.full(width, np.inf), np.full(width, -np.inf)

    def add(self, rows: Rows, weights: Array | None) -> None:
        """Add rows (n, width) with weights (n,) >= 0; None counts each row once.

        Raises
        ------
        ValueError
            For an infinity, and for a NaN where none is allowed.
        """
        self._names = self._names or rows.columns
        step = max(1, _ENTRIES // rows.width)
        if isinstance(rows, SparseRows):  # the work per column must not outweigh the work per entry
            per_row = max(1, int(rows.csr.row_start[-1]) // max(1, len(rows)))
            step = max(1, max(_ENTRIES, 8 * rows.width) // per_row)
        for start in range(0, len(rows), step):
            part = slice(start, min(start + step, len(rows)))
            weight = np.ones(part.stop - start) if weights is None else weights[part]
            if isinstance(rows, SparseRows):
                self._add_sparse(rows, part, weight)
            else:
                self._add_dense(rows, part, weight)

    def require_numbers(self, name: str) -> None:
        """Raise ValueError for a column without a number, which has no mean."""
        empty = np.flatnonzero(self._weight == 0)
        if empty.size:
            raise ValueError(
                f"{name}, column {self._column(empty[0])}: no row that counts has a number there; "
                "expected at least one"
            )

    def standardization(self, *, shifted: bool) -> tuple[Array, Array]:
        """Return (mean, scale) that give each column the deviation 1, and if shifted the mean 0.

        A column of one value only becomes 0 when shifted, and 1 or -1 (0 stays 0) when not.
        """
        constant = self._low == self._high
        beyond = np.flatnonzero(~(np.isfinite(self.mean) & np.isfinite(self._deviation)))
        if beyond.size:
            low, high = self._low[beyond[0]], self._high[beyond[0]]
            raise ValueError(
                f"X, column {self._column(beyond[0])}: from {low} to {high}; "
                "expected numbers whose sum and spread are within float64: divide the column by a "
                "large number first"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            # only weights can make it less: a row that hardly counts must not become infinite
            least = _LEAST_DEVIATION * (self._high - self._low)
        deviation = np.where(least < np.inf, np.maximum(self._deviation, least), self._deviation)
        scale = np.where(constant, 0.0 if shifted else np.abs(self._low), deviation)
        scale[scale == 0] = 1.0
        if not shifted:
            return np.zeros_like(self.mean), scale
        return np.where(constant, self._low, self.mean), scale

    def _column(self, position: int) -> str:
        """Return what errors call a column."""
        return repr(self._names[position]) if self._names else str(position)

    def _add_dense(self, rows: Rows, part: slice, weights: Array) -> None:
        given = rows.raw(part)
        X = given.astype(FLOAT64)
        count = weights.reshape(-1, 1)
        finite = np.isfinite(X)
        if not finite.all():
            wrong = np.argwhere(np.isinf(X) if self._missing_allowed else ~finite)
            if len(wrong):
                row, column = wrong[0].tolist()
                place = rows.number(part.start + row), rows.column(column)
                raise not_finite(rows.name, place, given[row, column], FLOAT64)
            count = count * finite
            X[~finite] = 0.0
        counted = np.broadcast_to(count > 0, X.shape)
        low = np.where(counted, X, np.inf).min(axis=0)
        high = np.where(counted, X, -np.inf).max(axis=0)
        with np.errstate(over="ignore", invalid="ignore"):  # see standardization
            weight = np.broadcast_to(count, X.shape).sum(axis=0)
            used = np.where(weight > 0, weight, 1.0)
            mean = (X * count).sum(axis=0) / used
            X -= mean
            X *= counted  # rows of weight 0 must not enlarge the scale
            spread = np.abs(X).max(axis=0)
            X /= np.where(spread > 0, spread, 1.0)
            X *= X
            X *= count
            self._merge(weight, mean, spread * np.sqrt(X.sum(axis=0) / used), low, high)

    def _add_sparse(self, rows: SparseRows, part: slice, weights: Array) -> None:
        width = rows.width
        csr = rows.csr.take(part)
        row = np.repeat(np.arange(len(csr)), np.diff(csr.row_start))
        values = csr.values.astype(FLOAT64)
        columns = csr.columns
        finite = np.isfinite(values)
        count = weights[row]
        missing: Array = np.zeros(width)  # their weight in each column
        n_present: Array = np.zeros(width)  # entries with a weight above 0, missing ones included
        if not finite.all():
            wrong = np.flatnonzero(np.isinf(values) if self._missing_allowed else ~finite)
            if len(wrong):
                entry = wrong[0]
                place = rows.number(part.start + int(row[entry])), int(columns[entry])
                raise not_finite(rows.name, place, csr.values[entry], FLOAT64)
            missing = np.bincount(columns[~finite], count[~finite], width)
            n_present = np.bincount(columns[~finite], count[~finite] > 0, width)
            columns, values, count = columns[finite], values[finite], count[finite]
        n_present = n_present + np.bincount(columns, count > 0, width)
        low, high = np.full(width, np.inf), np.full(width, -np.inf)
        np.minimum.at(low, columns[count > 0], values[count > 0])
        np.maximum.at(high, columns[count > 0], values[count > 0])
        zeros = n_present < np.count_nonzero(weights)  # columns with implicit zeros
        low[zeros], high[zeros] = np.minimum(low[zeros], 0.0), np.maximum(high[zeros], 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            present = np.bincount(columns, count, width)
            weight = weights.sum() - missing
            absent = np.where(zeros, weight - present, 0.0)
            weight = np.where(zeros, weight, present)  # no rounding by a subtraction
            used = np.where(weight > 0, weight, 1.0)
            mean = np.bincount(columns, count * values, width) / used
            spread = np.where(zeros, np.abs(mean), 0.0)
            np.maximum.at(spread, columns, np.abs(values - mean[columns]))
            unit = np.where(spread > 0, spread, 1.0)
            distance = (values - mean[columns]) / unit[columns]
            squares: Array = np.bincount(columns, count * distance**2, width)
            squares = squares + absent * (mean / unit) ** 2
            self._merge(weight, mean, spread * np.sqrt(squares / used), low, high)

    def _merge(self, weight: Array, mean: Array, deviation: Array, low: Array, high: Array) -> None:
        """Join the statistics of more rows to those so far.

        With r = weight / (total weight) and d the difference of the means,
        mean += r d and deviation^2 = (1 - r) deviation_1^2 + r deviation_2^2 + r (1 - r) d^2.
        """
        self._weight += weight
        r = weight / np.where(self._weight > 0, self._weight, 1.0)
        difference = mean - self.mean
        self.mean += r * difference
        within = np.hypot(np.sqrt(1 - r) * self._deviation, np.sqrt(r) * deviation)
        self._deviation = np.hypot(within, np.sqrt(r * (1 - r)) * difference)
        np.minimum(self._low, low, out=self._low)
        np.maximum(self._high, high, out=self._high)


def fit_preparation(
    data: TrainingExamples, *, standardize: bool, fill_missing: bool
) -> Preparation | None:
    """Return the preparation fitted on training data, or None if the options want none.

    With standardize, each column gets mean 0 and standard deviation 1 over the rows, counted by
    their weights. A column that holds one value only becomes 0. Sparse data
    is scaled but not shifted, since its zeros must stay zeros. With fill_missing, a NaN becomes the
    mean of the rest of its column, zeros included. Blocks are merged by the formula of Chan, Golub
    and LeVeque (1983, Algorithms for computing the sample variance), in float64.

    Raises
    ------
    ValueError
        When X holds an infinity, or a NaN without fill_missing, or nothing but NaN in a column;
        when the sum or the spread of a column is beyond float64.
    """
    if not standardize and not fill_missing:
        return None
    columns: ColumnStatistics | None = None
    sparse = False
    for part in data.opened():
        columns = columns or ColumnStatistics(part.rows.width, missing_allowed=fill_missing)
        columns.add(part.rows, part.weights)
        sparse = sparse or isinstance(part.rows, SparseRows)
    if columns is None:
        raise ValueError("X() returned no rows; expected an iterator of blocks (X, y)")
    columns.require_numbers("X")
    fill = columns.mean if fill_missing else None
    if not standardize:
        return Preparation(fill=fill)
    mean, scale = columns.standardization(shifted=not sparse)
    return Preparation(mean, scale, fill)
