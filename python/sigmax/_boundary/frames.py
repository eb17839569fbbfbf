"""Data frames of any library, and arrays of objects: names of columns, and values as numbers.

pandas, polars, pyarrow and others are recognised by what they offer, so none of them is imported.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"

_FLOAT64 = np.dtype(np.float64)
_ENCODERS = "sklearn.preprocessing.OneHotEncoder or pandas.get_dummies makes numbers of text"


def column_names(value: object, name: str = "X") -> tuple[str, ...] | None:
    """Return the names of a frame's columns, or None where it has none or value is no frame.

    As in scikit-learn, names are used when all of them are strings, and not when none is. name is
    that of value in errors.

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
    # pyarrow has the data in columns; in pandas, column_names may be a column
    for attribute in ("columns", "column_names"):
        found = getattr(value, attribute, None)
        if found is None or callable(found) or isinstance(found, str):
            continue
        try:
            names = list(found)
        except TypeError:
            continue
        texts = [isinstance(each, str) for each in names]
        if not any(texts):
            continue
        if not all(texts):
            other = names[texts.index(False)]
            raise TypeError(
                f"the columns of {name} have names of several types, "
                f"{names[texts.index(True)]!r} and {other!r}; expected strings alone: "
                f"{name}.columns = {name}.columns.astype(str)"
            )
        return tuple(map(str, names))
    return None


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
        # Of nullable columns, or numbers beside truth values, NumPy alone makes objects, which
        # `of_objects` takes as well, but slowly.
        kinds = {getattr(dtype, "kind", "O") for dtype in _dtypes(frame)}
        if kinds and kinds <= set("biuf"):
            array = frame.to_numpy(_FLOAT64, na_value=math.nan)
    return array


def require_no_dates(value: Any, name: str, columns: Sequence[str] | None) -> None:
    """Raise TypeError for a frame's column of dates, times or durations.

    Beside numbers, some libraries would turn them into numbers in a unit of their own.

    Examples
    --------
    >>> require_no_dates(polars.DataFrame({"day": [datetime.date(2020, 1, 2)]}), "X", ("day",))
    TypeError: X, column 'day' has dtype Date; expected real numbers: ...
    """
    for i, dtype in enumerate(_dtypes(value)):
        shown = str(dtype)  # Date of polars, datetime64[ns] of pandas, date32[day] of pyarrow
        if not shown.lower().startswith(("date", "time", "duration")):
            continue
        column = columns[i] if columns else i
        of_column = f"{name}[{column!r}]"
        integer = "int32" if shown.startswith(("date32", "time32")) else "int64"
        if hasattr(dtype, "is_temporal"):
            remedy = f"{of_column}.to_physical()"
        elif hasattr(value, "dtypes"):
            remedy = f"{of_column}.astype('{integer}')"
        else:
            remedy = f"{of_column}.cast('{integer}')"
        raise TypeError(
            f"{name}, column {column!r} has dtype {shown}; expected real numbers: {remedy} makes "
            "numbers of dates and times, in their own unit"
        )


def of_objects(array: Array, name: str, columns: Sequence[str] | None, hint: str) -> Array:
    """Return an array of objects as float64; None and pandas.NA become NaN.

    Raises
    ------
    TypeError, ValueError
        Naming the first entry that is no real number, its row and its column. Text that is a number
        is named where there is nothing worse.

    Examples
    --------
    >>> of_objects(np.array([[1, None]], object), "X", None, "")
    array([[ 1., nan]])
    """
    entries = array.ravel().tolist()
    kinds = set(map(type, entries))
    wrong = {kind for kind in kinds if not _is_number(kind)}
    if wrong:
        places = [i for i, entry in enumerate(entries) if type(entry) in wrong]
        position = next((i for i in places if not _holds_number(entries[i])), places[0])
        raise _no_number(array, position, name, columns, hint)
    if any(kind.__name__ == "NAType" for kind in kinds):
        entries = [None if type(entry).__name__ == "NAType" else entry for entry in entries]
    flat: Array = np.empty(len(entries), _FLOAT64)
    try:
        flat[:] = entries
    except (OverflowError, ValueError):
        for position, entry in enumerate(entries):
            problem = _not_a_float64(entry)
            if problem:
                place = _place(array, position, name, columns)
                raise ValueError(f"{place}: {problem}") from None
        raise
    return flat.reshape(array.shape)


def no_numbers(array: Array, name: str, columns: Sequence[str] | None, hint: str) -> TypeError:
    """Return the error for an array of text, dates or anything else but real numbers.

    Examples
    --------
    >>> raise no_numbers(np.array([["red"]]), "X", None, "")
    TypeError: X, row 0, column 0: 'red' is text; expected real numbers: ...
    """
    if array.size and array.ndim and array.dtype.kind in "UST":
        entries = array.ravel().tolist()
        position = next((i for i, entry in enumerate(entries) if not _holds_number(entry)), 0)
        return _no_number(array, position, name, columns, hint)
    if not hint and array.dtype.kind in "mM":
        hint = f": {name}.astype('int64') makes numbers of dates, in their own unit"
    first = f" (its first value is {array.flat[0]!r})" if array.size else ""
    return TypeError(f"{name} has dtype {array.dtype}{first}; expected real numbers{hint}")


def _dtypes(value: Any) -> list[Any]:
    """Return the dtypes of a frame's columns; none of anything else."""
    dtypes = getattr(value, "dtypes", None)
    if dtypes is None:
        dtypes = getattr(getattr(value, "schema", None), "types", None)  # pyarrow
    return list(dtypes) if isinstance(dtypes, Iterable) else []


def _is_number(kind: type) -> bool:
    # by name, so that decimal is not imported, nor pandas
    named = kind.__name__ in ("Decimal", "NAType")
    return named or kind is type(None) or issubclass(kind, Real | np.bool_)


def _not_a_float64(entry: Any) -> str:
    """Return why a number is no float64, or an empty text."""
    try:
        float(math.nan if entry is None else entry)
    except OverflowError:
        kind = "an integer" if isinstance(entry, int) else f"a {type(entry).__name__}"
        return f"{kind} too large for float64"
    except ValueError:  # a signalling NaN of decimal
        return f"{entry!r}; expected a finite number"
    return ""


def _no_number(
    array: Array, position: int, name: str, columns: Sequence[str] | None, hint: str
) -> TypeError:
    """Return the error for the entry at a position of the flat array."""
    entry = array.ravel()[position : position + 1].tolist()[0]
    text = isinstance(entry, str | bytes)
    if text and not hint and array.ndim == 2:
        column = position % array.shape[1]
        hint = _hint_for_text(entry, array[:, column].tolist(), name, columns, column)
    what = f"{entry!r} is text" if text else f"{entry!r} is no number ({type(entry).__name__})"
    place = _place(array, position, name, columns)
    return TypeError(f"{place}: {what}; expected real numbers{hint}")


def _hint_for_text(
    entry: Any, entries: list[Any], name: str, columns: Sequence[str] | None, column: int
) -> str:
    """Return what makes numbers of the text in a column, whose entries these are."""
    if _holds_number(entry):
        return f" (numbers written as text: numpy.asarray({name}, float) reads them)"
    numbers = sum(map(_holds_number, entries))
    if name.startswith("X") and 2 * numbers > len(entries):
        of_column = f"{name}[{columns[column]!r}]" if columns else f"{name}[:, {column}]"
        return (
            f": pandas.to_numeric({of_column}, errors='coerce') makes NaN of what is no number, "
            "which nan='mean' fills in"
        )
    return f": {_ENCODERS}"


def _holds_number(entry: object) -> bool:
    try:
        float(entry)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _place(array: Array, position: int, name: str, columns: Sequence[str] | None) -> str:
    index = tuple(map(int, np.unravel_index(position, array.shape)))
    if len(index) == 2:
        column = repr(columns[index[1]]) if columns else index[1]
        return f"{name}, row {index[0]}, column {column}"
    word = "row" if len(index) == 1 else "position"
    return ", ".join([name, *(f"{word} {i}" for i in index)])
