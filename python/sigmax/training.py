"""The loop of `fit`: chunks of batches in C, and between them all that happens after an epoch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax import diagnosis
from sigmax._imports import imports
from sigmax._progress import Bar, last_values, progress_bar
from sigmax._sigmax import ffi
from sigmax.assembly import Assembly, assemble
from sigmax.epoch import (
    Pace,
    Standing,
    c_training,
    dropout_seed,
    lend_workspace,
    new_moments,
    new_order,
    run_epoch,
    shuffle,
)
from sigmax.history import SERIES, History
from sigmax.options import OPTION_NAMES, FitOptions, chosen, require_known
from sigmax.schedules import LearningRate
from sigmax.scoring import score
from sigmax.state import TrainingState
from sigmax.stopping import EarlyStopping

if TYPE_CHECKING:
    from sigmax._arrays import Array
    from sigmax.network import Network


class Run:
    """One run of `fit`, from its first epoch or from where it was interrupted."""

    def __init__(
        self, network: Network, work: Assembly, options: FitOptions, state: TrainingState
    ) -> None:
        self.network, self.work, self.options = network, work, options
        self.history = state.history
        self.rate = LearningRate(options, state.schedule)
        self.stopping = (
            EarlyStopping(options, state.stopping, state.best) if options.early_stopping else None
        )
        self._epochs_before = network.epochs_trained - state.epoch
        self.moments = new_moments(network, options) if state.moments.size == 0 else state.moments
        self._marks = state.marks
        self.n_rows = work.source.n_rows if state.n_rows is None else state.n_rows
        self._order = new_order(options, work.source)
        self._workspace: Array | None = None
        self._warned = False
        progress = ffi.new(
            "sigmax_progress *",
            {
                "cost": state.cost,
                "n_correct": state.n_correct,
                "batch": state.batch,
                "step": state.step,
            },
        )
        self.now = Standing(
            state.epoch,
            progress,
            state.position,
            perf_counter() - state.seconds,
            state.stopping,
            state.schedule,
        )

    @property
    def over(self) -> bool:
        """Whether no epoch is left to train."""
        return (
            self.now.epoch >= self.options.epochs
            or self.history.stopped is not None
            or (self.stopping is not None and self.stopping.exhausted)
        )

    def train(self, bar: Bar | None) -> None:
        """Run the epochs that are left, by gradient descent of one kind or another."""
        seed = dropout_seed(self.network, self._epochs_before)
        step = c_training(self.network, self.options, self.moments, seed)
        self._workspace = lend_workspace(self.network, step, self.n_rows or self.options.batch_size)
        pace = Pace()
        while not self.over:
            rate = self.rate(self.now.epoch)
            step.learning_rate = rate
            self._begin(bar)
            shuffle(self.network, self._order)
            for progress, offset in run_epoch(
                self.network, self.work.source, step, self._order, self.now, pace, bar
            ):
                self.now = self.now._replace(progress=progress, offset=offset)
            done = self.now.progress
            self.close_epoch(
                done.cost, done.n_correct, self.now.offset + done.position, rate, done.step, bar
            )

    def close_epoch(
        self, cost: float, n_correct: float, n_rows: int, rate: float, step: int, bar: Bar | None
    ) -> None:
        """Do all that follows the last batch of an epoch, from History to the checkpoint.

        cost and n_correct are sums over the rows. Until the new standing is set, Ctrl-C finds the
        old one, and a resumed run does it all again.
        """
        history, epoch = self.history, self.now.epoch
        history.seconds.append(perf_counter() - self.now.started)
        history.cost.append(cost / n_rows)
        history.accuracy.append(n_correct / n_rows)
        history.learning_rate.append(rate)
        if self.work.validation is not None:
            val_cost, val_accuracy = score(self.network, self.work.validation)
            history.val_cost.append(val_cost)
            history.val_accuracy.append(val_accuracy)
        if self.stopping is not None:
            self.stopping.observe(history, self.network._arena)
        self.rate.observe(epoch, (history.val_cost or history.cost)[-1])
        self.n_rows = n_rows
        self.now = Standing(
            epoch + 1,
            ffi.new("sigmax_progress *", {"step": step}),
            0,
            perf_counter(),
            {} if self.stopping is None else self.stopping.state,
            self.rate.state,
        )
        self.network._epochs_trained = self._epochs_before + epoch + 1
        if bar is not None:
            bar.set_postfix_str(last_values(history), refresh=self.over)
        if epoch == 0:
            self._warned = diagnosis.after_first_epoch(self.network, self.work, history)
        if _call_back(self.options.callbacks, self.network, epoch, history):
            history.stopped = "callback"
        if self.options.checkpoint and (epoch + 1) % self.options.epochs_per_checkpoint == 0:
            self.save()

    def finish(self) -> None:
        """Put the best parameters back where they are wanted, and write the last checkpoint."""
        if self.stopping is not None:
            if self.history.stopped is None and self.stopping.exhausted:
                self.history.stopped = "early_stopping"
            self.network._guard.write(self.stopping.restore, self.history, self.network._arena)
        if self.options.checkpoint:
            self.save(finished=True)
        if not self._warned:
            diagnosis.at_the_end(self.network, self.work, self.options, self.history)

    def save(self, *, finished: bool = False) -> None:
        """Write a checkpoint of this moment."""
        with imports:
            from sigmax import checkpoints

        assert self.options.checkpoint is not None
        self.network._epochs_trained = self._epochs_before + self.now.epoch
        state = replace(self.state(), finished=finished)
        checkpoints.save(self.options.checkpoint, self.network, self.options, state)

    def state(self) -> TrainingState:
        """Return all that is needed to go on from this moment; arrays are not copied."""
        now, history = self.now, self.history
        return TrainingState(
            epoch=now.epoch,
            position=now.offset + now.progress.position,
            cost=now.progress.cost,
            n_correct=now.progress.n_correct,
            batch=now.progress.batch,
            step=now.progress.step,
            seconds=perf_counter() - now.started,
            moments=self.moments,
            history=History(
                **{name: getattr(history, name)[: now.epoch] for name in SERIES},
                best_epoch=history.best_epoch,
                stopped=history.stopped,
            ),
            stopping=dict(now.stopping),
            best=None if self.stopping is None else self.stopping.best,
            schedule=dict(now.schedule),
            n_rows=self.n_rows,
            marks=self._marks,
        )

    def _begin(self, bar: Bar | None) -> None:
        if self.now.progress.position + self.now.offset == 0:
            self.now = self.now._replace(started=perf_counter())
        if bar is not None:
            text = f"epoch {self.now.epoch + 1}/{self.options.epochs}"
            bar.set_description(text, refresh=False)


def fit(
    network: Network,
    X: object,
    y: object,
    given: Mapping[str, Any],
    *,
    X_val: object = None,
    y_val: object = None,
    sample_weight: object = None,
    sample_weight_val: object = None,
    resume: str | os.PathLike[str] | None = None,
) -> History:
    """Train network; see `Network.fit`, which calls this with the options that it was given.

    Examples
    --------
    >>> history = fit(network, X, y, {"epochs": 5})
    """
    checkpoint = None
    if resume is None:
        options = chosen(given, "fit", OPTION_NAMES)
        state, like = TrainingState(), network
        network._layout.require_finite(network._arena, "fit")
    else:
        with imports:
            from sigmax import checkpoints

        require_known(given, "fit", OPTION_NAMES)
        checkpoint = checkpoints.load(resume)
        checkpoints.require_same_network(checkpoint, network)
        options, state = checkpoints.resumed_options(checkpoint, given), checkpoint.state
        like = checkpoint.network
    if options.checkpoint:
        with imports:
            from sigmax import archive

        archive.require_writable(options.checkpoint)
    work = assemble(
        like,
        X,
        y,
        options,
        X_val=X_val,
        y_val=y_val,
        sample_weight=sample_weight,
        sample_weight_val=sample_weight_val,
    )
    if options.epochs == 0:
        return state.history
    if checkpoint is not None:
        network._guard.write(checkpoints.take_over, checkpoint, network, work)
    elif options.checkpoint:
        with imports:
            from sigmax import checkpoints

        state.marks = checkpoints.data_marks(work)
    network._guard.write(_begin_anew, network, work)
    if state.finished:
        return state.history
    run = Run(network, work, options, state)
    n_rows = run.n_rows
    total = None if n_rows is None else options.epochs * n_rows
    done = 0 if n_rows is None else state.epoch * n_rows + state.position
    with progress_bar(options.progress, total, done) as bar:
        try:
            if options.optimizer == "lbfgs":
                with imports:
                    from sigmax import lbfgs

                lbfgs.train(run, bar)
            else:
                run.train(bar)
            run.finish()
        except KeyboardInterrupt as interrupt:
            _keep_for_later(run, interrupt)
            raise
    return run.history


def _begin_anew(network: Network, work: Assembly) -> None:
    network._preparation, network._temperature, network._kept = work.preparation, 1.0, None


def _keep_for_later(run: Run, interrupt: KeyboardInterrupt) -> None:
    """Write the checkpoint of an interrupted run, and say how to go on."""
    path = run.options.checkpoint
    run.network._epochs_trained = run._epochs_before + run.now.epoch
    if path is None:
        return
    if run.options.optimizer != "lbfgs":
        run.save()
    elif run.now.epoch < run.options.epochs_per_checkpoint:  # its memory is in no file, see there
        return
    interrupt.add_note(
        f"training stopped in epoch {run.now.epoch + 1} of {run.options.epochs}; "
        f"network.fit(X, y, resume={path!r}) goes on"
    )


def _call_back(callbacks: Iterable[Any], network: Network, epoch: int, history: History) -> bool:
    """Call all of them, and return whether one wants training to stop."""
    stop = False
    for callback in callbacks:
        answer = getattr(callback, "on_epoch_end", callback)(network, epoch, history)
        stop |= isinstance(answer, bool | np.bool_) and bool(answer)
    return stop
