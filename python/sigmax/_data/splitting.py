"""The rows that are held out for validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sigmax._boundary.arrays import Array, pointer
from sigmax._sigmax import lib
from sigmax.errors import OptionValueError

if TYPE_CHECKING:
    from sigmax._data.examples import Examples

_LAST_EPOCH = 2**64 - 1  # no epoch has this number, so its permutation is free for this use


def held_out(examples: Examples, fraction: float, seed: int) -> tuple[Array, Array]:
    """Divide rows by class: numbers of those to train on, and of those to validate on, ascending.

    Each class gives the share `fraction` of its rows, rounded, but keeps at least one. The class of
    a row of probabilities is its first largest entry. The choice depends on seed alone.

    Raises
    ------
    ValueError
        When no row would be held out.

    Examples
    --------
    >>> train, validate = held_out(examples, 0.25, network.seed)
    """
    n_rows = len(examples)
    labels = examples.labels
    if labels is None:
        assert examples.targets is not None
        labels = examples.targets.argmax(axis=1)
    order = np.empty(n_rows, np.uintp)
    lib.sigmax_permutation(seed, _LAST_EPOCH, pointer("size_t[]", order), n_rows)
    shuffled = labels[order]
    chosen = np.zeros(n_rows, bool)
    for label in np.unique(labels):
        of_class = order[shuffled == label]
        count = min(int(np.floor(fraction * len(of_class) + 0.5)), len(of_class) - 1)
        chosen[of_class[:count]] = True
    if not chosen.any():
        raise OptionValueError(
            "validation_fraction",
            fraction,
            "a larger share, or more rows in a class",
            (f", which leaves no row of {n_rows} to validate on",),
        )
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)
