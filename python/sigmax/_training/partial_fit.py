"""partial_fit: one pass over some rows of a training that the caller divides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sigmax._data.sources import KnownExamples, open_data
from sigmax._data.weighting import as_weights, row_weights
from sigmax._model.kept_optimizer import KeptOptimizer
from sigmax._training.epoch import (
    Pace,
    c_training,
    dropout_seed,
    new_optimizer_state,
    new_order,
    run_epoch,
    shuffle,
)
from sigmax._training.history import History
from sigmax._training.options import PARTIAL_OPTIONS, FitOptions, chosen
from sigmax._training.training_data import require_hidden_layer
from sigmax._training.training_state import TrainingState, new_progress
from sigmax.errors import PYTHON, Words, said_in

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array
    from sigmax._data.examples import Examples
    from sigmax._model.model import Model


# Of the largest weight. Beyond it, or its inverse, squares of gradients leave float32.
_LEAST_WEIGHT = 1e-15


def partial_fit(
    model: Model,
    X: object,
    y: object,
    given: Mapping[str, Any],
    *,
    sample_weight: object,
    words: Words = PYTHON,
) -> History:
    """Train on these rows once; see `Network.partial_fit`, which calls this.

    words are those in which errors name the options.

    Examples
    --------
    >>> history = partial_fit(model, X, y, {"optimizer": "adam"}, sample_weight=None)
    """
    with said_in(words), model.guard.claim():
        options = chosen(given, "partial_fit", PARTIAL_OPTIONS)
        _require_one_pass(options)
        require_hidden_layer(model, options)
        examples = _weighted(model, X, y, options, sample_weight)
        rows = KnownExamples(examples).prepared(model.preparation)
        model.layout.require_finite(model.arena, "partial_fit")
        kept = model.kept_optimizer
        if kept is None or kept.optimizer != options.optimizer:
            values = new_optimizer_state(model, options)
            seed = dropout_seed(model, model.epochs_trained)
            kept = KeptOptimizer(options.optimizer, values, 0, seed)
        return _train(model, rows, options, kept)


def _require_one_pass(options: FitOptions) -> None:
    for name in ("optimizer", "class_weight"):
        if getattr(options, name) in ("lbfgs", "balanced"):
            raise ValueError(
                f"{name} is {getattr(options, name)!r}, which needs all rows at once; partial_fit "
                "has only those of one call"
            )


def _weighted(
    model: Model, X: object, y: object, options: FitOptions, sample_weight: object
) -> Examples:
    """Return the rows with weights as they are, since the rows of all calls are not known."""
    examples = open_data(model.layout, X, y, model.columns).examples
    if examples is None:
        raise TypeError("X is a callable; expected an array: partial_fit takes one block")
    weights = row_weights(
        sample_weight,
        options.class_weight,
        examples.labels,
        examples.targets,
        model.layout.n_out,
        mean_one=False,
    )
    if weights is not None and not _is_around_1(weights):
        name, largest = "class_weight", weights.max()
        if sample_weight is not None:
            own = as_weights(sample_weight, len(examples), "sample_weight")
            if options.class_weight is None or not _is_around_1(own):
                name, largest = "sample_weight", own.max()
        remedy = ": sample_weight / numpy.max(sample_weight)" if name == "sample_weight" else ""
        raise ValueError(
            f"{name}: the largest weight is {largest:.3g}, and partial_fit uses weights as "
            f"they are; expected weights around 1{remedy}"
        )
    return examples.weighted(weights)


def _is_around_1(weights: Array) -> bool:
    return bool(_LEAST_WEIGHT <= weights.max() <= 1 / _LEAST_WEIGHT)


def _train(model: Model, rows: KnownExamples, options: FitOptions, kept: KeptOptimizer) -> History:
    """Run the one epoch, and count its updates in kept, whatever ends it."""

    def begin() -> None:
        model.temperature, model.kept_optimizer = 1.0, kept
        model.column_names = model.column_names or rows.column_names

    model.guard.write(begin)
    source = rows.source()
    c_options = c_training(options, kept.values, kept.seed)
    order = new_order(options, source)
    shuffle(model, order)
    state = TrainingState(progress=new_progress(updates=kept.updates))
    try:
        for running in run_epoch(model, source, c_options, order, state, Pace(), None):
            state = running
    finally:
        kept.updates = state.updates
    model.epochs_trained += 1
    weights = rows.examples.weights
    total = len(rows.examples) if weights is None else float(weights.sum())
    return History(
        cost=[state.progress.cost / total],
        accuracy=[state.progress.n_correct / total],
        seconds=[state.elapsed],
        learning_rate=[options.rate],
    )
