"""Trainings side by side in threads of Python, each computing in its own thread alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from itertools import chain
from threading import Event, Lock
from typing import TYPE_CHECKING

from sigmax._boundary.threads import alone, get_num_threads
from sigmax._training.diagnosis import kept_warnings, warn_of

if TYPE_CHECKING:
    from sigmax._training.history import History
    from sigmax._training.progress_bar import Bar
    from sigmax.errors import TrainingWarning

_LOOK_SECONDS = 0.1  # a wait ends so often, where it does not notice Ctrl-C


class _MemberBar:
    """The part of the common bar that one member moves; it ends the member's training, too.

    `fit` calls `update` after each chunk of batches, when nothing is half done.
    """

    def __init__(self, common: Bar | None, lock: Lock, stop: Event, n_rows: int) -> None:
        self._common, self._lock, self._stop = common, lock, stop
        self._left = n_rows

    def update(self, n: int) -> None:
        """Count n rows more, or raise KeyboardInterrupt, which ends a training in good order."""
        if self._stop.is_set():
            raise KeyboardInterrupt
        self._advance(n)

    def set_description(self, desc: str, *, refresh: bool) -> None:
        """Leave the description to the whole."""

    def set_postfix_str(self, s: str, *, refresh: bool) -> None:
        """Show the latest values of any member."""
        if self._common is not None:
            with self._lock:
                self._common.set_postfix_str(s, refresh=False)

    def finish(self) -> None:
        """Count the rows that the member did not need."""
        self._advance(self._left)

    def _advance(self, n: int) -> None:
        self._left -= n
        if self._common is not None and n:
            with self._lock:
                self._common.update(n)


Job = Callable[[_MemberBar], "History"]


def side_by_side(jobs: Sequence[Job], n_rows: int, bar: Bar | None = None) -> list[History]:
    """Run the jobs, as many at once as sigmax has threads, and return their results in order.

    Each computes in its own thread alone, so that it gives the bits that it gives by itself. Their
    warnings are given at the end, one of each kind. When a job fails, or Ctrl-C comes, the others
    end within about 0.1 s, or one batch each, as a training does that Ctrl-C interrupts.

    Parameters
    ----------
    jobs : sequence of callables
        Each takes a `Bar`, which it passes on to `fit`.
    n_rows : int
        The most that one job trains on, in all its epochs.
    bar : Bar or None
        Of all, over len(jobs) * n_rows rows.

    Examples
    --------
    >>> histories = side_by_side([lambda bar: fit(model, X, y, {}, bar=bar)], 1000)
    """
    stop, lock = Event(), Lock()
    found: list[list[TrainingWarning]] = [[] for _ in jobs]
    failures: list[tuple[int, BaseException]] = []  # the first is why the others ended

    def run(m: int) -> History:
        own = _MemberBar(bar, lock, stop, n_rows)
        try:
            with alone(), kept_warnings() as found[m]:
                if stop.is_set():
                    raise KeyboardInterrupt
                history = jobs[m](own)
        except BaseException as error:
            failures.append((m, error))
            stop.set()  # here: this thread would begin the next job at once
            raise
        own.finish()
        return history

    if bar is not None:
        bar.set_description(f"{len(jobs)} networks", refresh=False)
    pool = ThreadPoolExecutor(min(len(jobs), get_num_threads()), "sigmax-member")
    try:
        futures = [pool.submit(run, m) for m in range(len(jobs))]
        while not failures and wait(futures, _LOOK_SECONDS, FIRST_EXCEPTION).not_done:
            pass
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    if failures:
        m, error = failures[0]
        if len(jobs) > 1 and not isinstance(error, KeyboardInterrupt):
            error.add_note(f"in member {m} of {len(jobs)}, which count from 0")
        raise error
    of_kind: dict[str, TrainingWarning] = {}
    for warning in chain.from_iterable(found):
        of_kind.setdefault(warning.kind, warning)
    for warning in of_kind.values():
        warn_of(warning)
    return [future.result() for future in futures]
