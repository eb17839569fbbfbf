"""The only way from Python values to C: every array and integer that C sees is checked here.

An array that already has the network's dtype (integer labels: int64), in C order and aligned, is
used as it is. Anything else that NumPy can view as real numbers is converted once.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sigmax._boundary.frames import (
    column_names,
    no_numbers,
    of_objects,
    require_no_dates,
    values_of,
)
from sigmax._sigmax import ffi, lib

if TYPE_CHECKING:
    import numpy.typing as npt

    from sigmax._sigmax import CData

Array: TypeAlias = "npt.NDArray[Any]"

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
INT64 = np.dtype(np.int64)

# (array) or (type, array), of a contiguous array -> char[] or type, which keeps the array alive
pointer = ffi.from_buffer

SOFT_LABEL_TOLERANCE = 1e-3  # how far the sum of a row of soft labels may be from 1
_BLOCK = 1 << 16  # entries that a check looks at in one go, to bound its temporaries


def is_sparse(value: object) -> bool:
    """Return whether value is a sparse array or matrix of SciPy, without importing SciPy."""
    return hasattr(value, "tocsr") and hasattr(value, "nnz")


def as_numbers(
    value: object,
    name: str,
    hint: str = "",
    *,
    missing_allowed: bool = False,
    columns: Sequence[str] | None = None,
) -> Array:
    """View value as a plain array of real numbers, not yet converted.

    An array of objects that are numbers becomes float64. With missing_allowed, a masked entry
    becomes NaN; otherwise it raises a ValueError. columns are the names of X's columns, where the
    caller knows them; errors call columns by their names.
    """
    if is_sparse(value):
        raise TypeError(f"{name} is a sparse matrix; expected a dense array: {name}.toarray()")
    if columns is None and name.startswith("X"):
        columns = column_names(value, name)
    require_no_dates(value, name, columns)
    value = gathered(value)
    mask = mask_of(value)
    if mask is not None and not missing_allowed:
        raise masked(name, mask)
    try:
        if mask is not None:
            array = np.array(value, subok=False)  # a copy, without the mask
            if array.dtype.kind not in "biuf":
                array = array.astype(object)
                array[mask] = None  # whatever is behind it
        else:
            array = values_of(value) if hasattr(value, "dtypes") else np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is no array of numbers: {error}") from error
    except TypeError as error:
        raise TypeError(f"{name} is no array of numbers: {error}") from error
    if array.dtype == object and array.ndim:
        array = of_objects(array, name, columns, hint)
    if array.dtype.kind not in "biuf":
        raise no_numbers(array, name, columns, hint)
    if mask is not None:
        array = array.astype(array.dtype if array.dtype.kind == "f" else FLOAT64)
        array[mask] = math.nan
    return array


def gathered(value: object) -> object:
    """Return a list of masked arrays as one of them, and anything else as it is.

    NumPy alone would take what is behind their masks.
    """
    module = sys.modules.get("numpy.ma")  # without that module there is no masked array either
    if module is None or not isinstance(value, list | tuple):
        return value
    if not any(isinstance(part, module.MaskedArray) for part in value):
        return value
    # part by part: of a masked number, as a list of one row has them, NumPy makes NaN and warns
    data = np.array([module.getdata(part) for part in value])
    return module.array(data, mask=np.array([module.getmaskarray(part) for part in value]))


def mask_of(value: object) -> Array | None:
    """Return the mask of a masked array (True: masked), or None where nothing is masked."""
    value = gathered(value)
    module = sys.modules.get("numpy.ma")
    if module is None or not isinstance(value, module.MaskedArray) or not module.is_masked(value):
        return None
    mask: Array = module.getmaskarray(value)
    return mask


def masked(name: str, mask: Array) -> ValueError:
    """Return the error for an array with masked entries, which names the first of them."""
    index = np.argwhere(mask)[0].tolist()
    place = f"{name}, row {index[0]}" if len(index) == 1 else place_of(name, tuple(index))
    remedy = ""
    if mask.ndim == 2 and name.startswith("X"):
        remedy = ", or nan='mean' in fit, which takes them for missing values"
    return ValueError(f"{place}: masked; expected an array without masked entries{remedy}")


def as_real(given: Array, dtype: np.dtype[Any], name: str) -> tuple[Array, CData]:
    """Convert to dtype and C order where needed; raise ValueError for infinity and NaN."""
    array = convert(given, dtype)
    data = pointer(array)
    require_finite(given, array, data, name)
    return array, data


def convert(given: Array, dtype: np.dtype[Any]) -> Array:
    """Return given itself, or a copy of it in dtype, C order and alignment."""
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow raises later
        array = np.asarray(given, dtype=dtype, order="C")
    return array if array.flags.aligned else array.copy()


def require_finite(
    given: Array,
    array: Array,
    data: CData,
    name: str,
    place: Callable[[int, int], tuple[int, int | str]] | None = None,
) -> None:
    """Raise ValueError for infinity and NaN in array; the error shows the value as given.

    place maps a row and a column of this array to those of the caller's array; None: the same.
    """
    position = lib.sigmax_first_non_finite(array.itemsize, data, array.size)
    if position == array.size:
        return
    index = tuple(map(int, np.unravel_index(position, array.shape)))
    at = index if place is None else place(*index)
    raise not_finite(name, at, given[index], array.dtype)


def not_finite(name: str, place: tuple[Any, ...], value: Any, dtype: np.dtype[Any]) -> ValueError:
    """Return the error for a value that is not finite in dtype; place is (row, column)."""
    if not np.isfinite(value):
        problem = "expected a finite number"
    elif dtype == FLOAT32 and name.startswith("X"):
        problem = "too large for float32; expected up to 3.4e+38, or a network of dtype='float64'"
    else:
        problem = f"too large for {dtype}"
    return ValueError(f"{place_of(name, place)}: {value}; {problem}")


def direct(X: object, dtype: np.dtype[Any], width: int) -> CData | None:
    """Return the pointer to an X that C can take as it is, once its values are known to be finite.

    None for any other X, which must be opened: see `sigmax._data.rows.open_rows`.
    """
    if (
        type(X) is np.ndarray
        and X.dtype is dtype
        and X.flags.carray
        and X.ndim == 2
        and X.shape[1] == width
    ):
        return pointer(X)
    return None


def require_shape(shape: tuple[int, ...], width: int, name: str) -> None:
    """Raise ValueError unless the shape is (rows, width)."""
    if len(shape) != 2 or shape[1] != width:
        raise ValueError(_wrong_shape(shape, width, name))


def _wrong_shape(shape: tuple[int, ...], width: int, name: str) -> str:
    if len(shape) == 2:
        return f"{name} has {shape[1]} columns; expected {width}"
    text = f"{name} has shape {shape}; expected two dimensions, (rows, {width})"
    if shape == (width,):
        return f"{text}: for a single row, {name}.reshape(1, -1)"
    if len(shape) == 1 and width == 1:
        return f"{text}: for a single column, {name}.reshape(-1, 1)"
    if len(shape) > 2 and math.prod(shape[1:]) == width:
        return f"{text}: for images, {name}.reshape(len({name}), -1)"
    return text


def place_of(name: str, index: tuple[Any, ...]) -> str:
    """Return where an entry is, such as 'X, row 3, column 1'; a column may have a name."""
    words = ("row", "column") if len(index) == 2 else ("position",) * len(index)
    shown = (repr(i) if isinstance(i, str) else i for i in index)
    return ", ".join([name, *(f"{word} {i}" for word, i in zip(words, shown, strict=True))])


def as_targets(
    y: object,
    dtype: np.dtype[Any],
    n_classes: int,
    name: str = "y",
    *,
    sum_to_one: bool = True,
) -> tuple[Array | None, Array | None]:
    """Return (labels (n,) of int64, None), or (None, targets (n, n_classes) of dtype)."""
    hint = (
        f": integer labels from 0 to {n_classes - 1}; of names, "
        f"names, {name} = numpy.unique({name}, return_inverse=True) makes them"
    )
    given = as_numbers(y, name, hint)
    if given.ndim == 1:
        return _as_labels(given, n_classes, name), None
    if given.ndim == 2 and given.shape[1] == n_classes:
        return None, _as_soft_labels(given, dtype, name, sum_to_one)
    text = (
        f"{name} has shape {given.shape}; expected integer labels (n,), or rows (n, {n_classes}) "
        "of class probabilities"
    )
    if given.ndim == 2 and given.shape[1] == 1:
        text += f": for a column of labels, {name}.ravel()"
    raise ValueError(text)


def _as_labels(given: Array, n_classes: int, name: str) -> Array:
    if given.dtype.kind == "b" and n_classes != 2:
        raise ValueError(f"{name} holds bools, which name two classes; there are {n_classes}")
    if given.dtype.kind == "f":
        fractional = np.flatnonzero(given != np.trunc(given))  # NaN too: it differs from itself
        if fractional.size:
            row = fractional[0]
            raise ValueError(f"{name}, row {row}: label {given[row]}; expected an integer")
    if given.size and (given.min() < 0 or given.max() >= n_classes):
        row = np.flatnonzero((given < 0) | (given >= n_classes))[0]
        raise ValueError(
            f"{name}, row {row}: label {given[row]}; expected an integer from 0 to {n_classes - 1}"
        )
    return convert(given, INT64)


def _as_soft_labels(given: Array, dtype: np.dtype[Any], name: str, sum_to_one: bool) -> Array:
    array, _ = as_real(given, dtype, name)
    step = max(1, _BLOCK // max(1, array.shape[1]))
    for start in range(0, len(array), step):
        block = array[start : start + step]
        if block.min() < 0:
            row, column = np.argwhere(block < 0)[0]
            raise ValueError(
                f"{place_of(name, (start + row, column))}: {block[row, column]}; "
                "expected a probability >= 0"
            )
        if not sum_to_one:
            continue
        sums = block.sum(axis=1, dtype=np.float64)
        off = np.flatnonzero(np.abs(sums - 1.0) > SOFT_LABEL_TOLERANCE)
        if off.size:
            row = off[0]
            raise ValueError(
                f"{name}, row {start + row}: its entries sum to {sums[row]:.6g}; "
                f"expected 1 within {SOFT_LABEL_TOLERANCE:g}"
            )
    return array
