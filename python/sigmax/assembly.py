"""What a training works on: data, weights, held-out rows and preparation, all checked together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sigmax.preparation import fit_preparation
from sigmax.sources import Source, Stream, make_source, open_data
from sigmax.splitting import held_out
from sigmax.weighting import as_weights, row_weights

if TYPE_CHECKING:
    from sigmax._examples import Examples
    from sigmax.network import Network
    from sigmax.options import FitOptions
    from sigmax.preparation import Preparation


@dataclass
class Assembly:
    """All that a training works on.

    Attributes
    ----------
    data : Examples or Stream
        The rows to train on, weighted and prepared.
    source : Source
        The same in pieces for C.
    validation : Examples or None
        Prepared as well.
    preparation : Preparation or None
        What the network is to have.
    """

    data: Examples | Stream
    source: Source
    validation: Examples | None
    preparation: Preparation | None


def assemble(
    network: Network,
    X: object,
    y: object,
    options: FitOptions,
    *,
    X_val: object = None,
    y_val: object = None,
    sample_weight: object = None,
    sample_weight_val: object = None,
) -> Assembly:
    """Check everything that `Network.fit` is given but the options; the network is not changed.

    Examples
    --------
    >>> assemble(network, X, y, FitOptions(validation_fraction=0.2)).source.n_rows
    80
    """
    _require_validation(options, X_val, y_val, sample_weight_val)
    require_hidden_layer(network, options)
    data = open_data(network, X, y)
    validation = None
    if X_val is not None:
        validation = _validation(network, X_val, y_val, sample_weight_val)
    if isinstance(data, Stream):
        _require_no_weights(options, sample_weight)
    else:
        data, own = _divide(network, data, options, sample_weight)
        validation = own or validation
    preparation = _preparation(network, data, options)
    data = data.prepared(preparation)
    if validation is not None:
        validation = validation.prepared(preparation)
    return Assembly(data, make_source(data), validation, preparation)


def require_hidden_layer(network: Network, options: FitOptions) -> None:
    """Refuse dropout where there is nothing that could be left out."""
    if options.dropout and len(network.sizes) == 2:
        raise ValueError(
            f"dropout is {options.dropout}, but sizes {list(network.sizes)} have no hidden layer; "
            "expected 0"
        )


def _require_validation(
    options: FitOptions, X_val: object, y_val: object, sample_weight_val: object
) -> None:
    if callable(X_val):
        raise TypeError("X_val is a callable; expected an array")
    if (X_val is None) != (y_val is None):
        given, missing = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
        raise ValueError(f"{given} is given but {missing} is not; expected both or neither")
    if X_val is not None and options.validation_fraction:
        raise ValueError(
            f"validation_fraction is {options.validation_fraction} and X_val is given; expected "
            "one of them"
        )
    if X_val is None and sample_weight_val is not None:
        raise ValueError("sample_weight_val is given but X_val is not; expected both or neither")
    if options.early_stopping and X_val is None and not options.validation_fraction:
        raise ValueError(
            f"early_stopping is {options.early_stopping!r}, but there is no validation data; "
            "expected X_val and y_val, or a validation_fraction"
        )


def _validation(
    network: Network, X_val: object, y_val: object, sample_weight_val: object
) -> Examples:
    data = network._open(X_val, y_val, ("X_val", "y_val"))
    n_classes, name = network.sizes[-1], "sample_weight_val"
    weights = row_weights(sample_weight_val, None, data.labels, data.targets, n_classes, name=name)
    return data.weighted(weights)


def _require_no_weights(options: FitOptions, sample_weight: object) -> None:
    """Refuse what needs all rows at once."""
    reason = "but X is a callable, whose rows are not known beforehand; expected"
    if sample_weight is not None:
        raise ValueError(f"sample_weight is given, {reason} None")
    if options.class_weight is not None:
        raise ValueError(f"class_weight is {options.class_weight!r}, {reason} None")
    if options.validation_fraction:
        raise ValueError(
            f"validation_fraction is {options.validation_fraction}, {reason} 0, or X_val and y_val"
        )


def _divide(
    network: Network, data: Examples, options: FitOptions, sample_weight: object
) -> tuple[Examples, Examples | None]:
    """Return the rows to train on, weighted, and those held out."""
    n_classes = network.sizes[-1]
    weights = None
    if sample_weight is not None:
        weights = as_weights(sample_weight, len(data), "sample_weight")
    own = None
    if options.validation_fraction:
        train, held = held_out(data, options.validation_fraction, network.seed)
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


def _preparation(
    network: Network, data: Examples | Stream, options: FitOptions
) -> Preparation | None:
    """Return the preparation that the network has already, or else the one that is asked for."""
    own = network.preparation
    if own is None:
        if options.standardize and network.epochs_trained:
            raise ValueError(
                "standardize is True, but the network was trained without it (epochs_trained is "
                f"{network.epochs_trained}); expected False, or a new network"
            )
        return fit_preparation(
            data, standardize=options.standardize, fill_missing=options.nan == "mean"
        )
    lacking = "does not standardize" if options.standardize and own.mean is None else ""
    if options.nan == "mean" and own.fill is None:
        lacking = "does not fill in what is missing"
    if lacking:
        raise ValueError(
            f"the network has a preparation already, which {lacking}; expected the options it was "
            "first trained with, or a new network"
        )
    return own
