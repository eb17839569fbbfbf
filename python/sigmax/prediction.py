"""Predictions for rows that C cannot take as they are: converted and prepared by dense blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from sigmax._arrays import INT64, Array, direct, pointer, require_finite
from sigmax._errors import check
from sigmax._guard import undisturbed
from sigmax._rows import DenseRows, block_rows, open_rows
from sigmax._sigmax import lib

if TYPE_CHECKING:
    import numpy.typing as npt

    from sigmax._rows import Rows
    from sigmax._sigmax import CData
    from sigmax.network import Network


def probabilities(network: Network, X: object) -> Array:
    """Return a_L (n, n_L) at the network's temperature; see `Network.predict_proba`.

    Examples
    --------
    >>> probabilities(network, scipy.sparse.csr_array(X))
    """
    return undisturbed(network, lambda network: _probabilities(network, X))


def _probabilities(network: Network, X: object) -> Array:
    layout, rows = network._layout, _rows(network, X)
    out: Array = np.empty((len(rows), layout.sizes[-1]), layout.dtype)

    def infer(block: CData, n: int, result: Array) -> int:
        return lib.sigmax_predict_proba(
            layout.handle, network._pointer, network._temperature, block, n, pointer(result)
        )

    _in_blocks(network, rows, out, infer)
    return out


def labels(network: Network, X: object) -> npt.NDArray[np.int64]:
    """Return the classes (n,); see `Network.predict`.

    Examples
    --------
    >>> labels(network, np.memmap("X.bin", np.uint8, shape=(60000, 784)))
    """
    return undisturbed(network, lambda network: _labels(network, X))


def _labels(network: Network, X: object) -> npt.NDArray[np.int64]:
    layout, rows = network._layout, _rows(network, X)
    out = np.empty(len(rows), INT64)

    def infer(block: CData, n: int, result: Array) -> int:
        return lib.sigmax_predict(
            layout.handle, network._pointer, block, n, pointer("int64_t[]", result)
        )

    _in_blocks(network, rows, out, infer)
    return out


def activations(network: Network, X: object) -> list[Array]:
    """Return [a_0, ..., a_L]; see `Network.activations`.

    Examples
    --------
    >>> [a.shape for a in activations(sigmax.Network([784, 30, 10]), np.zeros((5, 784)))]
    [(5, 784), (5, 30), (5, 10)]
    """
    layout = network._layout
    opened = open_rows(X, layout.dtype, layout.sizes[0])
    a_0 = opened.prepared(network._preparation).dense().X
    n = len(a_0)
    units: Array = np.empty(n * layout.n_units, layout.dtype)
    check(lib.sigmax_activations(layout.handle, network._pointer, pointer(a_0), n, pointer(units)))
    return [a_0, *layout.units(units, n)]


def refuse(
    network: Network, status: int, X: Array, rows: Rows | None = None, first: int = 0
) -> NoReturn:
    """Raise what the status of a call with X (n, n_0) stands for, and say where; C does not know.

    C can take X as it is. Where it is a part of rows, its row 0 is their row `first`.
    """
    rows = DenseRows(X, "X") if rows is None else rows
    if status == lib.SIGMAX_NOT_FINITE:
        require_finite(X, X, pointer(X), rows.name)
    if status == lib.SIGMAX_NOT_A_NUMBER:
        _refuse_nan(network, X, rows, first)
    check(status)
    raise AssertionError(f"status {status} is no error")


def _refuse_nan(network: Network, X: Array, rows: Rows, first: int) -> None:
    layout = network._layout
    layout.require_finite(network._arena, "an answer")
    label = np.empty(1, INT64)
    for i in range(len(X)):
        row, out = pointer(X[i]), pointer("int64_t[]", label)
        if lib.sigmax_predict(layout.handle, network._pointer, row, 1, out) != lib.SIGMAX_OK:
            raise ValueError(
                f"{rows.name}[{rows.number(first + i)}]: the network's outputs are NaN, because "
                f"sums of products are too large for {layout.dtype}; expected less than "
                f"{np.abs(X[i]).max():.3g}, the largest number of that row, or than "
                f"{np.abs(network._arena).max():.3g}, the largest parameter"
            )


def _rows(network: Network, X: object) -> Rows:
    """Return the rows to be had in blocks, prepared and checked, or as they are where C checks."""
    layout = network._layout
    if network._preparation is None and direct(X, layout.dtype, layout.sizes[0]) is not None:
        return DenseRows(cast(Array, X), "X")
    opened = open_rows(X, layout.dtype, layout.sizes[0])
    return opened.prepared(network._preparation, at_once=False)


def _in_blocks(
    network: Network, rows: Rows, out: Array, infer: Callable[[CData, int, Any], int]
) -> None:
    """Fill out (n, ...) with what infer gives for the rows, in calls that Ctrl-C can wait for."""
    step = min(network._call_rows, block_rows(rows.width, rows.dtype))
    for start in range(0, len(rows), step):
        part = slice(start, min(start + step, len(rows)))
        block = rows.block(part)
        status = infer(pointer(block), len(block), out[part])
        if status != lib.SIGMAX_OK:
            if isinstance(rows, DenseRows):
                refuse(network, status, rows.X)
            refuse(network, status, block, rows, start)
