"""Class labels of a classifier and their indices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax._boundary.arrays import mask_of, masked
from sigmax._model.model_file import CLASS_KINDS

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array

_INTEGER = re.compile("0|-?[1-9][0-9]{0,17}")  # as Python writes them, within int64


def require_one_kind(y: object, name: str = "y") -> None:
    """Raise ValueError for masked labels, and for text mixed with other values, as without order.

    A missing value is such another one.
    """
    mask = mask_of(y)
    if mask is not None:
        raise masked(name, mask)
    labels = np.asarray(y)
    if labels.dtype != object or labels.ndim != 1:
        return
    is_text = [isinstance(label, str) for label in labels]
    if any(is_text) and not all(is_text):
        row = is_text.index(False)
        raise ValueError(
            f"{name}, row {row}: {labels[row]!r}; expected labels of one kind, all text or all "
            f"numbers, and row {is_text.index(True)} is text"
        )


def find_classes(y: Array, name: str = "y") -> Array:
    """Return the different labels of y (n,) in order; refuse fewer than two."""
    classes: Array = np.unique(y)
    if len(classes) < 2:
        raise ValueError(
            f"{name} has only one class, {classes.tolist()[0]!r}; expected at least 2 classes"
        )
    return classes


def first_classes(given: Any) -> Array:
    """Return the classes given to the first call of partial_fit."""
    if given is None:
        raise ValueError("classes is None; the first call to partial_fit needs all classes")
    return find_classes(_flat(given), "classes")


def as_classes(names: Sequence[str] | None, kind: str | None, n_classes: int) -> Array:
    """Return the classes in a model file; without a kind, integers if all are integers."""
    if names is None:
        return np.arange(n_classes)
    if kind is None:
        kind = "int" if all(_INTEGER.fullmatch(name) for name in names) else "str"
    return np.array([CLASS_KINDS[kind](name) for name in names])


def require_same_classes(given: Any, classes: Array) -> None:
    """Raise ValueError if a later call of partial_fit gives other classes; None is allowed."""
    if given is None:
        return
    again = np.unique(_flat(given))
    if not np.array_equal(again, classes):
        raise ValueError(
            f"classes is {again.tolist()}; expected those of the previous call, {classes.tolist()}"
        )


def require_classes_of_previous_call(y: Array, classes: Array) -> None:
    """Raise ValueError, in scikit-learn's words, if y (n,) has other classes: for warm_start."""
    again = np.unique(y)
    if not np.array_equal(again, classes):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the previous call to "
            f"fit. Previously got {classes}, `y` has {again}"
        )


def indices(y: Array, classes: Array, name: str = "y") -> Array:
    """Return the index of each label of y (n,) in the sorted classes (n_classes,)."""
    unknown = np.flatnonzero(~np.isin(y, classes))
    if unknown.size:
        row = unknown[0]
        raise ValueError(
            f"{name}, row {row}: {y.tolist()[row]!r}; expected one of the classes, "
            f"{classes.tolist()}"
        )
    return np.searchsorted(classes, y).astype(np.int64, copy=False)


def _flat(given: Any) -> Array:
    require_one_kind(given, "classes")
    classes = np.asarray(given)
    if classes.ndim != 1 or not classes.size:
        raise ValueError(f"classes has shape {classes.shape}; expected (n_classes,)")
    return classes
