"""Training in plain NumPy, float64: what stands around the four equations of reference.py.

The objective of a batch of m rows, with weights s of the rows, targets y, and the hidden
activations of row x multiplied by r / (1 - p), where r is 1 for the neurons that stay in and 0 for
those that dropout leaves out:

    (1/m) sum_x s_x C_x  +  (l2/2) sum w^2  +  l1 sum |w|       the sums over weights, not biases

Nielsen, chapter 3, "Other techniques for regularization"; Srivastava and others (2014) for dropout,
Szegedy and others (2015) for smoothed labels, Pascanu and others (2012) for clipping.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from reference import Backprop, bp1, bp2, bp3, bp4, cross_entropy, sigmoid, softmax
from reference_optimizers import OPTIMIZERS
from reference_random import dropout_mask


@dataclass(frozen=True)
class Training:
    """The numbers of training, under the names that `sigmax_training` has for them."""

    optimizer: str = "sgd"
    learning_rate: float = 0.5
    l2: float = 0.0
    l1: float = 0.0
    clip_norm: float = 0.0  # 0: no clipping
    dropout: float = 0.0
    label_smoothing: float = 0.0
    seed: int = 0
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    rho: float = 0.99
    epsilon: float = 1e-8
    weight_decay: float = 0.0


# ---- the objective -------------------------------------------------------------------------------


def smoothed(y, e):
    """y <- (1 - e) y + (e/K) sum_j y_j: a share e of a row goes to its K classes alike."""
    return (1.0 - e) * y + e * y.mean(axis=1, keepdims=True)


def dropout_masks(sizes, rows, p, seed, step):
    """r / (1 - p) for each hidden layer, (rows, n_l): so that prediction needs no change."""
    row = np.arange(rows)[:, np.newaxis]
    return [
        dropout_mask(seed, step, layer, row, p, n) / (1.0 - p)
        for layer, n in enumerate(sizes[1:-1], start=1)
    ]


def thinned_forward(weights, biases, X, masks):
    """The forward pass of the thinned network: a_l = sigma(z_l) * mask_l in hidden layers.

    Gives a_0 ... a_L, the hidden sigma(z_l) from before their masks, and z_L.
    """
    activations, sigmas = [X], []
    for W, b, mask in zip(weights[:-1], biases[:-1], masks, strict=True):
        sigmas.append(sigmoid(activations[-1] @ W.T + b))
        activations.append(sigmas[-1] * mask)
    z_L = activations[-1] @ weights[-1].T + biases[-1]
    return [*activations, softmax(z_L)], sigmas, z_L


def no_masks(weights):
    """A mask of 1 for each hidden layer."""
    return [np.ones((1, len(W))) for W in weights[:-1]]


def row_costs(weights, biases, X, y, sample_weight, masks):
    """s_x C_x of each row."""
    _, _, z_L = thinned_forward(weights, biases, X, masks)
    return sample_weight * cross_entropy(z_L, y)


def objective(weights, biases, X, y, sample_weight, masks, l2=0.0, l1=0.0):
    """(1/m) sum_x s_x C_x + (l2/2) sum w^2 + l1 sum |w|."""
    penalty = sum(l2 / 2.0 * (W**2).sum() + l1 * np.abs(W).sum() for W in weights)
    return row_costs(weights, biases, X, y, sample_weight, masks).mean() + penalty


def weighted_backprop(weights, biases, X, y, sample_weight, masks):
    """BP1 to BP4 of the thinned network, the error of each row times its weight.

    BP1: delta_L = s (a_L sum_j y_j - y).
    BP2: delta_l = (delta_{l+1} W_{l+1}) * mask_l * sigma(z_l) (1 - sigma(z_l)), since
    a_l = mask_l sigma(z_l), and sigma' is that of z_l, whether the neuron stays in or not.
    """
    activations, sigmas, z_L = thinned_forward(weights, biases, X, masks)
    s = sample_weight[:, np.newaxis]
    deltas = [s * bp1(activations[-1], y)]
    for W_next, sigma, mask in zip(weights[:0:-1], sigmas[::-1], masks[::-1], strict=True):
        deltas.insert(0, bp2(deltas[0], W_next, sigma) * mask)
    nabla_b = [bp3(delta) for delta in deltas]
    nabla_w = [bp4(delta, a) for delta, a in zip(deltas, activations[:-1], strict=True)]
    cost = (sample_weight * cross_entropy(z_L, y)).mean()
    return Backprop(cost, deltas, nabla_b, nabla_w)


def clipped(g, clip_norm):
    """G <- g clip_norm / (|g| + 1e-6) where that makes it smaller; the norm is over everything."""
    if clip_norm == 0.0:
        return g
    return g * min(1.0, clip_norm / (np.linalg.norm(g) + 1e-6))


def penalty_slope(w, l2, l1, is_weight):
    """d/dw of (l2/2) w^2 + l1 |w| on weights; at w = 0, where |w| has none, it is taken as 0."""
    return (l2 * w + l1 * np.sign(w)) * is_weight


# ---- the loop over mini-batches ------------------------------------------------------------------


class Trained(NamedTuple):
    """Where training has come to."""

    weights: list
    biases: list
    state: tuple  # of the optimiser: flat arrays in the order of the parameters
    step: int  # updates done since the state was zero
    cost: float  # sum of s_x C_x over the rows, each taken before its batch's update
    n_correct: float  # rows classified correctly, likewise, each counted s_x times


def flatten(weights, biases):
    """W_1, ..., W_L, b_1, ..., b_L in one array."""
    return np.concatenate([array.ravel() for array in (*weights, *biases)])


def unflatten(w, sizes):
    """The weights and biases that such an array holds."""
    shapes = [*zip(sizes[1:], sizes[:-1], strict=True), *((n,) for n in sizes[1:])]
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    arrays = [
        part.reshape(shape) for part, shape in zip(np.split(w, ends[:-1]), shapes, strict=True)
    ]
    return arrays[: len(sizes) - 1], arrays[len(sizes) - 1 :]


def train_epoch(start, X, y, training, batch_size, order=None, sample_weight=None):
    """One epoch from a `Trained` on, whose sums begin anew; the last batch holds what is left."""
    weights, biases, state, step, _, _ = start
    sizes = [len(W[0]) for W in weights[:1]] + [len(b) for b in biases]
    order = np.arange(len(X)) if order is None else order
    s = np.ones(len(X)) if sample_weight is None else sample_weight
    update, _ = OPTIMIZERS[training.optimizer]
    is_weight = flatten([np.ones_like(W) for W in weights], [np.zeros_like(b) for b in biases])
    total, n_correct = 0.0, 0.0
    for first in range(0, len(X), batch_size):
        batch = order[first : first + batch_size]
        targets = smoothed(y[batch], training.label_smoothing)
        masks = no_masks(weights)
        if training.dropout > 0.0:
            masks = dropout_masks(sizes, len(batch), training.dropout, training.seed, step)

        gradient = weighted_backprop(weights, biases, X[batch], targets, s[batch], masks)
        activations, _, _ = thinned_forward(weights, biases, X[batch], masks)
        correct = activations[-1].argmax(axis=1) == y[batch].argmax(axis=1)
        total += gradient.cost * len(batch)
        n_correct += (s[batch] * correct).sum()

        w = flatten(weights, biases)
        g = clipped(flatten(gradient.nabla_w, gradient.nabla_b), training.clip_norm)
        g = g + penalty_slope(w, training.l2, training.l1, is_weight)
        step += 1
        w, state = update(w, g, state, step, training, is_weight)
        weights, biases = unflatten(w, sizes)
    return Trained(weights, biases, state, step, total, n_correct)
