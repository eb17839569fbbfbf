"""`fit`: everything checked, then the run, then what an interrupted run leaves."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sigmax._boundary.lazily import imports
from sigmax._training.options import OPTION_NAMES, FitOptions, chosen, require_known
from sigmax._training.progress_bar import progress_bar
from sigmax._training.run import Run
from sigmax._training.training_data import TrainingData, assemble
from sigmax._training.training_state import TrainingState
from sigmax.errors import PYTHON, Words, said_in

if TYPE_CHECKING:
    from sigmax._model.model import Model
    from sigmax._training.checkpoint_file import Checkpoint
    from sigmax._training.history import History
    from sigmax._training.progress_bar import Bar


def fit(
    model: Model,
    X: object,
    y: object,
    given: Mapping[str, Any],
    *,
    owner: object = None,
    X_val: object = None,
    y_val: object = None,
    sample_weight: object = None,
    sample_weight_val: object = None,
    resume: str | os.PathLike[str] | None = None,
    words: Words = PYTHON,
    assembled: Callable[[FitOptions], TrainingData] | None = None,
    bar: Bar | None = None,
) -> History:
    """Train a model; see `Network.fit`, which calls this with the options that it was given.

    Parameters
    ----------
    owner : object
        What callbacks get as the network.
    words : Words
        In which warnings and errors name the options.
    assembled : callable
        Returns the data for the options, in place of X, y and what belongs to them, where several
        trainings share them.
    bar : Bar
        In place of one of its own.

    Examples
    --------
    >>> history = fit(model, X, y, {"epochs": 5})
    """
    with said_in(words), model.guard.claim():
        options, state, checkpoint = _options_and_state(model, given, resume)
        data = (
            assembled(options)
            if assembled is not None
            else assemble(
                model if checkpoint is None else checkpoint.model,
                X,
                y,
                options,
                X_val=X_val,
                y_val=y_val,
                sample_weight=sample_weight,
                sample_weight_val=sample_weight_val,
            )
        )
        if options.epochs == 0:
            return state.history
        state = _begin(model, options, state, data, checkpoint)  # from here on the model changes
        if state.finished:
            return state.history
        run = Run(model, owner, data, options, state, words)
        with progress_bar(options.progress, *_rows_in_all_and_done(run)) as own_bar:
            try:
                if options.optimizer == "lbfgs":
                    with imports:
                        from sigmax._training import full_batch

                    full_batch.train(run, bar or own_bar)
                else:
                    run.train(bar or own_bar)
                run.finish()
            except BaseException as error:
                _keep_for_later(run, error)
                raise
        return run.history


def _options_and_state(
    model: Model, given: Mapping[str, Any], resume: str | os.PathLike[str] | None
) -> tuple[FitOptions, TrainingState, Checkpoint | None]:
    """Return the options, where to begin, and the checkpoint if there is one, all checked."""
    checkpoint = None
    if resume is None:
        options, state = chosen(given, "fit", OPTION_NAMES), TrainingState()
        model.layout.require_finite(model.arena, "fit")
    else:
        with imports:
            from sigmax._training import checkpoint_file, resuming

        require_known(given, "fit", OPTION_NAMES)
        checkpoint = checkpoint_file.load(resume)
        resuming.require_same_network(checkpoint, model)
        options = resuming.resumed_options(checkpoint, given)
        state = resuming.resumed_state(checkpoint, options)
    if options.checkpoint:
        with imports:
            from sigmax._formats import archive

        archive.require_writable(options.checkpoint)
    return options, state, checkpoint


def _begin(
    model: Model,
    options: FitOptions,
    state: TrainingState,
    data: TrainingData,
    checkpoint: Checkpoint | None,
) -> TrainingState:
    """Make the model ready for training, and return where it begins."""
    if checkpoint is not None or options.checkpoint:
        with imports:
            from sigmax._training import resuming

        if checkpoint is not None:
            model.guard.write(resuming.take_over, checkpoint, state, model, data)
        else:
            state = replace(state, marks=resuming.data_marks(data))

    def begin_anew() -> None:
        model.preparation, model.temperature = data.preparation, 1.0
        model.kept_optimizer = None
        data.name_columns(model)

    model.guard.write(begin_anew)
    return state


def _rows_in_all_and_done(run: Run) -> tuple[int | None, int]:
    """Return the rows of all epochs, None where that is not known, and those that are done."""
    n_rows, state = run.state.n_rows, run.state
    if n_rows is None:
        return None, 0
    return run.options.epochs * n_rows, state.epoch * n_rows + state.position


def _keep_for_later(run: Run, error: BaseException) -> None:
    """Leave the network as it should be after an exception.

    After Ctrl-C the checkpoint is written first, of the last parameters, and a note says how to go
    on; then the best parameters are restored, where early stopping keeps them.
    """
    path = run.options.checkpoint
    try:
        run.count_epochs()
        run.restore_accepted()
        if isinstance(error, KeyboardInterrupt) and path is not None:
            run.save()
            error.add_note(
                f"training stopped in epoch {run.state.epoch + 1} of {run.options.epochs}; "
                f"network.fit(X, y, resume={path!r}) goes on"
            )
    finally:
        run.restore_best()
