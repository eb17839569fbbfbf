"""Defaults converge on the digits, and a training that gets nowhere says what to change."""

import warnings

import numpy as np
import pytest
import sigmax
from sigmax._command.digits import load_digits

ARCHITECTURES = [[64, 10], [64, 30, 10], [64, 100, 10], [64, 30, 30, 10]]


@pytest.fixture(scope="module")
def digits():
    """1,400 images to train on and 397 to test on: pixels 0 ... 16, labels."""
    X, y = load_digits()
    X = X.astype(np.float64) * 16
    order = np.random.default_rng(1).permutation(len(y))
    train, test = order[:1400], order[1400:]
    return X[train], y[train], X[test], y[test]


def warned(call):
    """What call warns of."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    assert all(issubclass(w.category, sigmax.TrainingWarning) for w in found)
    return found


# ---- defaults ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", ARCHITECTURES, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_defaults_converge_on_scaled_digits(digits, sizes, seed, dtype):
    X, y, X_test, y_test = digits
    network = sigmax.Network(sizes, seed=seed, dtype=dtype)
    network.fit(X / 16, y)  # a warning would be an error
    assert network.accuracy(X_test / 16, y_test) >= 0.95


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_default_rates_of_all_optimizers_converge(digits, optimizer):
    X, y, X_test, y_test = digits
    network = sigmax.Network([64, 30, 10], seed=0)
    network.fit(X, y, optimizer=optimizer, standardize=True)
    assert network.accuracy(X_test, y_test) >= 0.95


@pytest.mark.parametrize("sizes", ARCHITECTURES, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_raw_pixels_warn_once_and_name_standardize_which_helps(digits, sizes, seed):
    X, y, X_test, y_test = digits
    found = warned(lambda: sigmax.Network(sizes, seed=seed).fit(X, y))
    assert len(found) == 1
    text = str(found[0].message)
    assert "standardize=True" in text and "up to 16" in text
    assert found[0].filename == __file__  # points at the caller
    network = sigmax.Network(sizes, seed=seed)
    assert not warned(lambda: network.fit(X, y, standardize=True))
    assert network.accuracy(X_test, y_test) >= 0.95


def test_raw_pixels_of_bytes_warn_after_one_epoch(digits):
    X, y, _, _ = digits
    found = warned(lambda: sigmax.Network([64, 30, 10], seed=0).fit(X * 16, y, epochs=1))
    assert len(found) == 1 and "after 1 epoch)" in str(found[0].message)


def test_large_columns_that_do_no_harm_are_not_warned_of(rng):
    # Two far clusters: the sigmoids saturate, and tell them apart at once.
    y = np.arange(400) % 2
    X = np.where(y[:, None] == 1, 20.0, -20.0) + rng.normal(size=(400, 3))
    network = sigmax.Network([3, 8, 2], seed=0)
    assert not warned(lambda: network.fit(X, y))
    assert network.accuracy(X, y) == 1.0


def test_sparse_x_is_warned_of_by_all_its_entries(digits):
    sparse = pytest.importorskip("scipy.sparse")
    X, y, _, _ = digits
    network = sigmax.Network([64, 30, 10], seed=0)
    found = warned(lambda: network.fit(sparse.csr_array(X), y, epochs=2))
    dense = warned(lambda: sigmax.Network([64, 30, 10], seed=0).fit(X, y, epochs=2))
    assert str(found[0].message) == str(dense[0].message)


# ---- stalls --------------------------------------------------------------------------------------


def test_a_deep_network_that_stands_still_says_what_to_try(digits):
    X, y, _, _ = digits
    network = sigmax.Network([64, 20, 20, 20, 20, 20, 10], seed=0)
    found = warned(lambda: network.fit(X / 16, y, epochs=12, learning_rate=0.1))
    assert len(found) == 1
    text = str(found[0].message)
    assert "stalled" in text and "after 12 epochs" in text
    for word in ("standardize=True", "optimizer='adam'", "learning_rate", "0.1", "fewer hidden"):
        assert word in text


@pytest.mark.parametrize("sizes", [[3, 2], [3, 2, 2]], ids=str)
def test_an_optimum_where_nothing_can_be_learnt_is_no_stall(sizes):
    # each row three times with either label, but once more with label 1
    X = np.repeat(np.random.default_rng(0).normal(size=(30, 3)), 7, axis=0)
    y = np.tile([0, 0, 0, 1, 1, 1, 1], 30)
    network = sigmax.Network(sizes, dtype="float64", seed=0)
    network.weights[0][...] *= 9
    options = {"optimizer": "lbfgs", "epochs": 500, "gtol": 1e-9, "l2": 1e-3}
    histories = []
    found = warned(lambda: histories.append(network.fit(X, y, **options)))
    assert histories[0].stopped == "converged" and histories[0].epochs >= 10
    assert not found


def test_lbfgs_that_converged_for_want_of_a_gradient_says_so(digits):
    X, y, _, _ = digits
    options = {"optimizer": "lbfgs", "epochs": 500}
    histories = []

    def fit(sizes, X, **more):
        network = sigmax.Network(sizes, dtype="float64", seed=0)
        found = warned(lambda: histories.append(network.fit(X, y, **options, **more)))
        text = str(found[0].message)
        assert histories[-1].stopped == "converged"
        assert "stalled" in text
        return text

    text = fit([64, 20, 20, 20, 20, 20, 20, 20, 10], X / 16)
    assert "fewer hidden layers" in text and "standardize" not in text
    assert "less l2" in fit([64, 10, 10], X / 16, l2=1.0, gtol=1e-9)
    assert "standardize=True" in fit([64, 10], X * 1e-9)


def test_a_rate_that_is_too_small_says_so(digits):
    X, y, _, _ = digits
    network = sigmax.Network([64, 30, 10], seed=0)
    found = warned(lambda: network.fit(X / 16, y, epochs=10, learning_rate=1e-7))
    assert "a larger learning_rate (it was 1e-07), more epochs" in str(found[0].message)


def test_a_rate_that_is_too_large_says_so(digits):
    X, y, _, _ = digits
    network = sigmax.Network([64, 30, 10], seed=0)
    found = warned(lambda: network.fit(X / 16, y, epochs=10, learning_rate=300.0))
    assert "a smaller learning_rate (it was 300)" in str(found[0].message)


def test_penalties_that_crush_the_weights_are_named(digits):
    X, y, _, _ = digits
    network = sigmax.Network([64, 30, 10], seed=0)
    found = warned(lambda: network.fit(X / 16, y, epochs=10, l2=1.0))
    assert "less l2, " in str(found[0].message)
    assert "l1" not in str(found[0].message)


def test_a_penalty_that_hardly_counts_is_not_named(digits):
    X, y, _, _ = digits
    network = sigmax.Network([64, 30, 10], seed=0)
    found = warned(lambda: network.fit(X / 16, y, epochs=10, learning_rate=1e-7, l2=1e-6, l1=1e-9))
    assert "l2" not in str(found[0].message)
    assert "less l1, " in str(found[0].message)


@pytest.mark.parametrize("weighted", [False, True])
def test_rare_classes_are_no_stall(rng, weighted):
    # 2 % positive: guessing costs little, so the costs of a good training are compared with that.
    X = rng.normal(size=(2000, 3))
    y = (X[:, 0] > 2.05).astype(int)
    options = {"class_weight": "balanced"} if weighted else {}
    network = sigmax.Network([3, 8, 2], seed=0)
    assert not warned(lambda: network.fit(X, y, **options))


@pytest.mark.parametrize("kind", ["one class", "the same soft label", "smoothed"])
def test_where_nothing_is_to_be_learnt_nothing_is_said(kind):
    X = np.ones((20, 3))
    y = np.tile([0.5, 0.3, 0.2], (20, 1)) if kind == "the same soft label" else np.zeros(20, int)
    options = {"label_smoothing": 0.3} if kind == "smoothed" else {}
    assert not warned(lambda: sigmax.Network([3, 3], seed=0).fit(X, y, epochs=50, **options))


def test_a_stream_is_compared_with_equal_classes(digits):
    X, y, _, _ = digits
    network = sigmax.Network([64, 30, 10], seed=0)
    found = warned(lambda: network.fit(lambda: iter([(X / 16, y)]), epochs=10, learning_rate=1e-7))
    assert "stalled" in str(found[0].message) and "2.303" in str(found[0].message)


def test_few_epochs_are_no_stall(digits):
    X, y, _, _ = digits
    network = sigmax.Network([64, 30, 10], seed=0)
    assert not warned(lambda: network.fit(X / 16, y, epochs=9, learning_rate=1e-7))


def test_divergence_says_what_to_change(digits):
    X, y, _, _ = digits
    network = sigmax.Network([64, 30, 10], seed=0)
    with pytest.raises(sigmax.DivergedError) as caught:
        network.fit(X / 16, y, learning_rate=1e30, l2=1.0)
    for word in ("learning_rate", "standardize=True", "clip_norm"):
        assert word in str(caught.value)
    assert np.isfinite(network.parameters).all()


def test_warnings_can_be_made_errors_and_leave_a_usable_network(digits):
    X, y, _, _ = digits
    network = sigmax.Network([64, 30, 10], seed=0)
    with pytest.raises(sigmax.TrainingWarning):  # as pytest's settings make of it
        network.fit(X, y, epochs=3)
    assert network.epochs_trained == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sigmax.TrainingWarning)
        assert network.fit(X, y, epochs=3).epochs == 3


# ---- extreme numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "factor", "remedy"),
    [
        ("float64", 1e300, True),
        ("float64", 1e160, True),
        ("float32", 1e30, True),
        ("float64", 1e307, False),
    ],
)
def test_an_enormous_x_is_warned_of_in_finite_numbers(rng, dtype, factor, remedy):
    X = rng.normal(size=(100, 4))
    y = (X[:, 0] > 0).astype(int)
    network = sigmax.Network([4, 8, 2], dtype=dtype, seed=0)
    with pytest.warns(sigmax.TrainingWarning, match="root mean square of [0-9.]+e") as caught:
        network.fit(X * factor, y, epochs=2)
    text = str(caught[0].message)
    assert "inf" not in text and "scale its columns to about -1 ... 1" in text
    assert ("standardize=True" in text) == remedy
    if remedy:
        network = sigmax.Network([4, 8, 2], dtype=dtype, seed=0)
        network.fit(X * factor, y, epochs=20, learning_rate=2.0, standardize=True)
        assert network.accuracy(X * factor, y) > 0.9
    else:
        message = "expected numbers whose sum and spread.*divide the column by a large number"
        with pytest.raises(ValueError, match=message):
            sigmax.Network([4, 2]).fit(X.clip(-3, 3) * 5e307, y, standardize=True)
        network = sigmax.Network([4, 8, 2], dtype=dtype, seed=0)
        network.fit(X * factor / 1e300, y, epochs=20, learning_rate=2.0, standardize=True)
        assert network.accuracy(X * factor / 1e300, y) > 0.9


@pytest.mark.parametrize("factor", [1e-30, 1e-154, 1e-300])
def test_a_tiny_x_stalls_and_standardize_helps(rng, factor):
    X = rng.normal(size=(100, 4))
    y = (X[:, 0] > 0).astype(int)
    with pytest.warns(sigmax.TrainingWarning, match="stalled.*standardize=True"):
        sigmax.Network([4, 8, 2], seed=0).fit(X * factor, y, epochs=12)
    network = sigmax.Network([4, 8, 2], seed=0)
    network.fit(X * factor, y, epochs=20, learning_rate=2.0, standardize=True)
    assert network.accuracy(X * factor, y) > 0.9


def test_an_x_too_large_for_float32_says_which_network_takes_it(rng):
    X = rng.normal(size=(100, 4)) * 1e60
    y = (X[:, 0] > 0).astype(int)
    with pytest.raises(ValueError, match=r"X, row 0, column 0: .*float32; .*dtype='float64'"):
        sigmax.Network([4, 2]).fit(X, y)
    with pytest.warns(sigmax.TrainingWarning):
        sigmax.Network([4, 2], dtype="float64", seed=0).fit(X, y, epochs=1)
