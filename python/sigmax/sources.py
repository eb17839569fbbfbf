"""Where the rows of an epoch come from: memory, sparse rows, a mapped file, a stream of blocks.

Every source hands its rows to C in pieces of whole batches, so that training gives the same bits
whichever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sigmax._arrays import Array, pointer
from sigmax._examples import Examples, as_examples
from sigmax._rows import DenseRows
from sigmax._sigmax import ffi

if TYPE_CHECKING:
    from sigmax._sigmax import CData
    from sigmax.network import Network
    from sigmax.preparation import Preparation

_CHUNK_BYTES = 1 << 22  # of rows gathered at once: little against memory, some time between Ctrl-Cs


class Piece:
    """Some rows of an epoch as C takes them.

    Attributes
    ----------
    struct : CData
        A `sigmax_data *`.
    order : CData
        A `size_t *` for `sigmax_training.order`, or NULL.
    first, rows : int
        The position to begin at, and the one where the piece ends.
    """

    __slots__ = ("_alive", "first", "order", "rows", "struct")

    def __init__(self, examples: Examples, order: Array | None = None, first: int = 0) -> None:
        self.struct = examples.struct
        self.order: CData = ffi.NULL if order is None else pointer("size_t[]", order)
        self.first, self.rows = first, len(examples)
        self._alive = (examples, order)


class Source(Protocol):
    """Rows that can be gone through once per epoch."""

    @property
    def n_rows(self) -> int | None:
        """How many there are; None for a stream before its first epoch."""

    def pieces(self, order: Array | None, batch_size: int, start: int) -> Iterator[Piece]:
        """Give the rows of one epoch, all pieces but the last holding whole batches.

        order (n_rows,) of uintp says which row to take at each position, None: as they come.
        start, a multiple of batch_size, is where an interrupted epoch goes on.
        """


class WholeSource:
    """Rows that C can take all at once: dense, or sparse, in memory."""

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    @property
    def n_rows(self) -> int:
        """See `Source`."""
        return len(self._examples)

    def pieces(self, order: Array | None, batch_size: int, start: int) -> Iterator[Piece]:
        """See `Source`: one piece."""
        if start < len(self._examples):
            yield Piece(self._examples, order, start)


class GatheredSource:
    """Rows that are read, converted and prepared a few MiB at a time, such as a mapped file's."""

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    @property
    def n_rows(self) -> int:
        """See `Source`."""
        return len(self._examples)

    def pieces(self, order: Array | None, batch_size: int, start: int) -> Iterator[Piece]:
        """See `Source`."""
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
                # read in the order of the file, and let C put the rows into that of the epoch
                sorter = np.argsort(order[begin:end])
                rank = np.empty(end - begin, np.uintp)
                rank[sorter] = np.arange(end - begin, dtype=np.uintp)
                yield Piece(self._examples.block(order[begin:end][sorter]), rank)


class Stream:
    """Blocks (X, y) from a callable, which is asked for a new iterator in every epoch.

    Rows are taken in the order they come, in batches that may span blocks.
    """

    def __init__(
        self,
        network: Network,
        blocks: Callable[[], Iterable[tuple[Any, Any]]],
        preparation: Preparation | None = None,
    ) -> None:
        self._network, self._open, self._preparation = network, blocks, preparation
        self._n_rows: int | None = None

    @property
    def n_rows(self) -> int | None:
        """See `Source`: how many the last complete epoch had."""
        return self._n_rows

    def prepared(self, preparation: Preparation | None) -> Stream:
        """Return the stream with each block prepared so."""
        return Stream(self._network, self._open, preparation)

    def blocks(self) -> Iterator[Examples]:
        """Give each block with rows of one epoch, opened but not prepared."""
        layout = self._network._layout
        blocks = self._open()
        if not isinstance(blocks, Iterable):
            raise TypeError(
                f"X() gave {type(blocks).__name__}; expected an iterator of blocks (X, y)"
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
                examples = as_examples(
                    X,
                    y,
                    layout.dtype,
                    layout.sizes[0],
                    layout.sizes[-1],
                    (f"X of block {i}", f"y of block {i}"),
                    empty_allowed=True,
                )
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

    def pieces(self, order: Array | None, batch_size: int, start: int) -> Iterator[Piece]:
        """See `Source`; order does not apply."""
        count = 0
        carried: list[Examples] = []
        for opened in self.blocks():
            begin = min(max(0, start - count), len(opened))
            count += len(opened)
            if begin == len(opened):
                continue
            block = opened.prepared(self._preparation)
            if not block.in_c:
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
            raise ValueError("X() gave no rows; expected an iterator of blocks (X, y) every time")
        if count < start:
            raise ValueError(f"X() gave {count} rows; the interrupted epoch had taken {start}")
        self._n_rows = count


def open_data(network: Network, X: object, y: object) -> Examples | Stream:
    """Return what training goes through, opened and not prepared yet; see `Network.fit`."""
    if callable(X):
        if y is not None:
            raise ValueError(
                "y is given, but X is a callable; expected y to be None, as each block of the "
                "stream is a pair (X, y)"
            )
        return Stream(network, X)
    if isinstance(X, Iterator):
        raise TypeError(
            f"X is {type(X).__name__}, which can be gone through once; expected a callable that "
            "returns a new iterator of blocks (X, y) for every epoch"
        )
    if y is None:
        raise TypeError("y is missing; expected labels or class probabilities")
    return network._open(X, y)


def make_source(data: Examples | Stream) -> Source:
    """Return the source of prepared data.

    Examples
    --------
    >>> source = make_source(open_data(network, X, y).prepared(network.preparation))
    """
    if isinstance(data, Stream):
        return data
    return WholeSource(data) if data.in_c else GatheredSource(data)


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
