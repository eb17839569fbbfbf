"""The rows that `fit` trains on, and those that it validates on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax._boundary.arrays import is_sparse
from sigmax._boundary.scalars import above_zero
from sigmax._data.columns import NamedArray
from sigmax._estimator.parameters import mean_of, per_row
from sigmax._estimator.scikit_learn import train_test_split

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array


@dataclass(frozen=True)
class Division:
    """The data of one call of `fit`.

    Attributes
    ----------
    X : array or CSR matrix (n, n_features)
    labels : numpy.ndarray (n,)
        Indices of classes.
    weights : numpy.ndarray (n,) or None
        Of these rows, as `parameters.weights` returns them.
    validation : dict
        X_val, y_val and perhaps sample_weight_val for `sigmax._training.fit`; empty without.
    """

    X: Any
    labels: Array
    weights: Array | None
    validation: dict[str, Any] = field(default_factory=dict)

    @property
    def mean_weight(self) -> float:
        """The mean of the weights; 1 without."""
        return mean_of(self.weights)

    def with_validation(self, X_val: Any, labels: Array, sample_weight_val: Any) -> Division:
        """Return the division that is measured on rows of the caller's own, labels (n_val,)."""
        validation = {"X_val": X_val, "y_val": labels}
        if sample_weight_val is not None:
            validation["sample_weight_val"] = per_row(sample_weight_val, len(labels))
        return Division(self.X, self.labels, self.weights, validation)

    def with_names(self, columns: dict[str, Any]) -> Division:
        """Return the division with the names of columns, where X had some: for the network.

        columns are those of `check_examples`. Rows can no longer be taken from X then.
        """
        return Division(with_names(self.X, columns), self.labels, self.weights, self.validation)

    def held_out(
        self, share: object, sample_weight: Any, classes: Array, generator: Any
    ) -> Division:
        """Return the division that early stopping works with; this one has all rows.

        Rows of weight 0 are neither trained on nor held out. The score on the rows held out counts
        sample_weight, not the weights of classes. classes are (n_classes,); the other parameters
        are those of `divide`.

        Raises
        ------
        ValueError
            As `divide`.
        """
        weights = self.weights
        train, held_out = divide(self.labels, weights, classes, share, generator)
        validation = {"X_val": self.X[held_out], "y_val": self.labels[held_out]}
        if sample_weight is not None:
            of_all = np.asarray(per_row(sample_weight, len(self.labels)))
            validation["sample_weight_val"] = of_all[held_out]
        kept = None if weights is None else weights[train]
        return Division(self.X[train], self.labels[train], kept, validation)


def with_names(X: Any, columns: dict[str, Any]) -> Any:
    """Return X, with the names of its columns if columns, of `check_examples`, have them."""
    names = columns.get("feature_names_in_")
    if names is None or is_sparse(X):
        return X
    return NamedArray(X, tuple(map(str, names)))


def divide(
    labels: Array, weights: Array | None, classes: Array, share: object, generator: Any
) -> tuple[Array, Array]:
    """Return the rows to train on and those to hold out, of those whose weight is not 0.

    The share is held out, stratified by class. The single row of a class is trained on, unless too
    few others remain. If too few are held out for a row of each class, they are drawn regardless of
    the classes.

    Parameters
    ----------
    labels : numpy.ndarray (n,)
        Indices in classes (n_classes,).
    weights : numpy.ndarray (n,) or None
    share : float
        The parameter validation_fraction.
    generator : numpy.random.RandomState

    Raises
    ------
    ValueError
        When one of two classes has a single row, or fewer than two rows would be held out.
    """
    _require_two_of_each(labels, classes)
    share = above_zero(share, "validation_fraction")
    rows = np.arange(len(labels)) if weights is None else np.flatnonzero(weights)
    n_held_out = math.ceil(share * len(rows))  # as train_test_split counts
    if not 2 <= n_held_out < len(rows):
        which = " whose weight is not 0" if len(rows) < len(labels) else ""
        raise ValueError(
            f"validation_fraction is {share}, which holds out {n_held_out} of {len(rows)} "
            f"rows{which}; expected at least 2, and one to train on"
        )
    alone = np.bincount(labels[rows])[labels[rows]] == 1
    if n_held_out >= np.count_nonzero(~alone):
        alone[:] = False

    def split(stratify: Array | None) -> tuple[Array, Array]:
        train, held_out = train_test_split(
            rows[~alone], random_state=generator, test_size=n_held_out, stratify=stratify
        )
        return np.concatenate([train, rows[alone]]), held_out

    try:
        return split(labels[rows[~alone]])
    except ValueError:  # fewer rows than classes on either side
        return split(None)


def _require_two_of_each(labels: Array, classes: Array) -> None:
    """Raise ValueError where one of two classes has a single row, as MLPClassifier does."""
    alone = np.flatnonzero(np.bincount(labels) == 1)
    if len(classes) == 2 and alone.size:
        row = np.flatnonzero(labels == alone[0])[0]
        raise ValueError(
            "The least populated class in y has only 1 member: "  # scikit-learn's words
            f"{classes.tolist()[alone[0]]!r}, in row {row}. early_stopping holds out rows of each "
            "class; expected at least 2 of each, or X_val and y_val"
        )
