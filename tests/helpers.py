"""What several test files share: random networks and data, central differences, comparisons."""

from itertools import pairwise

import numpy as np
import reference
from reference_training import flatten

# Around the edges of the tiles of every instruction set: 1, t - 1, t, t + 1, and primes.
TILE_EDGES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 65, 100, 127, 128, 129, 200)

# How far off the float64 reference C may be, as a share of the largest entry of each array.
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


def random_parameters(rng, sizes):
    """Weights of variance 1/n_in, biases of 1/4: no layer saturates, every parameter matters."""
    weights = [rng.normal(0.0, n_in**-0.5, (n_out, n_in)) for n_in, n_out in pairwise(sizes)]
    biases = [rng.normal(0.0, 0.5, n_out) for n_out in sizes[1:]]
    return weights, biases


def random_data(rng, rows, sizes):
    """X (rows, n_0), labels (rows,), and soft labels (rows, n_L) that sum to 1."""
    X = rng.normal(0.0, 1.0, (rows, sizes[0]))
    soft = rng.exponential(1.0, (rows, sizes[-1]))
    return X, rng.integers(0, sizes[-1], rows), soft / soft.sum(axis=1, keepdims=True)


def reference_parameters(network):
    """The network's weights and biases as float64 copies, for the reference."""
    return (
        [W.astype(np.float64) for W in network.weights],
        [b.astype(np.float64) for b in network.biases],
    )


def reference_backprop(network, X, y):
    """The reference's answer for a network's own (rounded) parameters; y as labels or as rows."""
    y = np.asarray(y)
    rows = reference.one_hot(y, network.sizes[-1]) if y.ndim == 1 else y.astype(np.float64)
    return reference.backprop(*reference_parameters(network), np.asarray(X, np.float64), rows)


def randomize(network, rng):
    """Gives the network random parameters, biases included, in place."""
    network.parameters[:] = flatten(*random_parameters(rng, network.sizes))
    return network


def what_it_holds(network):
    """Everything that a file keeps of a network."""
    return (
        network.sizes,
        network.dtype,
        network.seed,
        network.epochs_trained,
        network.parameters.tobytes(),
    )


def saved_bytes(network, path):
    network.save(path)
    return path.read_bytes()


def central_differences(function, arrays, h=6e-6):
    """(f(p + h) - f(p - h)) / 2h for every entry p of the arrays, changed in place and put back.

    h is about the cube root of the float64 epsilon: truncation and rounding err alike, by 1e-11.
    """
    slopes = []
    for array in arrays:
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + h
            above = function()
            array[index] = kept - h
            below = function()
            array[index] = kept
            slopes.append((above - below) / ((kept + h) - (kept - h)))
    return np.array(slopes)


def assert_close(actual, expected, tolerance, what="", least_size=0.0):
    """Equal shapes, and no entry off by more than tolerance times the largest one expected.

    The largest one must not be 0. least_size stands in for it where it is larger.
    """
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, (
        f"{what}: shape {actual.shape}, expected {expected.shape}"
    )
    largest = np.abs(expected).max()
    assert largest > 0, f"{what}: expected is zero everywhere, which would test nothing"
    largest = max(largest, least_size)
    worst = np.abs(actual - expected).max()
    assert worst <= tolerance * largest, (
        f"{what}: off by {worst / largest:.3g} of the largest entry"
    )
