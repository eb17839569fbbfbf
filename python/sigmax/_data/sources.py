"""Sources of the rows of an epoch: memory, sparse rows, a mapped file, a stream of blocks.

Every source passes its rows to C in pieces of whole batches, so all of them give the same bits for
the same preparation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sigmax._boundary.arrays import Array, pointer
from sigmax._data.columns import UNNAMED, Columns
from sigmax._data.examples import Examples, as_examples
from sigmax._data.rows import DenseRows
from sigmax._sigmax import ffi

if TYPE_CHECKING:
    from sigmax._boundary.layout import Layout
    from sigmax._data.preparation import Preparation
    from sigmax._sigmax import CData

_CHUNK_BYTES = 1 << 22  # of rows gathered at once: few against memory, soon read


class Piece:
    """Some rows of an epoch as C takes them.

    Attributes
    ----------
    struct : CData
        A `sigmax_data *`.
    order : CData
        A `size_t *` for `sigmax_training.order`, or NULL.
    first, rows : int
        The positions where the piece begins and ends.
    """

    __slots__ = ("_alive", "first", "order", "rows", "struct")

    def __init__(self, examples: Examples, order: Array | None = None, first: int = 0) -> None:
        self.struct = examples.struct
        self.order: CData = ffi.NULL if order is None else pointer("size_t[]", order)
        self.first, self.rows = first, len(examples)
        self._alive = (examples, order)


class Source(Protocol):
    """Rows that can be iterated once per epoch."""

    @property
    def n_rows(self) -> int | None:
        """The number of rows; None for a stream before its first epoch."""

    @property
    def takes_order(self) -> bool:
        """Whether the rows can be taken in another order than their own."""

    def pieces(self, order: Array | None, batch_size: int, start: int) -> Iterator[Piece]:
        """Yield the rows of one epoch; all pieces but the last hold whole batches.

        order (n_rows,) of uintp says which row to take at each position, None: as they come.
        start, a multiple of batch_size, is where an interrupted epoch resumes.
        """


class WholeSource:
    """Rows that C can take all at once: dense, or sparse, in memory."""

    takes_order = True

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    @property
    def n_rows(self) -> int:
        return len(self._examples)

    def pieces(self, order: Array | None, batch_size: int, start: int) -> Iterator[Piece]:
        if start < len(self._examples):
            yield Piece(self._examples, order, start)


class ChosenSource:
    """Some of the rows of a dense array in memory, which need not be copied.

    C takes them from the whole array by the order of the epoch: they are at its end, and what is
    before them is passed over.
    """

    takes_order = True

    def __init__(self, examples: Examples, chosen: Array) -> None:
        self._examples, self._chosen = examples, chosen

    @property
    def n_rows(self) -> int:
        return len(self._chosen)

    def pieces(self, order: Array | None, batch_size: int, start: int) -> Iterator[Piece]:
        passed_over = len(self._examples) - len(self._chosen)
        of_all = np.zeros(len(self._examples), np.uintp)
        of_all[passed_over:] = self._chosen if order is None else self._chosen[order]
        if start < len(self._chosen):
            yield Piece(self._examples, of_all, passed_over + start)


class GatheredSource:
    """Rows that are read, converted and prepared a few MiB at a time, such as a mapped file's."""

    takes_order = True

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    @property
    def n_rows(self) -> int:
        return len(self._examples)

    def pieces(self, order: Array | None, batch_size: int, start: int) -> Iterator[Piece]:
        rows = self._examples.rows
        batches = _CHUNK_BYTES // (rows.width * rows.dtype.itemsize * batch_size)
        step = max(1, batches) * batch_size
        blocks = [(begin, min(begin + step, len(rows))) for begin in range(start, len(rows), step)]
        if order is None:
            for begin, end in blocks:
                yield Piece(self._examples.block(slice(begin, end)))
            return
        with rows.scattered():
            for begin, end in blocks:
                # read in file order; C then takes the rows in the order of the epoch
                sorter = np.argsort(order[begin:end])
                rank = np.empty(end - begin, np.uintp)
                rank[sorter] = np.arange(end - begin, dtype=np.uintp)
                yield Piece(self._examples.block(order[begin:end][sorter]), rank)


class StreamSource:
    """Blocks of a stream, opened anew in every epoch; batches may span blocks."""

    takes_order = False

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._n_rows: int | None = None

    @property
    def n_rows(self) -> int | None:
        """How many the last complete epoch had."""
        return self._n_rows

    def pieces(self, order: Array | None, batch_size: int, start: int) -> Iterator[Piece]:
        count = 0
        carried: list[Examples] = []
        for opened in self._stream.opened():
            begin = min(max(0, start - count), len(opened))
            count += len(opened)
            if begin == len(opened):
                continue
            block = opened.prepared(self._stream.preparation)
            if not block.fits_c:
                block = block.dense()
            if carried:
                missing = batch_size - sum(map(len, carried))
                head = min(begin + missing, len(block))
                carried.append(_copy(block, begin, head))
                if head - begin < missing:
                    continue
                yield Piece(_joined(carried))
                carried, begin = [], head
            whole = begin + (len(block) - begin) // batch_size * batch_size
            if whole > begin:
                yield Piece(block.take(slice(begin, whole)))
            if whole < len(block):
                carried = [_copy(block, whole, len(block))]
        if carried:
            yield Piece(_joined(carried))
        if count == 0:
            raise ValueError(
                "X() returned no rows; expected an iterator of blocks (X, y) every time"
            )
        if count < start:
            raise ValueError(f"X() returned {count} rows; the interrupted epoch used {start}")
        self._n_rows = count


class TrainingExamples(Protocol):
    """Rows to train on: `KnownExamples`, or a `Stream`.

    Attributes
    ----------
    examples : Examples or None
        All rows, where they are known before an epoch; None of a stream.
    column_names : tuple of str, or None
        Names of X's columns in the order of the model, where X has them; of a stream, None before
        its first block.
    """

    @property
    def examples(self) -> Examples | None: ...

    @property
    def column_names(self) -> tuple[str, ...] | None: ...

    def prepared(self, preparation: Preparation | None) -> TrainingExamples:
        """Return the rows as the network wants them."""

    def opened(self) -> Iterator[Examples]:
        """Give the rows of one epoch in the parts in which they come."""

    def blocks(self, n_rows: int) -> Iterator[Examples]:
        """Give the rows of one epoch dense and prepared, at most n_rows at a time."""

    def source(self) -> Source:
        """Return what hands the rows, which are prepared, to C."""


class KnownExamples:
    """Rows that are all known: in memory, sparse, or in a mapped file."""

    def __init__(self, examples: Examples, column_names: tuple[str, ...] | None = None) -> None:
        self.examples = examples
        self.column_names = column_names or examples.rows.columns

    def prepared(self, preparation: Preparation | None) -> KnownExamples:
        return KnownExamples(self.examples.prepared(preparation), self.column_names)

    def opened(self) -> Iterator[Examples]:
        yield self.examples

    def blocks(self, n_rows: int) -> Iterator[Examples]:
        return self.examples.blocks(n_rows)

    def source(self) -> Source:
        examples = self.examples
        return WholeSource(examples) if examples.fits_c else GatheredSource(examples)


class Stream:
    """Blocks (X, y) from a callable, which returns a new iterator for every epoch.

    Rows are taken in the order in which they come.
    """

    examples = None

    def __init__(
        self,
        layout: Layout,
        blocks: Callable[[], Iterable[tuple[Any, Any]]],
        preparation: Preparation | None = None,
        columns: Columns = UNNAMED,
    ) -> None:
        self._layout, self._open, self.preparation = layout, blocks, preparation
        self._columns = columns

    @property
    def column_names(self) -> tuple[str, ...] | None:
        return self._columns.names

    def prepared(self, preparation: Preparation | None) -> Stream:
        return Stream(self._layout, self._open, preparation, self._columns)

    def opened(self) -> Iterator[Examples]:
        layout = self._layout
        blocks = self._open()
        if not isinstance(blocks, Iterable):
            raise TypeError(
                f"X() returned {type(blocks).__name__}; expected an iterator of blocks (X, y)"
            )
        iterator = iter(blocks)
        soft: bool | None = None
        try:
            for i, block in enumerate(iterator):
                if not isinstance(block, tuple | list) or len(block) != 2:
                    raise TypeError(
                        f"block {i} of the stream is {type(block).__name__}; expected a pair (X, y)"
                    )
                X, y = block
                names = f"X of block {i}", f"y of block {i}"
                examples = as_examples(
                    X, y, layout, names, columns=self._columns, empty_allowed=True
                )
                if self._columns.names is None:
                    self._columns = replace(self._columns, names=examples.rows.columns)
                if len(examples) == 0:
                    continue
                if soft is not None and soft != (examples.labels is None):
                    raise ValueError(
                        f"y of block {i} holds {'labels' if soft else 'probabilities'}; "
                        "expected the same kind in all blocks of the stream"
                    )
                soft = examples.labels is None
                yield examples
        finally:
            close = getattr(iterator, "close", None)  # of a generator, which may hold a file
            if close is not None:
                close()

    def blocks(self, n_rows: int) -> Iterator[Examples]:
        for part in self.opened():
            yield from part.prepared(self.preparation).blocks(n_rows)

    def source(self) -> Source:
        return StreamSource(self)


def open_data(layout: Layout, X: object, y: object, columns: Columns = UNNAMED) -> TrainingExamples:
    """Return the rows to train on, opened and not prepared yet; see `Network.fit`.

    Examples
    --------
    >>> rows = open_data(Layout((2, 8, 2), FLOAT32), X, y)
    >>> source = rows.prepared(None).source()
    """
    if callable(X):
        if y is not None:
            raise ValueError(
                "y is given, but X is a callable; expected y to be None, as each block of the "
                "stream is a pair (X, y)"
            )
        return Stream(layout, X, columns=columns)
    if isinstance(X, Iterator):
        raise TypeError(
            f"X is {type(X).__name__}, which can be iterated only once; expected a callable that "
            "returns a new iterator of blocks (X, y) for every epoch"
        )
    if y is None:
        raise TypeError("y is missing; expected labels or class probabilities")
    return KnownExamples(as_examples(X, y, layout, columns=columns))


def _copy(block: Examples, start: int, stop: int) -> Examples:
    """Return dense copies of the rows: the stream may use the memory of its block again."""
    return block.block(np.arange(start, stop))


def _joined(parts: list[Examples]) -> Examples:
    if len(parts) == 1:
        return parts[0]
    first = parts[0]

    def joined(arrays: list[Array | None]) -> Array | None:
        return None if arrays[0] is None else np.concatenate(arrays)  # type: ignore[arg-type]

    return Examples(
        DenseRows(np.concatenate([part.rows.raw(slice(None)) for part in parts]), first.rows.name),
        joined([part.labels for part in parts]),
        joined([part.targets for part in parts]),
    )
