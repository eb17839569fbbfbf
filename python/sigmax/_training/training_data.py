"""What a training works on: rows, weights, held-out rows and preparation, all checked together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sigmax._data.column_statistics import fit_preparation
from sigmax._data.columns import Columns
from sigmax._data.sources import KnownExamples, Source, TrainingExamples, open_data
from sigmax._data.splitting import held_out
from sigmax._data.weighting import as_weights, row_weights, rows_that_count
from sigmax.errors import Mention, OptionValueError

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array
    from sigmax._data.examples import Examples
    from sigmax._data.preparation import Preparation
    from sigmax._data.weighting import ClassWeight
    from sigmax._model.model import Model
    from sigmax._training.options import FitOptions


@dataclass
class TrainingData:
    """All data of a training.

    Attributes
    ----------
    training : TrainingExamples
        The rows to train on, weighted and prepared.
    source : Source
        The same rows in pieces for C.
    validation : Examples or None
        Prepared as well.
    preparation : Preparation or None
        What the model is to have.
    """

    training: TrainingExamples
    source: Source
    validation: Examples | None
    preparation: Preparation | None

    def name_columns(self, model: Model) -> None:
        """Give the model the names of its columns, where X has them and they are known by now."""
        if model.column_names is None:
            model.column_names = self.training.column_names


def assemble(
    model: Model,
    X: object,
    y: object,
    options: FitOptions,
    *,
    X_val: object = None,
    y_val: object = None,
    sample_weight: object = None,
    sample_weight_val: object = None,
) -> TrainingData:
    """Check everything that `Network.fit` is given but the options; the model is not changed.

    Examples
    --------
    >>> assemble(model, X, y, FitOptions(validation_fraction=0.2)).source.n_rows
    80
    """
    _require_validation(options, X_val, y_val, sample_weight_val)
    require_hidden_layer(model, options)
    columns = Columns(model.column_names, options.nan == "mean" or model.columns.missing_allowed)
    rows = open_data(model.layout, X, y, columns)
    validation = None
    if X_val is not None:
        columns = replace(columns, names=columns.names or rows.column_names)
        validation = _validation(model, X_val, y_val, sample_weight_val, columns)
        if rows.examples is None:  # a stream has names from its first block on: in the same order
            columns = replace(columns, names=columns.names or validation.rows.columns)
            rows = open_data(model.layout, X, y, columns)
    if rows.examples is None:
        _require_no_weights(options, sample_weight)
    else:
        examples, own = _divide(model, rows.examples, options, sample_weight)
        rows, validation = KnownExamples(examples), own or validation
    preparation = _preparation(model, rows, options)
    rows = rows.prepared(preparation)
    if validation is not None:
        validation = validation.prepared(preparation)
    return TrainingData(rows, rows.source(), validation, preparation)


def require_both(X_val: object, y_val: object, sample_weight_val: object) -> bool:
    """Return whether there is validation data; raise ValueError for a part of it."""
    if (X_val is None) != (y_val is None):
        given, missing = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
        raise ValueError(f"{given} is given but {missing} is not; expected both or neither")
    if X_val is None and sample_weight_val is not None:
        raise ValueError("sample_weight_val is given but X_val is not; expected both or neither")
    return X_val is not None


def divide(
    model: Model,
    data: Examples,
    fraction: float,
    sample_weight: Array | None,
    class_weight: ClassWeight,
) -> tuple[Array, Array]:
    """Return the numbers of the rows that `fit` trains on and of those that it holds out.

    Rows whose weight is 0, by themselves or by their class, are not held out; see `held_out`.
    """
    counts = rows_that_count(
        sample_weight, class_weight, data.labels, data.targets, model.layout.n_out
    )
    return held_out(data.weighted(counts), fraction, model.seed)


def require_hidden_layer(model: Model, options: FitOptions) -> None:
    """Raise ValueError for dropout in a network without hidden layers."""
    sizes = model.layout.sizes
    if options.dropout and len(sizes) == 2:
        because = (f", but sizes {list(sizes)} have no hidden layer",)
        raise OptionValueError("dropout", options.dropout, "0", because)


def _require_validation(
    options: FitOptions, X_val: object, y_val: object, sample_weight_val: object
) -> None:
    if callable(X_val):
        raise TypeError("X_val is a callable; expected an array")
    has_own = require_both(X_val, y_val, sample_weight_val)
    fraction = options.validation_fraction
    if has_own and fraction:
        because = (" and X_val is given",)
        raise OptionValueError("validation_fraction", fraction, "one of them", because)
    if options.early_stopping and not has_own and not fraction:
        raise OptionValueError(
            "early_stopping",
            options.early_stopping,
            ("X_val and y_val, or a ", Mention("validation_fraction")),
            (", but there is no validation data",),
        )


def _validation(
    model: Model, X_val: object, y_val: object, sample_weight_val: object, columns: Columns
) -> Examples:
    data = model.examples(X_val, y_val, ("X_val", "y_val"), columns)
    n_classes, name = model.layout.n_out, "sample_weight_val"
    weights = row_weights(sample_weight_val, None, data.labels, data.targets, n_classes, name=name)
    return data.weighted(weights)


def _require_no_weights(options: FitOptions, sample_weight: object) -> None:
    """Raise ValueError for arguments that need all rows at once."""
    reason = ", but X is a callable, whose rows are not known beforehand"
    if sample_weight is not None:
        raise ValueError(f"sample_weight is given{reason}; expected None")
    if options.class_weight is not None:
        raise OptionValueError("class_weight", options.class_weight, "None", (reason,))
    fraction = options.validation_fraction
    if fraction:
        raise OptionValueError("validation_fraction", fraction, "0, or X_val and y_val", (reason,))


def _divide(
    model: Model, data: Examples, options: FitOptions, sample_weight: object
) -> tuple[Examples, Examples | None]:
    """Return the rows to train on, weighted, and those held out."""
    n_classes = model.layout.n_out
    weights = None
    if sample_weight is not None:
        weights = as_weights(sample_weight, len(data), "sample_weight")
    own = None
    if options.validation_fraction:
        fraction = options.validation_fraction
        train, held = divide(model, data, fraction, weights, options.class_weight)
        own = data.take(held)
        data = data.take(train)
        if weights is not None:
            name = "sample_weight of the rows held out"
            own_weights = weights[held]
            own = own.weighted(
                row_weights(own_weights, None, own.labels, own.targets, n_classes, name=name)
            )
            weights = weights[train]
    return data.weighted(
        row_weights(weights, options.class_weight, data.labels, data.targets, n_classes)
    ), own


def _preparation(model: Model, rows: TrainingExamples, options: FitOptions) -> Preparation | None:
    """Return the model's preparation, or else the one that the options describe."""
    own = model.preparation
    if own is None:
        if options.standardize and model.epochs_trained:
            because = (
                ", but the network was trained without it (epochs_trained is "
                f"{model.epochs_trained})",
            )
            raise OptionValueError("standardize", True, "False, or a new network", because)
        return fit_preparation(
            rows, standardize=options.standardize, fill_missing=options.nan == "mean"
        )
    lacking = "does not standardize" if options.standardize and own.mean is None else ""
    if options.nan == "mean" and own.fill is None:
        lacking = "does not fill in missing values"
    if lacking:
        raise ValueError(
            f"the network already has a preparation, which {lacking}; expected the options it was "
            "first trained with, or a new network"
        )
    return own
