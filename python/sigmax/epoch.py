"""One epoch: pieces of the data, cut into chunks of batches, each a call of C."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sigmax._arrays import Array, pointer
from sigmax._errors import DivergedError, check
from sigmax._sigmax import ffi, lib
from sigmax.sources import Stream

if TYPE_CHECKING:
    from sigmax._progress import Bar
    from sigmax._sigmax import CData
    from sigmax.network import Network
    from sigmax.options import FitOptions
    from sigmax.sources import Source

_CHUNK_SECONDS = 0.1  # of work in one C call: Ctrl-C waits for it, and a call's cost is lost in it
_CHUNK_GROWTH = 8  # at most, from one chunk to the next: the first are too short to measure well
_SEED_STEP = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: seeds of dropout stay apart


class Pace:
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


class Standing(NamedTuple):
    """Where a run stands, in one value: Ctrl-C may come between any two lines of Python.

    Attributes
    ----------
    epoch : int
        In progress, from 0.
    progress : CData
        The `sigmax_progress *` that C writes to, together with the parameters.
    offset : int
        To be added to its position, which counts from the beginning of a piece.
    started : float
        When the epoch began, by perf_counter.
    stopping, schedule : dict of str to float
        The state of either after the epochs before.
    """

    epoch: int
    progress: CData
    offset: int
    started: float
    stopping: Mapping[str, float]
    schedule: Mapping[str, float]


def run_epoch(
    network: Network,
    source: Source,
    step: CData,
    order: Array | None,
    now: Standing,
    pace: Pace,
    bar: Bar | None,
) -> Iterator[tuple[CData, int]]:
    """Train on what is left of an epoch, chunk by chunk.

    Gives, before each piece of the source, the `sigmax_progress *` that C goes on to write, and the
    offset of its position. Whoever takes them knows at any moment where the epoch stands.
    """
    handle, parameters, write = network._handle, network._pointer, network._guard.write
    before = now.progress
    start = now.offset + before.position
    for piece in source.pieces(order, step.batch_size, start):
        step.order = piece.order
        progress = ffi.new(
            "sigmax_progress *",
            (piece.first, before.cost, before.n_correct, before.batch, before.step),
        )
        yield progress, start - piece.first
        while progress.position < piece.rows:
            position, batch = progress.position, progress.batch
            began = perf_counter()
            status = write(
                lib.sigmax_train, handle, parameters, piece.struct, step, progress, pace.n_batches
            )
            if status == lib.SIGMAX_DIVERGED:
                raise _diverged(now.epoch, progress.batch, step)
            check(status)
            pace.learn(progress.batch - batch, perf_counter() - began)
            if bar is not None:
                bar.update(progress.position - position)
        start += piece.rows - piece.first
        before = progress


def _diverged(epoch: int, batch: int, step: CData) -> DivergedError:
    """Return the error; w - rate (dC/dw + l2 w) outgrows w by itself where rate l2 is above 2."""
    scaled = step.optimizer in (lib.SIGMAX_RMSPROP, lib.SIGMAX_ADAM, lib.SIGMAX_ADAMW)
    if scaled or step.learning_rate * step.l2 < 1:
        return DivergedError(epoch, batch)
    advice = (
        "a smaller l2 or learning_rate (by them an update takes "
        f"{step.learning_rate * step.l2:.3g} times each weight from it, expected below 1), "
        "standardize=True, or clip_norm=1.0"
    )
    return DivergedError(epoch, batch, advice)


def c_training(network: Network, options: FitOptions, moments: Array, seed: int) -> CData:
    """Return a `sigmax_training *` but for order, which comes with each piece."""
    return ffi.new(
        "sigmax_training *",
        {
            "batch_size": min(options.batch_size, 2**63 - 1),
            "learning_rate": options.rate,
            "l2": options.l2,
            "l1": options.l1,
            "clip_norm": options.clip_norm or 0.0,
            "dropout": options.dropout,
            "label_smoothing": options.label_smoothing,
            "seed": seed,
            "optimizer": _in_c(options),
            "momentum": options.momentum,
            "beta1": options.beta1,
            "beta2": options.beta2,
            "rho": options.rho,
            "epsilon": options.epsilon,
            "weight_decay": options.decay,
            "state": pointer(moments) if moments.size else ffi.NULL,
        },
    )


def lend_workspace(network: Network, step: CData, n_rows: int) -> Array | None:
    """Give C memory to work in, and return it: fresh memory in each call costs time.

    It must live as long as step is in use. Should memory be short, or the number of threads grow
    meanwhile, each call sees to its own.
    """
    n_bytes = lib.sigmax_train_workspace(network._handle, step, n_rows)
    try:
        memory = np.empty(n_bytes, np.uint8)
    except (
        MemoryError,
        ValueError,
    ):  # NumPy's for more than there is, and more than can be counted
        return None
    step.workspace, step.workspace_bytes = pointer(memory), n_bytes
    return memory


def dropout_seed(network: Network, epochs_before: int) -> int:
    """Return the seed of the masks, another one in each `fit`, where updates count from 0."""
    return (network.seed + epochs_before * _SEED_STEP) % 2**64


def _in_c(options: FitOptions) -> int:
    code: int = getattr(lib, f"SIGMAX_{options.optimizer.upper()}")
    return code


def new_moments(network: Network, options: FitOptions) -> Array:
    """Return the optimiser's state before the first update."""
    if options.optimizer == "lbfgs":
        return np.empty(0, network.dtype)
    count = lib.sigmax_state_count(network._handle, _in_c(options))
    return np.zeros(count, network.dtype)


def new_order(options: FitOptions, source: Source) -> Array | None:
    """Return room for the order of an epoch; None where the rows are taken as they come."""
    if not options.shuffle or options.optimizer == "lbfgs" or isinstance(source, Stream):
        return None
    assert source.n_rows is not None
    return np.empty(source.n_rows, np.uintp)


def shuffle(network: Network, order: Array | None) -> None:
    """Put the order of the network's next epoch in place."""
    if order is not None:
        lib.sigmax_permutation(
            network.seed, network.epochs_trained, pointer("size_t[]", order), len(order)
        )
