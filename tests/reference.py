"""The network in plain NumPy, float64: the judge of the C code, to be read beside the derivation.

The equations and their names are those of chapter 2 of Michael Nielsen's "Neural Networks and Deep
Learning", with three changes: rows are examples, the output layer is a softmax, and the cost is
the cross-entropy.

A network of sizes (n_0, ..., n_L) has, for layer l = 1 ... L,

    W_l (n_l, n_{l-1})   weights; w_jk leads from neuron k of layer l-1 to neuron j of layer l
    b_l (n_l,)           biases
    z_l (n, n_l)         weighted inputs, one row per example
    a_l (n, n_l)         activations; a_0 is the input X (n, n_0)
    delta_l (n, n_l)     errors: row x is dC_x/dz_l, C_x being the cost of example x

and targets y (n, n_L). Lists begin with layer 1, but the list of activations begins with a_0.
"""

from typing import NamedTuple

import numpy as np


class Backprop(NamedTuple):
    """The cost, every error, and the gradient of the cost: a list over the layers each."""

    cost: float
    deltas: list
    nabla_b: list
    nabla_w: list


def sigmoid(z):
    """sigma(z) = 1 / (1 + e^-z), written with e^-|z|, which cannot overflow."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1.0 + e)


def sigmoid_prime(z):
    """sigma'(z) = a (1 - a), where a = sigma(z) and 1 - a = sigma(-z)."""
    return sigmoid(z) * sigmoid(-z)


def softmax(z):
    """a_i = e^(z_i) / sum_j e^(z_j) for each row; one number taken from all its z_i cancels."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_jacobian(z):
    """da_i/dz_i = a_i (1 - a_i), and da_j/dz_i = -a_j a_i for j != i; z is one row (K,)."""
    a = softmax(z[np.newaxis])[0]
    return np.diag(a) - np.outer(a, a)


def forward(weights, biases, X):
    """z_l = a_{l-1} W_l^T + b_l; a_l = sigma(z_l) in hidden layers, a_L = softmax(z_L).

    Gives the list a_0 ... a_L, and z_L.
    """
    activations = [X]
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        activations.append(sigmoid(activations[-1] @ W.T + b))
    z_L = activations[-1] @ weights[-1].T + biases[-1]
    return [*activations, softmax(z_L)], z_L


def cross_entropy(z, y):
    """C_x = -sum_i y_i ln a_i, where -ln a_i = (m - z_i) + ln sum_j e^(z_j - m), m = max z."""
    m = z.max(axis=1, keepdims=True)
    minus_log_a = (m - z) + np.log(np.exp(z - m).sum(axis=1, keepdims=True))
    return (y * minus_log_a).sum(axis=1)


def cost(weights, biases, X, y):
    """C = (1/n) sum_x C_x, in nats."""
    _, z_L = forward(weights, biases, X)
    return cross_entropy(z_L, y).mean()


def bp1(a_L, y):
    """BP1: delta_L = a_L sum_j y_j - y, which is a_L - y where the rows of y sum to 1."""
    return a_L * y.sum(axis=1, keepdims=True) - y


def bp2(delta_next, W_next, a):
    """BP2: delta_l = (delta_{l+1} W_{l+1}) * a_l * (1 - a_l), entry by entry."""
    return (delta_next @ W_next) * a * (1.0 - a)


def bp3(delta):
    """BP3: dC/db_l = (1/n) sum_x delta_l."""
    return delta.mean(axis=0)


def bp4(delta, a_before):
    """BP4: dC/dW_l = (1/n) delta_l^T a_{l-1}."""
    return delta.T @ a_before / len(delta)


def backprop(weights, biases, X, y):
    """A pass forward, a pass backward: BP1 at the output, BP2 layer by layer, then BP3 and BP4."""
    activations, z_L = forward(weights, biases, X)
    deltas = [bp1(activations[-1], y)]
    for W_next, a in zip(weights[:0:-1], activations[-2:0:-1], strict=True):
        deltas.insert(0, bp2(deltas[0], W_next, a))
    nabla_b = [bp3(delta) for delta in deltas]
    nabla_w = [bp4(delta, a) for delta, a in zip(deltas, activations[:-1], strict=True)]
    return Backprop(cross_entropy(z_L, y).mean(), deltas, nabla_b, nabla_w)


def sgd_update(weights, biases, gradient, learning_rate, l2=0.0):
    """W <- W - eta (dC/dW + l2 W), b <- b - eta dC/db: downhill on C + (l2/2) sum w^2.

    The sum is over the weights, not the biases.
    """
    return (
        [
            W - learning_rate * (nabla + l2 * W)
            for W, nabla in zip(weights, gradient.nabla_w, strict=True)
        ],
        [b - learning_rate * nabla for b, nabla in zip(biases, gradient.nabla_b, strict=True)],
    )


def sgd_epoch(weights, biases, X, y, batch_size, learning_rate, l2=0.0):
    """One epoch in the order of the rows; the last batch holds what is left.

    Gives the new weights and biases, and the running cost and accuracy: means over the rows, those
    of a batch taken before its own update.
    """
    total, n_correct = 0.0, 0
    for first in range(0, len(X), batch_size):
        batch = slice(first, first + batch_size)
        activations, _ = forward(weights, biases, X[batch])
        gradient = backprop(weights, biases, X[batch], y[batch])
        total += gradient.cost * len(X[batch])
        n_correct += int((activations[-1].argmax(axis=1) == y[batch].argmax(axis=1)).sum())
        weights, biases = sgd_update(weights, biases, gradient, learning_rate, l2)
    return weights, biases, total / len(X), n_correct / len(X)


def one_hot(labels, n_classes):
    """Rows with a 1 at the label and 0 elsewhere."""
    return np.eye(n_classes)[labels]
