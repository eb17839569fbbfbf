"""Arrays whose memory is a mapped file, and how the system reads ahead in them."""

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
    """Return whether the array, or the array it is a view of, is a mapped file.

    Examples
    --------
    >>> is_mapped(np.memmap("X.bin", np.uint8)[:100])
    True
    """
    return isinstance(_owner(array), mmap.mmap)


@contextlib.contextmanager
def scattered(array: Array) -> Iterator[None]:
    """Tell the system, within this context, that the array's rows are read in random order.

    The system reads some hundred KiB around each missing page. If the file is larger than the
    memory, these are discarded again, and rows in random order cost many times the file. For a
    file that fits into the memory nothing changes, since the pages read ahead are used later.

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
    """Return the object that owns the memory of an array, followed through its views."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base.obj if isinstance(base, memoryview) else base
