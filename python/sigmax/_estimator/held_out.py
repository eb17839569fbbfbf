"""The rows that early stopping holds out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax._boundary.scalars import above_zero
from sigmax._estimator.scikit_learn import train_test_split

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array


def divide(labels: Array, validation_fraction: object, generator: Any) -> list[Array]:
    """Return the rows to train on and those to hold out, stratified by class.

    If too few are held out for that, they are drawn from all rows. labels are (n,),
    generator is a RandomState.
    """
    share = above_zero(validation_fraction, "validation_fraction")
    n_held_out = math.ceil(share * len(labels))  # as train_test_split counts
    if not 2 <= n_held_out < len(labels):
        raise ValueError(
            f"validation_fraction is {share}, which holds out {n_held_out} of {len(labels)} "
            "rows; expected at least 2, and one to train on"
        )

    def split(classes: Array | None) -> list[Array]:
        rows = np.arange(len(labels))
        parts: list[Array] = train_test_split(
            rows, random_state=generator, test_size=share, stratify=classes
        )
        return parts

    try:
        return split(labels)
    except ValueError:  # fewer rows than classes on either side, or a class of one row
        return split(None)
