"""Examples X in any form (in memory, in a mapped file, sparse), and their dense blocks.

C takes rows that are dense, finite, prepared and in the network's dtype. An array in memory is
converted once; anything else is converted block by block.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sigmax._boundary.arrays import (
    Array,
    as_numbers,
    convert,
    is_sparse,
    not_finite,
    pointer,
    require_finite,
    require_shape,
)
from sigmax._boundary.frames import column_names
from sigmax._data.columns import UNNAMED, Columns
from sigmax._data.mapped import is_mapped, scattered
from sigmax._data.sparse import Csr, as_csr
from sigmax._sigmax import ffi, lib

if TYPE_CHECKING:
    from sigmax._boundary.layout import Layout
    from sigmax._data.preparation import Preparation
    from sigmax._sigmax import CData

Index: TypeAlias = "slice | Array"  # positions: a slice with a start and a stop, or integers

C_BLOCK = lib.SIGMAX_INFERENCE_ROWS  # blocks of a multiple of it give the bits of one call
BLOCK_BYTES = 1 << 24  # of a dense block
OPERATIONS = 400_000_000  # multiplications in one C call: tens of milliseconds
_EXPONENTIAL = 20  # how many multiplications take as long as one
_SMALL_FILE = 1 << 26  # bytes of dense rows: a mapped file below is taken as an array in memory


def block_rows(width: int, dtype: np.dtype[Any]) -> int:
    """Return how many dense rows a block may hold; it depends on the sizes alone."""
    rows = max(1, BLOCK_BYTES // (width * dtype.itemsize))
    return rows if rows < C_BLOCK else rows // C_BLOCK * C_BLOCK


def call_rows(layout: Layout) -> int:
    """Return how many rows C may infer in one call, for which Ctrl-C waits."""
    per_row = layout.n_parameters + _EXPONENTIAL * layout.n_units
    return max(1, OPERATIONS // per_row // C_BLOCK) * C_BLOCK


class Rows(ABC):
    """X (n, width), which can be read in dense blocks.

    Attributes
    ----------
    name : str
        Its name in errors.
    dtype : numpy.dtype
        The network's.
    width : int
        n_0.
    columns : tuple of str, or None
        Names of the columns, where the caller's X has them.
    """

    columns: tuple[str, ...] | None = None

    def __init__(self, name: str, dtype: np.dtype[Any], width: int) -> None:
        self.name, self.dtype, self.width = name, dtype, width

    @abstractmethod
    def __len__(self) -> int: ...

    def scattered(self) -> contextlib.AbstractContextManager[None]:
        """Return a context in which blocks are read in random order."""
        return contextlib.nullcontext()

    @abstractmethod
    def raw(self, index: Index) -> Array:
        """Return these rows as they were given, but dense."""

    @abstractmethod
    def block(self, index: Index) -> Array:
        """Return these rows as C takes them; raise ValueError for infinity and NaN."""

    @abstractmethod
    def take(self, index: Index) -> Rows:
        """Return these rows alone; errors still use the row numbers of the whole."""

    @abstractmethod
    def prepared(self, preparation: Preparation | None, *, at_once: bool = True) -> Rows:
        """Return the rows prepared for the network.

        With at_once, rows in memory are converted and checked now, otherwise block by block.
        """

    @abstractmethod
    def number(self, row: int) -> int:
        """Return the number of a row in the array that the caller gave."""

    def column(self, position: int) -> int | str:
        """Return what errors call a column: its name, or its position where it has none."""
        return position if self.columns is None else self.columns[position]

    def dense(self) -> DenseRows:
        """Return all rows as C takes them, in memory."""
        whole: Array = np.empty((len(self), self.width), self.dtype)
        step = block_rows(self.width, self.dtype)
        for start in range(0, len(self), step):
            part = slice(start, min(start + step, len(self)))
            whole[part] = self.block(part)
        return DenseRows(whole, self.name)

    def entries(self, index: slice) -> tuple[Array, int]:
        """Return the entries of these rows that are written down, and how many there are in all."""
        block = self.block(index)
        return block, block.size

    def pointers(self) -> tuple[CData, CData, tuple[object, ...]] | None:
        """Return X and sparse of a `sigmax_data`, and the objects that own them, or None."""
        return None

    def _place(self, index: Index, i: int, column: int) -> tuple[int, int | str]:
        """Return row and column, in the caller's array, of an entry of the rows at index."""
        row = self.number(index.start + i if isinstance(index, slice) else int(index[i]))
        return row, self.column(column)


class DenseRows(Rows):
    """An array that C takes as it is."""

    def __init__(self, X: Array, name: str) -> None:
        super().__init__(name, X.dtype, X.shape[1])
        self.X = X

    def __len__(self) -> int:
        return len(self.X)

    def raw(self, index: Index) -> Array:
        return self.X[index]

    block = raw

    def take(self, index: Index) -> DenseRows:
        return DenseRows(self.X[index], self.name)

    def prepared(self, preparation: Preparation | None, *, at_once: bool = True) -> DenseRows:
        return self

    def number(self, row: int) -> int:
        return row

    def dense(self) -> DenseRows:
        return self

    def pointers(self) -> tuple[CData, CData, tuple[object, ...]]:
        data = pointer(self.X)
        return data, ffi.NULL, (self.X, data)


class ArrayRows(Rows):
    """An array as it was given: in memory, or mapped from a file that may not fit there."""

    def __init__(
        self,
        given: Array,
        name: str,
        dtype: np.dtype[Any],
        *,
        mapped: bool,
        columns: tuple[str, ...] | None = None,
        chosen: Array | None = None,
        preparation: Preparation | None = None,
    ) -> None:
        super().__init__(name, dtype, given.shape[1])
        self.columns = columns
        self._given, self._mapped = given, mapped
        self._chosen = chosen  # which rows these are; None: all
        self._preparation = preparation

    def __len__(self) -> int:
        return len(self._given if self._chosen is None else self._chosen)

    def scattered(self) -> contextlib.AbstractContextManager[None]:
        return scattered(self._given)

    def raw(self, index: Index) -> Array:
        return self._given[index if self._chosen is None else self._chosen[index]]

    def block(self, index: Index) -> Array:
        given = self.raw(index)
        if self._preparation is None:
            array = convert(given, self.dtype)
        else:
            array = self._preparation.apply(given, self.dtype)
        require_finite(given, array, pointer(array), self.name, partial(self._place, index))
        return array

    def take(self, index: Index) -> ArrayRows:
        if self._chosen is not None:
            chosen = self._chosen[index]
        elif isinstance(index, slice):
            chosen = np.arange(index.start, index.stop)
        else:
            chosen = index
        return self._with(chosen, self._preparation)

    def prepared(self, preparation: Preparation | None, *, at_once: bool = True) -> Rows:
        # a mapped file is never converted at once
        rows = self._with(self._chosen, preparation)
        return rows.dense() if at_once and not self._mapped else rows

    def number(self, row: int) -> int:
        return row if self._chosen is None else int(self._chosen[row])

    def dense(self) -> DenseRows:
        # without a copy where none is needed
        if self._preparation is None and self._chosen is None:
            return DenseRows(self.block(slice(0, len(self))), self.name)
        return super().dense()

    def _with(self, chosen: Array | None, preparation: Preparation | None) -> ArrayRows:
        return ArrayRows(
            self._given,
            self.name,
            self.dtype,
            mapped=self._mapped,
            columns=self.columns,
            chosen=chosen,
            preparation=preparation,
        )


class SparseRows(Rows):
    """Compressed sparse rows; `ready` says that C can take their values."""

    def __init__(
        self,
        csr: Csr,
        name: str,
        dtype: np.dtype[Any],
        width: int,
        *,
        ready: bool = False,
        numbers: Array | None = None,
        preparation: Preparation | None = None,
    ) -> None:
        super().__init__(name, dtype, width)
        self.csr, self._ready = csr, ready
        self._numbers = numbers
        self._preparation = preparation

    def __len__(self) -> int:
        return len(self.csr)

    def raw(self, index: Index) -> Array:
        return self.csr.take(index).toarray(self.width)

    def block(self, index: Index) -> Array:
        given = self.raw(index)
        if self._ready:
            return given
        if self._preparation is None:
            array = convert(given, self.dtype)
        else:
            array = self._preparation.apply(given, self.dtype)
        require_finite(given, array, pointer(array), self.name, partial(self._place, index))
        return array

    def take(self, index: Index) -> SparseRows:
        if self._numbers is not None:
            numbers = self._numbers[index]
        else:
            numbers = np.arange(index.start, index.stop) if isinstance(index, slice) else index
        return SparseRows(
            self.csr.take(index),
            self.name,
            self.dtype,
            self.width,
            ready=self._ready,
            numbers=numbers,
            preparation=self._preparation,
        )

    def prepared(self, preparation: Preparation | None, *, at_once: bool = True) -> SparseRows:
        """Zeros that would not stay zeros are left to the dense blocks."""
        if preparation is not None and not preparation.keeps_zeros:
            return SparseRows(
                self.csr,
                self.name,
                self.dtype,
                self.width,
                numbers=self._numbers,
                preparation=preparation,
            )
        row_start, columns, given = self.csr
        if preparation is None:
            values = convert(given, self.dtype)
        else:
            values = preparation.apply_to_entries(given, columns, self.dtype)
        bad = lib.sigmax_first_non_finite(self.dtype.itemsize, pointer(values), values.size)
        if bad != values.size:
            row = int(self.csr.rows_of(slice(bad, bad + 1))[0])
            place = self.number(row), columns[bad]
            raise not_finite(self.name, place, given[bad], self.dtype)
        csr = Csr(row_start, np.ascontiguousarray(columns), values)
        return SparseRows(csr, self.name, self.dtype, self.width, ready=True, numbers=self._numbers)

    def number(self, row: int) -> int:
        return row if self._numbers is None else int(self._numbers[row])

    def entries(self, index: slice) -> tuple[Array, int]:
        # zeros that are not written down are counted all the same
        part = self.csr.take(index)
        return part.values, len(part) * self.width

    def pointers(self) -> tuple[CData, CData, tuple[object, ...]] | None:
        if not self._ready:
            return None
        row_start = pointer("int64_t[]", np.ascontiguousarray(self.csr.row_start))
        columns = pointer("int32_t[]", self.csr.columns)
        values = pointer(self.csr.values)
        struct = ffi.new(
            "sigmax_sparse *", {"row_start": row_start, "columns": columns, "values": values}
        )
        return ffi.NULL, struct, (self.csr, row_start, columns, values)


def open_rows(
    X: object,
    dtype: np.dtype[Any],
    width: int,
    name: str = "X",
    columns: Columns = UNNAMED,
) -> Rows:
    """Return X with its shape and type checked, its values neither converted nor checked yet.

    A frame's columns are compared with those of columns, and put in their order.
    """
    if is_sparse(X):
        return SparseRows(as_csr(X, width, name), name, dtype, width)
    found = column_names(X, name)
    order = columns.order_of(X, found, name)
    given = as_numbers(X, name, missing_allowed=columns.missing_allowed, columns=found)
    require_shape(given.shape, width, name)
    if order is not None:
        given = given[:, order]
    large = given.size * dtype.itemsize > _SMALL_FILE
    names = found and (columns.names or found)
    return ArrayRows(given, name, dtype, mapped=large and is_mapped(given), columns=names)
