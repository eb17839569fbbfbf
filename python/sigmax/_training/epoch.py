"""One epoch: pieces of the data, cut into chunks of batches; each chunk is one call of C."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from sigmax._boundary.arrays import Array, pointer
from sigmax._boundary.status import check
from sigmax._sigmax import ffi, lib
from sigmax._training.training_state import TrainingState, new_progress
from sigmax.errors import Change, DivergedError, Mention

if TYPE_CHECKING:
    from sigmax._data.sources import Source
    from sigmax._model.model import Model
    from sigmax._sigmax import CData
    from sigmax._training.options import FitOptions
    from sigmax._training.progress_bar import Bar

_CHUNK_SECONDS = 0.1  # of one C call: Ctrl-C waits, a call's cost does not count
_CHUNK_GROWTH = 8  # at most, from one chunk to the next: the first are too short to measure well
_SEED_STEP = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: seeds of dropout stay apart


class Pace:
    """The number of batches per chunk, adapted to measured times. Results do not depend on it."""

    def __init__(self) -> None:
        self.n_batches = 1

    def learn(self, done: int, seconds: float) -> None:
        """Record how long a chunk of `done` batches took."""
        if seconds * _CHUNK_GROWTH <= _CHUNK_SECONDS:
            # an epoch's last chunk may be shorter than asked for, and says little then
            if done >= self.n_batches:
                self.n_batches *= _CHUNK_GROWTH
        else:
            self.n_batches = max(1, int(done * _CHUNK_SECONDS / seconds))


def run_epoch(
    model: Model,
    source: Source,
    c_options: CData,
    order: Array | None,
    state: TrainingState,
    pace: Pace,
    bar: Bar | None,
) -> Iterator[TrainingState]:
    """Train on the rest of an epoch, chunk by chunk.

    Gives, before each piece of the source, the state whose progress C goes on to write. The last
    one given says at any moment how far the epoch has got.
    """
    handle, parameters, write = model.layout.handle, model.pointer, model.guard.write
    before, start = state.progress, state.position
    for piece in source.pieces(order, c_options.batch_size, start):
        c_options.order = piece.order
        progress = new_progress(
            position=piece.first,
            cost=before.cost,
            n_correct=before.n_correct,
            batch=before.batch,
            updates=before.step,
        )
        yield replace(state, progress=progress, offset=start - piece.first)
        while progress.position < piece.rows:
            position, batch = progress.position, progress.batch
            began = perf_counter()
            status = write(
                lib.sigmax_train,
                handle,
                parameters,
                piece.struct,
                c_options,
                progress,
                pace.n_batches,
            )
            if status == lib.SIGMAX_DIVERGED:
                raise _diverged(state.epoch, progress.batch, c_options)
            check(status)
            pace.learn(progress.batch - batch, perf_counter() - began)
            if bar is not None:
                bar.update(progress.position - position)
        start += piece.rows - piece.first
        before = progress


def _diverged(epoch: int, batch: int, c_options: CData) -> DivergedError:
    """Return the error; w - rate (dC/dw + l2 w) outgrows w by itself where rate l2 is above 2."""
    scaled = c_options.optimizer in (lib.SIGMAX_RMSPROP, lib.SIGMAX_ADAM, lib.SIGMAX_ADAMW)
    shrinkage = c_options.learning_rate * c_options.l2
    if scaled or shrinkage < 1:
        return DivergedError(epoch, batch)
    remedy = (
        Change("a smaller", "l2"),
        " or ",
        Mention("learning_rate"),
        f" (by them an update takes {shrinkage:.3g} times each weight from it, expected below 1), ",
        Mention("standardize", True),
        ", or ",
        Mention("clip_norm", 1.0),
    )
    return DivergedError(epoch, batch, remedy)


def c_training(options: FitOptions, optimizer_state: Array, seed: int) -> CData:
    """Return a `sigmax_training *` without order, which each piece brings."""
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
            "optimizer": _optimizer_in_c(options),
            "momentum": options.momentum,
            "beta1": options.beta1,
            "beta2": options.beta2,
            "rho": options.rho,
            "epsilon": options.epsilon,
            "weight_decay": options.decay,
            "state": pointer(optimizer_state) if optimizer_state.size else ffi.NULL,
        },
    )


def lend_workspace(model: Model, c_options: CData, n_rows: int) -> Array | None:
    """Allocate memory for C to work in, and return it: allocating in each call costs time.

    It must live as long as c_options is in use. Where memory is short, or the number of threads
    grows meanwhile, each call allocates its own.
    """
    n_bytes = lib.sigmax_train_workspace(model.layout.handle, c_options, n_rows)
    try:
        memory = np.empty(n_bytes, np.uint8)
    except (
        MemoryError,
        ValueError,
    ):  # NumPy's for more than there is, and more than can be counted
        return None
    c_options.workspace, c_options.workspace_bytes = pointer(memory), n_bytes
    return memory


def dropout_seed(model: Model, epochs_before: int) -> int:
    """Return the seed of the masks, a new one for each `fit`, whose updates count from 0."""
    return (model.seed + epochs_before * _SEED_STEP) % 2**64


def _optimizer_in_c(options: FitOptions) -> int:
    code: int = getattr(lib, f"SIGMAX_{options.optimizer.upper()}")
    return code


def new_optimizer_state(model: Model, options: FitOptions) -> Array:
    """Return the optimiser's state before the first update."""
    layout = model.layout
    if options.optimizer == "lbfgs":
        return np.empty(0, layout.dtype)
    count = lib.sigmax_state_count(layout.handle, _optimizer_in_c(options))
    return np.zeros(count, layout.dtype)


def new_order(options: FitOptions, source: Source) -> Array | None:
    """Return an array for the order of an epoch, or None where the rows keep their order."""
    if not options.shuffle or options.optimizer == "lbfgs" or not source.takes_order:
        return None
    assert source.n_rows is not None
    return np.empty(source.n_rows, np.uintp)


def shuffle(model: Model, order: Array | None) -> None:
    """Put the order of the model's next epoch in place."""
    if order is not None:
        lib.sigmax_permutation(
            model.seed, model.epochs_trained, pointer("size_t[]", order), len(order)
        )
