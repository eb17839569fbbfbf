"""Penalties, clipping and smoothed labels in sigmax_train, one by one and together."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import reference
import reference_training
from c_training import Core, Data, as_rows, train_reference
from helpers import assert_close, flatten, random_data, random_parameters
from reference_optimizers import OPTIMIZERS
from reference_training import Training

pytestmark = pytest.mark.usefixtures("instruction_set")

SIZES = (13, 33, 9, 5)
ROWS = 37
N_WEIGHTS = sum(n * m for n, m in pairwise(SIZES))
TOLERANCE = {"float32": 1e-4, "float64": 1e-11}
RATES = {"sgd": 0.5, "momentum": 0.2, "nesterov": 0.2, "rmsprop": 0.01, "adam": 0.02, "adamw": 0.02}

TERMS = {
    "l2": {"l2": 0.05},
    "l1": {"l1": 0.02},
    "clip_norm": {"clip_norm": 0.1},
    "label_smoothing": {"label_smoothing": 0.3},
    "l2 and l1": {"l2": 0.05, "l1": 0.02},
    "all": {"l2": 0.05, "l1": 0.02, "clip_norm": 0.1, "label_smoothing": 0.3},
}


@pytest.fixture
def problem(rng, dtype):
    """Parameters, X, labels and soft labels, exact in the precision."""
    weights, biases = random_parameters(rng, SIZES)
    X, labels, soft = random_data(rng, ROWS, SIZES)
    rounded = [[a.astype(dtype).astype(np.float64) for a in group] for group in (weights, biases)]
    return *rounded, X.astype(dtype), labels, soft.astype(dtype)


def gradient_norm(weights, biases, X, y):
    gradient = reference.backprop(weights, biases, X.astype(np.float64), y)
    return np.linalg.norm(flatten(gradient.nabla_w, gradient.nabla_b))


# ---- against the reference -----------------------------------------------------------------------


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_term_and_all_of_them(problem, dtype, name, term):
    weights, biases, X, labels, _ = problem
    start, data = flatten(weights, biases), Data(dtype, X, labels)
    plain = Training(name, RATES[name], epsilon=1e-3)
    numbers = replace(plain, **TERMS[term])
    core = Core(SIZES, dtype, start, numbers).train(data, 8, epochs=2)
    expected = train_reference(weights, biases, X, labels, numbers, 8, epochs=2)
    without = train_reference(weights, biases, X, labels, plain, 8, epochs=2)

    end = flatten(expected.weights, expected.biases)
    difference = np.abs(end - flatten(without.weights, without.biases)).max()
    assert difference > 20 * TOLERANCE[dtype] * np.abs(end - start).max(), "the term does nothing"
    assert_close(core.parameters - start, end - start, TOLERANCE[dtype])
    assert core.progress.cost == pytest.approx(expected.cost, rel=TOLERANCE[dtype])
    assert core.progress.n_correct == expected.n_correct


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_all_terms_on_soft_labels(problem, rng, dtype, name):
    weights, biases, X, _, soft = problem
    start, order = flatten(weights, biases), rng.permutation(ROWS)
    numbers = Training(name, RATES[name], epsilon=1e-3, **TERMS["all"])
    core = Core(SIZES, dtype, start, numbers).train(Data(dtype, X, soft), 8, order, epochs=2)
    expected = train_reference(weights, biases, X, soft, numbers, 8, order, epochs=2)
    end = flatten(expected.weights, expected.biases)
    assert_close(core.parameters - start, end - start, TOLERANCE[dtype])
    assert core.progress.cost == pytest.approx(expected.cost, rel=TOLERANCE[dtype])
    assert core.progress.n_correct == expected.n_correct


# ---- penalties -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("term", ["l2", "l1"])
def test_penalties_leave_biases_alone_in_one_update(problem, dtype, name, term):
    weights, biases, X, labels, _ = problem
    start, data = flatten(weights, biases), Data(dtype, X, labels)
    numbers = Training(name, RATES[name], weight_decay=0.4)
    plain = Core(SIZES, dtype, start, replace(numbers, weight_decay=0.0, clip_norm=1e6))
    core = Core(SIZES, dtype, start, replace(numbers, clip_norm=1e6, **{term: 0.7}))
    plain.train(data, ROWS)
    core.train(data, ROWS)
    np.testing.assert_array_equal(core.parameters[N_WEIGHTS:], plain.parameters[N_WEIGHTS:])
    assert (core.parameters[:N_WEIGHTS] != plain.parameters[:N_WEIGHTS]).any()


def test_weight_decay_leaves_biases_alone(problem, dtype):
    weights, biases, X, labels, _ = problem
    start, data = flatten(weights, biases), Data(dtype, X, labels)
    adam = Core(SIZES, dtype, start, Training("adam", 0.02)).train(data, ROWS)
    core = Core(SIZES, dtype, start, Training("adamw", 0.02, weight_decay=0.5)).train(data, ROWS)
    np.testing.assert_array_equal(core.parameters[N_WEIGHTS:], adam.parameters[N_WEIGHTS:])
    decay = adam.parameters[:N_WEIGHTS].astype(np.float64) - core.parameters[:N_WEIGHTS]
    assert_close(decay, 0.02 * 0.5 * start[:N_WEIGHTS], TOLERANCE[dtype])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_l1_leaves_a_weight_of_zero_where_it_is(dtype, name):
    # A column of X is 0, so nothing but the penalty could move the weights that it meets.
    rng = np.random.default_rng(2)
    X, labels, _ = random_data(rng, 12, (3, 2))
    X[:, 1] = 0.0
    weights, biases = random_parameters(rng, (3, 2))
    weights[0][:, 1] = [0.0, -0.0]
    numbers = Training(name, RATES[name], l1=0.1, l2=0.1, weight_decay=0.1)
    core = Core((3, 2), dtype, flatten(weights, biases), numbers).train(Data(dtype, X, labels), 4)
    assert (core.parameters[[1, 4]] == 0).all()
    assert (core.parameters[[0, 2, 3, 5]] != flatten(weights, biases)[[0, 2, 3, 5]]).all()


def test_l1_pulls_by_the_same_amount_whatever_the_weight(dtype):
    # No gradient reaches these weights, so each update brings them nearer to 0 by rate * l1.
    X = np.zeros((4, 3))
    weights = [np.array([[2.0, -3.0, 0.5], [0.25, -0.125, 8.0]])]
    core = Core((3, 2), dtype, flatten(weights, [np.zeros(2)]), Training("sgd", 0.5, l1=0.03125))
    core.train(Data(dtype, X, [0, 1, 0, 1]), 4, epochs=4)
    expected = weights[0] - 4 * 0.5 * 0.03125 * np.sign(weights[0])
    np.testing.assert_array_equal(core.parameters[:6], expected.ravel())


# ---- clipping ------------------------------------------------------------------------------------


def test_clipping_at_and_around_the_norm(problem, dtype):
    weights, biases, X, labels, _ = problem
    start, data = flatten(weights, biases), Data(dtype, X, labels)
    norm = gradient_norm(weights, biases, X, as_rows(labels, SIZES[-1]))
    plain = Core(SIZES, dtype, start, Training("sgd", 1.0, clip_norm=1e9)).train(data, ROWS)
    step = plain.parameters.astype(np.float64) - start
    assert np.linalg.norm(step) == pytest.approx(norm, rel=TOLERANCE[dtype])
    for share in (0.01, 0.5, 0.99):
        numbers = Training("sgd", 1.0, clip_norm=share * norm)
        core = Core(SIZES, dtype, start, numbers).train(data, ROWS)
        clipped = core.parameters.astype(np.float64) - start
        wanted = share * norm / (norm + 1e-6)
        assert_close(clipped, wanted * step, TOLERANCE[dtype] / share)
    unclipped = Core(SIZES, dtype, start, Training("sgd", 1.0, clip_norm=1.01 * norm))
    assert unclipped.train(data, ROWS).parameters.tobytes() == plain.parameters.tobytes()


def test_the_penalty_is_not_clipped(problem, dtype):
    # Clipped to next to nothing, what is left of the step is the penalty's.
    weights, biases, X, labels, _ = problem
    start = flatten(weights, biases)
    core = Core(SIZES, dtype, start, Training("sgd", 0.5, l2=0.25, l1=0.1, clip_norm=1e-12))
    core.train(Data(dtype, X, labels), ROWS)
    w = start[:N_WEIGHTS]
    assert_close(core.parameters[:N_WEIGHTS] - w, -0.5 * (0.25 * w + 0.1 * np.sign(w)), 1e-6)
    np.testing.assert_allclose(core.parameters[N_WEIGHTS:], start[N_WEIGHTS:], atol=1e-7)


def test_clipping_a_gradient_whose_square_overflows(dtype):
    # In float32 the sum of the squares is infinite, the norm itself is not.
    X = np.array([[3e25, 4e25]])
    weights, biases = [np.zeros((2, 2))], [np.zeros(2)]
    core = Core((2, 2), dtype, flatten(weights, biases), Training("sgd", 1.0, clip_norm=1.0))
    core.train(Data(dtype, X, [0]), 1)
    expected = np.array([0.6, 0.8, -0.6, -0.8]) / np.sqrt(2.0)
    np.testing.assert_allclose(core.parameters[:4], expected, rtol=1e-5)


@pytest.mark.parametrize("n_in", [1, 15, 16, 17, 2047, 2048, 2049, 5000])
def test_the_norm_is_over_every_parameter(dtype, n_in):
    # One update of [n_in, 2], whose parameters end within or at the end of a block of the sum.
    rng = np.random.default_rng(n_in)
    X = rng.normal(size=(3, n_in))
    start = np.zeros(2 * n_in + 2)
    core = Core((n_in, 2), dtype, start, Training("sgd", 1.0, clip_norm=1e-3))
    core.train(Data(dtype, X, [0, 1, 1]), 3)
    assert np.linalg.norm(core.parameters.astype(np.float64)) == pytest.approx(1e-3, rel=1e-4)


# ---- smoothed labels -----------------------------------------------------------------------------


@pytest.mark.parametrize("e", [0.05, 0.5, 0.999])
def test_smoothing_is_training_on_smoothed_rows(problem, rng, dtype, e):
    weights, biases, X, labels, soft = problem
    start, order = flatten(weights, biases), rng.permutation(ROWS)
    for y in (labels, soft):
        rows = reference_training.smoothed(as_rows(y, SIZES[-1]), e)
        smoothed = Core(SIZES, dtype, start, Training("momentum", 0.1, label_smoothing=e))
        given = Core(SIZES, dtype, start, Training("momentum", 0.1))
        smoothed.train(Data(dtype, X, y), 8, order)
        given.train(Data(dtype, X, rows), 8, order)
        assert_close(smoothed.parameters - start, given.parameters - start, TOLERANCE[dtype])
        assert smoothed.progress.cost == pytest.approx(given.progress.cost, rel=1e-5)
        assert smoothed.progress.n_correct == given.progress.n_correct


def test_smoothing_keeps_the_sum_of_a_row(dtype):
    # A row of sum 3: (1 - e) y + e mean(y) has the sum 3, so its cost at equal outputs is 3 ln 4.
    y = np.array([[3.0, 0.0, 0.0, 0.0]])
    core = Core((2, 4), dtype, np.zeros(12), Training("sgd", 1.0, label_smoothing=0.2))
    core.train(Data(dtype, np.zeros((1, 2)), y), 1)
    assert core.progress.cost == pytest.approx(3 * np.log(4.0), rel=1e-6)
    # delta = 3/4 - y: -(3/4 - 2.55) and -(3/4 - 0.15)
    np.testing.assert_allclose(core.parameters[8:], [1.8, -0.6, -0.6, -0.6], rtol=1e-6)


def test_smoothing_does_not_change_what_is_correct(problem, dtype):
    weights, biases, X, labels, _ = problem
    start, data = flatten(weights, biases), Data(dtype, X, labels)
    plain = Core(SIZES, dtype, start, Training("sgd", 1e-6)).train(data, 8)
    smoothed = Core(SIZES, dtype, start, Training("sgd", 1e-6, label_smoothing=0.9))
    smoothed.train(data, 8)
    assert 0 < plain.progress.n_correct == smoothed.progress.n_correct < ROWS


def test_smoothing_that_leaves_no_difference_does_not_hide_the_class(dtype):
    parameters = np.zeros(2 * 3 + 3)
    parameters[-1] = 5.0  # the last class wins, by its bias
    labels, soft = np.full(8, 2), np.tile([0.25, 0.25, 0.5], (8, 1))
    for y in (labels, soft):
        core = Core((2, 3), dtype, parameters, Training("sgd", 1e-9, label_smoothing=1.0 - 2e-16))
        assert core.train(Data(dtype, np.zeros((8, 2)), y), 8).progress.n_correct == 8.0
