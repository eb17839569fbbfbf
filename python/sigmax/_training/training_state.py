"""Where a training stands: all that is needed to go on from it as if nothing had happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from sigmax._sigmax import ffi
from sigmax._training.history import History

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array
    from sigmax._sigmax import CData
    from sigmax._training.lbfgs import LbfgsState


def new_progress(
    *,
    position: int = 0,
    cost: float = 0.0,
    n_correct: float = 0.0,
    batch: int = 0,
    updates: int = 0,
) -> CData:
    """Return a `sigmax_progress *`: where C goes on, and what it writes with each batch.

    Parameters
    ----------
    position : int
        Rows done, of those that C is given.
    cost, n_correct : float
        Sums over the rows of the epoch so far.
    batch, updates : int
        Batches of the epoch, and updates since the run began.

    Examples
    --------
    >>> new_progress(updates=7).step
    7
    """
    return ffi.new("sigmax_progress *", (position, cost, n_correct, batch, updates))


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """The state of a run of `fit`, without the network, the options and the data.

    A state is replaced as a whole: Ctrl-C may come between any two lines of Python, and finds the
    old one or the new one. Only C writes into it, into `progress` and `optimizer_state`, together
    with the parameters.

    Attributes
    ----------
    epoch : int
        The epoch in progress, from 0; the number of epochs when all are done.
    progress : CData
        The `sigmax_progress *` of that epoch.
    offset : int
        To be added to its position, which counts from the beginning of a piece of the data.
    seconds, started : float
        Spent in that epoch before `started`, which is a time of perf_counter.
    optimizer_state : numpy.ndarray
        sigmax_state_count() numbers of the network's dtype; may be empty.
    history : History
        Of the epochs that are done. It may have a part of the epoch that is being closed.
    stopping : mapping of str to float
        Early stopping's numbers; empty without it.
    best : numpy.ndarray or None
        The best parameters so far, with early stopping.
    last : numpy.ndarray or None
        Those after the last epoch, once the network has the best ones; None before.
    search : LbfgsState or None
        Where L-BFGS stands; None with the other optimisers.
    schedule : mapping of str to float
        The numbers of a plateau schedule; empty otherwise.
    n_rows : int or None
        Rows of the training data; None for a stream whose first epoch is not complete.
    marks : mapping of str to int
        What data it is, see `resuming.data_marks`; empty without a checkpoint.
    finished : bool
        The run is over; the network has its final parameters.
    """

    epoch: int = 0
    progress: CData = field(default_factory=new_progress)
    offset: int = 0
    seconds: float = 0.0
    started: float = field(default_factory=perf_counter)
    optimizer_state: Array = field(default_factory=lambda: np.empty(0))
    history: History = field(default_factory=History)
    stopping: Mapping[str, float] = field(default_factory=dict)
    best: Array | None = None
    last: Array | None = None
    search: LbfgsState | None = None
    schedule: Mapping[str, float] = field(default_factory=dict)
    n_rows: int | None = None
    marks: Mapping[str, int] = field(default_factory=dict)
    finished: bool = False

    @property
    def position(self) -> int:
        """How many rows of the epoch are done; 0 between epochs."""
        return self.offset + int(self.progress.position)

    @property
    def updates(self) -> int:
        """Updates done since the run began."""
        return int(self.progress.step)

    @property
    def elapsed(self) -> float:
        """Seconds spent in the epoch until now."""
        return self.seconds + perf_counter() - self.started
