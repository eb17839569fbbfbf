"""Early stopping: when it stops, and that the best parameters come back."""

import os

import numpy as np
import pytest
import sigmax
from helpers import random_data
from sigmax._training.history import History
from sigmax._training.options import FitOptions
from sigmax._training.stopping import EarlyStopping

SIZES = (5, 8, 3)

pytestmark = pytest.mark.filterwarnings("ignore:training stalled")  # labels at random


@pytest.fixture
def data(rng):
    """60 rows whose labels are noise: what is learnt of them is wrong for the other 20."""
    X, y, _ = random_data(rng, 80, SIZES)
    return X[:60], y[:60], X[60:], y[60:]


def watch(values, monitor="cost", **options):
    """Show it the values one by one: the epochs after which it is exhausted, and the stopping."""
    stopping = EarlyStopping(FitOptions(early_stopping=monitor, **options))
    history, exhausted = History(), []
    for epoch, value in enumerate(values):
        history.cost.append(0.0)
        getattr(history, f"val_{monitor}").append(value)
        stopping.observe(history, np.full(3, float(epoch)))
        if stopping.exhausted:
            exhausted.append(epoch)
    return exhausted, stopping, history


# ---- the rule by hand ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("monitor", "values", "options", "first", "best"),
    [
        ("cost", [5.0, 4.0, 4.0, 4.0], {"patience": 2}, 3, 1),
        ("cost", [5.0, 6.0, 4.0, 6.0, 6.0], {"patience": 2}, 4, 2),
        ("cost", [5.0, 4.0, 3.0], {"patience": 1}, None, 2),
        ("cost", [5.0, 4.5, 4.1, 3.9], {"patience": 9, "min_delta": 1.0}, None, 3),
        ("cost", [5.0, 4.5, 4.0], {"patience": 2, "min_delta": 1.0}, 2, 0),
        ("accuracy", [0.5, 0.7, 0.7, 0.6], {"patience": 2}, 3, 1),
        ("accuracy", [0.5, 0.6, 0.7], {"patience": 2, "min_delta": 0.5}, 2, 0),
        ("accuracy", [0.0, 0.0, 0.0], {"patience": 5}, None, 0),
    ],
)
def test_when_it_stops_and_which_epoch_was_best(monitor, values, options, first, best):
    exhausted, stopping, history = watch(values, monitor, **options)
    assert (exhausted[0] if exhausted else None) == first
    parameters = np.empty(3)
    stopping.restore(history, parameters)
    assert history.best_epoch == best
    np.testing.assert_array_equal(parameters, float(best))


def test_it_goes_on_from_its_state():
    values = [5.0, 4.0, 4.5, 3.0, 3.5, 3.5, 3.5]
    options = FitOptions(early_stopping="cost", patience=3)
    for cut in range(1, len(values)):
        _, first, history = watch(values[:cut], patience=3)
        second = EarlyStopping(options, dict(first.state), first.best)
        for epoch in range(cut, len(values)):
            history.cost.append(0.0)
            history.val_cost.append(values[epoch])
            second.observe(history, np.full(3, float(epoch)))
        assert second.exhausted
        np.testing.assert_array_equal(second.best, 3.0)


# ---- in fit --------------------------------------------------------------------------------------


@pytest.mark.parametrize("monitor", ["cost", "accuracy"])
def test_fit_gives_back_the_parameters_of_the_best_epoch(data, dtype, monitor):
    X, y, X_val, y_val = data
    network = sigmax.Network(SIZES, seed=2, dtype=dtype)
    again = network.copy()
    options = {"X_val": X_val, "y_val": y_val, "learning_rate": 1.0}

    history = network.fit(X, y, epochs=200, early_stopping=monitor, patience=7, **options)

    values = np.array(getattr(history, f"val_{monitor}"))
    best = int(values.argmin() if monitor == "cost" else values.argmax())
    assert history.stopped == "early_stopping"
    assert history.best_epoch == best
    assert history.epochs == best + 1 + 7 < 200
    # The best epoch's own values, and the parameters of a training that ends there.
    assert getattr(network, monitor)(X_val, y_val) == values[best]
    again.fit(X, y, epochs=best + 1, **options)
    np.testing.assert_array_equal(network.parameters, again.parameters)
    assert network.epochs_trained == history.epochs  # so that shuffles go on


def test_the_best_comes_back_also_when_training_ends_otherwise(data):
    X, y, X_val, y_val = data
    network = sigmax.Network(SIZES, seed=2)
    called = network.copy()
    options = {"X_val": X_val, "y_val": y_val, "learning_rate": 1.0, "early_stopping": "cost"}
    history = network.fit(X, y, epochs=30, patience=100, **options)
    assert history.stopped is None and history.epochs == 30
    best = int(np.argmin(history.val_cost))
    assert history.best_epoch == best < 29
    assert network.cost(X_val, y_val) == history.val_cost[best]

    stop = [lambda network, epoch, history: epoch == 29]
    history = called.fit(X, y, epochs=99, patience=100, callbacks=stop, **options)
    assert history.stopped == "callback" and history.best_epoch == best
    np.testing.assert_array_equal(called.parameters, network.parameters)


def test_views_stay_the_networks_own(data):
    X, y, X_val, y_val = data
    network = sigmax.Network(SIZES, seed=2)
    view = network.parameters
    network.fit(X, y, X_val=X_val, y_val=y_val, early_stopping="cost", patience=2, epochs=50)
    np.testing.assert_array_equal(view, network.parameters)
    view[:] = 0
    assert not network.weights[0].any()


def test_without_early_stopping_the_last_parameters_stay(data):
    X, y, X_val, y_val = data
    network = sigmax.Network(SIZES, seed=2)
    history = network.fit(X, y, X_val=X_val, y_val=y_val, epochs=30, learning_rate=1.0)
    assert history.best_epoch is None and history.stopped is None
    assert network.cost(X_val, y_val) == history.val_cost[-1] > min(history.val_cost)


def raise_after(error, last_epoch):
    def callback(network, epoch, history):
        if epoch == last_epoch:
            raise error

    return callback


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit, MemoryError])
@pytest.mark.parametrize("monitor", ["cost", "accuracy"])
def test_an_exception_leaves_the_best_parameters(data, error, monitor, dtype, tmp_path):
    X, y, X_val, y_val = data
    network = sigmax.Network(SIZES, seed=2, dtype=dtype)
    whole, resumed = network.copy(), network.copy()
    more = {"X_val": X_val, "y_val": y_val}
    options = {"learning_rate": 1.0, "early_stopping": monitor, "patience": 99}
    expected = whole.fit(X, y, **options, **more)
    values = np.array(getattr(expected, f"val_{monitor}")[:21])
    best = int(values.argmin() if monitor == "cost" else values.argmax())
    assert best < 20 < expected.epochs

    path = tmp_path / "run.npz"
    stop = [raise_after(error, 20)]
    with pytest.raises(error):
        network.fit(X, y, callbacks=stop, checkpoint=path, **options, **more)
    assert getattr(network, monitor)(X_val, y_val) == values[best]
    assert network.epochs_trained == 21
    # the checkpoint has the last ones
    history = resumed.fit(X, y, resume=path, callbacks=[lambda *_: None], **more)
    assert history.val_cost == expected.val_cost and history.best_epoch == expected.best_epoch
    np.testing.assert_array_equal(resumed.parameters, whole.parameters)


def test_an_exception_before_the_first_epoch_is_over_has_no_best(data):
    _, _, X_val, y_val = data
    network = sigmax.Network(SIZES, seed=2)
    before = network.parameters.copy()
    with pytest.raises(RuntimeError):
        network.fit(
            lambda: raise_after(RuntimeError, 0)(None, 0, None),
            X_val=X_val, y_val=y_val, early_stopping="cost",
        )  # fmt: skip
    np.testing.assert_array_equal(network.parameters, before)


def test_divergence_leaves_the_best_parameters(data):
    X, y, X_val, y_val = data
    network = sigmax.Network(SIZES, seed=2)
    whole = network.copy()
    options = {"X_val": X_val, "y_val": y_val, "early_stopping": "cost", "patience": 99, "l2": 1.0}
    expected = whole.fit(X, y, epochs=9, schedule=lambda epoch: 0.1, **options)
    with pytest.raises(sigmax.DivergedError):
        network.fit(X, y, schedule=lambda epoch: 0.1 if epoch < 9 else 3e38, **options)
    assert network.cost(X_val, y_val) == min(expected.val_cost)
    np.testing.assert_array_equal(network.parameters, whole.parameters)


def test_a_checkpoint_that_fails_on_ctrl_c_leaves_the_best_parameters(data, tmp_path, monkeypatch):
    X, y, X_val, y_val = data
    network = sigmax.Network(SIZES, seed=2)
    options = {"X_val": X_val, "y_val": y_val, "learning_rate": 1.0, "early_stopping": "cost"}
    costs = []

    def full(*_):
        raise OSError(28, "No space left on device")

    def callback(network, epoch, history):
        costs[:] = history.val_cost
        if epoch == 20:
            monkeypatch.setattr(os, "fsync", full)
            raise KeyboardInterrupt

    with pytest.raises(OSError, match="No space"):
        network.fit(
            X, y, callbacks=[callback], patience=99, checkpoint=tmp_path / "run.npz", **options
        )
    assert len(costs) == 21 and min(costs) < costs[-1]
    assert network.cost(X_val, y_val) == min(costs)


def test_early_stopping_needs_validation_data(data):
    X, y, _, _ = data
    network = sigmax.Network(SIZES, seed=2)
    before = network.parameters.copy()
    with pytest.raises(ValueError, match="early_stopping is 'cost', but there is no validation"):
        network.fit(X, y, early_stopping="cost")
    np.testing.assert_array_equal(network.parameters, before)
