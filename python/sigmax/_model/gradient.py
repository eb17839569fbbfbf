"""The gradient of the cost by backpropagation, and its check by central differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from sigmax._boundary.arrays import Array, pointer
from sigmax._data.rows import DenseRows
from sigmax._model.inference import refuse, score
from sigmax._sigmax import ffi, lib

if TYPE_CHECKING:
    from sigmax._data.examples import Examples
    from sigmax._model.model import Model

_STEP = 1e-5  # of the central differences: about the cube root of float64's precision


class Backprop(NamedTuple):
    """The result of one backward pass over n rows; index 0 is layer 1, as in `weights`.

    Attributes
    ----------
    cost : float
        C, the mean over the rows in nats.
    deltas : tuple of ndarray, shapes (n, n_l)
        The errors delta_l of the single rows (BP1, BP2).
    nabla_b : tuple of ndarray, shapes (n_l,)
        dC/db_l, means over the rows (BP3).
    nabla_w : tuple of ndarray, shapes (n_l, n_{l-1})
        dC/dW_l, means over the rows (BP4).
    """

    cost: float
    deltas: tuple[Array, ...]
    nabla_b: tuple[Array, ...]
    nabla_w: tuple[Array, ...]


def backprop(model: Model, examples: Examples) -> Backprop:
    """Run one forward and one backward pass; see `Network.backprop`."""
    cost, deltas, gradient = _flat_backprop(model, examples)
    nabla_w, nabla_b = model.layout.layers(gradient)
    return Backprop(cost, model.layout.units(deltas, len(examples)), nabla_b, nabla_w)


def backprop_of(model: Model, Xy: tuple[object, object]) -> Backprop:
    """Return `backprop` of arrays X and y, dense as a whole.

    Examples
    --------
    >>> model.read(backprop_of, (X, y)).cost
    0.31
    """
    return backprop(model, model.prepared_examples(*Xy).dense())


def relative_error(model: Model, examples: Examples) -> float:
    """Return max |numeric - analytic| / max |analytic|; see `Network.gradient_check`.

    Changes each parameter and restores it, so no other thread may use the model meanwhile.
    """
    _, _, analytic = _flat_backprop(model, examples)
    numeric = np.empty_like(analytic)
    parameters = model.arena
    for i, w in enumerate(parameters.tolist()):
        above, below = w + _STEP, w - _STEP
        parameters[i] = above
        cost_above, _ = score(model, examples)
        parameters[i] = below
        cost_below, _ = score(model, examples)
        parameters[i] = w
        # not 2 * _STEP: w + _STEP was rounded
        numeric[i] = (cost_above - cost_below) / (above - below)
    largest = float(np.abs(analytic).max())
    return float(np.abs(numeric - analytic).max()) / largest if largest != 0 else float("nan")


def _flat_backprop(model: Model, examples: Examples) -> tuple[float, Array, Array]:
    """Return cost, the errors of all layers one after the other, and the flat gradient."""
    layout = model.layout
    cost = ffi.new("double *")
    activations = np.empty(len(examples) * layout.n_units, layout.dtype)
    deltas = np.empty_like(activations)
    gradient: Array = np.empty(layout.n_parameters, layout.dtype)
    status = lib.sigmax_backprop(
        layout.handle,
        model.pointer,
        examples.struct,
        cost,
        pointer(activations),
        pointer(deltas),
        pointer(gradient),
    )
    if status != lib.SIGMAX_OK:
        refuse(model, status, cast(DenseRows, examples.rows).X)
    return cost[0], deltas, gradient
