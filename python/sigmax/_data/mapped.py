"""Arrays whose memory is a mapped file, and the system's part in reading them."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax._boundary.layout import physical_memory

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array


def is_mapped(array: Array) -> bool:
    """Tell whether the array's memory is that of a mapped file, views of it included.

    Examples
    --------
    >>> is_mapped(np.memmap("X.bin", np.uint8)[:100])
    True
    """
    return isinstance(_owner(array), mmap.mmap)


@contextlib.contextmanager
def scattered(array: Array) -> Iterator[None]:
    """Say, while this is entered, that the array's rows are read in no order.

    The system reads some hundred KiB around each page that is missing, which is thrown away again
    where the file is larger than the memory: rows in random order then cost many times the file.
    A file that fits into the memory is left alone, since what is read around is used later.

    Examples
    --------
    >>> with scattered(X):
    ...     X[rows]
    """
    owner = _owner(array)
    advisable = isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_RANDOM")
    memory = physical_memory()
    if not advisable or memory is None or len(owner) <= memory:
        yield
        return
    owner.madvise(mmap.MADV_RANDOM)
    try:
        yield
    finally:
        owner.madvise(mmap.MADV_NORMAL)


def _owner(array: Array) -> Any:
    """Return what the memory of an array, and of the arrays it is a view of, belongs to."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base.obj if isinstance(base, memoryview) else base
