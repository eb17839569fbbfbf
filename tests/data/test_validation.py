"""validation_fraction: which rows are held out, and that only the others are trained on."""

import numpy as np
import pytest
import sigmax
from bad_input import refused
from helpers import random_data
from reference import one_hot
from sigmax._boundary.layout import Layout
from sigmax._data.examples import as_examples
from sigmax._data.splitting import held_out

SIZES = (4, 5, 3)


def examples(labels, n_classes=3):
    labels = np.asarray(labels)
    layout = Layout((1, n_classes), np.float32)
    return as_examples(np.zeros((len(labels), 1), np.float32), labels, layout)


def counts(labels, rows):
    return np.bincount(np.asarray(labels)[rows], minlength=3).tolist()


@pytest.fixture
def data(rng):
    X, y, _ = random_data(rng, 90, SIZES)
    return X, y


# ---- which rows ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_rows", "fraction", "expected"),
    [
        ((40, 20, 10), 0.1, [4, 2, 1]),
        ((40, 20, 10), 0.25, [10, 5, 3]),  # 2.5 is rounded up
        ((10, 1, 2), 0.5, [5, 0, 1]),  # the only row of a class is trained on
        ((10, 3, 2), 0.99, [9, 2, 1]),
        ((4, 4, 100), 0.1, [0, 0, 10]),
        ((5, 0, 5), 0.2, [1, 0, 1]),
    ],
)
def test_each_class_gives_its_share(n_rows, fraction, expected):
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], n_rows))
    train, held = held_out(examples(labels), fraction, 7)
    assert counts(labels, held) == expected
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held])), np.arange(len(labels)))
    assert (np.diff(train) > 0).all() and (np.diff(held) > 0).all()


def test_the_seed_alone_decides():
    labels = np.arange(300) % 3
    first = held_out(examples(labels), 0.2, 11)
    again = held_out(examples(one_hot(labels, 3)), 0.2, 11)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    other = held_out(examples(labels), 0.2, 12)
    assert len(np.intersect1d(first[1], other[1])) < 30  # of 60; by chance 12
    # every row can be held out, and is as often as any other
    times = np.zeros(300)
    for seed in range(200):
        times[held_out(examples(labels), 0.2, seed)[1]] += 1
    assert times.sum() == 200 * 60
    assert times.min() > 10 and times.max() < 75  # 40 within 6 standard deviations of 5.7


def test_a_larger_share_holds_the_smaller_one():
    labels = np.arange(100) % 2
    small, large = (set(held_out(examples(labels), f, 3)[1]) for f in (0.1, 0.3))
    assert small < large


# ---- in fit --------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", ["labels", "soft"])
@pytest.mark.parametrize("kind", ["array", "list", "float64"])
def test_fit_trains_on_the_rest_and_measures_on_what_was_held_out(data, targets, kind):
    X, y = data
    y = y if targets == "labels" else one_hot(y, 3)
    given = {"array": X.astype(np.float32), "list": X.tolist(), "float64": X}[kind]
    network = sigmax.Network(SIZES, seed=9)
    apart = network.copy()
    history = network.fit(given, y, epochs=3, validation_fraction=0.3)
    train, held = held_out(examples(y), 0.3, 9)
    expected = apart.fit(X[train], y[train], epochs=3, X_val=X[held], y_val=y[held])
    np.testing.assert_array_equal(network.parameters, apart.parameters)
    for name in ("cost", "accuracy", "val_cost", "val_accuracy"):
        assert getattr(history, name) == getattr(expected, name)
    assert len(history.val_cost) == 3


def test_a_second_fit_holds_out_the_same_rows(data):
    # Rows that were trained on would make the validation of the second call look good.
    X, y = data
    network = sigmax.Network(SIZES, seed=9)
    history = network.fit(X, y, epochs=2, validation_fraction=0.2)
    _, held = held_out(examples(y), 0.2, 9)
    assert network.cost(X[held], y[held]) == history.val_cost[-1]
    history = network.fit(X, y, epochs=2, validation_fraction=0.2)
    assert network.cost(X[held], y[held]) == history.val_cost[-1]


def test_weights_go_with_their_rows(data, rng):
    X, y = data
    weights = rng.uniform(0.0, 2.0, len(X))
    network = sigmax.Network(SIZES, seed=9, dtype="float64")
    apart = network.copy()
    options = {"epochs": 3, "class_weight": "balanced"}
    history = network.fit(X, y, sample_weight=weights, validation_fraction=0.3, **options)
    train, held = held_out(examples(y), 0.3, 9)
    expected = apart.fit(
        X[train], y[train], sample_weight=weights[train], X_val=X[held], y_val=y[held],
        sample_weight_val=weights[held], **options,
    )  # fmt: skip
    np.testing.assert_array_equal(network.parameters, apart.parameters)
    assert history.val_cost == expected.val_cost


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_rows_of_weight_0_are_not_held_out(data, class_weight):
    X, y = data
    weights = np.zeros(len(X))
    counted = np.concatenate([np.flatnonzero(y == label)[:4] for label in range(3)])
    weights[counted] = 2.0
    options = {"epochs": 2, "batch_size": len(X), "class_weight": class_weight}
    network = sigmax.Network(SIZES, seed=9, dtype="float64")
    apart = network.copy()
    history = network.fit(X, y, sample_weight=weights, validation_fraction=0.25, **options)
    held = held_out(examples(y).weighted(weights), 0.25, 9)[1]
    assert set(held) < set(counted) and counts(y, held) == [1, 1, 1]
    assert network.cost(X[held], y[held]) == history.val_cost[-1]
    left = np.setdiff1d(np.arange(len(X)), held)
    apart.fit(X[left], y[left], sample_weight=weights[left], **options)
    np.testing.assert_array_equal(network.parameters, apart.parameters)


@pytest.mark.parametrize("weighted", [False, True])
def test_rows_of_a_class_of_weight_0_are_not_held_out(data, weighted):
    X, y = data
    weights = np.arange(len(X)) % 2.0 if weighted else None
    network = sigmax.Network(SIZES, seed=9, dtype="float64")
    history = network.fit(
        X, y, epochs=2, sample_weight=weights, class_weight={1: 0.0}, validation_fraction=0.2
    )
    counted = (y != 1) & (weights > 0) if weighted else y != 1
    held = held_out(examples(y).weighted(counted.astype(float)), 0.2, 9)[1]
    assert set(y[held]) == {0, 2}
    assert network.cost(X[held], y[held]) == history.val_cost[-1]


def test_too_few_rows_with_a_weight(data):
    X, y = data
    weights = np.zeros(len(X))
    weights[0] = 1.0
    network = sigmax.Network(SIZES, seed=9)
    call = {"fit": lambda: network.fit(X, y, sample_weight=weights, validation_fraction=0.5)}
    refused(network, call, ValueError, "leaves no row of the 1 whose weight is not 0 to validate")


def test_the_preparation_knows_only_the_rows_trained_on(data):
    X, y = data
    X = X * 3.0 + 5.0
    network = sigmax.Network(SIZES, seed=9, dtype="float64")
    network.fit(X, y, epochs=1, validation_fraction=0.3, standardize=True)
    train, _ = held_out(examples(y), 0.3, 9)
    np.testing.assert_allclose(network.preparation.mean, X[train].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(network.preparation.scale, X[train].std(axis=0), rtol=1e-12)


def test_bad_rows_are_called_by_their_own_numbers(data):
    X, y = data
    network = sigmax.Network(SIZES, seed=9)
    for row in (0, 1, 2, 50, 89):
        bad = X.copy()
        bad[row, 2] = np.nan
        calls = {"fit": lambda bad=bad: network.fit(bad, y, validation_fraction=0.3)}
        refused(network, calls, ValueError, f"X, row {row}, column 2: nan")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"validation_fraction": 0.5, "X_val": 1, "y_val": 1}, ("validation_fraction", "X_val")),
        ({"validation_fraction": 0.001}, ("validation_fraction is 0.001", "no row of 90")),
        ({"X_val": 1}, ("X_val is given but y_val is not", "both or neither")),
        ({"y_val": 1}, ("y_val is given but X_val is not", "both or neither")),
    ],
    ids=str,
)
def test_validation_data_that_does_not_fit(data, options, words):
    X, y = data
    options = {**options, **{k: v for k, v in (("X_val", X), ("y_val", y)) if k in options}}
    network = sigmax.Network(SIZES, seed=9)
    refused(network, {"fit": lambda: network.fit(X, y, epochs=1, **options)}, ValueError, *words)


def test_validation_data_cannot_be_a_stream(data):
    X, y = data
    network = sigmax.Network(SIZES, seed=9)
    calls = {"fit": lambda: network.fit(X, y, X_val=lambda: iter([(X, y)]))}
    refused(network, calls, TypeError, "X_val is a callable; expected an array")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sample_weight": np.ones(90)}, ("sample_weight", "callable", "None")),
        ({"class_weight": "balanced"}, ("class_weight is 'balanced'", "callable", "None")),
        ({"class_weight": {0: 2.0}}, ("class_weight", "callable", "None")),
        ({"validation_fraction": 0.5}, ("validation_fraction is 0.5", "callable", "X_val")),
    ],
    ids=lambda v: str(v)[:30],
)
def test_a_stream_refuses_what_needs_all_rows(data, options, words):
    X, y = data
    network = sigmax.Network(SIZES, seed=9)
    calls = {"fit": lambda: network.fit(lambda: iter([(X, y)]), epochs=1, **options)}
    refused(network, calls, ValueError, *words)
