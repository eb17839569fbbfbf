"""The columns that a model expects of X: their names and order, and whether values may be missing.

Where both sides have names, these decide which column is which. An array has no names: its columns
are taken as they come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sigmax._boundary.frames import column_names

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array

_SHOWN = 6  # names in a message


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

    def order_of(self, X: object, name: str = "X") -> Array | None:
        """Return the positions in X of the model's columns, or None where X is in its order.

        Raises
        ------
        ValueError
            When X lacks a column or has another one besides, naming both.

        Examples
        --------
        >>> Columns(("a", "b")).order_of(pandas.DataFrame({"b": [1.0], "a": [2.0]}))
        array([1, 0])
        """
        found = column_names(X)
        return None if found is None or self.names is None else order(found, self.names, name)


UNNAMED = Columns()


def order(
    found: Sequence[str], names: Sequence[str], name: str = "X", owner: str = "the network"
) -> Array | None:
    """Return where in found each of names is, or None where both are the same.

    name is that of the table, owner whose columns names are, in errors.

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
        remedy = ": X[list(network.column_names)] has no other" if owner == "the network" else ""
        raise ValueError(
            f"{name} has {_listed(surplus)}, which {owner} has not; expected its columns "
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
