"""The judge of training is judged: central differences, PyTorch, examples by hand."""

import math

import numpy as np
import pytest
import reference
import reference_training as training
import torch_training
from helpers import central_differences, flatten, random_data, random_parameters
from reference_optimizers import OPTIMIZERS, new_state
from reference_training import Trained, Training

ROWS = 11


def start(weights, biases, optimizer="sgd"):
    """Where training begins."""
    state = new_state(optimizer, flatten(weights, biases).size)
    return Trained(weights, biases, state, 0, 0.0, 0.0)


def random_problem(rng, sizes, p=0.4):
    """Parameters, X, smoothed soft labels, weights of rows (one of them 0), masks of dropout."""
    weights, biases = random_parameters(rng, sizes)
    X, _, soft = random_data(rng, ROWS, sizes)
    sample_weight = rng.exponential(1.0, ROWS)
    sample_weight[3] = 0.0
    masks = training.dropout_masks(sizes, ROWS, p, seed=5, step=2)
    return weights, biases, X, training.smoothed(soft, 0.2), sample_weight, masks


# ---- the objective -------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(3, 2), (1, 1, 2), (3, 6, 5, 4), (2, 5, 4, 6, 3, 2)], ids=str)
def test_weighted_backprop_is_the_gradient_at_fixed_masks(rng, sizes):
    weights, biases, X, y, s, masks = random_problem(rng, sizes)
    gradient = training.weighted_backprop(weights, biases, X, y, s, masks)
    analytic = flatten(gradient.nabla_w, gradient.nabla_b)
    numeric = central_differences(
        lambda: training.objective(weights, biases, X, y, s, masks), [*weights, *biases]
    )
    assert gradient.cost == training.objective(weights, biases, X, y, s, masks)
    assert np.linalg.norm(analytic) > 1e-3
    assert np.abs(numeric - analytic).max() < 1e-7 * np.abs(analytic).max()


def test_deltas_are_the_derivatives_by_the_weighted_inputs_at_fixed_masks(rng):
    # b_l enters z_l alone, so for one example delta_l = s dC/dz_l = s dC/db_l.
    sizes = (3, 6, 5, 3)
    weights, biases, X, y, s, _ = random_problem(rng, sizes)
    masks = [np.array([[2.0, 0.0, 2.0, 2.0, 0.0, 2.0]]), np.array([[0.0, 2.0, 2.0, 0.0, 2.0]])]
    one = (X[:1], y[:1], s[:1], masks)
    deltas = training.weighted_backprop(weights, biases, *one).deltas
    numeric = central_differences(lambda: training.objective(weights, biases, *one), biases)
    together = np.concatenate(deltas, axis=1)[0]
    assert np.abs(numeric - together).max() < 1e-7 * np.abs(numeric).max()
    for delta, mask in zip(deltas, masks, strict=False):
        np.testing.assert_array_equal(delta == 0.0, mask == 0.0)


@pytest.mark.parametrize(("l2", "l1"), [(0.3, 0.0), (0.0, 0.2), (0.3, 0.2)])
def test_penalty_slope_is_the_gradient_of_the_penalty(rng, l2, l1):
    weights, biases, X, y, s, masks = random_problem(rng, (3, 4, 3))
    gradient = training.weighted_backprop(weights, biases, X, y, s, masks)
    w = flatten(weights, biases)
    is_weight = flatten([np.ones_like(W) for W in weights], [np.zeros_like(b) for b in biases])
    analytic = flatten(gradient.nabla_w, gradient.nabla_b)
    analytic = analytic + training.penalty_slope(w, l2, l1, is_weight)
    numeric = central_differences(
        lambda: training.objective(weights, biases, X, y, s, masks, l2, l1), [*weights, *biases]
    )
    assert np.abs(numeric - analytic).max() < 1e-7 * np.abs(analytic).max()


def test_l1_has_no_slope_at_zero():
    slope = training.penalty_slope(
        np.array([-2.0, 0.0, 3.0, 4.0]), 0.0, 0.5, np.array([1, 1, 1, 0])
    )
    np.testing.assert_array_equal(slope, [-0.5, 0.0, 0.5, 0.0])


def test_without_anything_added_it_is_the_plain_network(rng):
    weights, biases, X, y, _, _ = random_problem(rng, (3, 6, 5, 4))
    plain = reference.backprop(weights, biases, X, y)
    masks = training.no_masks(weights)
    weighted = training.weighted_backprop(weights, biases, X, y, np.ones(ROWS), masks)
    assert weighted.cost == plain.cost
    np.testing.assert_array_equal(
        flatten(weighted.nabla_w, weighted.nabla_b), flatten(plain.nabla_w, plain.nabla_b)
    )


def test_smoothed_by_hand():
    y = np.array([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [2.0, 0.0, 0.0, 2.0]])
    expected = [[0.85, 0.05, 0.05, 0.05], [0.45, 0.45, 0.05, 0.05], [1.8, 0.2, 0.2, 1.8]]
    np.testing.assert_allclose(training.smoothed(y, 0.2), expected, rtol=1e-15)


def test_clipped_by_hand():
    g = np.array([3.0, 4.0])
    np.testing.assert_array_equal(training.clipped(g, 0.0), g)
    np.testing.assert_array_equal(training.clipped(g, 5.1), g)
    np.testing.assert_allclose(training.clipped(g, 1.0), g / 5.000001, rtol=1e-15)


# ---- the optimisers ------------------------------------------------------------------------------

# Two updates of one weight by hand: w = 1, g = 2 and then g = -1, eta = 1/4.
BY_HAND = {
    "sgd": (Training("sgd", 0.25), [0.5, 0.75]),
    # v = 2, then 2/2 - 1 = 0
    "momentum": (Training("momentum", 0.25, momentum=0.5), [0.5, 0.5]),
    # g + v/2 = 3, then -1 + 0
    "nesterov": (Training("nesterov", 0.25, momentum=0.5), [0.25, 0.5]),
    # v = 4/4 = 1, then 3/4 + 1/4 = 1; epsilon 1: steps of 2/2 and -1/2, times eta
    "rmsprop": (Training("rmsprop", 0.25, rho=0.75, epsilon=1.0), [0.75, 0.875]),
    # m = 2/2 = 1 and v = 4/4 = 1, without bias 2 and 4; the step is 2 / (2 + 2).
    # m = 1/2 - 1/2 = 0: no step.
    "adam": (Training("adam", 0.25, beta1=0.5, beta2=0.75, epsilon=2.0), [0.875, 0.875]),
    # The same, with w - w/8 before each step: 7/8 - 1/8, then (3/4)(7/8).
    "adamw": (
        Training("adamw", 0.25, beta1=0.5, beta2=0.75, epsilon=2.0, weight_decay=0.5),
        [0.75, 0.65625],
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_two_updates_by_hand(name):
    numbers, expected = BY_HAND[name]
    update, n_arrays = OPTIMIZERS[name]
    w, state = np.array([1.0, 1.0]), new_state(name, 2)
    assert len(state) == n_arrays
    for t, (g, expected_w) in enumerate(zip((2.0, -1.0), expected, strict=True), start=1):
        w, state = update(w, np.full(2, g), state, t, numbers, np.array([1.0, 0.0]))
        assert w[0] == pytest.approx(expected_w, rel=1e-15)
    # The second one is a bias, which knows no decay.
    assert w[1] == pytest.approx(BY_HAND["adam" if name == "adamw" else name][1][1], rel=1e-15)


def reference_of(case):
    """The parameters after fifty updates, and the last epoch's cost."""
    weights, biases, X, labels, sample_weight = torch_training.problem()
    y = reference.one_hot(labels, torch_training.SIZES[-1])
    s = torch_training.weights_of_rows(case, sample_weight)
    numbers = torch_training.CASES[case]
    now = start(weights, biases, numbers.optimizer)
    for _ in range(torch_training.EPOCHS):
        now = training.train_epoch(now, X, y, numbers, torch_training.BATCH_SIZE, None, s)
    assert now.step == 50
    return flatten(now.weights, now.biases), now.cost


@pytest.mark.parametrize("case", torch_training.CASES)
def test_fifty_updates_as_recorded_of_pytorch(case):
    expected, expected_cost = torch_training.recorded()[case]
    weights, biases, *_ = torch_training.problem()
    assert np.abs(expected - flatten(weights, biases)).max() > 0.04  # it has gone somewhere
    parameters, cost = reference_of(case)
    np.testing.assert_allclose(parameters, expected, rtol=0, atol=1e-12)
    assert cost == pytest.approx(expected_cost, rel=1e-12)


@pytest.mark.parametrize("case", torch_training.CASES)
def test_the_record_is_what_pytorch_gives(case):
    pytest.importorskip("torch")
    parameters, cost = torch_training.train_in_torch(case)
    expected, expected_cost = torch_training.recorded()[case]
    np.testing.assert_allclose(parameters, expected, rtol=0, atol=1e-12)
    assert cost == pytest.approx(expected_cost, rel=1e-12)


def test_every_case_ends_elsewhere():
    ends = [parameters for parameters, _ in torch_training.recorded().values()]
    for i, end in enumerate(ends):
        for other in ends[:i]:
            assert np.abs(end - other).max() > 1e-5


# ---- the loop ------------------------------------------------------------------------------------


def test_epoch_of_sgd_is_that_of_the_plain_reference(rng):
    sizes = (4, 3, 2)
    weights, biases = random_parameters(rng, sizes)
    X, labels, _ = random_data(rng, 7, sizes)
    y = reference.one_hot(labels, 2)
    *expected, cost, accuracy = reference.sgd_epoch(weights, biases, X, y, 3, 0.7, 0.1)
    now = training.train_epoch(
        start(weights, biases), X, y, Training(learning_rate=0.7, l2=0.1), batch_size=3
    )
    np.testing.assert_allclose(
        flatten(now.weights, now.biases), flatten(*expected), rtol=0, atol=1e-15
    )
    assert now.cost == pytest.approx(7 * cost, rel=1e-14)
    assert (now.n_correct, now.step) == (round(7 * accuracy), 3)


def test_order_is_the_rows_in_that_order(rng):
    sizes = (4, 3, 2)
    weights, biases = random_parameters(rng, sizes)
    X, _, y = random_data(rng, 7, sizes)
    s, order = rng.exponential(1.0, 7), rng.permutation(7)
    numbers = Training("adam", 0.01, dropout=0.5)
    begin = start(weights, biases, "adam")
    by_order = training.train_epoch(begin, X, y, numbers, 3, order, s)
    by_rows = training.train_epoch(begin, X[order], y[order], numbers, 3, None, s[order])
    np.testing.assert_array_equal(by_order.weights[0], by_rows.weights[0])
    assert by_order.cost == by_rows.cost and by_order.n_correct == by_rows.n_correct


def test_weights_of_rows_leave_out_and_repeat(rng):
    # In full batch a weight of 0 leaves a row out, and one of 2 repeats it, when their mean is 1.
    sizes = (4, 5, 3)
    weights, biases = random_parameters(rng, sizes)
    X, _, y = random_data(rng, 8, sizes)
    counts = np.array([0, 1, 2, 3, 1, 0, 2, 1])
    begin = start(weights, biases, "adam")
    numbers = Training("adam", 0.05, l2=0.1)
    weighted = training.train_epoch(begin, X, y, numbers, 8, None, counts / counts.mean())
    repeated = training.train_epoch(
        begin, X.repeat(counts, axis=0), y.repeat(counts, axis=0), numbers, counts.sum()
    )
    np.testing.assert_allclose(
        flatten(weighted.weights, weighted.biases),
        flatten(repeated.weights, repeated.biases),
        rtol=0,
        atol=1e-14,
    )
    assert weighted.cost / 8 == pytest.approx(repeated.cost / counts.sum(), rel=1e-14)


def test_masks_are_of_inverted_dropout():
    (mask,) = training.dropout_masks((3, 2000, 4), 2, p=0.2, seed=3, step=0)
    assert mask.shape == (2, 2000)
    assert set(mask.ravel()) == {0.0, 1.0 / 0.8}
    assert mask.mean() == pytest.approx(1.0, abs=5 * math.sqrt(0.25 / 4000))


def test_flatten_and_unflatten(rng):
    weights, biases = random_parameters(rng, (4, 3, 5, 2))
    again = training.unflatten(flatten(weights, biases), (4, 3, 5, 2))
    for arrays, expected in zip(again, (weights, biases), strict=True):
        for array, wanted in zip(arrays, expected, strict=True):
            np.testing.assert_array_equal(array, wanted)
