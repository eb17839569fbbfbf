"""How many threads a call may use, and where that number comes from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sigmax._boundary.scalars import as_integer
from sigmax._boundary.status import check
from sigmax._sigmax import lib

_INT_MAX = 2**31 - 1

# the last argument of set_num_threads; None: environment, affinity and quotas decide
_chosen_threads: int | None = None


def get_num_threads() -> int:
    """Return how many threads a call may use, at least 1.

    In order: `set_num_threads`, else the environment variable `SIGMAX_NUM_THREADS`, else the first
    item of `OMP_NUM_THREADS`, else what affinity and quotas allow. Results do not depend on it.
    """
    return lib.sigmax_get_num_threads()


def set_num_threads(n: int | None) -> None:
    """Set how many threads later calls may use; None restores the default.

    Parameters
    ----------
    n : int or None
        At least 1; used as given, even beyond the number of cores.

    Raises
    ------
    TypeError, ValueError
        When n is no integer, or below 1.

    Examples
    --------
    >>> sigmax.set_num_threads(1)
    """
    global _chosen_threads
    count = None if n is None else as_integer(n, "n", 1, _INT_MAX)
    check(lib.sigmax_set_num_threads(0 if count is None else count))
    _chosen_threads = count


@contextmanager
def num_threads(n: int | None) -> Iterator[None]:
    """Use n threads within a `with` block, then restore the setting before it.

    The setting belongs to the process: other threads see it too.

    Examples
    --------
    >>> with sigmax.num_threads(2):
    ...     network.fit(X, y)
    """
    before = _chosen_threads
    set_num_threads(n)
    try:
        yield
    finally:
        set_num_threads(before)


@contextmanager
def alone() -> Iterator[None]:
    """Let calls of the calling thread use this thread alone within a `with` block.

    Other threads are not concerned, in contrast to `num_threads`.

    Examples
    --------
    >>> with alone():
    ...     network.fit(X, y)
    """
    before = lib.sigmax_set_alone(1)
    try:
        yield
    finally:
        lib.sigmax_set_alone(before)


def thread_reason() -> str:
    """Return where the number of threads comes from, and which variables are ignored.

    Examples
    --------
    >>> thread_reason()  # doctest: +SKIP
    'OMP_NUM_THREADS=2'
    """
    source = lib.sigmax_num_threads_source()
    if source == lib.SIGMAX_THREADS_SET:
        return "set_num_threads"
    reason = "affinity and quotas"
    for name, its_own in (
        ("OMP_NUM_THREADS", lib.SIGMAX_THREADS_OMP_VARIABLE),
        ("SIGMAX_NUM_THREADS", lib.SIGMAX_THREADS_OWN_VARIABLE),
    ):
        text = os.environ.get(name, "")
        if source == its_own:
            reason = f"{name}={text}"
        elif text and source != lib.SIGMAX_THREADS_OWN_VARIABLE:
            reason += f"; {name}={text} is ignored; expected an integer >= 1"
    return reason
