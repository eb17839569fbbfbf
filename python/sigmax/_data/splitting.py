"""The rows that are held out for validation: a share of each class, or folds of all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sigmax._boundary.arrays import Array, pointer
from sigmax._sigmax import lib
from sigmax.errors import OptionValueError

if TYPE_CHECKING:
    import numpy.typing as npt

    from sigmax._data.examples import Examples

# no epoch has this number or those just before, so their permutations are free
_LAST_EPOCH = 2**64 - 1


def held_out(examples: Examples, fraction: float, seed: int) -> tuple[Array, Array]:
    """Divide rows by class: numbers of those to train on, and of those to validate on, ascending.

    Each class gives the share `fraction` of its rows, rounded, but keeps at least one. Rows of
    weight 0 are not held out, nor counted. The class of a row of probabilities is its first largest
    entry. The choice depends on seed alone.

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
    order = _random_order(seed, _LAST_EPOCH, n_rows)
    if examples.weights is not None:
        order = order[examples.weights[order] > 0]
    shuffled = labels[order]
    chosen = np.zeros(n_rows, bool)
    for label in np.unique(labels):
        of_class = order[shuffled == label]
        count = min(int(np.floor(fraction * len(of_class) + 0.5)), len(of_class) - 1)
        chosen[of_class[:count]] = True
    if not chosen.any():
        count = len(order)
        of = str(count) if count == n_rows else f"the {count} whose weight is not 0"
        raise OptionValueError(
            "validation_fraction",
            fraction,
            "a larger share, or more rows in a class",
            (f", which leaves no row of {of} to validate on",),
        )
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def fold_numbers(
    examples: Examples, n_folds: int, seed: int, repeat: int = 0
) -> npt.NDArray[np.intp]:
    """Return the fold, 0 ... n_folds - 1, to which each row belongs, (n,).

    Rows are dealt to the folds in turn, class by class, each class in a random order that depends
    on seed and repeat alone. So folds differ by at most one row in each class and in all. Rows of
    weight 0 are dealt last, so that the rows that count are spread as evenly.

    Examples
    --------
    >>> numbers = fold_numbers(examples, 5, network.seed)
    >>> examples.take(np.flatnonzero(numbers == 0))
    """
    labels = examples.labels
    if labels is None:
        assert examples.targets is not None
        labels = examples.targets.argmax(axis=1)
    order = _random_order(seed, _LAST_EPOCH - 1 - repeat, len(examples))
    keys = [labels[order]]
    if examples.weights is not None:
        keys.append(examples.weights[order] == 0)
    dealt = order[np.lexsort(keys)]
    numbers = np.empty(len(examples), np.intp)
    numbers[dealt] = np.arange(len(examples)) % n_folds
    return numbers


def _random_order(seed: int, epoch: int, n_rows: int) -> Array:
    order: Array = np.empty(n_rows, np.uintp)
    lib.sigmax_permutation(seed, epoch, pointer("size_t[]", order), n_rows)
    return order
