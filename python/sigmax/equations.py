"""The single equations, as C computes them inside the network.

float32 stays float32; any other real type is converted to float64. Formulas: M. Nielsen, Neural
Networks and Deep Learning, chapters 2 and 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax._boundary.arrays import (
    FLOAT32,
    FLOAT64,
    Array,
    as_numbers,
    as_real,
    as_targets,
    convert,
    pointer,
)
from sigmax._boundary.status import check
from sigmax._sigmax import lib

if TYPE_CHECKING:
    import numpy.typing as npt

    from sigmax._sigmax import CData


def _real_dtype(given: Array) -> np.dtype[Any]:
    return FLOAT32 if given.dtype.newbyteorder("=") == FLOAT32 else FLOAT64


def _elementwise(function: Callable[[int, CData, CData, int], int], z: object) -> Any:
    given = as_numbers(z, "z")
    array = convert(given, _real_dtype(given))
    out = np.empty(array.shape, array.dtype)
    check(function(array.itemsize, pointer(array), pointer(out), array.size))
    return out[()]  # a scalar for a scalar, as NumPy's own functions return


def sigmoid(z: npt.ArrayLike) -> Any:
    """Return 1 / (1 + e^-z), element by element, in the shape of z.

    Infinities give the exact limits 0 and 1, NaN gives NaN.

    Raises
    ------
    TypeError, ValueError
        When z does not hold real numbers.

    Examples
    --------
    >>> sigmax.sigmoid([-np.inf, 0.0, np.inf])
    array([0. , 0.5, 1. ])
    """
    return _elementwise(lib.sigmax_sigmoid, z)


def sigmoid_prime(z: npt.ArrayLike) -> Any:
    """Return the derivative a (1 - a) with a = sigmoid(z), element by element, in the shape of z.

    Infinities give 0, NaN gives NaN. Raises what `sigmoid` raises.

    Examples
    --------
    >>> sigmax.sigmoid_prime([0.0])
    array([0.25])
    """
    return _elementwise(lib.sigmax_sigmoid_prime, z)


def softmax(z: npt.ArrayLike) -> Array:
    """Return a_i = e^(z_i) / sum_j e^(z_j) of z (K,), or of each row of z (n, K); same shape.

    Raises
    ------
    TypeError, ValueError
        When z has another shape, no classes, or anything but finite real numbers.

    Examples
    --------
    >>> sigmax.softmax([0.0, 0.0, 0.0, 0.0])
    array([0.25, 0.25, 0.25, 0.25])
    """
    array, data = _finite(z, (1, 2), "(K,) or (n, K)")
    out: Array = np.empty(array.shape, array.dtype)
    k = array.shape[-1]
    check(lib.sigmax_softmax(array.itemsize, data, pointer(out), array.size // k, k))
    return out


def softmax_jacobian(z: npt.ArrayLike) -> Array:
    """Return the derivatives of softmax(z): for z (K,) the (K, K) array of da_j/dz_i at [j, i].

    They are a_i (1 - a_i) where j = i, and -a_j a_i elsewhere.

    Raises
    ------
    TypeError, ValueError
        When z has another shape, no classes, or anything but finite real numbers.

    Examples
    --------
    >>> sigmax.softmax_jacobian([0.0, 0.0])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    array, data = _finite(z, (1,), "(K,)")
    out: Array = np.empty((array.size, array.size), array.dtype)
    check(lib.sigmax_softmax_jacobian(array.itemsize, data, pointer(out), array.size))
    return out


def cross_entropy(z: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return -sum_i y_i ln softmax(z)_i in nats for each row: (n,) of float64.

    Computed from z, with m = max z, as sum_i y_i (m - z_i) + (sum_i y_i) ln sum_j e^(z_j - m), so
    that it is finite even where a probability rounds to 0: for every z in float32, and in float64
    up to a quarter of the largest number.

    Parameters
    ----------
    z : array_like, shape (n, K)
        Weighted inputs of the output layer, finite.
    y : array_like, shape (n,) or (n, K)
        Integer labels, or rows of weights >= 0 with any sum.

    Raises
    ------
    TypeError, ValueError
        When an array is not as described, naming row and value.

    Examples
    --------
    >>> sigmax.cross_entropy([[0.0, 0.0]], [1])
    array([0.69314718])
    """
    array, data, rows = _outputs_and_targets(z, y)
    cost = np.empty(len(array), np.float64)
    check(
        lib.sigmax_cross_entropy(
            array.itemsize, data, pointer(rows), pointer("double[]", cost), *array.shape
        )
    )
    return cost


def output_delta(z: npt.ArrayLike, y: npt.ArrayLike) -> Array:
    """Return BP1, the error of the output layer: a_L sum_j y_j - y with a_L = softmax(z), (n, K).

    For rows of y that sum to 1 this is a_L - y. Parameters and errors are those of `cross_entropy`,
    whose derivative by z it is.

    Examples
    --------
    >>> sigmax.output_delta([[0.0, 0.0]], [1])
    array([[ 0.5, -0.5]])
    """
    array, data, rows = _outputs_and_targets(z, y)
    delta: Array = np.empty(array.shape, array.dtype)
    check(
        lib.sigmax_output_delta(array.itemsize, data, pointer(rows), pointer(delta), *array.shape)
    )
    return delta


def _finite(z: object, dimensions: tuple[int, ...], expected: str) -> tuple[Array, CData]:
    given = as_numbers(z, "z")
    if given.ndim not in dimensions or given.shape[-1] == 0:
        raise ValueError(f"z has shape {given.shape}; expected {expected} with K >= 1")
    return as_real(given, _real_dtype(given), "z")


def _outputs_and_targets(z: object, y: object) -> tuple[Array, CData, Array]:
    array, data = _finite(z, (2,), "(n, K)")
    labels, rows = as_targets(y, array.dtype, array.shape[1], sum_to_one=False)
    if rows is None:
        rows = np.zeros((len(labels), array.shape[1]), array.dtype)  # type: ignore[arg-type]
        rows[np.arange(len(rows)), labels] = 1  # one-hot
    if len(rows) != len(array):
        raise ValueError(f"z has {len(array)} rows but y has {len(rows)}")
    return array, data, rows
