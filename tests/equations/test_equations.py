"""Every equation by name: the C code, through the Python face, against the reference.

Each of BP1 to BP4 is given what the C code itself computed one step earlier, so that a failure
points at one equation; the tests of `backprop` then compare the whole chain, over many shapes.
"""

import numpy as np
import pytest
import reference
import reference_training
import sigmax
from helpers import (
    TILE_EDGES,
    TOLERANCE,
    assert_close,
    central_differences,
    flatten,
    random_data,
    randomize,
    reference_backprop,
    reference_parameters,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sigmax._sigmax import ffi, lib

SIZES = (17, 33, 9, 5)
ROWS = 41

pytestmark = pytest.mark.usefixtures("instruction_set")


@pytest.fixture
def problem(dtype, rng):
    """A network, X in its dtype, labels, and soft labels in its dtype."""
    network = randomize(sigmax.Network(SIZES, dtype=dtype, seed=1), rng)
    X, labels, soft = random_data(rng, ROWS, SIZES)
    return network, X.astype(dtype), labels, soft.astype(dtype)


def logits(rng, dtype, shape=(64, 10)):
    """Weighted inputs within about +-12, in the given precision."""
    return rng.normal(0.0, 4.0, shape).astype(dtype)


# ---- forward, and its functions ------------------------------------------------------------------


def test_forward(problem, dtype):
    network, X, _, _ = problem
    got = network.activations(X)
    expected, _ = reference.forward(*reference_parameters(network), X.astype(np.float64))
    assert len(got) == len(SIZES)
    for layer, (a, a_expected) in enumerate(zip(got, expected, strict=True)):
        assert a.dtype == dtype
        assert_close(a, a_expected, TOLERANCE[dtype], f"a_{layer}")
    np.testing.assert_array_equal(got[0], X)


def test_sigmoid(rng, dtype):
    z = logits(rng, dtype)
    got = sigmax.sigmoid(z)
    assert got.dtype == dtype
    assert_close(got, reference.sigmoid(z.astype(np.float64)), TOLERANCE[dtype])


def test_sigmoid_prime(rng, dtype):
    z = logits(rng, dtype)
    got = sigmax.sigmoid_prime(z)
    assert got.dtype == dtype
    assert_close(got, reference.sigmoid_prime(z.astype(np.float64)), TOLERANCE[dtype])


def test_sigmoid_prime_is_the_derivative_of_sigmoid(rng):
    z = logits(rng, "float64")
    h = 1e-5
    numeric = (sigmax.sigmoid(z + h) - sigmax.sigmoid(z - h)) / (2 * h)
    assert_close(sigmax.sigmoid_prime(z), numeric, 1e-9)


def test_softmax(rng, dtype):
    z = logits(rng, dtype)
    got = sigmax.softmax(z)
    assert got.dtype == dtype
    assert_close(got, reference.softmax(z.astype(np.float64)), TOLERANCE[dtype])
    np.testing.assert_allclose(got.sum(axis=1), 1.0, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("k", [2, 3, 10, 33])
def test_softmax_jacobian_diagonal(rng, dtype, k):
    z = logits(rng, dtype, k)
    a = reference.softmax(z.astype(np.float64)[np.newaxis])[0]
    got = sigmax.softmax_jacobian(z)
    assert got.shape == (k, k) and got.dtype == dtype
    assert_close(np.diag(got), a * (1.0 - a), TOLERANCE[dtype])


@pytest.mark.parametrize("k", [2, 3, 10, 33])
def test_softmax_jacobian_off_diagonal(rng, dtype, k):
    z = logits(rng, dtype, k)
    a = reference.softmax(z.astype(np.float64)[np.newaxis])[0]
    off = ~np.eye(k, dtype=bool)
    assert_close(sigmax.softmax_jacobian(z)[off], -np.outer(a, a)[off], TOLERANCE[dtype])


def test_softmax_jacobian_is_the_derivative_of_softmax(rng):
    z = rng.normal(0.0, 2.0, 7)
    steps = 1e-5 * np.eye(7)
    numeric = (sigmax.softmax(z + steps) - sigmax.softmax(z - steps)).T / 2e-5
    assert_close(sigmax.softmax_jacobian(z), numeric, 1e-8)


# ---- cost ----------------------------------------------------------------------------------------


def test_cost(problem, dtype):
    network, X, labels, soft = problem
    for y in (labels, soft):
        expected = reference_backprop(network, X, y).cost
        assert network.cost(X, y) == pytest.approx(expected, rel=TOLERANCE[dtype])
        assert network.backprop(X, y).cost == pytest.approx(expected, rel=TOLERANCE[dtype])


def test_cost_of_each_row(rng, dtype):
    z = logits(rng, dtype)
    _, labels, soft = random_data(rng, len(z), (1, z.shape[1]))
    soft = soft.astype(dtype)
    for y, rows in ((labels, reference.one_hot(labels, z.shape[1])), (soft, soft.astype(float))):
        got = sigmax.cross_entropy(z, y)
        assert got.dtype == np.float64
        assert_close(got, reference.cross_entropy(z.astype(float), rows), TOLERANCE[dtype])


def test_cost_is_taken_from_z_where_the_probability_is_zero(dtype):
    z = np.array([[1000.0, 0.0, 0.0], [0.0, 3000.0, 0.0]], dtype)
    np.testing.assert_array_equal(sigmax.softmax(z), [[1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(sigmax.cross_entropy(z, [1, 2]), [1000.0, 3000.0], rtol=1e-15)
    np.testing.assert_array_equal(sigmax.cross_entropy(z, [0, 1]), [0.0, 0.0])


def test_cost_of_a_network_is_taken_from_z(dtype):
    network = sigmax.Network([1, 2], dtype=dtype, seed=0)
    network.parameters[:] = 0
    network.weights[0][:, 0] = [0.0, 2000.0]
    assert network.cost([[1.0]], [0]) == pytest.approx(2000.0, rel=1e-15)
    assert network.cost([[1.0]], [1]) == 0.0


# ---- the four equations --------------------------------------------------------------------------


def test_bp1_one_hot(problem, dtype):
    network, X, labels, _ = problem
    a_L = network.activations(X)[-1].astype(np.float64)
    expected = a_L - reference.one_hot(labels, SIZES[-1])
    assert_close(network.backprop(X, labels).deltas[-1], expected, TOLERANCE[dtype])


def test_bp1_soft(problem, dtype):
    network, X, _, soft = problem
    a_L = network.activations(X)[-1].astype(np.float64)
    expected = reference.bp1(a_L, soft.astype(np.float64))
    assert_close(network.backprop(X, soft).deltas[-1], expected, TOLERANCE[dtype])


def test_bp1_general(rng, dtype):
    # Rows of y of any sum; the one that sums to 0 has the error 0, and the first one is a_L - y.
    z = logits(rng, dtype, (32, 6))
    y = rng.uniform(0.0, 3.0, z.shape).astype(dtype)
    y[0] = reference.one_hot(np.array([2]), 6)
    y[1] = 0.0
    got = sigmax.output_delta(z, y)
    a_L = reference.softmax(z.astype(np.float64))
    assert got.dtype == dtype
    assert_close(got, reference.bp1(a_L, y.astype(np.float64)), TOLERANCE[dtype])
    assert_close(got[0], a_L[0] - y[0], TOLERANCE[dtype])
    np.testing.assert_array_equal(got[1], np.zeros(6))


def test_bp1_general_is_the_derivative_of_the_cost(rng):
    z = rng.normal(0.0, 2.0, (5, 4))
    y = rng.uniform(0.0, 3.0, z.shape)
    numeric = central_differences(lambda: sigmax.cross_entropy(z, y).sum(), [z])
    assert_close(sigmax.output_delta(z, y).ravel(), numeric, 1e-8)


def test_bp2(problem, dtype):
    network, X, labels, _ = problem
    weights, _ = reference_parameters(network)
    activations = [a.astype(np.float64) for a in network.activations(X)]
    deltas = [delta.astype(np.float64) for delta in network.backprop(X, labels).deltas]
    assert len(deltas) == len(SIZES) - 1
    for layer in (2, 1):
        expected = reference.bp2(deltas[layer], weights[layer], activations[layer])
        assert_close(deltas[layer - 1], expected, TOLERANCE[dtype], f"delta_{layer}")


def test_bp3(problem, dtype):
    network, X, labels, _ = problem
    got = network.backprop(X, labels)
    for delta, nabla_b in zip(got.deltas, got.nabla_b, strict=True):
        assert nabla_b.dtype == dtype
        assert_close(nabla_b, reference.bp3(delta.astype(np.float64)), TOLERANCE[dtype])


def test_bp4(problem, dtype):
    network, X, labels, _ = problem
    got = network.backprop(X, labels)
    before = [a.astype(np.float64) for a in network.activations(X)[:-1]]
    for delta, a_before, nabla_w in zip(got.deltas, before, got.nabla_w, strict=True):
        assert nabla_w.dtype == dtype
        expected = reference.bp4(delta.astype(np.float64), a_before)
        assert_close(nabla_w, expected, TOLERANCE[dtype])


# ---- the update ----------------------------------------------------------------------------------


def one_update(network, X, y, learning_rate, l2):
    """Fits one full batch once; gives the parameters that the reference expects."""
    weights, biases = reference.sgd_update(
        *reference_parameters(network), reference_backprop(network, X, y), learning_rate, l2
    )
    network.fit(
        X, y, epochs=1, batch_size=len(X), learning_rate=learning_rate, l2=l2, shuffle=False
    )
    return flatten(weights, biases)


@pytest.mark.parametrize("targets", ["labels", "soft"])
def test_sgd_update(problem, dtype, targets):
    network, X, labels, soft = problem
    y = labels if targets == "labels" else soft
    before = network.parameters.copy()
    expected = one_update(network, X, y, learning_rate=0.75, l2=0.0)
    # The step itself is compared, not only the parameters that it ends in.
    step = network.parameters.astype(np.float64) - before
    assert_close(step, expected - before, 10 * TOLERANCE[dtype], "the step")
    assert_close(network.parameters, expected, TOLERANCE[dtype], "the parameters")


def test_l2_on_weights_not_biases(problem, dtype):
    network, X, labels, _ = problem
    plain = network.copy()
    one_update(plain, X, labels, learning_rate=0.5, l2=0.0)
    before = network.copy()
    expected = one_update(network, X, labels, learning_rate=0.5, l2=0.25)
    assert_close(network.parameters, expected, TOLERANCE[dtype])
    for l in range(len(SIZES) - 1):  # noqa: E741
        decay = plain.weights[l].astype(np.float64) - network.weights[l]
        assert_close(decay, 0.5 * 0.25 * before.weights[l].astype(np.float64), TOLERANCE[dtype])
        np.testing.assert_array_equal(plain.biases[l], network.biases[l])


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::sigmax.TrainingWarning")  # this rate leads nowhere, as meant
@pytest.mark.parametrize("l2", [1e-4, 1e-5])
def test_a_small_l2_is_not_rounded_away(rng, l2):
    # learning_rate * l2 is about the epsilon of float32, or less; the sum of 4,000 updates is not.
    X, labels, _ = random_data(rng, 200, (5, 3))
    X = X.astype(np.float32)
    decay = {}
    for dtype in ("float32", "float64"):
        plain = randomize(sigmax.Network([5, 3], dtype=dtype), np.random.default_rng(1))
        decayed = plain.copy()
        options = {"epochs": 4000, "batch_size": 200, "learning_rate": 1e-3, "shuffle": False}
        plain.fit(X, labels, **options)
        decayed.fit(X, labels, l2=l2, **options)
        decay[dtype] = plain.weights[0].astype(np.float64) - decayed.weights[0]
    assert_close(decay["float32"], decay["float64"], 0.1)


# ---- the whole of backprop -----------------------------------------------------------------------


def rms(array):
    """The root of the mean of the squares."""
    return float(np.sqrt(np.mean(np.square(array))))


def chance_sizes(network, X, y, expected):
    """How large each delta, nabla_b and nabla_w would be if the signs in its sums were random.

    An array of one or two entries may cancel to next to nothing by accident, and then says little
    about the size of a fair rounding error. Shapes found by chance are judged by these sizes too.
    """
    weights, biases = reference_parameters(network)
    activations, _ = reference.forward(weights, biases, np.asarray(X, np.float64))
    sizes = [rms(activations[-1]) + rms(expected.deltas[-1])]
    for W, a in zip(weights[:0:-1], activations[-2:0:-1], strict=True):
        sizes.insert(0, sizes[0] * rms(W) * len(W) ** 0.5 * rms(a * (1.0 - a)))
    share = len(X) ** -0.5
    return {
        "deltas": sizes,
        "nabla_b": [size * share for size in sizes],
        "nabla_w": [s * share * rms(a) for s, a in zip(sizes, activations[:-1], strict=True)],
    }


def check_backprop(sizes, rows, dtype, seed, soft=False, by_chance=False):
    """Cost, deltas and nablas against the reference, for a random network and random data."""
    rng = np.random.default_rng(seed)
    network = randomize(sigmax.Network(sizes, dtype=dtype, seed=0), rng)
    X, labels, soft_labels = random_data(rng, rows, sizes)
    X, y = X.astype(dtype), soft_labels.astype(dtype) if soft else labels
    got, expected = network.backprop(X, y), reference_backprop(network, X, y)
    assert got.cost == pytest.approx(expected.cost, rel=TOLERANCE[dtype])
    least = chance_sizes(network, X, y, expected)
    for name in ("deltas", "nabla_b", "nabla_w"):
        triples = zip(getattr(got, name), getattr(expected, name), least[name], strict=True)
        for layer, (actual, wanted, size) in enumerate(triples, start=1):
            what = f"{name} of layer {layer}, sizes {sizes}, {rows} rows"
            assert_close(actual, wanted, TOLERANCE[dtype], what, size if by_chance else 0.0)


def test_backprop_at_row_counts_around_tile_edges(dtype):
    for rows in TILE_EDGES:
        check_backprop((37, 33, 10), rows, dtype, seed=rows)
        check_backprop((5, 3), rows, dtype, seed=rows, soft=True)


@pytest.mark.parametrize("place", ["input", "hidden", "output"])
def test_backprop_at_widths_around_tile_edges(dtype, place):
    for width in TILE_EDGES:
        if place == "output" and width == 1:
            continue  # a last layer has at least two classes
        sizes = {
            "input": (width, 19, 4),
            "hidden": (19, width, width, 4),
            "output": (11, 19, width),
        }
        check_backprop(sizes[place], 23, dtype, seed=width)
        check_backprop(sizes[place], 1, dtype, seed=width, soft=True)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hidden_and_input=st.lists(st.integers(1, 300), min_size=1, max_size=6),
    n_classes=st.integers(2, 300),
    rows=st.integers(1, 140),
    seed=st.integers(0, 2**32 - 1),
    soft=st.booleans(),
)
def test_backprop_of_any_shape(dtype, hidden_and_input, n_classes, rows, seed, soft):
    sizes = (*hidden_and_input, n_classes)
    check_backprop(sizes, rows, dtype, seed, soft, by_chance=True)


@pytest.mark.thorough
@pytest.mark.parametrize("depth", range(1, 7))
def test_backprop_of_wide_networks(dtype, depth):
    rng = np.random.default_rng(depth)
    for _ in range(3):
        sizes = (*(int(n) for n in rng.integers(150, 301, depth)), int(rng.integers(2, 301)))
        check_backprop(sizes, int(rng.integers(1, 201)), dtype, seed=depth)


@pytest.mark.parametrize("sizes", [(6, 3), (1, 1, 2), (5, 7, 4, 3), (3, 4, 3, 4, 3, 4, 3)], ids=str)
@pytest.mark.parametrize("targets", ["labels", "soft"])
def test_backprop_is_the_gradient_of_the_cost(rng, sizes, targets):
    network = randomize(sigmax.Network(sizes, dtype="float64", seed=0), rng)
    X, labels, soft = random_data(rng, 13, sizes)
    y = labels if targets == "labels" else soft
    got = network.backprop(X, y)
    analytic = flatten(got.nabla_w, got.nabla_b)
    numeric = central_differences(lambda: network.cost(X, y), [network.parameters])
    assert np.linalg.norm(analytic) > 1e-3
    assert np.abs(numeric - analytic).max() < 1e-7 * np.abs(analytic).max()


def test_gradient_check(problem):
    network, X, labels, soft = problem
    before = network.parameters.copy()
    for y in (labels, soft):
        worst = network.gradient_check(X, y)
        assert 0.0 < worst < 1e-7  # exactly 0 would mean that nothing was compared
    np.testing.assert_array_equal(network.parameters, before)


def test_worked_example(dtype):
    # As in test_reference.py: all zero but W_2's first row, ln 3; so a_2 = (3, 1) / 4.
    network = sigmax.Network([2, 2, 2], dtype=dtype, seed=0)
    network.parameters[:] = 0
    network.weights[1][0] = np.log(3.0)
    tight = 4 * float(np.finfo(dtype).eps)
    X, y = np.array([[1.0, 2.0], [8.0, -4.0]], dtype), np.array([1, 0])
    got = network.backprop(X, y)
    ln3 = np.log(3.0)
    assert got.cost == pytest.approx((np.log(4.0) + np.log(4.0 / 3.0)) / 2, rel=tight)
    assert_close(network.predict_proba(X), [[0.75, 0.25]] * 2, tight)
    assert_close(got.deltas[1], [[0.75, -0.75], [-0.25, 0.25]], tight)
    assert_close(got.deltas[0], [[3 * ln3 / 16] * 2, [-ln3 / 16] * 2], tight)
    assert_close(got.nabla_w[1], [[0.125, 0.125], [-0.125, -0.125]], tight)
    assert_close(got.nabla_w[0], [[-5 * ln3 / 32, 10 * ln3 / 32]] * 2, tight)
    assert_close(got.nabla_b[1], [0.25, -0.25], tight)
    assert_close(got.nabla_b[0], [ln3 / 16] * 2, tight)


def test_many_equal_rows_keep_their_mean():
    # A chain of additions drifts: in float32 the mean over 60,000 equal rows was off by 5e-4.
    network = sigmax.Network([1, 3], seed=0)
    network.parameters[:] = [0.1, 0.2, 0.3, 0.1, -0.3, 0.7]
    one = network.backprop(np.ones((1, 1), np.float32), [0])
    many = network.backprop(np.ones((60_000, 1), np.float32), np.zeros(60_000, int))
    for expected, actual in ((one.nabla_b, many.nabla_b), (one.nabla_w, many.nabla_w)):
        np.testing.assert_allclose(actual[0], expected[0], rtol=2e-5)


# ---- label smoothing -----------------------------------------------------------------------------


@pytest.mark.parametrize("e", [0.0, 0.1, 0.75])
@pytest.mark.parametrize("k", [1, 2, 3, 10, 33])
def test_smoothed_labels(rng, instruction_set, dtype, e, k):
    labels = rng.integers(0, k, 7)
    y = rng.random((7, k)).astype(dtype)
    one_hot = np.eye(k)[labels]
    of_labels = ffi.from_buffer("int64_t[]", labels), ffi.NULL
    of_rows = ffi.NULL, ffi.from_buffer(y)
    for pointers, rows in ((of_labels, one_hot), (of_rows, y.astype(float))):
        targets = np.full((7, k), np.nan, dtype)
        out = ffi.from_buffer(targets)
        assert lib.sigmax_smooth_labels(targets.itemsize, *pointers, e, out, 7, k) == lib.SIGMAX_OK
        expected = reference_training.smoothed(rows, e)
        np.testing.assert_allclose(targets, expected, rtol=4 * np.finfo(dtype).eps)
