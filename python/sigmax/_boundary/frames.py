"""Data frames of any library, and arrays of objects: names of columns, and values as numbers.

pandas, polars, pyarrow and others are recognised by what they offer, so none of them is imported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"

_FLOAT64 = np.dtype(np.float64)
_ENCODERS = "sklearn.preprocessing.OneHotEncoder or pandas.get_dummies makes numbers of text"


def column_names(value: object) -> tuple[str, ...] | None:
    """Return the names of a frame's columns, or None where it has none or value is no frame.

    As in scikit-learn, names are used when all of them are strings, and not when none is.

    Raises
    ------
    TypeError
        When some names are strings and others are not.

    Examples
    --------
    >>> column_names(pandas.DataFrame({"length": [1.0], "width": [2.0]}))
    ('length', 'width')
    >>> column_names(numpy.zeros((1, 2)))
    """
    if isinstance(value, np.ndarray):
        return None
    found = getattr(value, "column_names", None)  # pyarrow, where columns are the data
    if found is None:
        found = getattr(value, "columns", None)
    if found is None or callable(found) or isinstance(found, str):
        return None
    try:
        names = list(found)
    except TypeError:
        return None
    texts = [isinstance(name, str) for name in names]
    if not any(texts):
        return None
    if not all(texts):
        other = names[texts.index(False)]
        raise TypeError(
            f"the columns of X have names of several types, {names[texts.index(True)]!r} and "
            f"{other!r}; expected strings alone: X.columns = X.columns.astype(str)"
        )
    return tuple(map(str, names))


def values_of(frame: Any) -> Array:
    """Return a frame's values as one array, of objects where the columns have no common dtype.

    Examples
    --------
    >>> values_of(pandas.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}))
    array([[1. , 0.5],
           [2. , 1.5]])
    """
    array = np.asarray(frame)
    if array.dtype == object and array.ndim == 2:
        # of nullable columns, or numbers beside truth values, NumPy alone makes objects
        kinds = {getattr(dtype, "kind", "O") for dtype in frame.dtypes}
        if kinds <= set("biuf"):
            array = frame.to_numpy(_FLOAT64, na_value=math.nan)
    return array


def of_objects(array: Array, name: str, columns: Sequence[str] | None, hint: str) -> Array:
    """Return an array of objects as float64; None and pandas.NA become NaN.

    Raises
    ------
    TypeError, ValueError
        Naming the first entry that is no real number, its row and its column.

    Examples
    --------
    >>> of_objects(np.array([[1, None]], object), "X", None, "")
    array([[ 1., nan]])
    """
    entries = array.ravel().tolist()
    kinds = set(map(type, entries))
    wrong = {kind for kind in kinds if not _is_number(kind)}
    if wrong:
        position = next(i for i, entry in enumerate(entries) if type(entry) in wrong)
        raise _no_number(array, position, name, columns, hint)
    if any(kind.__name__ == "NAType" for kind in kinds):
        entries = [None if type(entry).__name__ == "NAType" else entry for entry in entries]
    flat: Array = np.empty(len(entries), _FLOAT64)
    try:
        flat[:] = entries
    except OverflowError:
        position = next(i for i, entry in enumerate(entries) if _is_too_large(entry))
        place = _place(array, position, name, columns)
        raise ValueError(f"{place}: an integer too large for float64") from None
    return flat.reshape(array.shape)


def no_numbers(array: Array, name: str, columns: Sequence[str] | None, hint: str) -> TypeError:
    """Return the error for an array of text, dates or anything else but real numbers.

    Examples
    --------
    >>> raise no_numbers(np.array([["red"]]), "X", None, "")
    TypeError: X, row 0, column 0: 'red' is text; expected real numbers: ...
    """
    if array.size and array.ndim and array.dtype.kind in "US":
        entries = array.ravel().tolist()
        position = next((i for i, entry in enumerate(entries) if not _holds_number(entry)), 0)
        return _no_number(array, position, name, columns, hint)
    if not hint and array.dtype.kind in "mM":
        hint = ": X.astype('int64') makes numbers of dates, in their own unit"
    first = f" (its first value is {array.flat[0]!r})" if array.size else ""
    return TypeError(f"{name} has dtype {array.dtype}{first}; expected real numbers{hint}")


def _is_number(kind: type) -> bool:
    return (
        issubclass(kind, Real | np.bool_ | Decimal)
        or kind is type(None)
        or kind.__name__ == "NAType"
    )


def _is_too_large(entry: Any) -> bool:
    try:
        float(math.nan if entry is None else entry)
    except OverflowError:
        return True
    return False


def _no_number(
    array: Array, position: int, name: str, columns: Sequence[str] | None, hint: str
) -> TypeError:
    """Return the error for the entry at a position of the flat array."""
    entry = array.ravel()[position : position + 1].tolist()[0]
    text = isinstance(entry, str | bytes)
    if text and not hint and array.ndim == 2:
        column = array[:, position % array.shape[1]]
        if all(isinstance(other, Real) or _holds_number(other) for other in column.tolist()):
            hint = f" (numbers written as text: numpy.asarray({name}, float) reads them)"
        else:
            hint = f": {_ENCODERS}"
    what = f"{entry!r} is text" if text else f"{entry!r} is no number ({type(entry).__name__})"
    place = _place(array, position, name, columns)
    return TypeError(f"{place}: {what}; expected real numbers{hint}")


def _holds_number(entry: object) -> bool:
    try:
        float(entry)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _place(array: Array, position: int, name: str, columns: Sequence[str] | None) -> str:
    index = tuple(map(int, np.unravel_index(position, array.shape)))
    if len(index) == 2:
        column = repr(columns[index[1]]) if columns else index[1]
        return f"{name}, row {index[0]}, column {column}"
    word = "row" if len(index) == 1 else "position"
    return ", ".join([name, *(f"{word} {i}" for i in index)])
