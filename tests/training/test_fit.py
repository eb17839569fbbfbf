"""Training: equal to the reference's gradient descent, and everything that surrounds it."""

import numpy as np
import pytest
import reference
import sigmax
from helpers import TOLERANCE, assert_close, random_data, randomize, reference_parameters
from reference_optimizers import new_state
from reference_random import permutation
from reference_training import Trained, Training, flatten, train_epoch

SIZES = (8, 11, 6, 3)
ROWS = 50
RATES_BY_HAND = {
    "step": [0.4, 0.4, 0.04, 0.04],
    "exponential": [0.01, 0.02, 0.01, 0.005],  # after a warm-up of one epoch
}
NOT_OF_THE_REFERENCE = ("schedule", "schedule_epochs", "schedule_factor", "warmup_epochs")


@pytest.fixture
def data(dtype, rng):
    X, labels, soft = random_data(rng, ROWS, SIZES)
    return X.astype(dtype), labels, soft.astype(dtype)


@pytest.fixture
def network(dtype, rng):
    return randomize(sigmax.Network(SIZES, dtype=dtype, seed=6), rng)


def reference_fit(network, X, y, *, epochs, batch_size, shuffle=False, weights=None, **numbers):
    """The same training by the reference: the parameters, and cost and accuracy of each epoch.

    numbers are those of a reference_training.Training; learning_rate may be a list, of each epoch.
    """
    X, y = X.astype(np.float64), np.asarray(y)
    rows = reference.one_hot(y, network.sizes[-1]) if y.ndim == 1 else y.astype(np.float64)
    rates = numbers.pop("learning_rate")
    rates = rates if isinstance(rates, list) else [rates] * epochs
    numbers.setdefault("seed", network.seed)
    optimizer = numbers.setdefault("optimizer", "sgd")
    state = new_state(optimizer, network.n_parameters)
    now = Trained(*reference_parameters(network), state, 0, 0.0, 0.0)
    costs, accuracies = [], []
    for epoch in range(epochs):
        order = permutation(network.seed, network.epochs_trained + epoch, len(X))
        now = train_epoch(
            now._replace(cost=0.0, n_correct=0.0),
            X,
            rows,
            Training(learning_rate=rates[epoch], **numbers),
            batch_size,
            order if shuffle else None,
            None if weights is None else weights / weights.mean(),
        )
        costs.append(now.cost / len(X))
        accuracies.append(now.n_correct / len(X))
    return flatten(now.weights, now.biases), costs, accuracies


# ---- the same as the reference -------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 10, 25, 49, 50, 64, 10**9])
@pytest.mark.parametrize("targets", ["labels", "soft"])
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_fit_is_the_references_gradient_descent(
    instruction_set, network, data, dtype, batch_size, targets, l2
):
    X, labels, soft = data
    y = labels if targets == "labels" else soft
    options = {"epochs": 3, "batch_size": batch_size, "learning_rate": 0.3, "l2": l2}
    expected, costs, accuracies = reference_fit(network, X, y, **options)
    network = network.copy()  # made under the instruction set of this test
    before = network.parameters.copy()

    history = network.fit(X, y, shuffle=False, **options)

    assert_close(network.parameters, expected, 10 * TOLERANCE[dtype])
    assert_close(history.cost, costs, 10 * TOLERANCE[dtype])
    assert history.accuracy == pytest.approx(accuracies, rel=1e-12)
    assert np.abs(network.parameters - before).max() > 1e-3


EVERY_OPTION = {
    "shuffle": {"shuffle": True},
    "momentum": {"optimizer": "momentum", "learning_rate": 0.05},
    "other momentum": {"optimizer": "momentum", "learning_rate": 0.05, "momentum": 0.6},
    "nesterov": {"optimizer": "nesterov", "learning_rate": 0.05, "momentum": 0.8},
    "rmsprop": {"optimizer": "rmsprop", "learning_rate": 0.01, "rho": 0.9, "epsilon": 1e-3},
    "adam": {"optimizer": "adam", "learning_rate": 0.01},
    "other adam": {
        "optimizer": "adam", "learning_rate": 0.01, "beta1": 0.8, "beta2": 0.9, "epsilon": 1e-3
    },
    "adamw": {"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.3, "beta1": 0.7},
    "l1": {"l1": 0.01},
    "clip_norm": {"clip_norm": 0.05},
    "dropout": {"dropout": 0.4},
    "label_smoothing": {"label_smoothing": 0.2},
    "weights": {"sample_weight": True},
    "step": {"schedule": "step", "schedule_epochs": 2, "learning_rate": 0.4},
    "all together": {
        "shuffle": True, "optimizer": "adamw", "learning_rate": 0.02, "weight_decay": 0.1,
        "l1": 0.003, "l2": 0.01, "clip_norm": 0.3, "dropout": 0.2, "label_smoothing": 0.1,
        "sample_weight": True, "schedule": "exponential", "schedule_factor": 0.5,
        "warmup_epochs": 1,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", EVERY_OPTION)
@pytest.mark.parametrize("targets", ["labels", "soft"])
def test_every_option_is_the_references(network, data, rng, dtype, name, targets):
    X, labels, soft = data
    y = labels if targets == "labels" else soft
    options = {"epochs": 4, "batch_size": 8, "learning_rate": 0.3, "shuffle": False}
    options |= EVERY_OPTION[name]
    weights = rng.uniform(0.0, 2.0, ROWS) if options.pop("sample_weight", False) else None
    numbers = {k: v for k, v in options.items() if k not in NOT_OF_THE_REFERENCE}
    if "schedule" in options:
        numbers["learning_rate"] = RATES_BY_HAND[options["schedule"]]
    plain, _, _ = reference_fit(
        network, X, y, epochs=4, batch_size=8, learning_rate=0.3, shuffle=False
    )
    expected, costs, accuracies = reference_fit(network, X, y, weights=weights, **numbers)

    history = network.fit(X, y, sample_weight=weights, **options)

    assert_close(network.parameters, expected, 50 * TOLERANCE[dtype])
    assert_close(history.cost, costs, 50 * TOLERANCE[dtype])
    assert history.accuracy == pytest.approx(accuracies, rel=1e-12)
    assert np.abs(expected - plain).max() > 1e-3, "the option made no difference"


def test_dropout_of_a_second_fit_has_masks_of_its_own(network, data):
    # Updates count from 0 in each fit; with the same seed the masks would come again.
    X, labels, _ = data
    options = {"epochs": 2, "batch_size": 10, "dropout": 0.5}
    numbers = {"learning_rate": 0.5, "shuffle": True, **options}
    network.fit(X, labels, **options)
    same, _, _ = reference_fit(network, X, labels, **numbers)
    seed = (network.seed + 2 * 0x9E3779B97F4A7C15) % 2**64
    own, _, _ = reference_fit(network, X, labels, seed=seed, **numbers)
    network.fit(X, labels, **options)
    assert_close(network.parameters, own, 1e-4)
    assert np.abs(own - same).max() > 1e-2


@pytest.mark.parametrize("sizes", [(5, 2), (1, 1, 2), (130, 65, 33, 17, 10)], ids=str)
def test_fit_of_other_shapes(instruction_set, rng, dtype, sizes):
    network = randomize(sigmax.Network(sizes, dtype=dtype, seed=0), rng)
    X, labels, _ = random_data(rng, 45, sizes)
    X = X.astype(dtype)
    options = {"epochs": 2, "batch_size": 16, "learning_rate": 0.2, "l2": 0.003}
    expected, costs, _ = reference_fit(network, X, labels, **options)
    history = network.fit(X, labels, shuffle=False, **options)
    assert_close(network.parameters, expected, 10 * TOLERANCE[dtype])
    assert_close(history.cost, costs, 10 * TOLERANCE[dtype])


def test_fit_step_by_step(network, data, dtype):
    # Each update of an epoch by itself: a fit of one batch is one step of the longer fit.
    X, labels, _ = data
    whole = network.copy()
    whole.fit(X, labels, epochs=1, batch_size=8, learning_rate=0.4, shuffle=False)
    for first in range(0, ROWS, 8):
        rows = slice(first, first + 8)
        expected, _, _ = reference_fit(
            network, X[rows], labels[rows], epochs=1, batch_size=8, learning_rate=0.4
        )
        network.fit(X[rows], labels[rows], epochs=1, batch_size=8, learning_rate=0.4)
        assert_close(network.parameters, expected, 10 * TOLERANCE[dtype])
    assert_close(network.parameters, whole.parameters, 10 * TOLERANCE[dtype])


def test_long_fit_in_chunks_is_the_references(rng):
    # So many updates that Python divides the epoch into several calls.
    sizes = (4, 3, 2)
    network = randomize(sigmax.Network(sizes, dtype="float64", seed=0), rng)
    X, labels, _ = random_data(rng, 3_000, sizes)
    options = {"epochs": 1, "batch_size": 1, "learning_rate": 0.01}
    expected, costs, accuracies = reference_fit(network, X, labels, **options)
    history = network.fit(X, labels, shuffle=False, **options)
    assert_close(network.parameters, expected, 1e-11)
    assert history.cost == pytest.approx(costs, rel=1e-11)
    assert history.accuracy == pytest.approx(accuracies, rel=1e-12)


def test_the_default_learning_rate_is_one_half(network, data):
    X, labels, _ = data
    other = network.copy()
    network.fit(X, labels, epochs=1)
    other.fit(X, labels, epochs=1, learning_rate=0.5, batch_size=10, l2=0.0, shuffle=True)
    np.testing.assert_array_equal(network.parameters, other.parameters)


# ---- shuffling -----------------------------------------------------------------------------------


def test_every_epoch_takes_every_row_once_in_a_new_order():
    # Every row has a feature of its own, W starts at 0 and the rate is tiny: so the weight of the
    # feature tells how often the row was taken, and in batches of which size.
    network = sigmax.Network([64, 2], dtype="float64", seed=3)
    network.parameters[:] = 0
    network.fit(np.eye(64), np.zeros(64, int), epochs=4, batch_size=5, learning_rate=1e-6)
    # 64 rows in batches of 5: the last batch holds 4, and its rows weigh 1/4 instead of 1/5.
    taken = network.weights[0][0] / (1e-6 * 0.5)
    in_last = (taken - 4 / 5) / (1 / 4 - 1 / 5)
    np.testing.assert_allclose(in_last, in_last.round(), atol=1e-3)
    assert in_last.round().sum() == 16 and in_last.round().min() >= 0
    assert in_last.round().max() <= 3, "the epochs all ended in the same rows: one order for all"


def test_shuffling_changes_the_order_but_not_what_is_learnt(network, data):
    X, labels, _ = data
    plain, again = network.copy(), network.copy()
    plain.fit(X, labels, epochs=1, batch_size=5, shuffle=False)
    network.fit(X, labels, epochs=1, batch_size=5, shuffle=True)
    again.fit(X, labels, epochs=1, batch_size=5, shuffle=True)
    assert (plain.parameters != network.parameters).any()
    np.testing.assert_array_equal(network.parameters, again.parameters)


def test_data_and_labels_are_left_alone(network, data):
    X, labels, soft = data
    kept = X.copy(), labels.copy(), soft.copy()
    network.fit(X, labels, epochs=2)
    network.fit(X, soft, epochs=2)
    for now, then in zip((X, labels, soft), kept, strict=True):
        np.testing.assert_array_equal(now, then)


# ---- learning ------------------------------------------------------------------------------------


def test_learns_a_separable_problem(instruction_set, rng, dtype):
    centres = rng.normal(0.0, 3.0, (4, 6))
    labels = rng.integers(0, 4, 300)
    X = (centres[labels] + rng.normal(0.0, 0.3, (300, 6))).astype(dtype)
    network = sigmax.Network([6, 12, 4], dtype=dtype, seed=1)
    history = network.fit(X, labels, epochs=30)
    assert network.accuracy(X, labels) == 1.0
    assert history.cost[-1] < 0.05
    assert history.cost[0] > 0.1
    assert network.cost(X, labels) < 0.05


def test_learns_exclusive_or(dtype):
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype)
    network = sigmax.Network([2, 8, 2], dtype=dtype, seed=1)
    network.fit(X, [0, 1, 1, 0], epochs=2000, batch_size=4, learning_rate=2.0)
    np.testing.assert_array_equal(network.predict(X), [0, 1, 1, 0])


def test_learns_soft_labels(dtype):
    # All rows alike: the best answer is the soft label itself, and the cost is then its entropy.
    y = np.tile(np.array([0.5, 0.3, 0.2], dtype), (8, 1))
    network = sigmax.Network([2, 3], dtype=dtype, seed=1)
    network.fit(np.ones((8, 2), dtype), y, epochs=300, batch_size=8)
    np.testing.assert_allclose(network.predict_proba(np.ones((1, 2))), y[:1], atol=1e-3)
    entropy = -(y[0] * np.log(y[0])).sum()
    assert network.cost(np.ones((8, 2)), y) == pytest.approx(entropy, abs=1e-4)


def test_l2_draws_the_weights_to_zero_but_not_the_biases(dtype):
    X, labels = np.zeros((10, 3), dtype), np.zeros(10, int)
    network = sigmax.Network([3, 2], dtype=dtype, seed=1)
    first = np.abs(network.weights[0]).max()
    network.fit(X, labels, epochs=200, batch_size=10, learning_rate=0.5, l2=0.1)
    assert 0 < np.abs(network.weights[0]).max() < first * 1e-4  # (1 - 0.5 * 0.1) ** 200 = 3.5e-5
    assert network.biases[0][0] > 1.0


# ---- history and validation ----------------------------------------------------------------------


def test_history_holds_the_values_before_each_update(network, data, dtype):
    X, labels, _ = data
    cost, accuracy = network.cost(X, labels), network.accuracy(X, labels)
    history = network.fit(X, labels, epochs=1, batch_size=ROWS, learning_rate=1.0)
    assert history.cost[0] == pytest.approx(cost, rel=TOLERANCE[dtype])
    assert history.accuracy[0] == pytest.approx(accuracy, rel=1e-12)
    assert network.cost(X, labels) < cost


def test_history_has_a_value_per_epoch(network, data):
    X, labels, soft = data
    history = network.fit(X, labels, epochs=5, X_val=X[:9], y_val=labels[:9])
    for name in ("cost", "accuracy", "val_cost", "val_accuracy", "seconds"):
        values = getattr(history, name)
        assert len(values) == 5 and np.isfinite(values).all(), name
    assert all(0.0 <= value <= 1.0 for value in history.accuracy)
    assert all(seconds >= 0 for seconds in history.seconds)
    assert len(network.fit(X, soft, epochs=2).val_cost) == 0


def test_validation_is_taken_after_each_epoch(network, data):
    X, labels, soft = data
    alone = network.copy()
    history = network.fit(X, labels, epochs=3, X_val=X[:9], y_val=soft[:9])
    for epoch in range(3):
        alone.fit(X, labels, epochs=1)
        assert history.val_cost[epoch] == alone.cost(X[:9], soft[:9])
        assert history.val_accuracy[epoch] == alone.accuracy(X[:9], soft[:9])
    np.testing.assert_array_equal(network.parameters, alone.parameters)


def test_a_second_fit_goes_on(network, data):
    X, labels, _ = data
    other = network.copy()
    history = network.fit(X, labels, epochs=5, batch_size=4)
    parts = [other.fit(X, labels, epochs=n, batch_size=4) for n in (1, 3, 1)]
    np.testing.assert_array_equal(network.parameters, other.parameters)
    assert history.cost == [cost for part in parts for cost in part.cost]
    assert history.accuracy == [value for part in parts for value in part.accuracy]


def test_no_epochs_change_nothing(network, data):
    X, labels, _ = data
    assert network.fit(X, labels, epochs=0, standardize=True, X_val=X, y_val=labels).epochs == 0
    assert network.preparation is None
    before = network.parameters.copy()
    other = network.copy()
    history = network.fit(X, labels, epochs=0)
    assert list(history.cost) == list(history.accuracy) == list(history.seconds) == []
    np.testing.assert_array_equal(network.parameters, before)
    network.fit(X, labels, epochs=1)
    other.fit(X, labels, epochs=1)
    np.testing.assert_array_equal(network.parameters, other.parameters)


def test_views_follow_the_training(network, data):
    X, labels, _ = data
    W, before = network.weights[0], network.weights[0].copy()
    network.fit(X, labels, epochs=1)
    assert (before != W).any()
    np.testing.assert_array_equal(W, network.weights[0])


# ---- progress ------------------------------------------------------------------------------------


def test_progress_draws_a_bar(network, data, capsys):
    X, labels, _ = data
    other = network.copy()
    network.fit(X, labels, epochs=3, X_val=X, y_val=labels, progress=True)
    out, err = capsys.readouterr()
    assert "100%" in err and "cost" in err
    assert out == ""
    other.fit(X, labels, epochs=3)
    np.testing.assert_array_equal(network.parameters, other.parameters)


def test_no_progress_draws_nothing(network, data, capsys):
    X, labels, _ = data
    network.fit(X, labels, epochs=3)
    assert capsys.readouterr() == ("", "")


# ---- the real thing ------------------------------------------------------------------------------


def test_mnist_in_three_epochs(mnist, dtype):
    images = {name: array for name, array in mnist.items() if array.ndim == 3}
    train, test = sorted(images, key=lambda name: -len(images[name]))
    X, X_test = (images[n].reshape(len(images[n]), -1).astype(dtype) / 255 for n in (train, test))
    y, y_test = (
        next(a for a in mnist.values() if a.ndim == 1 and len(a) == len(rows)).astype(np.int64)
        for rows in (X, X_test)
    )
    network = sigmax.Network([784, 30, 10], dtype=dtype, seed=0)
    network.fit(X, y, epochs=3, batch_size=10, learning_rate=0.5)
    assert network.accuracy(X_test, y_test) > 0.93
