"""Weights of rows in sigmax_train, sigmax_backprop and sigmax_cost."""

import numpy as np
import pytest
import reference
import reference_training
from c_training import Core, Data, as_rows, pointer, train_reference
from helpers import assert_close, central_differences, flatten, random_data, random_parameters
from reference_optimizers import OPTIMIZERS
from reference_training import Training
from sigmax._sigmax import ffi, lib

pytestmark = pytest.mark.usefixtures("instruction_set")

SIZES = (13, 33, 9, 5)
ROWS = 37
TOLERANCE = {"float32": 1e-4, "float64": 1e-11}
RATES = {"sgd": 0.5, "momentum": 0.2, "nesterov": 0.2, "rmsprop": 0.01, "adam": 0.02, "adamw": 0.02}


@pytest.fixture
def problem(rng, dtype):
    """Parameters, X, labels, soft labels and weights (one 0, one large) with a mean of 1."""
    weights, biases = random_parameters(rng, SIZES)
    X, labels, soft = random_data(rng, ROWS, SIZES)
    s = rng.exponential(1.0, ROWS)
    s[5], s[20] = 0.0, 30.0
    rounded = [[a.astype(dtype).astype(np.float64) for a in group] for group in (weights, biases)]
    return *rounded, X.astype(dtype), labels, soft.astype(dtype), s / s.mean()


def costed(core, data, temperature=1.0):
    """What sigmax_cost gives: cost and n_correct."""
    cost, n_correct = ffi.new("double *"), ffi.new("double *")
    address = pointer(core.parameters)
    status = lib.sigmax_cost(core.handle, address, temperature, data.struct, cost, n_correct)
    assert status == lib.SIGMAX_OK
    return cost[0], n_correct[0]


def backpropagated(core, data):
    """What sigmax_backprop gives: cost, deltas and gradient as flat arrays."""
    cost, rows, n_neurons = ffi.new("double *"), data.struct.rows, sum(core.sizes[1:])
    activations, deltas = (np.full(rows * n_neurons, np.nan, core.dtype) for _ in range(2))
    gradient = np.full(core.parameters.size, np.nan, core.dtype)
    arrays = (pointer(array) for array in (activations, deltas, gradient))
    address = pointer(core.parameters)
    assert lib.sigmax_backprop(core.handle, address, data.struct, cost, *arrays) == lib.SIGMAX_OK
    return cost[0], deltas, gradient


# ---- against the reference -----------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("targets", ["labels", "soft"])
@pytest.mark.parametrize("batch_size", [1, 8, 37])
def test_training(problem, rng, dtype, name, targets, batch_size):
    weights, biases, X, labels, soft, s = problem
    y = labels if targets == "labels" else soft
    start, order = flatten(weights, biases), rng.permutation(ROWS)
    numbers = Training(name, RATES[name], l2=0.01, epsilon=1e-2)
    core = Core(SIZES, dtype, start, numbers)
    core.train(Data(dtype, X, y, s), batch_size, order, epochs=2)
    expected = train_reference(weights, biases, X, y, numbers, batch_size, order, s, epochs=2)
    step = flatten(expected.weights, expected.biases) - start
    tolerance = TOLERANCE[dtype] * (20 if batch_size == 1 else 1)
    assert np.abs(step).max() > 0.01
    assert_close(core.parameters - start, step, tolerance)
    assert core.progress.cost == pytest.approx(expected.cost, rel=tolerance)
    assert core.progress.n_correct == pytest.approx(expected.n_correct, rel=1e-12)


def test_in_file_order_and_in_chunks(problem, dtype):
    # Without an order the weights are used where they lie; each batch has to find its own.
    weights, biases, X, labels, _, s = problem
    start, data = flatten(weights, biases), Data(dtype, X, labels, s)
    whole = Core(SIZES, dtype, start, Training()).train(data, 8, np.arange(ROWS))
    for chunk in (1, 2, 100):
        core = Core(SIZES, dtype, start, Training()).train(data, 8, None, chunk=chunk)
        assert core.snapshot() == whole.snapshot()


@pytest.mark.parametrize("targets", ["labels", "soft"])
def test_backprop_and_cost(problem, dtype, targets):
    weights, biases, X, labels, soft, s = problem
    y = labels if targets == "labels" else soft
    core, data = Core(SIZES, dtype, flatten(weights, biases), Training()), Data(dtype, X, y, s)
    rows = as_rows(y, SIZES[-1])
    expected = reference_training.weighted_backprop(
        weights, biases, X.astype(np.float64), rows, s, reference_training.no_masks(weights)
    )
    cost, deltas, gradient = backpropagated(core, data)
    tolerance = TOLERANCE[dtype]
    assert cost == pytest.approx(expected.cost, rel=tolerance)
    assert_close(deltas, np.concatenate([delta.ravel() for delta in expected.deltas]), tolerance)
    assert_close(gradient, flatten(expected.nabla_w, expected.nabla_b), tolerance)

    a_L = reference.forward(weights, biases, X.astype(np.float64))[0][-1]
    cost, n_correct = costed(core, data)
    assert cost == pytest.approx(expected.cost, rel=tolerance)
    assert n_correct == pytest.approx(s[a_L.argmax(axis=1) == rows.argmax(axis=1)].sum(), rel=1e-12)


def test_backprop_is_the_gradient_of_the_cost(rng):
    sizes = (5, 7, 4, 3)
    weights, biases = random_parameters(rng, sizes)
    X, labels, _ = random_data(rng, 11, sizes)
    core = Core(sizes, "float64", flatten(weights, biases), Training())
    data = Data("float64", X, labels, rng.exponential(1.0, 11))
    numeric = central_differences(lambda: costed(core, data)[0], [core.parameters])
    _, _, gradient = backpropagated(core, data)
    assert np.linalg.norm(gradient) > 1e-3
    assert np.abs(numeric - gradient).max() < 1e-7 * np.abs(gradient).max()


@pytest.mark.parametrize("temperature", [0.01, 0.5, 1.0, 3.0, 1e6])
def test_cost_at_a_temperature(problem, dtype, temperature):
    weights, biases, X, labels, _, s = problem
    core = Core(SIZES, dtype, flatten(weights, biases), Training())
    _, z_L = reference.forward(weights, biases, X.astype(np.float64))
    y = as_rows(labels, SIZES[-1])
    expected = (s * reference.cross_entropy(z_L / temperature, y)).mean()
    data = Data(dtype, X, labels, s)
    cost, n_correct = costed(core, data, temperature)
    assert cost == pytest.approx(expected, rel=TOLERANCE[dtype])
    assert n_correct == costed(core, data)[1]

    probabilities = np.full((ROWS, SIZES[-1]), np.nan, dtype)
    X = np.ascontiguousarray(X)
    status = lib.sigmax_predict_proba(
        core.handle, pointer(core.parameters), temperature, pointer(X), ROWS, pointer(probabilities)
    )
    assert status == lib.SIGMAX_OK
    # A small temperature enlarges the rounding errors of z before they meet the exponential.
    tolerance = TOLERANCE[dtype] * max(1.0, 0.1 / temperature)
    assert_close(probabilities, reference.softmax(z_L / temperature), tolerance)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_temperatures_that_are_none(problem, dtype, temperature):
    weights, biases, X, labels, _, _ = problem
    core = Core(SIZES, dtype, flatten(weights, biases), Training())
    data, cost = Data(dtype, X, labels), ffi.new("double *", -1.0)
    out = np.zeros((ROWS, SIZES[-1]), dtype)
    address = pointer(core.parameters)
    bad = lib.SIGMAX_BAD_ARGUMENT
    arguments = (core.handle, address, temperature)
    assert lib.sigmax_cost(*arguments, data.struct, cost, ffi.NULL) == bad
    assert lib.sigmax_predict_proba(*arguments, data.struct.X, ROWS, pointer(out)) == bad
    assert cost[0] == -1.0 and not out.any()


# ---- what a weight means -------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_full_batch_weights_leave_out_and_repeat(rng, name):
    # Seven updates; weights divided by their mean, as `fit` hands them on.
    weights, biases = random_parameters(rng, SIZES)
    X, labels, _ = random_data(rng, ROWS, SIZES)
    counts = rng.integers(0, 4, ROWS)
    assert set(counts) == {0, 1, 2, 3}
    start = flatten(weights, biases)
    numbers = Training(name, RATES[name], l2=0.01, label_smoothing=0.1)
    weighted = Core(SIZES, "float64", start, numbers)
    weighted.train(Data("float64", X, labels, counts / counts.mean()), ROWS, epochs=7)
    repeated = Core(SIZES, "float64", start, numbers)
    repeated.train(
        Data("float64", X.repeat(counts, axis=0), labels.repeat(counts)), counts.sum(), epochs=7
    )
    assert np.abs(repeated.parameters - start).max() > 0.01
    np.testing.assert_allclose(weighted.parameters, repeated.parameters, rtol=0, atol=1e-10)
    per_row = weighted.progress.cost / ROWS, repeated.progress.cost / counts.sum()
    assert per_row[0] == pytest.approx(per_row[1], rel=1e-10)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_weights_of_one_change_nothing(problem, dtype, name):
    weights, biases, X, labels, _, _ = problem
    start = flatten(weights, biases)
    plain = Core(SIZES, dtype, start, Training(name, 0.01)).train(Data(dtype, X, labels), 8)
    ones = Core(SIZES, dtype, start, Training(name, 0.01))
    ones.train(Data(dtype, X, labels, np.ones(ROWS)), 8)
    assert ones.snapshot() == plain.snapshot()


def test_batches_aim_where_the_full_batch_does(rng):
    # Over all ways to draw a batch, the mean of the steps is the full batch's step: dividing by a
    # batch's own sum of weights would aim elsewhere.
    sizes, rows = (3, 4, 2), 12
    weights, biases = random_parameters(rng, sizes)
    X, labels, _ = random_data(rng, rows, sizes)
    s = rng.exponential(1.0, rows) ** 3
    s /= s.mean()
    start, data = flatten(weights, biases), Data("float64", X, labels, s)
    numbers = Training("sgd", 1.0)
    full = Core(sizes, "float64", start, numbers).train(data, rows).parameters - start
    steps = []
    for first in range(0, rows, 3):
        core = Core(sizes, "float64", start, numbers)
        assert core.call(data, 3, np.roll(np.arange(rows), -first), 1) == lib.SIGMAX_OK
        steps.append(core.parameters - start)
    assert_close(np.mean(steps, axis=0), full, 1e-12)


def test_a_row_of_weight_zero_has_no_influence(problem, dtype):
    # Not even one whose cost would be huge.
    weights, biases, X, labels, _, s = problem
    start = flatten(weights, biases)
    expected = Core(SIZES, dtype, start, Training()).train(Data(dtype, X, labels, s), 8)
    changed = labels.copy()
    changed[5] = (labels[5] + 1) % SIZES[-1]
    other = Core(SIZES, dtype, start, Training()).train(Data(dtype, X, changed, s), 8)
    assert s[5] == 0.0
    assert other.snapshot() == expected.snapshot()


def test_a_weight_that_is_not_finite_is_divergence(problem, dtype):
    # Callers refuse such weights; if one comes through, it harms no parameter.
    weights, biases, X, labels, _, s = problem
    for bad in (np.nan, np.inf):
        s = s.copy()
        s[17] = bad
        core = Core(SIZES, dtype, flatten(weights, biases), Training())
        assert core.call(Data(dtype, X, labels, s), 8) == lib.SIGMAX_DIVERGED
        assert core.progress.batch == 2
        assert np.isfinite(core.parameters).all() and np.isfinite(core.progress.cost)
