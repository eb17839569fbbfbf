"""What a model makes of rows: outputs, classes, activations, cost. The twin of csrc's inference.c.

An X that C can take as it is goes there in one call, where it is short enough for Ctrl-C to wait
for. Any other is converted, prepared and handed over in dense blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from sigmax._boundary.arrays import INT64, Array, direct, pointer, require_finite
from sigmax._boundary.status import check
from sigmax._data.rows import DenseRows, block_rows, open_rows
from sigmax._sigmax import ffi, lib

if TYPE_CHECKING:
    import numpy.typing as npt

    from sigmax._data.examples import Examples
    from sigmax._data.rows import Rows
    from sigmax._model.model import Model
    from sigmax._sigmax import CData

_OK = lib.SIGMAX_OK


def probabilities(model: Model, X: object) -> Array:
    """Return a_L (n, n_L) at the model's temperature; see `Network.predict_proba`.

    Examples
    --------
    >>> model.read(probabilities, scipy.sparse.csr_array(X))
    """
    layout = model.layout
    if model.preparation is None:
        data = direct(X, layout.dtype, layout.n_in)
        if data is not None and (n := len(X)) <= model.call_rows:  # type: ignore[arg-type]
            out: Array = np.empty((n, layout.n_out), layout.dtype)
            status = lib.sigmax_predict_proba(
                layout.handle, model.pointer, model.temperature, data, n, pointer(out)
            )
            if status != _OK:
                refuse(model, status, cast(Array, X))
            return out
    return _probabilities_in_blocks(model, X)


def labels(model: Model, X: object) -> npt.NDArray[np.int64]:
    """Return the classes (n,); see `Network.predict`.

    Examples
    --------
    >>> model.read(labels, np.memmap("X.bin", np.uint8, shape=(60000, 784)))
    """
    layout = model.layout
    if model.preparation is None:
        data = direct(X, layout.dtype, layout.n_in)
        if data is not None and (n := len(X)) <= model.call_rows:  # type: ignore[arg-type]
            out = np.empty(n, INT64)
            status = lib.sigmax_predict(
                layout.handle, model.pointer, data, n, pointer("int64_t[]", out)
            )
            if status != _OK:
                refuse(model, status, cast(Array, X))
            return out
    return _labels_in_blocks(model, X)


def activations(model: Model, X: object) -> list[Array]:
    """Return [a_0, ..., a_L]; see `Network.activations`.

    Examples
    --------
    >>> [a.shape for a in model.read(activations, np.zeros((5, 784)))]
    [(5, 784), (5, 30), (5, 10)]
    """
    a_0 = _dense_rows(model, X)
    return [a_0, *_units(model, a_0, lib.sigmax_activations)]


def weighted_inputs(model: Model, X: object) -> list[Array]:
    """Return [z_1, ..., z_L]; see `Network.weighted_inputs`.

    Examples
    --------
    >>> [z.shape for z in model.read(weighted_inputs, np.zeros((5, 784)))]
    [(5, 30), (5, 10)]
    """
    return _units(model, _dense_rows(model, X), lib.sigmax_weighted_inputs)


def _dense_rows(model: Model, X: object) -> Array:
    """Return X (n, n_0) prepared, checked, and dense as a whole."""
    layout = model.layout
    return open_rows(X, layout.dtype, layout.n_in).prepared(model.preparation).dense().X


def _units(
    model: Model, a_0: Array, call: Callable[[CData, CData, CData, int, CData], int]
) -> list[Array]:
    """Return what C writes for each neuron of each row: an array (n, n_l) for each layer."""
    layout, n = model.layout, len(a_0)
    flat: Array = np.empty(n * layout.n_units, layout.dtype)
    check(call(layout.handle, model.pointer, pointer(a_0), n, pointer(flat)))
    return list(layout.units(flat, n))


def score(model: Model, examples: Examples, temperature: float = 1.0) -> tuple[float, float]:
    """Return cost and accuracy, means over the weighted rows; see `Network.cost`.

    The division into calls depends on the sizes alone, so the result does not depend on where the
    rows are stored.

    Examples
    --------
    >>> cost, accuracy = score(model, model.prepared_examples(X, y))
    """
    layout = model.layout
    step = min(model.call_rows, block_rows(layout.n_in, layout.dtype))
    cost_in_c, correct_in_c = ffi.new("double *"), ffi.new("double *")
    cost, n_correct, first = 0.0, 0.0, 0
    for block in examples.blocks(step):
        status = lib.sigmax_cost(
            layout.handle, model.pointer, temperature, block.struct, cost_in_c, correct_in_c
        )
        if status != _OK:
            refuse(model, status, cast(DenseRows, block.rows).X, examples.rows, first)
        first += len(block)
        cost += cost_in_c[0] * (len(block) / len(examples))  # exact when there is one block
        n_correct += correct_in_c[0]
    return cost, n_correct / len(examples)


def cost(model: Model, Xy: tuple[object, object]) -> float:
    """Return the cost of arrays X and y, at the model's temperature; see `Network.cost`.

    Examples
    --------
    >>> model.read(cost, (X, y))
    0.31
    """
    return score(model, model.prepared_examples(*Xy, at_once=False), model.temperature)[0]


def accuracy(model: Model, Xy: tuple[object, object]) -> float:
    """Return the accuracy on arrays X and y; see `Network.accuracy`.

    Examples
    --------
    >>> model.read(accuracy, (X, y))
    0.92
    """
    return score(model, model.prepared_examples(*Xy, at_once=False))[1]


def refuse(
    model: Model, status: int, X: Array, rows: Rows | None = None, first: int = 0
) -> NoReturn:
    """Raise the exception for the status of a call with X (n, n_0), naming the row or parameter.

    X is in a form that C takes. If it is a part of rows, its row 0 is their row `first`.
    """
    rows = DenseRows(X, "X") if rows is None else rows
    if status == lib.SIGMAX_NOT_FINITE:
        require_finite(X, X, pointer(X), rows.name)
    if status == lib.SIGMAX_NOT_A_NUMBER:
        _refuse_nan(model, X, rows, first)
    check(status)
    raise AssertionError(f"status {status} is no error")


def _refuse_nan(model: Model, X: Array, rows: Rows, first: int) -> None:
    layout = model.layout
    layout.require_finite(model.arena, "an answer")
    label = np.empty(1, INT64)
    for i in range(len(X)):
        row, out = pointer(X[i]), pointer("int64_t[]", label)
        if lib.sigmax_predict(layout.handle, model.pointer, row, 1, out) != _OK:
            raise ValueError(
                f"{rows.name}[{rows.number(first + i)}]: the network's outputs are NaN, because "
                f"sums of products are too large for {layout.dtype}; expected less than "
                f"{np.abs(X[i]).max():.3g}, the largest number of that row, or than "
                f"{np.abs(model.arena).max():.3g}, the largest parameter"
            )


def _probabilities_in_blocks(model: Model, X: object) -> Array:
    layout, rows = model.layout, _rows(model, X)
    out: Array = np.empty((len(rows), layout.n_out), layout.dtype)

    def infer(block: CData, n: int, result: Array) -> int:
        return lib.sigmax_predict_proba(
            layout.handle, model.pointer, model.temperature, block, n, pointer(result)
        )

    _in_blocks(model, rows, out, infer)
    return out


def _labels_in_blocks(model: Model, X: object) -> npt.NDArray[np.int64]:
    layout, rows = model.layout, _rows(model, X)
    out = np.empty(len(rows), INT64)

    def infer(block: CData, n: int, result: Array) -> int:
        return lib.sigmax_predict(
            layout.handle, model.pointer, block, n, pointer("int64_t[]", result)
        )

    _in_blocks(model, rows, out, infer)
    return out


def _rows(model: Model, X: object) -> Rows:
    """Return rows whose blocks are prepared and checked, or unchecked where C checks them."""
    layout = model.layout
    if model.preparation is None and direct(X, layout.dtype, layout.n_in) is not None:
        return DenseRows(cast(Array, X), "X")
    return open_rows(X, layout.dtype, layout.n_in).prepared(model.preparation, at_once=False)


def _in_blocks(
    model: Model, rows: Rows, out: Array, infer: Callable[[CData, int, Any], int]
) -> None:
    """Fill out (n, ...) by calling infer on the rows, in calls short enough for Ctrl-C."""
    step = min(model.call_rows, block_rows(rows.width, rows.dtype))
    for start in range(0, len(rows), step):
        part = slice(start, min(start + step, len(rows)))
        block = rows.block(part)
        status = infer(pointer(block), len(block), out[part])
        if status != _OK:
            if isinstance(rows, DenseRows):
                refuse(model, status, rows.X)
            refuse(model, status, block, rows, start)
