"""The judge is judged: central differences, and an example worked out by hand."""

import math

import numpy as np
import pytest
import reference
from helpers import central_differences, flatten, random_data, random_parameters


@pytest.mark.parametrize("sizes", [(3, 2), (1, 1, 2), (3, 6, 5, 4), (2, 3, 4, 3, 2, 3, 2)], ids=str)
@pytest.mark.parametrize("targets", ["one-hot", "soft", "any sum"])
def test_backprop_is_the_gradient_of_the_cost(sizes, targets):
    rng = np.random.default_rng(7)
    weights, biases = random_parameters(rng, sizes)
    X, labels, soft = random_data(rng, 11, sizes)
    y = {
        "one-hot": reference.one_hot(labels, sizes[-1]),
        "soft": soft,
        "any sum": rng.uniform(0.0, 3.0, (11, sizes[-1])),
    }[targets]

    gradient = reference.backprop(weights, biases, X, y)
    analytic = flatten(gradient.nabla_w, gradient.nabla_b)
    parameters = [*weights, *biases]
    numeric = central_differences(lambda: reference.cost(weights, biases, X, y), parameters)

    assert np.linalg.norm(analytic) > 1e-3
    assert np.abs(numeric - analytic).max() < 1e-7 * np.abs(analytic).max()


def test_deltas_are_the_derivatives_by_the_weighted_inputs():
    # b_l enters z_l alone, so for one example delta_l = dC/dz_l = dC/db_l.
    rng = np.random.default_rng(8)
    weights, biases = random_parameters(rng, (3, 5, 4, 3))
    X, labels, _ = random_data(rng, 1, (3, 5, 4, 3))
    y = reference.one_hot(labels, 3)

    deltas = reference.backprop(weights, biases, X, y).deltas
    numeric = central_differences(lambda: reference.cost(weights, biases, X, y), biases)

    assert [delta.shape for delta in deltas] == [(1, 5), (1, 4), (1, 3)]
    assert np.abs(numeric - np.concatenate(deltas, axis=1)[0]).max() < 1e-7 * np.abs(numeric).max()


def test_sigmoid_prime_is_the_derivative_of_sigmoid():
    z = np.linspace(-8.0, 8.0, 33)
    h = 1e-5
    numeric = (reference.sigmoid(z + h) - reference.sigmoid(z - h)) / (2 * h)
    np.testing.assert_allclose(reference.sigmoid_prime(z), numeric, atol=1e-10)


def test_softmax_jacobian_is_the_derivative_of_softmax():
    z = np.random.default_rng(3).normal(0.0, 2.0, 6)
    h = 1e-5
    steps = h * np.eye(6)
    numeric = (reference.softmax(z + steps) - reference.softmax(z - steps)).T / (2 * h)
    np.testing.assert_allclose(reference.softmax_jacobian(z), numeric, atol=1e-10)


# An example by hand. Sizes (2, 2, 2); all is zero but the weights into the first output: ln 3.
#
#     a_1 = (1/2, 1/2),  z_2 = (ln 3, 0),  a_2 = (3, 1) / 4      whatever the input
#
# A row of class 1: C_x = ln 4,        delta_2 = (3/4, -3/4),  delta_1 = (3/4)(ln 3)(1/4), twice.
# A row of class 0: C_x = ln 4 - ln 3, delta_2 = (-1/4, 1/4),  delta_1 = -(1/4)(ln 3)(1/4), twice.
LN3 = math.log(3.0)
WEIGHTS = [np.zeros((2, 2)), np.array([[LN3, LN3], [0.0, 0.0]])]
BIASES = [np.zeros(2), np.zeros(2)]
X = np.array([[1.0, 2.0], [8.0, -4.0]])
Y = np.array([[0.0, 1.0], [1.0, 0.0]])


def test_worked_example_forward():
    activations, z_L = reference.forward(WEIGHTS, BIASES, X)
    assert activations[0] is X
    np.testing.assert_array_equal(activations[1], [[0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_allclose(z_L, [[LN3, 0.0], [LN3, 0.0]], rtol=1e-15)
    np.testing.assert_allclose(activations[2], [[0.75, 0.25], [0.75, 0.25]], rtol=1e-15)


def test_worked_example_backprop():
    got = reference.backprop(WEIGHTS, BIASES, X, Y)
    assert got.cost == pytest.approx((math.log(4.0) + math.log(4.0 / 3.0)) / 2, rel=1e-15)
    np.testing.assert_allclose(got.deltas[1], [[0.75, -0.75], [-0.25, 0.25]], rtol=1e-14)
    np.testing.assert_allclose(got.deltas[0], [[3 * LN3 / 16] * 2, [-LN3 / 16] * 2], rtol=1e-14)
    np.testing.assert_allclose(got.nabla_b[1], [0.25, -0.25], rtol=1e-14)
    np.testing.assert_allclose(got.nabla_b[0], [LN3 / 16] * 2, rtol=1e-14)
    np.testing.assert_allclose(got.nabla_w[1], [[0.125, 0.125], [-0.125, -0.125]], rtol=1e-14)
    # (1/2) (3 ln 3 / 16 * (1, 2) - ln 3 / 16 * (8, -4)) = ln 3 / 32 * (-5, 10)
    np.testing.assert_allclose(got.nabla_w[0], [[-5 * LN3 / 32, 10 * LN3 / 32]] * 2, rtol=1e-14)


def test_worked_example_update():
    weights, biases = reference.sgd_update(
        WEIGHTS, BIASES, reference.backprop(WEIGHTS, BIASES, X, Y), learning_rate=2.0, l2=0.25
    )
    # ln 3 (1 - 2 / 4) - 2 / 8, and 2 / 8
    np.testing.assert_allclose(weights[1], [[LN3 / 2 - 0.25] * 2, [0.25] * 2], rtol=1e-14)
    np.testing.assert_allclose(weights[0], [[5 * LN3 / 16, -5 * LN3 / 8]] * 2, rtol=1e-14)
    np.testing.assert_allclose(biases[1], [-0.5, 0.5], rtol=1e-14)
    np.testing.assert_allclose(biases[0], [-LN3 / 8] * 2, rtol=1e-14)


def test_epoch_takes_cost_and_accuracy_before_each_update():
    rng = np.random.default_rng(5)
    weights, biases = random_parameters(rng, (4, 3, 2))
    inputs, labels, _ = random_data(rng, 7, (4, 3, 2))
    y = reference.one_hot(labels, 2)

    costs, correct = [], []
    by_hand = (weights, biases)
    for rows in (slice(0, 3), slice(3, 6), slice(6, 7)):
        activations, z_L = reference.forward(*by_hand, inputs[rows])
        costs += list(reference.cross_entropy(z_L, y[rows]))
        correct += list(activations[-1].argmax(axis=1) == labels[rows])
        gradient = reference.backprop(*by_hand, inputs[rows], y[rows])
        by_hand = reference.sgd_update(*by_hand, gradient, 0.7, 0.1)
    *parameters, cost, accuracy = reference.sgd_epoch(weights, biases, inputs, y, 3, 0.7, 0.1)

    np.testing.assert_array_equal(flatten(*parameters), flatten(*by_hand))
    assert cost == pytest.approx(np.mean(costs), rel=1e-14)
    assert accuracy == np.mean(correct)


def test_nothing_overflows():
    z = np.array([[-1e300, 1e300], [800.0, -800.0]])
    y = np.array([[0.0, 1.0], [0.0, 1.0]])
    with np.errstate(over="raise", invalid="raise"):
        np.testing.assert_array_equal(reference.sigmoid(z), [[0.0, 1.0], [1.0, 0.0]])
        np.testing.assert_array_equal(reference.softmax(z), [[0.0, 1.0], [1.0, 0.0]])
        np.testing.assert_array_equal(reference.cross_entropy(z, y), [0.0, 1600.0])
