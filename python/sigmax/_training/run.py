"""One run of `fit`: its epochs, and all that happens after each.

The order of calls, by gradient descent of one kind or another:

    train           while epochs are left
        LearningRate        the rate of the epoch
        shuffle             the order of its rows
        run_epoch           chunks of batches in C; each writes parameters and progress
        close_epoch         history, validation score, early stopping, schedule; then the new state;
                            then callbacks and the checkpoint
    finish          the best parameters, the last checkpoint, a warning where nothing was learnt

L-BFGS has a loop of its own, `full_batch.train`, which calls close_epoch in the same place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax._boundary.lazily import imports
from sigmax._model.inference import score
from sigmax._training import diagnosis
from sigmax._training.epoch import (
    Pace,
    c_training,
    dropout_seed,
    lend_workspace,
    new_optimizer_state,
    new_order,
    run_epoch,
    shuffle,
)
from sigmax._training.progress_bar import last_values
from sigmax._training.schedules import LearningRate
from sigmax._training.stopping import EarlyStopping
from sigmax._training.training_state import TrainingState, new_progress

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array
    from sigmax._model.model import Model
    from sigmax._training.history import History
    from sigmax._training.lbfgs import LbfgsState
    from sigmax._training.options import FitOptions
    from sigmax._training.progress_bar import Bar
    from sigmax._training.training_data import TrainingData
    from sigmax.errors import Words


class Run:
    """One run of `fit`, from its first epoch or from where it was interrupted.

    Parameters
    ----------
    model : Model
    owner : object
        What callbacks get as the network; this class never looks at it.
    data : TrainingData
    options : FitOptions
    state : TrainingState
        Where to begin.
    words : Words
        In which warnings name the options.

    Attributes
    ----------
    state : TrainingState
        Where the run stands.
    """

    def __init__(
        self,
        model: Model,
        owner: object,
        data: TrainingData,
        options: FitOptions,
        state: TrainingState,
        words: Words,
    ) -> None:
        self.model, self.data, self.options = model, data, options
        self._owner, self._words = owner, words
        if state.optimizer_state.size == 0:
            state = replace(state, optimizer_state=new_optimizer_state(model, options))
        n_rows = data.source.n_rows if state.n_rows is None else state.n_rows
        self.state = replace(state, n_rows=n_rows, started=perf_counter())
        self.rate = LearningRate(options, state.schedule)
        self.stopping = (
            EarlyStopping(options, state.stopping, state.best) if options.early_stopping else None
        )
        self._epochs_before = model.epochs_trained - state.epoch
        self._order = new_order(options, data.source)
        self._workspace: Array | None = None
        self._warned = False

    @property
    def history(self) -> History:
        """The history of the run; it may have a part of the epoch that is being closed."""
        return self.state.history

    @property
    def over(self) -> bool:
        """Whether no epoch is left to train."""
        return (
            self.state.epoch >= self.options.epochs
            or self.history.stopped is not None
            or (self.stopping is not None and self.stopping.exhausted)
        )

    def train(self, bar: Bar | None) -> None:
        """Run the epochs that are left, by gradient descent of one kind or another."""
        model, options, source = self.model, self.options, self.data.source
        seed = dropout_seed(model, self._epochs_before)
        c_options = c_training(options, self.state.optimizer_state, seed)
        n_rows = self.state.n_rows or options.batch_size
        self._workspace = lend_workspace(model, c_options, n_rows)
        pace = Pace()
        while not self.over:
            rate = self.rate(self.state.epoch)
            c_options.learning_rate = rate
            self._begin_epoch(bar)
            shuffle(model, self._order)
            for state in run_epoch(model, source, c_options, self._order, self.state, pace, bar):
                self.state = state
            done = self.state.progress
            self.close_epoch(
                done.cost, done.n_correct, self.state.position, rate, self.state.updates, bar
            )

    def close_epoch(
        self,
        cost: float,
        n_correct: float,
        n_rows: int,
        rate: float,
        updates: int,
        bar: Bar | None,
        *,
        search: LbfgsState | None = None,
    ) -> None:
        """Do all that follows the last batch of an epoch, from History to the checkpoint.

        cost and n_correct are sums over the rows; search is where L-BFGS stands. Until the new
        state is set, Ctrl-C finds the old one, and a resumed run does it all again.
        """
        history, epoch = self.history, self.state.epoch
        history.seconds.append(self.state.elapsed)
        history.cost.append(cost / n_rows)
        history.accuracy.append(n_correct / n_rows)
        history.learning_rate.append(rate)
        if self.data.validation is not None:
            val_cost, val_accuracy = score(self.model, self.data.validation)
            history.val_cost.append(val_cost)
            history.val_accuracy.append(val_accuracy)
        if self.stopping is not None:
            self.stopping.observe(history, self.model.arena)
        self.rate.observe(epoch, (history.val_cost or history.cost)[-1])
        self.state = replace(
            self.state,
            epoch=epoch + 1,
            progress=new_progress(updates=updates),
            offset=0,
            seconds=0.0,
            started=perf_counter(),
            stopping={} if self.stopping is None else self.stopping.state,
            schedule=self.rate.state,
            n_rows=n_rows,
            search=search,
        )
        self.count_epochs()
        if bar is not None:
            bar.set_postfix_str(last_values(history), refresh=self.over)
        if epoch == 0:
            self._warned = diagnosis.after_first_epoch(self.model, self.data, history, self._words)
        if _call_back(self.options.callbacks, self._owner, epoch, history):
            history.stopped = "callback"
        if self.options.checkpoint and (epoch + 1) % self.options.checkpoint_every == 0:
            self.save()

    def finish(self) -> None:
        """Put the best parameters back where they are wanted, and write the last checkpoint."""
        if self.stopping is not None:
            if self.history.stopped is None and self.stopping.exhausted:
                self.history.stopped = "early_stopping"
            last = self.model.arena.copy()
            if self.stopping.best is not None and not np.array_equal(last, self.stopping.best):
                self.state = replace(self.state, last=last)
            self.restore_best()
        if self.options.checkpoint:
            self.save(finished=True)
        if not self._warned:
            diagnosis.at_the_end(self.model, self.data, self.options, self.history, self._words)

    def restore_accepted(self) -> None:
        """Give the network the point of the last iteration of L-BFGS that `state` has.

        Ctrl-C may come after the network got a new one, and before the state did.
        """
        if self.state.search is not None and self.state.last is None:
            write, arena = self.model.guard.write, self.model.arena
            write(np.copyto, arena, self.state.search.x, "same_kind")

    def restore_best(self) -> None:
        """Give the network the best parameters so far, where early stopping keeps them."""
        if self.stopping is not None:
            self.model.guard.write(self.stopping.restore, self.history, self.model.arena)

    def save(self, *, finished: bool = False) -> None:
        """Write a checkpoint of this moment."""
        with imports:
            from sigmax._training import checkpoint_file

        assert self.options.checkpoint is not None
        self.count_epochs()
        best = None if self.stopping is None else self.stopping.best
        state = replace(
            self.state,
            history=self.history.first(self.state.epoch),
            best=best,
            finished=finished,
        )
        checkpoint_file.save(self.options.checkpoint, self.model, self.options, state)

    def count_epochs(self) -> None:
        """Give the model the number of its epochs, which Ctrl-C may have kept from it.

        And the names of its columns, which a stream has from its first block on.
        """
        self.model.epochs_trained = self._epochs_before + self.state.epoch
        self.data.name_columns(self.model)

    def _begin_epoch(self, bar: Bar | None) -> None:
        if self.state.position == 0:
            self.state = replace(self.state, seconds=0.0, started=perf_counter())
        if bar is not None:
            text = f"epoch {self.state.epoch + 1}/{self.options.epochs}"
            bar.set_description(text, refresh=False)


def _call_back(callbacks: Iterable[Any], owner: object, epoch: int, history: History) -> bool:
    """Call all of them, and return whether one wants training to stop."""
    stop = False
    for callback in callbacks:
        answer = getattr(callback, "on_epoch_end", callback)(owner, epoch, history)
        stop |= isinstance(answer, bool | np.bool_) and bool(answer)
    return stop
