"""Numbers and sizes at the edge, through Python; the kernels' own edges are in tests/c."""

import sys
from pathlib import Path

import numpy as np
import processes
import pytest
import reference
import sigmax
from helpers import assert_close, reference_backprop, reference_parameters

pytestmark = pytest.mark.filterwarnings("ignore:training stalled")


def test_ten_thousand_classes(dtype, rng):
    network = sigmax.Network([5, 7, 10_000], dtype=dtype, seed=1)
    X = rng.normal(size=(11, 5)).astype(dtype)
    y = np.array([0, 9_999, *rng.integers(0, 10_000, 9)])
    tolerance = {"float64": 1e-12, "float32": 2e-5}[dtype]
    activations, _ = reference.forward(*reference_parameters(network), X.astype(np.float64))
    assert_close(network.predict_proba(X), activations[-1], tolerance)
    expected = reference_backprop(network, X, y)
    assert_close(network.backprop(X, y).nabla_w[-1], expected.nabla_w[-1], tolerance)
    assert network.cost(X, y) == pytest.approx(expected.cost, rel=1e-5)
    before = network.cost(X, y)
    network.fit(X, y, epochs=8, batch_size=11, learning_rate=5.0)
    assert network.cost(X, y) < before


@pytest.mark.parametrize("sizes", [(1, 2), (1, 1, 2), (1, 1, 1, 1, 1, 2), (1, 300, 1, 3)])
@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_widths_of_one(dtype, rng, sizes, batch_size):
    network = sigmax.Network(sizes, dtype=dtype, seed=1, init="large")
    X, y = rng.normal(size=(23, 1)), rng.integers(0, sizes[-1], 23)
    tolerance = {"float64": 1e-11, "float32": 1e-4}[dtype]
    expected = reference_backprop(network, X.astype(dtype), y)
    for found, wanted in zip(network.backprop(X, y).nabla_w, expected.nabla_w, strict=True):
        assert_close(found, wanted, tolerance, least_size=1e-3)
    weights, biases = reference_parameters(network)
    rows = reference.one_hot(y, sizes[-1])
    network.fit(X, y, epochs=3, batch_size=batch_size, learning_rate=0.2, shuffle=False)
    for _ in range(3):
        weights, biases, *_ = reference.sgd_epoch(
            weights, biases, X.astype(dtype).astype(np.float64), rows, min(batch_size, 23), 0.2
        )
    for found, wanted in zip(network.weights, weights, strict=True):
        assert_close(found, wanted, 30 * tolerance)


EXTREMES = {"float32": 3.4e38, "float64": 1.7e308}


# Initial weights are below 2 here, so that no product is infinite by itself: infinities of both
# signs would make NaN, unless a multiply-add rounds only their sum.
@pytest.mark.parametrize("factor", [0.5, 0.25, 1e-10])
def test_inputs_and_weights_at_the_limit(dtype, factor):
    limit = EXTREMES[dtype] * factor
    network = sigmax.Network([3, 4, 3], dtype=dtype, seed=1)
    X = np.array([[limit, -limit, limit], [-limit] * 3, [0, 0, 0]], dtype)
    assert np.isfinite(network.predict_proba(X)).all()
    network.weights[0][:] = limit
    network.weights[0][1] = -limit
    probabilities = network.predict_proba(np.abs(X))
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_no_answer_is_nan_in_silence(dtype, instruction_set):
    network, twin = (sigmax.Network([3, 4, 3], dtype=dtype, seed=1) for _ in range(2))
    X, y = np.ones((5000, 3), dtype), np.zeros(5000, int)
    big = np.finfo(dtype).max
    # Hidden neurons are 0, and in that row 1: its z_L are infinite, and inf - inf is NaN.
    X[4321] = big
    network.weights[0][:] = 4
    network.biases[0][:] = -1000
    network.weights[1][:] = big / 2
    asked = {
        "predict_proba": lambda network, X: network.predict_proba(X),
        "predict": lambda network, X: network.predict(X),
        "of float64": lambda network, X: network.predict(X.astype(np.float64)),
        "of a list": lambda network, X: network.predict(X[4300:4400].tolist()),
        "cost": lambda network, X: network.cost(X, y),
        "accuracy": lambda network, X: network.accuracy(X, y),
        "backprop": lambda network, X: network.backprop(X, y),
        "calibrate": lambda network, X: network.calibrate(X, y),
    }
    nan = np.isnan(network.activations(X)[-1]).any(axis=1)
    assert np.flatnonzero(nan).tolist() == [4321]
    twin.parameters[5] = np.nan
    for name, ask in asked.items():
        row = 21 if name == "of a list" else 4321
        with pytest.raises(ValueError, match=rf"X(_val)?\[{row}\]: .* NaN, .*too large"):
            ask(network, X)
        with pytest.raises(ValueError, match=r"weights\[0\]\[1, 2\] is nan; an answer needs"):
            ask(twin, np.ones((5000, 3), dtype))
    assert np.isnan(twin.activations(X[:1])[1]).any()
    # Outputs that are infinite, but for one: a limit that softmax has.
    network.parameters[:] = 0
    network.biases[1][1] = -np.inf
    np.testing.assert_allclose(network.predict_proba(np.ones((1, 3))), [[0.5, 0, 0.5]])


def test_a_validation_whose_outputs_are_nan():
    network = sigmax.Network([2, 2], seed=1)
    network.weights[0][:] = [[4, -4], [-4, 4]]
    X = np.ones((4, 2), np.float32)
    X_val = X.copy()
    X_val[2] = np.finfo(np.float32).max, -np.finfo(np.float32).max
    options = {"epochs": 1, "learning_rate": 1e-3}
    with pytest.raises(ValueError, match=r"X_val\[2\]: .* NaN, .*too large"):
        network.fit(X, [0, 1, 0, 1], X_val=X_val, y_val=[0, 1, 0, 1], **options)
    network.fit(X, [0, 1, 0, 1], X_val=X, y_val=[0, 1, 0, 1], **options)


def test_subnormals_survive(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    network = sigmax.Network([2, 2], dtype=dtype, seed=1)
    network.parameters[:] = [tiny, 3 * tiny, -tiny, 0, 0, 0]
    gradient = network.backprop(np.full((1, 2), 4 * tiny, dtype), [0])
    assert gradient.nabla_w[0].ravel().tolist() == [-2 * tiny, -2 * tiny, 2 * tiny, 2 * tiny]
    assert network.copy().parameters.tolist() == [tiny, 3 * tiny, -tiny, 0, 0, 0]


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_divergence_keeps_the_last_finite_parameters(dtype, optimizer, rng):
    # Row 13 is the one that cannot be computed with: its batch is the fifth, of three rows each.
    X, y = rng.normal(size=(30, 4)).astype(dtype), rng.integers(0, 2, 30)
    X[13] = np.finfo(dtype).max
    options = {"optimizer": optimizer, "batch_size": 3, "shuffle": False, "learning_rate": 1e-3}
    network = sigmax.Network([4, 2], dtype=dtype, seed=3)
    network.weights[0][:] = [[5, 5, 5, 5], [-5, -5, -5, -5]]
    twin = network.copy()
    with pytest.raises(sigmax.DivergedError) as caught:
        network.fit(X, y, epochs=2, **options)
    assert (caught.value.epoch, caught.value.batch) == (0, 4)
    twin.fit(X[:12], y[:12], epochs=1, **options)
    assert network.parameters.tobytes() == twin.parameters.tobytes()
    assert np.isfinite(network.predict_proba(X[:12])).all()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_million_epochs_of_nothing(rounds, tried):
    # What grows is History: a float and its place in a list, for each of four series.
    n = rounds(20_000, 1_000_000)
    per_epoch = float(processes.run("stress/programs/many_epochs.py", n))
    assert per_epoch < 4 * (sys.getsizeof(0.5) + 8) * 2, f"{per_epoch:.0f} bytes for each epoch"
    tried("epochs of two rows in one fit", n)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has all of these")
def test_memory_is_flat(rounds, tried):
    n = rounds(100, 2000)
    grown = int(processes.run("stress/programs/flat_memory.py", n))
    assert grown < 200_000, f"{grown} bytes more after every {n // 5} rounds"
    tried("rounds of everything with flat memory", n)


# ---- the floating-point environment --------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc")
def test_the_floating_point_environment_stays_as_it_is(instruction_set):
    processes.run("stress/programs/floating_point_environment.py")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_network_larger_than_four_gigabytes():
    # More than 2^32 bytes of parameters: no offset may be kept in 32 bits.
    import resource

    available = int(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0])
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if available < 12 << 20 or limit != resource.RLIM_INFINITY:
        pytest.skip("12 GiB of memory are not free")
    network = sigmax.Network([33_000, 33_000, 2], seed=1)
    assert network.parameters.nbytes > 1 << 32
    X = np.zeros((1, 33_000), np.float32)
    X[0, -1] = 1
    a_1 = network.activations(X)[1][0]
    z = network.weights[0][:, -1].astype(np.float64)
    assert_close(a_1, 1 / (1 + np.exp(-z)), 2e-5)
