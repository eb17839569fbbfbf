"""Standardization and missing values: fitted in float64, kept with the network, used everywhere."""

import pickle

import numpy as np
import pytest
import sigmax
from bad_input import refused
from helpers import random_data, randomize
from sigmax._boundary.layout import Layout
from sigmax._data.column_statistics import fit_preparation
from sigmax._data.examples import as_examples
from sigmax._data.preparation import Preparation
from sigmax._data.sources import KnownExamples

SIZES = (5, 4, 3)
ROWS = 60
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def network(dtype, rng):
    return randomize(sigmax.Network(SIZES, dtype=dtype, seed=2), rng)


@pytest.fixture
def data(rng, dtype):
    X, labels, _ = random_data(rng, ROWS, SIZES)
    X = X * [1, 2, 0.01, 0.3, 1] + [0, 1, 2, -1, 3]
    return X.astype(dtype), labels


def fitted(X, *, weights=None, standardize=True, fill_missing=False, dtype=np.float64):
    width = np.shape(X)[1]
    examples = as_examples(X, np.zeros(np.shape(X)[0], int), Layout((width, 2), dtype))
    rows = KnownExamples(examples.weighted(weights))
    return fit_preparation(rows, standardize=standardize, fill_missing=fill_missing)


# ---- the statistics ------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 61, 20_011])  # the last one: several blocks
def test_mean_and_deviation(rng, rows):
    X = rng.normal(0.0, 1.0, (rows, 5)) * [1, 10, 1e-3, 1e5, 7] + [0, 1e3, 5, -20, 1e9]
    found = fitted(X)
    if rows == 1:
        np.testing.assert_array_equal(found.mean, X[0])
        np.testing.assert_array_equal(found.scale, np.ones(5))
        return
    exact = X.astype(np.longdouble)
    np.testing.assert_allclose(found.mean, exact.mean(axis=0).astype(float), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(found.scale, exact.std(axis=0).astype(float), rtol=1e-7)
    assert found.fill is None
    made = found.apply(X, np.float64)
    assert np.abs(made.mean(axis=0)).max() < 1e-6 and np.abs(made.std(axis=0) - 1).max() < 1e-6


def test_huge_offsets_in_float32(rng):
    # a mean of 1e6 and a deviation of 1: a sum of squares in float32 would know nothing of it
    X = (1e6 + rng.normal(0.0, 1.0, (5000, 3))).astype(np.float32)
    found = fitted(X, dtype=np.float32)
    exact = X.astype(np.longdouble)
    np.testing.assert_allclose(found.mean, exact.mean(axis=0).astype(float), rtol=1e-12)
    np.testing.assert_allclose(found.scale, exact.std(axis=0).astype(float), rtol=1e-9)
    made = found.apply(X, np.float32)
    assert made.dtype == np.float32
    np.testing.assert_allclose(
        made, ((exact - exact.mean(axis=0)) / exact.std(axis=0)).astype(float), atol=3e-6
    )


@pytest.mark.parametrize("factor", [1e-300, 1e-160, 1e150, 1e300])
def test_tiny_and_huge_numbers(rng, factor):
    X = rng.normal(0.0, 1.0, (500, 2))
    found, plain = fitted(X * factor), fitted(X)
    np.testing.assert_allclose(found.scale / factor, plain.scale, rtol=1e-12)
    np.testing.assert_allclose(
        found.apply(X * factor, float), plain.apply(X, float), rtol=1e-9, atol=1e-12
    )


def test_spread_beyond_float64():
    X = np.array([[0.0, -1.7e308], [1.0, 1.7e308]])
    with pytest.raises(ValueError, match=r"X, column 1: from -1\.7e\+308 to 1\.7e\+308"):
        fitted(X[[0, 1, 1, 1]])


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7e9, 1e-320, 1e300])
def test_constant_columns_become_zero(rng, value):
    X = rng.normal(0.0, 1.0, (20_011, 4))
    X[:, 2] = value
    found = fitted(X)
    assert found.mean[2] == value and found.scale[2] == 1
    assert (found.apply(X, np.float32)[:, 2] == 0).all()


def test_nearly_constant_columns_are_not_constant():
    X = np.full((1000, 1), 1e6)
    X[3] = np.nextafter(1e6, 2e6)
    made = fitted(X).apply(X, float)
    assert made[3] - made[0] > 30  # one outlier in 1000 is sqrt(1000) deviations away


def test_weights_count_rows(rng):
    X = rng.normal([0, 5, 1e4], 1.0, (20_011, 3))
    X[rng.random(X.shape) < 0.1] = NAN
    times = rng.integers(0, 4, len(X))
    X[times == 0] = 1e200  # rows of weight 0 do not count at all
    by_weight = fitted(X, weights=times.astype(float), fill_missing=True)
    repeated = fitted(np.repeat(X, times, axis=0), fill_missing=True)
    for name in ("mean", "scale", "fill"):
        np.testing.assert_allclose(getattr(by_weight, name), getattr(repeated, name), rtol=1e-10)


def test_missing_values(rng):
    X = rng.normal(0.0, 1.0, (20_011, 3)) * 4 + 7
    X[rng.random(X.shape) < 0.3] = NAN
    found = fitted(X, fill_missing=True)
    np.testing.assert_allclose(found.fill, np.nanmean(X, axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.scale, np.nanstd(X, axis=0), rtol=1e-10)
    made = found.apply(X, float)
    assert np.abs(made[np.isnan(X)]).max() < 1e-12  # the mean, standardized
    only_filled = fitted(X, fill_missing=True, standardize=False)
    assert only_filled.mean is None and only_filled.scale is None
    made = only_filled.apply(X, float)
    np.testing.assert_array_equal(made[~np.isnan(X)], X[~np.isnan(X)])
    np.testing.assert_array_equal(
        made[np.isnan(X)], np.broadcast_to(found.fill, X.shape)[np.isnan(X)]
    )


def test_nothing_asked_for_is_nothing():
    assert fitted(np.ones((3, 2)), standardize=False) is None


# ---- sparse --------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fill_missing", [False, True])
def test_sparse_columns_are_scaled_and_not_shifted(rng, weighted, fill_missing):
    sparse = pytest.importorskip("scipy.sparse")
    X = rng.normal(3.0, 1.0, (9000, 40)) * (rng.random((9000, 40)) < 0.2)
    X[:, 3], X[:, 4] = 0, -2.5  # constant
    X[:, 5] = np.arange(9000) == 700
    if fill_missing:
        X[(rng.random(X.shape) < 0.2) & (X != 0)] = NAN
    weights = rng.integers(0, 3, 9000).astype(float) if weighted else None
    found = fitted(sparse.csr_array(X), weights=weights, fill_missing=fill_missing)
    dense = fitted(X, weights=weights, fill_missing=fill_missing)
    expected = dense.scale.copy()
    expected[4] = 2.5
    assert (found.mean == 0).all()
    np.testing.assert_allclose(found.scale, expected, rtol=1e-10)
    if fill_missing:
        np.testing.assert_allclose(found.fill, dense.fill, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("options", [{"standardize": True}, {"nan": "mean"}], ids=str)
def test_a_network_prepared_for_either_takes_both(network, data, rng, options):
    sparse = pytest.importorskip("scipy.sparse")
    X, y = data
    X[rng.random(X.shape) < 0.5] = 0
    if "nan" in options:
        X[5, 2] = NAN
    for given in (X, sparse.csr_array(X)):
        trained = network.copy()
        trained.fit(given, y, epochs=1, **options)
        a, b = trained.copy(), trained.copy()
        a.fit(X, y, epochs=1)
        b.fit(sparse.csr_array(X), y, epochs=1)
        assert a.parameters.tobytes() == b.parameters.tobytes()
        assert a.predict_proba(X).tobytes() == a.predict_proba(sparse.coo_array(X)).tobytes()
        assert a.cost(X, y) == a.cost(sparse.csr_array(X), y)


# ---- networks that have one ----------------------------------------------------------------------


def same_as_by_hand(network, plain, X, y):
    """Every call of network on X gives what plain gives on X prepared by hand."""
    by_hand = network.preparation.apply(np.asarray(X), network.dtype)
    assert plain.preparation is None
    np.testing.assert_array_equal(network.parameters, plain.parameters)
    np.testing.assert_array_equal(network.predict_proba(X), plain.predict_proba(by_hand))
    np.testing.assert_array_equal(network.predict(X), plain.predict(by_hand))
    np.testing.assert_array_equal(network.activations(X)[0], by_hand)
    assert network.cost(X, y) == plain.cost(by_hand, y)
    assert network.accuracy(X, y) == plain.accuracy(by_hand, y)
    assert network.gradient_check(X, y) == pytest.approx(plain.gradient_check(by_hand, y), abs=1e-6)
    np.testing.assert_array_equal(
        network.backprop(X, y).nabla_w[0], plain.backprop(by_hand, y).nabla_w[0]
    )


def test_every_call_prepares(network, data):
    X, y = data
    plain = network.copy()
    options = {"epochs": 3, "batch_size": 7}
    history = network.fit(X, y, standardize=True, X_val=X[:9], y_val=y[:9], **options)
    by_hand = network.preparation.apply(X, network.dtype)
    expected = plain.fit(by_hand, y, X_val=by_hand[:9], y_val=y[:9], **options)
    assert history.val_cost == expected.val_cost
    same_as_by_hand(network, plain, X, y)
    same_as_by_hand(network, plain, X[:1], y[:1])
    assert network.predict_proba(X[:0]).shape == (0, 3)
    assert network.predict_proba(X.tolist()).shape == (ROWS, 3)
    network.fit(X, y, **options)  # a second time: the same preparation
    plain.fit(by_hand, y, **options)
    same_as_by_hand(network, plain, X, y)
    network.partial_fit(X, y, batch_size=7)
    plain.partial_fit(by_hand, y, batch_size=7)
    same_as_by_hand(network, plain, X, y)


def test_missing_values_are_filled_at_prediction(network, data):
    X, y = data
    holes = X.copy()
    holes[::3, 1] = NAN
    holes[5, :] = NAN
    network.fit(holes, y, epochs=2, nan="mean")
    mean = np.nanmean(holes.astype(float), axis=0)
    np.testing.assert_allclose(network.preparation.fill, mean, rtol=1e-12)
    whole = np.where(np.isnan(holes), mean, holes).astype(X.dtype)
    np.testing.assert_allclose(
        network.predict_proba(holes), network.predict_proba(whole), rtol=1e-5
    )
    np.testing.assert_array_equal(network.activations(X)[0], X)
    before = network.preparation
    network.fit(X / 2, y, epochs=1)
    assert network.preparation is before


def test_only_training_rows_are_looked_at(data):
    X, y = data
    network = sigmax.Network(SIZES, seed=1)
    network.fit(X, y, epochs=1, standardize=True, X_val=X * 100, y_val=y)
    np.testing.assert_allclose(network.preparation.mean, X.mean(axis=0, dtype=float), rtol=1e-10)
    part = sigmax.Network(SIZES, seed=1)
    part.fit(X, y, epochs=1, standardize=True, validation_fraction=0.5)
    assert (part.preparation.mean != network.preparation.mean).all()


def test_float64_data_of_a_float32_network_keeps_its_places(rng):
    X = 1e9 + rng.normal(0.0, 1.0, (300, 2))  # all the same in float32
    y = (X[:, 0] > 1e9).astype(int)
    network = sigmax.Network([2, 2], seed=0)
    network.fit(X, y, epochs=20, standardize=True)
    assert network.accuracy(X, y) > 0.97


def test_data_in_memory_are_not_changed(network, data):
    X, y = data
    X[3, 1] = NAN
    before = X.copy()
    network.fit(X, y, epochs=1, standardize=True, nan="mean")
    network.predict(X)
    np.testing.assert_array_equal(X, before)


def test_a_network_that_was_trained_without_gets_none(network, data):
    X, y = data
    network.fit(X, y, epochs=2)
    calls = {"fit": lambda: network.fit(X, y, epochs=1, standardize=True)}
    refused(
        network, calls, ValueError, "standardize is True", "epochs_trained is 2", "a new network"
    )
    assert network.preparation is None


@pytest.mark.parametrize("copy", [lambda n: n.copy(), lambda n: pickle.loads(pickle.dumps(n))])
def test_copies_keep_it(network, data, copy):
    X, y = data
    network.fit(X, y, epochs=1, standardize=True, nan="mean")
    again = copy(network)
    X[0, 0] = NAN
    assert again.predict_proba(X).tobytes() == network.predict_proba(X).tobytes()


def test_state_from_before_there_was_one(network):
    state = network.__getstate__()
    del state["preparation"], state["temperature"]
    old = sigmax.Network.__new__(sigmax.Network)
    old.__setstate__(state)
    assert old.preparation is None and old.temperature == 1.0


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"preparation": 3}, "preparation"),
        ({"preparation": (np.zeros(4), np.ones(4), None)}, "4 columns; expected 5"),
        ({"preparation": (None, None, None)}, "at least one"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"temperature": NAN}, "temperature is nan"),
        ({"temperature": "1"}, "temperature is '1'"),
        ({"heat": 1}, "nothing else"),
    ],
)
def test_bad_state(network, change, word):
    broken = sigmax.Network.__new__(sigmax.Network)
    with pytest.raises((TypeError, ValueError), match=word):
        broken.__setstate__({**network.__getstate__(), **change})


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mean": [0.0]}, "mean and scale"),
        ({"scale": [1.0]}, "mean and scale"),
        ({}, "at least one"),
        ({"mean": [0, 0], "scale": [1]}, r"lengths are \[1, 2\]"),
        ({"mean": [0, NAN], "scale": [1, 1]}, "mean, column 1: nan"),
        ({"mean": [0, 0], "scale": [1, 0]}, "scale, column 1: 0.0; expected a finite number > 0"),
        ({"mean": [0, 0], "scale": [-1, 1]}, "scale, column 0: -1.0"),
        ({"mean": [0, 0], "scale": [1, INF]}, "scale, column 1: inf"),
        ({"fill": [INF]}, "fill, column 0: inf"),
        ({"fill": [[1.0]]}, "fill has shape"),
        ({"fill": ["a"]}, "fill, row 0: 'a' is text"),
    ],
)
def test_bad_preparations(arguments, words):
    with pytest.raises((TypeError, ValueError), match=words):
        Preparation(**arguments)


@pytest.mark.parametrize("X", [np.zeros((3, 2)), np.zeros(3), np.zeros((1, 3), "U1"), None])
def test_apply_refuses_what_is_no_such_array(X):
    with pytest.raises((TypeError, ValueError), match="X"):
        Preparation(fill=np.zeros(3)).apply(X, float)


def test_a_preparation_cannot_be_changed():
    given = np.ones(3)
    preparation = Preparation(mean=given, scale=given)
    given[:] = 5
    assert (preparation.mean == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        preparation.mean[0] = 2
    with pytest.raises(AttributeError):
        preparation.mean = given


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("options", [{}, {"validation_fraction": 0.5}], ids=str)
def test_values_that_are_not_finite(network, data, value, kind, options):
    X, y = data
    X[33, 3] = value
    if kind == "sparse":
        X = pytest.importorskip("scipy.sparse").csr_array(X)
    calls = {"standardize": lambda: network.fit(X, y, standardize=True, **options)}
    if not np.isnan(value):
        calls["nan"] = lambda: network.fit(X, y, nan="mean", **options)
        calls["both"] = lambda: network.fit(X, y, nan="mean", standardize=True, **options)
    refused(network, calls, ValueError, "X", "row 33", "column 3", str(value))
    assert network.preparation is None


@pytest.mark.parametrize("row", [0, 17_000, 20_010])
def test_values_that_are_not_finite_far_down(rng, row):
    sparse = pytest.importorskip("scipy.sparse")
    X = rng.normal(0.0, 1.0, (20_011, 7))
    X[row, 4] = INF
    for given in (X, sparse.csr_array(X)):
        with pytest.raises(ValueError, match=f"X, row {row}, column 4: inf"):
            fitted(given)


def test_missing_values_without_a_fill(network, data):
    X, y = data
    network.fit(X, y, epochs=1, standardize=True)
    X[33, 3] = NAN
    calls = {
        "predict": lambda: network.predict(X),
        "cost": lambda: network.cost(X, y),
        "fit": lambda: network.fit(X, y, epochs=1),
    }
    refused(network, calls, ValueError, "X", "row 33", "column 3", "nan")


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_a_column_without_a_number(network, data, kind):
    X, y = data
    X[:, 3] = NAN
    if kind == "sparse":
        X = pytest.importorskip("scipy.sparse").csr_array(X)
    calls = {"fit": lambda: network.fit(X, y, nan="mean")}
    refused(network, calls, ValueError, "X", "column 3", "no row")


def test_what_becomes_too_large_is_refused(data):
    X, y = data
    network = sigmax.Network(SIZES, dtype="float32", seed=0)
    network.fit(X, y, epochs=1, standardize=True)
    with pytest.raises(ValueError, match=r"X, row 7, column 2: 1e\+300; too large for float32"):
        network.predict(np.where(np.arange(60)[:, None] == 7, [0, 0, 1e300, 0, 0], X))
