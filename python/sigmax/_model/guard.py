"""One network used by several threads: no reader sees half-written parameters.

Training writes the parameters in place, a chunk of batches at a time, in C and without the GIL.
Locking every prediction out would cost more than a small prediction itself, so readers look twice:
the version is the same object before and after a reading that nobody disturbed. A reading that was
disturbed is repeated on a copy, taken between two chunks: `Model.read` does both. (Lamport 1977,
Concurrent reading and writing; the version is that of a "seqlock".)
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock, RLock, get_ident
from types import TracebackType
from typing import ParamSpec, TypeVar
from weakref import WeakSet

P = ParamSpec("P")
T = TypeVar("T")


class Guard:
    """The guard of one model's parameters.

    Attributes
    ----------
    version : object or None
        A new object after each writing; None while the parameters are being written.
    trainer : int or None
        The thread that trains the model; None otherwise.
    """

    __slots__ = (
        "__weakref__",
        "_copy_waiting",
        "_lost",
        "_training",
        "_writing",
        "trainer",
        "version",
    )

    def __init__(self) -> None:
        self.version: object | None = object()
        self.trainer: int | None = None
        self._lost = False
        self._new_locks()
        _guards.add(self)

    def _new_locks(self) -> None:
        self._training = RLock()  # held by the training thread from beginning to end
        self._writing = Lock()  # held while parameters change, or are copied
        self._copy_waiting = Lock()  # held by a thread that waits for a copy; writers let it pass

    def write(self, change: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Call change, which writes to the parameters, and return its result.

        Examples
        --------
        >>> guard.write(lib.sigmax_train, handle, parameters, data, training, progress, 100)
        0
        """
        after = object()  # before the change, which no call may follow: Ctrl-C
        with self._copy_waiting:
            pass
        with self._writing:
            self.version = None
            try:
                return change(*arguments, **keywords)
            finally:
                self.version = after

    def read(self, copy: Callable[[], T]) -> T:
        """Call copy while no thread writes, and return its result.

        Raises RuntimeError when a fork interrupted an update of these parameters.
        """
        self._require_whole()
        with self._copy_waiting, self._writing:
            return copy()

    def claim(self) -> Claim:
        """Return a context in which this thread alone trains; entering raises RuntimeError."""
        self._require_whole()
        return Claim(self, self._training)

    def _require_whole(self) -> None:
        if self._lost:
            raise RuntimeError(
                "the process forked while another thread was changing this network's parameters, "
                "so that this copy of them is half written; expected no fork during a training: "
                "start processes by spawn, or beforehand"
            )

    def _after_fork(self) -> None:
        """Reset in a child process, which has none of the parent's other threads."""
        self._lost = self.version is None
        self.trainer = None
        self._new_locks()


class Claim:
    """One thread's right to train. After Ctrl-C in between, the main thread keeps it."""

    def __init__(self, guard: Guard, training: RLock) -> None:
        self._guard, self._training = guard, training
        self._outer = guard.trainer

    def __enter__(self) -> None:
        """Take it, or raise RuntimeError when another thread has it."""
        if not self._training.acquire(blocking=False):
            raise RuntimeError(
                "another thread is training this network; expected one training at a time: train a "
                "copy(), or wait for the other"
            )
        self._outer = self._guard.trainer
        self._guard.trainer = get_ident()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Give it back, unless an outer training of the same thread still needs it."""
        self._guard.trainer = self._outer
        self._training.release()


_guards: WeakSet[Guard] = WeakSet()


def _after_fork() -> None:
    for guard in _guards:
        guard._after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork)
