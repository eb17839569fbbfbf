"""Where a training stands: all that must be kept to go on from it as if nothing had happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax.history import History

if TYPE_CHECKING:
    from sigmax._arrays import Array


@dataclass
class TrainingState:
    """All of a run of `fit` but the network, the options and the data.

    Attributes
    ----------
    epoch : int
        The epoch in progress, from 0; the number of epochs when all are done.
    position : int
        How many rows of that epoch are done; 0 between epochs.
    cost, n_correct : float
        Sums over these rows, as sigmax_progress has them.
    batch, step : int
        Batches done in that epoch; updates done since the run began.
    seconds : float
        Spent in that epoch so far.
    moments : numpy.ndarray
        The optimiser's state, sigmax_state_count() reals of the network's dtype; may be empty.
    history : History
        Of the epochs that are done.
    stopping : dict of str to float
        Early stopping's numbers; empty without it.
    best : numpy.ndarray or None
        The best parameters so far, with early stopping.
    schedule : dict of str to float
        The numbers of a schedule that remembers; empty otherwise.
    n_rows : int or None
        Rows of the training data; None of a stream whose end was not seen yet.
    marks : dict of str to int
        What data it is, see `sigmax.checkpoints.data_marks`; empty where nobody asks.
    finished : bool
        The run is over; the network has its final parameters.
    """

    epoch: int = 0
    position: int = 0
    cost: float = 0.0
    n_correct: float = 0.0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    moments: Array = field(default_factory=lambda: _empty())
    history: History = field(default_factory=History)
    stopping: dict[str, float] = field(default_factory=dict)
    best: Array | None = None
    schedule: dict[str, float] = field(default_factory=dict)
    n_rows: int | None = None
    marks: dict[str, int] = field(default_factory=dict)
    finished: bool = False


def _empty() -> np.ndarray[Any, np.dtype[Any]]:
    return np.empty(0)
