"""How X is prepared for the network: standardization, and values in place of missing ones.

It is fitted on training data, then belongs to the network and is stored with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sigmax._boundary.arrays import FLOAT64, Array, as_numbers, require_shape

if TYPE_CHECKING:
    import numpy.typing as npt


_BLOCK = 1 << 16  # entries per block, which fits the cache


@dataclass(frozen=True, eq=False)
class Preparation:
    """How each column of X is prepared: x becomes (x - mean) / scale, a NaN fill beforehand.

    Computed in float64, from X as it was given, and rounded once to the network's dtype.

    Parameters
    ----------
    mean, scale : array_like of float64, shape (n_0,), or None
        Finite, and scale > 0; both or neither.
    fill : array_like of float64, shape (n_0,), or None
        Finite. None: a NaN raises a ValueError.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the column and the value.

    Examples
    --------
    >>> Preparation(mean=[1.0, 0.0], scale=[2.0, 1.0]).apply(np.array([[3.0, 4.0]]), np.float64)
    array([[1., 4.]])
    """

    mean: Array | None = None
    scale: Array | None = None
    fill: Array | None = None

    def __post_init__(self) -> None:
        """Check the arrays, and keep read-only copies."""
        if (self.mean is None) != (self.scale is None):
            raise ValueError("mean and scale: expected both or neither")
        lengths = set()
        for name in ("mean", "scale", "fill"):
            value = getattr(self, name)
            if value is not None:
                column = _as_column_values(value, name)
                lengths.add(len(column))
                object.__setattr__(self, name, column)
        if len(lengths) != 1:
            raise ValueError(
                "mean, scale and fill: expected at least one, and one value for each column of X; "
                f"their lengths are {sorted(lengths)}"
            )

    @property
    def n_columns(self) -> int:
        """n_0, the number of columns of X."""
        values = self.fill if self.mean is None else self.mean
        assert values is not None
        return len(values)

    @property
    def keeps_zeros(self) -> bool:
        """Whether a 0 stays a 0, so that sparse rows stay sparse."""
        return self.mean is None or not self.mean.any()

    def apply(self, X: npt.ArrayLike, dtype: npt.DTypeLike) -> Array:
        """Return X (rows, n_0) prepared, as a new array of dtype in C order.

        Raises
        ------
        TypeError, ValueError
            When X has another shape, or does not hold real numbers.

        Examples
        --------
        >>> network.preparation.apply(X, network.dtype)
        """
        given = as_numbers(X, "X")
        require_shape(given.shape, self.n_columns, "X")
        out: Array = np.empty(given.shape, dtype)
        step = max(1, _BLOCK // max(1, self.n_columns))
        with np.errstate(over="ignore", invalid="ignore"):  # the result is checked, with its place
            for start in range(0, len(given), step):
                part = slice(start, start + step)
                out[part] = self._of(given[part], self.mean, self.scale, self.fill)
        return out

    def apply_to_entries(self, values: Array, columns: Array, dtype: npt.DTypeLike) -> Array:
        """Return the entries of sparse rows prepared, each with its column; see `keeps_zeros`."""
        out: Array = np.empty(values.shape, dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(values), _BLOCK):
                part = slice(start, start + _BLOCK)
                mean, scale, fill = (
                    None if array is None else array[columns[part]]
                    for array in (self.mean, self.scale, self.fill)
                )
                out[part] = self._of(values[part], mean, scale, fill)
        return out

    @staticmethod
    def _of(X: Array, mean: Array | None, scale: Array | None, fill: Array | None) -> Array:
        prepared = X.astype(FLOAT64)
        if fill is not None:
            np.copyto(prepared, fill, where=np.isnan(prepared))
        if mean is not None and scale is not None:
            prepared -= mean
            prepared /= scale
        return prepared


def as_preparation(state: object, n_columns: int) -> Preparation | None:
    """Return the preparation stored as (mean, scale, fill), after checking its columns.

    Examples
    --------
    >>> as_preparation(([0.0, 1.0], [1.0, 2.0], None), 2)
    """
    if state is None:
        return None
    if not isinstance(state, tuple | list) or len(state) != 3:
        raise ValueError(f"preparation is {state!r}; expected None or (mean, scale, fill)")
    preparation = Preparation(*state)
    if preparation.n_columns != n_columns:
        raise ValueError(
            f"preparation has {preparation.n_columns} columns; expected {n_columns}, as X"
        )
    return preparation


def _as_column_values(value: object, name: str) -> Array:
    array = np.array(as_numbers(value, name), FLOAT64)  # a copy
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}; expected one value for each column")
    wrong = ~np.isfinite(array) if name != "scale" else ~((array > 0) & np.isfinite(array))
    if wrong.any():
        column = int(np.flatnonzero(wrong)[0])
        expected = "a finite number" + (" > 0" if name == "scale" else "")
        raise ValueError(f"{name}, column {column}: {array[column]}; expected {expected}")
    array.flags.writeable = False
    return array
