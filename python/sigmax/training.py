"""The loop of `fit`: chunks of batches in C, and between them progress, Ctrl-C and validation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from sigmax._arrays import Examples, pointer
from sigmax._errors import DivergedError, check
from sigmax._sigmax import ffi, lib
from sigmax.options import FitOptions
from sigmax.scoring import score

if TYPE_CHECKING:
    from sigmax._sigmax import CData
    from sigmax.network import Network

_CHUNK_SECONDS = 0.05  # of work in one C call: Ctrl-C waits for it, and a call's cost is lost in it
_CHUNK_GROWTH = 8  # at most, from one chunk to the next: the first are too short to measure well


@dataclass(repr=False)
class History:
    """What `fit` saw, a value per epoch.

    Attributes
    ----------
    cost : list of float
        Mean over the epoch's rows in nats, each taken before its batch's update; l2 is not in it.
    accuracy : list of float
        Share of the epoch's rows that were classified correctly, likewise before the update.
    val_cost, val_accuracy : list of float
        On the validation data, after the epoch; empty when there was none.
    seconds : list of float
        Wall-clock time of the training in the epoch, validation not counted.

    Examples
    --------
    >>> history = network.fit(X, y, epochs=3)
    >>> history
    History(epochs=3, cost=0.2104, accuracy=0.9382)
    >>> len(history.cost), history.epochs
    (3, 3)
    """

    cost: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    val_cost: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """The number of epochs completed."""
        return len(self.cost)

    def __repr__(self) -> str:
        """Give the number of epochs and the values of the last one."""
        return (
            f"History(epochs={self.epochs}{''.join(f', {k}={v}' for k, v in self.last().items())})"
        )

    def last(self) -> dict[str, str]:
        """Return the last epoch's values, rounded for reading; empty when there was no epoch."""
        series = {
            "cost": self.cost,
            "accuracy": self.accuracy,
            "val_cost": self.val_cost,
            "val_accuracy": self.val_accuracy,
        }
        # a cost has no scale, an accuracy ends at 1
        return {
            name: f"{values[-1]:.4{'g' if 'cost' in name else 'f'}}"
            for name, values in series.items()
            if values
        }


class _Pace:
    """How many batches make a chunk, learnt from the chunks before. Results do not depend on it."""

    def __init__(self) -> None:
        self.n_batches = 1

    def learn(self, done: int, seconds: float) -> None:
        """Take note that done batches took so long."""
        if seconds * _CHUNK_GROWTH <= _CHUNK_SECONDS:
            # an epoch's last chunk may be shorter than asked for, and says little then
            if done >= self.n_batches:
                self.n_batches *= _CHUNK_GROWTH
        else:
            self.n_batches = max(1, int(done * _CHUNK_SECONDS / seconds))


class _Bar(Protocol):
    """The part of tqdm's bar that is used here."""

    def update(self, n: int) -> object: ...
    def set_description(self, desc: str, *, refresh: bool) -> None: ...
    def set_postfix(self, values: dict[str, str], *, refresh: bool) -> None: ...


class _NoBar:
    """A bar that nobody sees."""

    def update(self, n: int) -> None: ...
    def set_description(self, desc: str, *, refresh: bool) -> None: ...
    def set_postfix(self, values: dict[str, str], *, refresh: bool) -> None: ...


@contextmanager
def _progress_bar(wanted: bool, n_rows: int) -> Iterator[_Bar]:
    if not wanted:
        yield _NoBar()
        return
    from tqdm.auto import tqdm  # only here, since it takes long to import

    with tqdm(total=n_rows, unit=" rows", unit_scale=True) as bar:
        yield cast(_Bar, bar)


def fit(
    network: Network,
    X: object,
    y: object,
    options: FitOptions,
    X_val: object = None,
    y_val: object = None,
) -> History:
    """Train network on X, y with the given options; see `Network.fit`, which calls this.

    Examples
    --------
    >>> history = fit(network, X, y, FitOptions(epochs=5))
    """
    examples = network._examples(X, y)
    validation = _validation(network, X_val, y_val)
    network._layout.require_finite(network._arena, "fit")
    order: np.ndarray[Any, np.dtype[np.uintp]] | None = None
    if options.shuffle:
        order = np.empty(len(examples), np.uintp)
    step = ffi.new("sigmax_training *")
    order_in_c = ffi.NULL if order is None else pointer("size_t[]", order)
    step.order = order_in_c
    step.batch_size = min(options.batch_size, len(examples))
    step.learning_rate = options.rate
    step.l2 = options.l2

    history = History()
    pace = _Pace()
    with _progress_bar(options.progress, options.epochs * len(examples)) as bar:
        for epoch in range(options.epochs):
            bar.set_description(f"epoch {epoch + 1}/{options.epochs}", refresh=False)
            started = perf_counter()
            if order is not None:
                lib.sigmax_permutation(
                    network.seed, network.epochs_trained, order_in_c, len(examples)
                )
            done = _train_epoch(network, examples, step, epoch, pace, bar)
            network._epochs_trained += 1
            history.seconds.append(perf_counter() - started)
            history.cost.append(done.cost / len(examples))
            history.accuracy.append(done.n_correct / len(examples))
            if validation is not None:
                cost, accuracy = score(network, validation)
                history.val_cost.append(cost)
                history.val_accuracy.append(accuracy)
            bar.set_postfix(history.last(), refresh=epoch + 1 == options.epochs)
    return history


def _train_epoch(
    network: Network, examples: Examples, step: CData, epoch: int, pace: _Pace, bar: _Bar
) -> CData:
    """Run one epoch in chunks and return its final `sigmax_progress *`."""
    progress = ffi.new("sigmax_progress *")
    while progress.position < len(examples):
        position, batch = progress.position, progress.batch
        started = perf_counter()
        status = lib.sigmax_train(
            network._handle, network._pointer, examples.struct, step, progress, pace.n_batches
        )
        if status == lib.SIGMAX_DIVERGED:
            raise DivergedError(epoch, progress.batch)
        check(status)
        pace.learn(progress.batch - batch, perf_counter() - started)
        bar.update(progress.position - position)
    return progress


def _validation(network: Network, X_val: object, y_val: object) -> Examples | None:
    if (X_val is None) != (y_val is None):
        given, missing = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
        raise ValueError(f"{given} is given but {missing} is not; expected both or neither")
    return None if X_val is None else network._examples(X_val, y_val, ("X_val", "y_val"))
