"""Calibrated probabilities: the temperature is the best one, and the errors are those by hand."""

import pickle

import numpy as np
import pytest
import sigmax
from bad_input import refused
from helpers import randomize
from sigmax._data import rows as _rows
from sigmax._model.calibration import bins_of

ROWS = 3000
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def problem(rng, dtype):
    """A network whose z is 2.5 times what the truth is drawn from, X and labels."""
    network = randomize(sigmax.Network([4, 3], dtype=dtype, seed=1), rng)
    X = rng.normal(0.0, 1.0, (ROWS, 4)).astype(dtype)
    truth = network.predict_proba(X)
    y = (rng.random((ROWS, 1)) > truth.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    network.parameters[:] *= 2.5
    return network, X, y


def softmax_of(network, X, temperature):
    z = X.astype(float) @ network.weights[0].astype(float).T + network.biases[0]
    e = np.exp((z - z.max(axis=1, keepdims=True)) / temperature)
    return e / e.sum(axis=1, keepdims=True)


def cost_by_hand(network, X, y, temperature):
    return -np.log(softmax_of(network, X, temperature)[np.arange(len(y)), y]).mean()


def ece_by_hand(proba, y):
    """Literally the definition: a loop over bins (Guo et al. 2017, equation 3)."""
    confidence, right = proba.max(axis=1).astype(float), proba.argmax(axis=1) == y
    total = 0.0
    for m in range(15):
        inside = (confidence > m / 15) & (confidence <= (m + 1) / 15)
        if inside.any():
            total += inside.sum() / len(y) * abs(right[inside].mean() - confidence[inside].mean())
    return total


def test_the_temperature_is_the_best(problem, dtype):
    network, X, y = problem
    before = network.predict_proba(X)
    found = network.calibrate(X, y)
    assert found.temperature == pytest.approx(2.5, rel=0.1)  # what the truth was sharpened by
    assert network.temperature == found.temperature
    grid = found.temperature * np.exp(np.linspace(-0.02, 0.02, 41))
    costs = [cost_by_hand(network, X, y, T) for T in grid]
    assert abs(np.argmin(costs) - 20) <= 1  # within 0.1 %
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    after = network.predict_proba(X)
    np.testing.assert_allclose(after, softmax_of(network, X, found.temperature), rtol=1e-4)
    assert found.cost_before == pytest.approx(cost_by_hand(network, X, y, 1.0), rel=tolerance)
    expected = cost_by_hand(network, X, y, found.temperature)
    assert found.cost_after == pytest.approx(expected, rel=tolerance)
    assert found.ece_before == pytest.approx(ece_by_hand(before, y), abs=1e-9)
    assert found.ece_after == pytest.approx(ece_by_hand(after, y), abs=1e-9)
    assert found.ece_after < 0.3 * found.ece_before
    assert found.cost_after < found.cost_before


def test_what_it_changes_and_what_not(problem):
    network, X, y = problem
    plain = network.copy()
    found = network.calibrate(X, y)
    np.testing.assert_array_equal(network.parameters, plain.parameters)
    np.testing.assert_array_equal(network.predict(X), plain.predict(X))
    assert network.accuracy(X, y) == plain.accuracy(X, y)
    assert network.cost(X, y) == found.cost_after and plain.cost(X, y) == found.cost_before
    assert (network.predict_proba(X[:1]) != plain.predict_proba(X[:1])).any()
    # the equations stay those of training
    np.testing.assert_array_equal(network.activations(X)[-1], plain.activations(X)[-1])
    assert network.backprop(X, y).cost == plain.backprop(X, y).cost
    assert network.gradient_check(X[:9], y[:9]) == plain.gradient_check(X[:9], y[:9])


def test_again_is_the_same(problem):
    network, X, y = problem
    assert network.calibrate(X, y) == network.calibrate(X, y)


def test_the_next_training_forgets_it(problem):
    network, X, y = problem
    plain = network.copy()
    network.calibrate(X, y)
    network.fit(X, y, epochs=1)
    plain.fit(X, y, epochs=1)
    assert network.temperature == 1.0
    np.testing.assert_array_equal(network.predict_proba(X), plain.predict_proba(X))
    network.calibrate(X, y)
    network.partial_fit(X, y)
    assert network.temperature == 1.0


@pytest.mark.parametrize("copy", [lambda n: n.copy(), lambda n: pickle.loads(pickle.dumps(n))])
def test_copies_keep_it(problem, copy):
    network, X, y = problem
    network.calibrate(X, y)
    again = copy(network)
    assert again.temperature == network.temperature != 1.0
    expected = network.predict_proba(X).tobytes()
    assert again.predict_proba(X).tobytes() == expected
    assert again.predict_proba(X.tolist()).tobytes() == expected  # which has to be converted


def test_data_of_every_kind(problem, tmp_path, monkeypatch):
    monkeypatch.setattr(_rows, "_SMALL_FILE", 0)
    sparse = pytest.importorskip("scipy.sparse")
    network, X, y = problem
    expected = network.copy().calibrate(X, y)
    np.save(tmp_path / "X.npy", X)
    for given in (sparse.csr_array(X), np.load(tmp_path / "X.npy", mmap_mode="r"), X.tolist()):
        assert network.copy().calibrate(given, y) == expected
    one_hot = network.copy().calibrate(X, np.eye(3)[y])
    assert one_hot.temperature == pytest.approx(expected.temperature, rel=1e-4)
    assert one_hot.ece_before == pytest.approx(expected.ece_before, abs=1e-9)


def test_it_works_on_prepared_rows(problem):
    network, X, y = problem
    network.fit(X * 3 + 1, y, epochs=1, standardize=True)
    network.parameters[:] *= 3
    by_hand = sigmax.Network([4, 3], dtype=network.dtype, seed=1)
    by_hand.parameters[:] = network.parameters
    made = network.preparation.apply(X, network.dtype)
    assert network.calibrate(X, y) == by_hand.calibrate(made, y)
    assert network.temperature > 1.5


def test_bins_at_their_edges():
    edges = np.array([m / 15 for m in range(1, 15)])
    np.testing.assert_array_equal(bins_of(edges), np.arange(14))
    np.testing.assert_array_equal(bins_of(np.nextafter(edges, 1)), np.arange(1, 15))
    np.testing.assert_array_equal(bins_of(np.array([0.0, 1e-9, 0.5, 1.0])), [0, 0, 7, 14])


@pytest.mark.parametrize("factor", [0.02, 0.37, 1.0, 3.3, 70.0])
def test_the_temperature_of_any_size(problem, factor):
    network, X, y = problem
    best = network.copy().calibrate(X, y).temperature
    network.parameters[:] *= factor
    assert network.calibrate(X, y).temperature == pytest.approx(best * factor, rel=1e-3)


# ---- where there is no best temperature ----------------------------------------------------------


def test_a_network_that_is_always_right(problem):
    network, X, _ = problem
    y = network.predict(X)
    calls = {"calibrate": lambda: network.calibrate(X, y)}
    refused(network, calls, ValueError, "X_val", "y_val", "right in every row")
    assert network.temperature == 1.0


def test_a_network_that_is_always_wrong(problem):
    network, X, _ = problem
    y = network.predict_proba(X).argmin(axis=1)
    calls = {"calibrate": lambda: network.calibrate(X, y)}
    refused(network, calls, ValueError, "X_val", "y_val", "do not depend on y")
    assert network.temperature == 1.0


def test_a_network_that_says_nothing(problem):
    network, X, y = problem
    network.parameters[:] = 0
    found = network.calibrate(X, y)
    assert found.temperature == 1.0 and found.cost_before == found.cost_after


def test_a_network_that_is_certain_already(problem):
    network, X, _ = problem
    X = np.abs(X) + 1
    network.parameters[:] = 0
    network.biases[0][:] = [5000, 0, 0]
    assert network.calibrate(X, np.zeros(ROWS, int)).temperature == 1.0


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (np.zeros((3, 5)), [0, 1, 2], ("X_val", "5", "4")),
        (np.full((3, 4), NAN), [0, 1, 2], ("X_val", "row 0", "nan")),
        (np.zeros((3, 4)), [0, 1, 3], ("y_val", "row 2", "3")),
        (np.zeros((3, 4)), [0, 1], ("X_val", "y_val", "3", "2")),
        (np.zeros((0, 4)), [], ("X_val", "no rows")),
    ],
)
def test_bad_data(problem, X, y, words):
    network, *_ = problem
    refused(network, {"calibrate": lambda: network.calibrate(X, y)}, ValueError, *words)
