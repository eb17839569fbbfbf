"""Calibrated probabilities: one temperature, fitted on held-out data.

C. Guo, G. Pleiss, Y. Sun & K. Weinberger, On Calibration of Modern Neural Networks, 2017.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sigmax._boundary.arrays import Array, pointer
from sigmax._boundary.status import check
from sigmax._data.rows import block_rows
from sigmax._model.inference import score
from sigmax._sigmax import lib

if TYPE_CHECKING:
    from sigmax._data.examples import Examples
    from sigmax._model.model import Model

N_BINS = 15  # of the confidence, equally wide, as in the paper
_EDGES = np.array([m / N_BINS for m in range(1, N_BINS)])  # between them
_LIMIT = 1000.0  # temperatures from 1/1000 to 1000 are tried
_PRECISION = 1e-5  # of the temperature, relative: the cost is flat to its own rounding there
_GOLDEN = (math.sqrt(5) - 1) / 2


class Calibration(NamedTuple):
    """The effect of one temperature on held-out data; "before" is at a temperature of 1.

    Attributes
    ----------
    temperature : float
        T in softmax(z_L / T).
    ece_before, ece_after : float
        Expected calibration error, from 0 to 1: the mean over the rows of the distance between
        confidence and accuracy, each taken within a bin of the confidence.
    cost_before, cost_after : float
        C in nats.
    """

    temperature: float
    ece_before: float
    ece_after: float
    cost_before: float
    cost_after: float


def calibrate(model: Model, X_val: object, y_val: object) -> Calibration:
    """Set the model's temperature to the one of the least cost; see `Network.calibrate`.

    Examples
    --------
    >>> calibrate(model, X_val, y_val).temperature
    1.62
    """
    with model.guard.claim():  # a training would set the temperature back meanwhile
        examples = model.prepared_examples(X_val, y_val, ("X_val", "y_val"))
        found = best_temperature(model, examples)
        model.guard.write(setattr, model, "temperature", found.temperature)
    return found


def best_temperature(model: Model, examples: Examples) -> Calibration:
    """Return the temperature of the least cost, and what it changes; the model stays as it is.

    C is convex in 1/T, so that a golden-section search over ln T finds the only minimum.
    """

    def cost(log_temperature: float) -> float:
        return score(model, examples, math.exp(log_temperature))[0]

    limit = math.log(_LIMIT)
    found = _minimum(cost, -limit, limit, _PRECISION)
    temperature, cost_before, cost_after = math.exp(found), cost(0.0), cost(found)
    if cost_after >= cost_before:  # no gain beyond rounding
        temperature, cost_after = 1.0, cost_before
    elif limit - abs(found) < 2 * _PRECISION:
        reason = (
            "the network is right in every row, so that the cost falls as long as T does; expected "
            "rows it gets wrong among them"
            if found < 0
            else "its outputs do not depend on y; expected a network trained on such data"
        )
        raise ValueError(
            f"X_val, y_val: no temperature T from 1/1000 to 1000 is the best: {reason}"
        )
    return Calibration(
        temperature,
        expected_calibration_error(model, examples, 1.0),
        expected_calibration_error(model, examples, temperature),
        cost_before,
        cost_after,
    )


def expected_calibration_error(model: Model, examples: Examples, temperature: float) -> float:
    """Return sum_m (n_m / n) |accuracy_m - confidence_m| over 15 equal bins of the confidence.

    The confidence of a row is its largest probability; bin m holds those above (m - 1)/15 and up to
    m/15. The class of a row of soft labels is its first largest entry.

    Examples
    --------
    >>> expected_calibration_error(model, model.prepared_examples(X_val, y_val), 1.0)
    0.043
    """
    layout = model.layout
    rows, confidence, right = np.zeros(N_BINS), np.zeros(N_BINS), np.zeros(N_BINS)
    for block in examples.blocks(block_rows(layout.sizes[0], layout.dtype)):
        n = len(block)
        a_L = np.empty((n, layout.sizes[-1]), layout.dtype)
        check(
            lib.sigmax_predict_proba(
                layout.handle, model.pointer, temperature, block.struct.X, n, pointer(a_L)
            )
        )
        largest = a_L.max(axis=1).astype(np.float64)
        truth = block.labels if block.targets is None else block.targets.argmax(axis=1)
        bins = bins_of(largest)
        rows += np.bincount(bins, minlength=N_BINS)
        confidence += np.bincount(bins, largest, N_BINS)
        right += np.bincount(bins, a_L.argmax(axis=1) == truth, N_BINS)
    return float(np.abs(right - confidence).sum() / rows.sum())


def bins_of(confidence: Array) -> Array:
    """Return the bin, from 0, of each confidence (n,) in 0 ... 1; its upper edge belongs to it.

    Examples
    --------
    >>> bins_of(np.array([0.5, 0.6, 1.0]))
    array([ 7,  8, 14])
    """
    return np.searchsorted(_EDGES, confidence, side="left")


def _minimum(f: Callable[[float], float], low: float, high: float, precision: float) -> float:
    """Return the minimum of f, which falls and then rises, by golden-section search."""
    a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    f_a, f_b = f(a), f(b)
    while high - low > precision:
        if f_a <= f_b:
            high, b, f_b = b, a, f_a
            a = high - _GOLDEN * (high - low)
            f_a = f(a)
        else:
            low, a, f_a = a, b, f_b
            b = low + _GOLDEN * (high - low)
            f_b = f(b)
    return (low + high) / 2
