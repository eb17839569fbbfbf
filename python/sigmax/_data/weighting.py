"""Weights of rows: sample_weight times class_weight, checked, with a mean of 1.

The cost that is minimised is (1/sum s) sum_x s_x C_x; C divides by the number of rows, so weights
divided by their mean give just that, and leave the learning rate its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from sigmax._boundary.arrays import FLOAT64, as_numbers, convert

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array

ClassWeight: TypeAlias = Literal["balanced"] | Mapping[int, float] | Sequence[float] | None


def row_weights(
    sample_weight: object,
    class_weight: ClassWeight,
    labels: Array | None,
    targets: Array | None,
    n_classes: int,
    *,
    name: str = "sample_weight",
    mean_one: bool = True,
) -> Array | None:
    """Return the weights s (n,) of the rows as float64, or None where all are 1.

    Parameters
    ----------
    sample_weight : array_like (n,) or None
        Finite, >= 0, not all 0.
    class_weight : "balanced", dict, sequence or None
        "balanced" is n/(k count) of each class, k being the number of classes that occur (King &
        Zeng 2001, as scikit-learn has it); rows of weight 0 do not count. A dict gives 1 to labels
        that it lacks. A row of soft labels weighs sum_k y_k w_k.
    labels, targets : numpy.ndarray or None
        As `sigmax_data` has them, one of them None.
    mean_one : bool
        Divide by the mean; False where the rows are not all there is.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, the row, the value and what was expected.

    Examples
    --------
    >>> row_weights([1, 3], None, numpy.array([0, 1]), None, 2)
    array([0.5, 1.5])
    """
    n_rows = len(labels if labels is not None else targets)  # type: ignore[arg-type]
    weights: Array | None = None
    if sample_weight is not None:
        weights = as_weights(sample_weight, n_rows, name)
    if class_weight is not None:
        of_rows = _of_classes(class_weight, labels, targets, n_classes, weights)
        weights = of_rows if weights is None else _product(weights, of_rows, name, mean_one)
        if not weights.any():
            what = "class_weight leaves"
            if sample_weight is not None:
                what = f"class_weight and {name} together leave"
            raise ValueError(f"{what} no row with a weight; expected at least one weight > 0")
    if weights is None:
        return None
    if mean_one:
        weights = weights / weights.max()  # so that no sum overflows
        weights /= weights.mean()
    return None if (weights == 1.0).all() else weights


def _product(weights: Array, of_rows: Array, name: str, mean_one: bool) -> Array:
    """Return weights * of_rows, or a multiple of it where it overflows and only ratios matter."""
    with np.errstate(over="ignore", under="ignore"):
        product: Array = weights * of_rows
    if np.isfinite(product).all() and product.any():
        return product
    if mean_one and of_rows.any():
        scaled: Array = (weights / weights.max()) * (of_rows / of_rows.max())
        return scaled
    if not np.isfinite(product).all():
        raise ValueError(
            f"class_weight times {name} is up to {weights.max():.3g} * {of_rows.max():.3g}, too "
            f"large for float64; expected weights around 1: {name} / numpy.max({name})"
        )
    return product


def rows_that_count(
    sample_weight: Array | None,
    class_weight: ClassWeight,
    labels: Array | None,
    targets: Array | None,
    n_classes: int,
) -> Array | None:
    """Return 1 for each row whose `row_weights` is not 0, else 0, (n,); None where all count.

    sample_weight is as `as_weights` returns it; all other parameters are those of `row_weights`.

    Examples
    --------
    >>> rows_that_count(None, (0.0, 2.0), numpy.array([0, 1]), None, 2)
    array([0., 1.])
    """
    counts = None if sample_weight is None else sample_weight > 0
    if class_weight is not None:
        of_rows = _of_classes(class_weight, labels, targets, n_classes, sample_weight) > 0
        counts = of_rows if counts is None else counts & of_rows
    return None if counts is None or counts.all() else counts.astype(FLOAT64)


def as_weights(value: object, n_rows: int, name: str) -> Array:
    """Return value as finite float64 weights (n_rows,), >= 0 and not all 0."""
    given = as_numbers(value, name)
    if given.ndim != 1:
        raise ValueError(f"{name} has shape {given.shape}; expected a weight per row, ({n_rows},)")
    if len(given) != n_rows:
        raise ValueError(f"{name} has {len(given)} entries; expected one per row, {n_rows}")
    weights = convert(given, FLOAT64)
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))  # NaN too
    if bad.size:
        row = bad[0]
        raise ValueError(f"{name}, row {row}: {given[row]}; expected a finite number >= 0")
    if not weights.any():
        raise ValueError(f"{name} is 0 in all {n_rows} rows; expected at least one weight > 0")
    return weights


def _of_classes(
    class_weight: ClassWeight,
    labels: Array | None,
    targets: Array | None,
    n_classes: int,
    weights: Array | None,
) -> Array:
    """Return the weight of each row by its class; weights are those without."""
    if class_weight == "balanced":
        counted = slice(None) if weights is None else weights > 0
        if labels is not None:
            counts = np.bincount(labels[counted], minlength=n_classes).astype(FLOAT64)
        else:
            assert targets is not None
            counts = targets[counted].sum(axis=0, dtype=FLOAT64)
        present = counts > 0
        per_class = np.zeros(n_classes)
        per_class[present] = counts.sum() / (present.sum() * counts[present])
    else:
        per_class = class_weights(class_weight, n_classes)
    of_rows: Array
    if labels is not None:
        of_rows = per_class[labels]
    else:
        assert targets is not None
        of_rows = targets @ per_class
    return of_rows


def class_weights(class_weight: object, n_classes: int) -> Array:
    """Return the weights (n_classes,) that a dict or a sequence gives; FitOptions checked them."""
    if isinstance(class_weight, Mapping):
        per_class = np.ones(n_classes)
        for label, weight in class_weight.items():
            if label >= n_classes:
                raise ValueError(
                    f"class_weight has label {label}; expected labels from 0 to {n_classes - 1}"
                )
            per_class[label] = weight
        return per_class
    assert isinstance(class_weight, tuple)
    if len(class_weight) != n_classes:
        raise ValueError(
            f"class_weight has {len(class_weight)} entries; expected one per class, {n_classes}"
        )
    return np.array(class_weight, FLOAT64)
