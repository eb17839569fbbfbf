"""The columns that a model expects of X: their names and order, and whether values may be missing.

Where both sides have names, these decide which column is which. An array has no names: its columns
are taken as they come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array

_SHOWN = 6  # names in a message
_LONGEST_REMEDY = 200  # characters


@dataclass(frozen=True)
class Columns:
    """What is known of the columns of X before it is opened.

    Attributes
    ----------
    names : tuple of str, or None
        In the model's order; None: any names will do.
    missing_allowed : bool
        Whether a masked entry is a missing value; otherwise it raises an error.
    """

    names: tuple[str, ...] | None = None
    missing_allowed: bool = False

    def order_of(self, X: object, found: Sequence[str] | None, name: str = "X") -> Array | None:
        """Return the positions in X of the model's columns, or None where X is in its order.

        found are the names of X's columns, if it has some.

        Raises
        ------
        ValueError
            When X lacks a column or has another one besides, naming both.

        Examples
        --------
        >>> frame = pandas.DataFrame({"b": [1.0], "a": [2.0]})
        >>> Columns(("a", "b")).order_of(frame, ("b", "a"))
        array([1, 0])
        """
        if found is None or self.names is None:
            return None
        by_list = hasattr(X, "dtypes") or not hasattr(X, "select")  # pyarrow has a method for it
        remedy = f"{name}[{list(self.names)}]" if by_list else f"{name}.select({list(self.names)})"
        return order(found, self.names, name, remedy=remedy)


UNNAMED = Columns()


@dataclass(frozen=True)
class NamedArray:
    """An array with names for its columns, as a frame has them.

    Examples
    --------
    >>> column_names(NamedArray(numpy.zeros((1, 2)), ("length", "width")))
    ('length', 'width')
    """

    array: Array
    columns: tuple[str, ...]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return the array itself."""
        return self.array if dtype is None else self.array.astype(dtype)


def order(
    found: Sequence[str],
    names: Sequence[str],
    name: str = "X",
    owner: str = "the network",
    remedy: str = "",
) -> Array | None:
    """Return where in found each of names is, or None where both are the same.

    name is that of the table, owner whose columns names are, in errors; remedy is what leaves out
    columns besides, which a message has room for if it is short.

    Raises
    ------
    ValueError
        When one of names is missing, or another one is there besides.

    Examples
    --------
    >>> order(["b", "a"], ["a", "b"])
    array([1, 0])
    """
    if tuple(found) == tuple(names):
        return None
    lacking = list((Counter(names) - Counter(found)).elements())
    surplus = list((Counter(found) - Counter(names)).elements())
    if lacking and surplus:
        raise ValueError(
            f"{name} has {_listed(surplus)} where {owner} has {_listed(lacking)}; expected the "
            "same names, in any order"
        )
    if lacking:
        raise ValueError(f"{name} lacks {_listed(lacking)}; expected all columns of {owner}")
    if surplus:
        remedy = f": {remedy} has no other" if 0 < len(remedy) <= _LONGEST_REMEDY else ""
        raise ValueError(
            f"{name} has {_listed(surplus)}, which {owner} does not have; expected its columns "
            f"alone{remedy}"
        )
    twice = [column for column, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"{name} has {_listed(twice[:1])} more than once, and its columns are in another order "
            f"than those of {owner}; expected the same order, or a name for each column"
        )
    position = {column: i for i, column in enumerate(found)}
    return np.array([position[column] for column in names], np.intp)


def as_column_names(names: object, n_columns: int) -> tuple[str, ...] | None:
    """Return stored names of columns, after checking that there is a string for each column.

    Examples
    --------
    >>> as_column_names(["length", "width"], 2)
    ('length', 'width')
    """
    if names is None:
        return None
    if not isinstance(names, tuple | list):
        raise TypeError(f"column_names is {names!r:.50}; expected a list of strings, or None")
    if len(names) != n_columns:
        raise ValueError(f"column_names has {len(names)} entries; expected {n_columns}, as X")
    for i, name in enumerate(names):
        if not isinstance(name, str):
            raise TypeError(f"column_names[{i}] is {name!r:.50}; expected a string")
    return tuple(map(str, names))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"column{'s' if len(names) > 1 else ''} {shown}{more}"
