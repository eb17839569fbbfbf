"""sample_weight and class_weight: what they mean, and what is refused."""

import math

import numpy as np
import pytest
import reference_training
import sigmax
from bad_input import LOOKS, refused
from helpers import assert_close, random_data, reference_parameters
from reference import one_hot

SIZES = (5, 7, 3)
ROWS = 30
OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "lbfgs")


@pytest.fixture
def data(rng):
    X, labels, soft = random_data(rng, ROWS, SIZES)
    return X, labels, soft


def network():
    return sigmax.Network(SIZES, dtype="float64", seed=5)


def full_batch(optimizer, rows):
    """Seven steps over all rows at once."""
    if optimizer == "lbfgs":
        return {"epochs": 7, "optimizer": optimizer}
    return {"epochs": 7, "batch_size": rows, "optimizer": optimizer, "shuffle": False}


def trained(X, y, weights, optimizer, **options):
    made = network()
    made.fit(X, y, sample_weight=weights, **full_batch(optimizer, len(X)), **options)
    return made.parameters


# ---- what a weight means -------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("targets", ["labels", "soft"])
def test_in_full_batch_zero_leaves_out_and_an_integer_repeats(data, rng, optimizer, targets):
    X, labels, soft = data
    y = labels if targets == "labels" else soft
    weights = rng.integers(0, 4, ROWS)
    assert set(weights) == {0, 1, 2, 3}
    options = {"l2": 0.01, "label_smoothing": 0.1}
    weighted = trained(X, y, weights, optimizer, **options)
    repeated = trained(
        np.repeat(X, weights, axis=0), np.repeat(y, weights, axis=0), None, optimizer, **options
    )
    assert np.abs(weighted - network().parameters).max() > 1e-3
    np.testing.assert_allclose(weighted, repeated, rtol=0, atol=1e-10)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lbfgs"])
def test_zero_alone_leaves_out(data, optimizer):
    X, y, _ = data
    weights = np.ones(ROWS)
    weights[[0, 7, 29]] = 0
    kept = weights > 0
    left_out = trained(X[kept], y[kept], None, optimizer)
    weighted = trained(X, y, weights, optimizer)
    np.testing.assert_allclose(weighted, left_out, rtol=0, atol=1e-10)


@pytest.mark.parametrize("factor", [1e-300, 0.25, 1e300])
def test_only_ratios_matter(data, rng, factor):
    X, y, _ = data
    weights = rng.uniform(0.5, 2.0, ROWS)
    once, twice = network(), network()
    first = once.fit(X, y, sample_weight=weights, epochs=3)
    second = twice.fit(X, y, sample_weight=factor * weights, epochs=3)
    np.testing.assert_allclose(once.parameters, twice.parameters, rtol=1e-12)
    assert first.cost == pytest.approx(second.cost, rel=1e-12)


def test_equal_weights_are_no_weights(data):
    X, y, _ = data
    plain, weighted = network(), network()
    plain.fit(X, y, epochs=3)
    weighted.fit(X, y, epochs=3, sample_weight=np.full(ROWS, 0.3))
    np.testing.assert_array_equal(plain.parameters, weighted.parameters)


@pytest.mark.parametrize("batch_size", [1, 7, 30])
def test_a_batch_is_divided_by_its_rows_and_the_mean_of_all_weights(data, rng, batch_size):
    # sum s dC_x / (m mean(s)): the mean is over all rows, not over those of the batch.
    X, labels, _ = data
    y, weights = one_hot(labels, 3), rng.uniform(0.0, 5.0, ROWS)
    made = network()
    w, b = reference_parameters(made)
    start = reference_training.Trained(w, b, (), 0, 0.0, 0.0)
    training = reference_training.Training(learning_rate=0.3, l2=0.01)
    expected = reference_training.train_epoch(
        start, X, y, training, batch_size, sample_weight=weights / weights.mean()
    )
    history = made.fit(
        X, labels, sample_weight=weights, epochs=1, batch_size=batch_size, learning_rate=0.3,
        l2=0.01, shuffle=False,
    )  # fmt: skip
    parameters = reference_training.flatten(expected.weights, expected.biases)
    assert_close(made.parameters, parameters, 1e-12)
    assert history.cost[0] == pytest.approx(expected.cost / ROWS, rel=1e-12)
    assert history.accuracy[0] == pytest.approx(expected.n_correct / ROWS, rel=1e-12)


def test_costs_are_weighted_means(data, rng):
    X, y, _ = data
    weights = rng.uniform(0.0, 2.0, ROWS)
    made = network()
    rows = np.array([made.cost(X[i : i + 1], y[i : i + 1]) for i in range(ROWS)])
    history = made.copy().fit(
        X, y, sample_weight=weights, batch_size=ROWS, epochs=1, learning_rate=1e-300,
        X_val=X, y_val=y, sample_weight_val=weights,
    )  # fmt: skip
    expected = np.average(rows, weights=weights)
    assert abs(expected - rows.mean()) > 1e-3
    right = np.average(made.predict(X) == y, weights=weights)
    assert history.cost[0] == pytest.approx(expected, rel=1e-12)
    assert history.val_cost[0] == pytest.approx(expected, rel=1e-12)
    assert history.accuracy[0] == pytest.approx(right, rel=1e-12)
    assert history.val_accuracy[0] == pytest.approx(right, rel=1e-12)


@pytest.mark.parametrize("look", LOOKS)
def test_weights_in_any_form(data, rng, look):
    X, y, _ = data
    weights = rng.integers(1, 4, ROWS).astype(np.float64)
    unusual = LOOKS[look](weights)
    if look in ("backwards", "broadcast"):
        weights = np.array(unusual)
    plain, other = network(), network()
    plain.fit(X, y, epochs=2, sample_weight=weights)
    other.fit(X, y, epochs=2, sample_weight=unusual)
    np.testing.assert_array_equal(plain.parameters, other.parameters)


def test_weights_of_small_integer_types_do_not_overflow(data):
    X, y, _ = data
    weights = np.full(ROWS, 200, np.uint8)
    weights[0] = 100
    plain, other = network(), network()
    plain.fit(X, y, epochs=1, sample_weight=weights)
    other.fit(X, y, epochs=1, sample_weight=weights.astype(np.float64))
    np.testing.assert_array_equal(plain.parameters, other.parameters)


# ---- class_weight --------------------------------------------------------------------------------


def test_balanced_is_n_over_k_times_count(rng):
    X = rng.normal(size=(20, 5))
    y = np.array([0] * 12 + [1] * 6 + [2] * 2)
    by_hand = {0: 20 / (3 * 12), 1: 20 / (3 * 6), 2: 20 / (3 * 2)}
    parameters = []
    for options in (
        {"class_weight": "balanced"},
        {"class_weight": by_hand},
        {"class_weight": [by_hand[0], by_hand[1], by_hand[2]]},
        {"class_weight": np.array([1.0, 2.0, 6.0])},
        {"sample_weight": [by_hand[label] for label in y]},
    ):
        made = network()
        made.fit(X, y, epochs=4, batch_size=7, **options)
        parameters.append(made.parameters)
    for other in parameters[1:]:
        np.testing.assert_allclose(parameters[0], other, rtol=1e-10)
    plain = network()
    plain.fit(X, y, epochs=4, batch_size=7)
    assert np.abs(plain.parameters - parameters[0]).max() > 1e-3


@pytest.mark.filterwarnings("ignore:training stalled")  # nothing can be learnt of X
def test_balanced_classes_count_alike_in_the_cost():
    X = np.ones((10, 5))
    y = np.array([0] * 7 + [1] * 2 + [2])
    made = network()
    made.fit(X, y, class_weight="balanced", epochs=400, batch_size=10)
    np.testing.assert_allclose(made.predict_proba(X[:1]), np.full((1, 3), 1 / 3), atol=1e-3)


def test_a_class_that_does_not_occur_takes_no_part(rng):
    X, y = rng.normal(size=(10, 5)), np.array([0] * 8 + [2] * 2)
    one, two = network(), network()
    one.fit(X, y, class_weight="balanced", epochs=3)
    two.fit(X, y, class_weight={0: 1.0, 2: 4.0}, epochs=3)
    np.testing.assert_allclose(one.parameters, two.parameters, rtol=1e-10)


@pytest.mark.parametrize("form", [lambda y: y, lambda y: np.eye(3)[y]])
def test_balanced_does_not_count_rows_of_weight_0(rng, form):
    X, y = rng.normal(size=(20, 5)), np.arange(20) % 3
    weights = np.where(np.arange(20) < 12, y != 1, 1.0)
    there = weights > 0
    one, two = network(), network()
    one.fit(X, form(y), class_weight="balanced", sample_weight=weights, epochs=3, batch_size=20)
    two.fit(
        X[there],
        form(y[there]),
        class_weight="balanced",
        sample_weight=weights[there],
        epochs=3,
        batch_size=20,
    )
    np.testing.assert_allclose(one.parameters, two.parameters, rtol=1e-9)


def test_class_and_sample_weights_are_multiplied(data, rng):
    X, y, _ = data
    weights = rng.uniform(0.5, 2.0, ROWS)
    one, two = network(), network()
    one.fit(X, y, sample_weight=weights, class_weight={1: 3.0}, epochs=3)
    two.fit(X, y, sample_weight=np.where(y == 1, 3.0, 1.0) * weights, epochs=3)
    np.testing.assert_allclose(one.parameters, two.parameters, rtol=1e-10)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0, 1: 3.0}])
def test_soft_labels_weigh_by_their_shares(data, class_weight):
    X, labels, soft = data
    hard, rows, weighted = network(), network(), network()
    hard.fit(X, labels, class_weight=class_weight, epochs=3)
    rows.fit(X, one_hot(labels, 3), class_weight=class_weight, epochs=3)
    np.testing.assert_allclose(hard.parameters, rows.parameters, rtol=1e-9)
    per_class = [2.0, 3.0, 1.0] if class_weight != "balanced" else 1 / soft.sum(axis=0)
    rows, weighted = network(), network()
    rows.fit(X, soft, class_weight=class_weight, epochs=3)
    weighted.fit(X, soft, sample_weight=soft @ per_class, epochs=3)
    np.testing.assert_allclose(rows.parameters, weighted.parameters, rtol=1e-9)


# ---- bad input -----------------------------------------------------------------------------------

NAN, INF = math.nan, math.inf


def changed(row, value):
    weights = np.ones(ROWS)
    weights[row] = value
    return weights


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (changed(3, -0.5), ("row 3", "-0.5", "finite number >= 0")),
        (changed(3, NAN), ("row 3", "nan", "finite number >= 0")),
        (changed(29, INF), ("row 29", "inf", "finite number >= 0")),
        (np.zeros(ROWS), ("0 in all 30 rows", "at least one weight > 0")),
        (np.ones(ROWS - 1), ("29 entries", "one per row, 30")),
        (np.ones(ROWS + 1), ("31 entries", "one per row, 30")),
        (np.ones((ROWS, 1)), ("(30, 1)", "(30,)")),
        (1.0, ("()", "(30,)")),
        ([], ("entries", "30")),
        (["a"] * ROWS, ("'a'", "real numbers")),
        ([1j] * ROWS, ("1j", "real numbers")),
        (np.ma.masked_array(np.ones(ROWS), [True] + [False] * 29), ("row 0: masked",)),
    ],
    ids=lambda v: str(v)[:30],
)
def test_bad_sample_weights(data, weights, words):
    X, y, _ = data
    made = network()
    calls = {
        "fit": lambda: made.fit(X, y, sample_weight=weights, epochs=1),
        "partial_fit": lambda: made.partial_fit(X, y, sample_weight=weights),
    }
    refused(made, calls, (TypeError, ValueError), "sample_weight", *words)
    calls = {
        "validation": lambda: made.fit(X, y, X_val=X, y_val=y, sample_weight_val=weights, epochs=1)
    }
    refused(made, calls, (TypeError, ValueError), "sample_weight_val", *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"class_weight": [1.0, 2.0]}, ("class_weight", "2 entries", "3")),
        ({"class_weight": {3: 1.0}}, ("class_weight", "label 3", "0 to 2")),
        ({"class_weight": [0.0, 0.0, 0.0]}, ("class_weight", "no row", "> 0")),
        (
            {"class_weight": [1.0, 0.0, 1.0], "sample_weight": "only class 1"},
            ("class_weight", "sample_weight", "no row"),
        ),
        ({"sample_weight_val": np.ones(ROWS)}, ("sample_weight_val", "X_val", "both or neither")),
    ],
    ids=lambda v: str(v)[:40],
)
def test_weights_that_do_not_fit_the_rest(data, options, words):
    X, y, _ = data
    if isinstance(options.get("sample_weight"), str):
        options = {**options, "sample_weight": (y == 1).astype(float)}
    made = network()
    refused(made, {"fit": lambda: made.fit(X, y, epochs=1, **options)}, ValueError, *words)
