"""Callbacks: what they are given, how they stop training, what happens to what they raise."""

import numpy as np
import pytest
import sigmax
from helpers import random_data

SIZES = (4, 5, 3)

pytestmark = pytest.mark.filterwarnings("ignore:training stalled")  # labels at random


@pytest.fixture
def data(rng):
    X, y, _ = random_data(rng, 40, SIZES)
    return X, y


@pytest.fixture
def network():
    return sigmax.Network(SIZES, seed=3)


class Recorder:
    """Notes what it is told, under the name of Keras and others."""

    def __init__(self, answers=()):
        self.seen, self.answers = [], dict(answers)

    def on_epoch_end(self, network, epoch, history):
        self.seen.append((network, epoch, history.epochs, history.cost[-1]))
        return self.answers.get(epoch)


def test_functions_and_objects_are_told_of_each_epoch(network, data):
    X, y = data
    told, recorder, costs = [], Recorder(), []

    def function(network, epoch, history):
        told.append((epoch, history.epochs))
        costs.append(network.cost(X, y))

    history = network.fit(
        X, y, epochs=4, callbacks=[function, recorder], X_val=X, y_val=y, optimizer="adam"
    )
    assert told == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert [(e, n) for _, e, n, _ in recorder.seen] == told
    assert all(seen is network for seen, *_ in recorder.seen)
    assert [cost for *_, cost in recorder.seen] == history.cost
    assert costs == history.val_cost  # the parameters are those after the epoch


def test_a_callable_object_with_on_epoch_end_is_called_once(network, data):
    class Both(Recorder):
        def __call__(self, *arguments):
            raise AssertionError("on_epoch_end is there")

    both = Both()
    network.fit(*data, epochs=2, callbacks=(both,))
    assert len(both.seen) == 2


@pytest.mark.parametrize("true", [True, np.True_])
def test_true_stops_after_the_epoch(network, data, true):
    recorder = Recorder({2: true})
    later = Recorder()
    other = network.copy()
    history = network.fit(*data, epochs=9, callbacks=[recorder, later])
    assert history.epochs == 3 and history.stopped == "callback"
    assert len(later.seen) == 3  # those after it hear of the epoch too
    other.fit(*data, epochs=3)
    np.testing.assert_array_equal(network.parameters, other.parameters)
    assert network.epochs_trained == 3


@pytest.mark.parametrize(
    "answer", [None, False, 0, 1, "yes", [1], np.array([True, True]), object()]
)
def test_nothing_else_stops(network, data, answer):
    history = network.fit(*data, epochs=3, callbacks=[lambda *_: answer])
    assert history.epochs == 3 and history.stopped is None


def test_training_is_the_same_with_a_callback(network, data):
    other = network.copy()
    network.fit(*data, epochs=3, callbacks=[Recorder()])
    other.fit(*data, epochs=3)
    np.testing.assert_array_equal(network.parameters, other.parameters)


class Particular(Exception):
    """Nobody else raises it."""


@pytest.mark.parametrize("error", [Particular, KeyboardInterrupt, SystemExit])
def test_what_a_callback_raises_comes_through_and_leaves_a_usable_network(network, data, error):
    X, y = data
    other = network.copy()
    raised = error("mine")

    def callback(network, epoch, history):
        if epoch == 1:
            raise raised

    with pytest.raises(error) as caught:
        network.fit(X, y, epochs=9, callbacks=[callback], standardize=True)
    assert caught.value is raised
    assert network.epochs_trained == 2
    other.fit(X, y, epochs=2, standardize=True)
    np.testing.assert_array_equal(network.parameters, other.parameters)
    for each in (network, other):  # and goes on as any other
        each.fit(X, y, epochs=2)
    np.testing.assert_array_equal(network.parameters, other.parameters)


def test_a_callback_may_change_the_parameters(network, data):
    def halve(network, epoch, history):
        network.parameters[:] *= 0.5

    other = network.copy()
    network.fit(*data, epochs=3, callbacks=[halve])
    for _ in range(3):
        other.fit(*data, epochs=1)
        other.parameters[:] *= 0.5
    np.testing.assert_array_equal(network.parameters, other.parameters)


def test_a_callback_may_train_another_network(network, data):
    inner = sigmax.Network(SIZES, seed=4)
    alone, plain = inner.copy(), network.copy()
    network.fit(*data, epochs=3, callbacks=[lambda *_: inner.fit(*data, epochs=1) and None])
    alone.fit(*data, epochs=3)
    plain.fit(*data, epochs=3)
    np.testing.assert_array_equal(inner.parameters, alone.parameters)
    np.testing.assert_array_equal(network.parameters, plain.parameters)


def test_a_callback_is_called_while_the_bar_is_drawn(network, data, capsys):
    recorder = Recorder({1: True})
    network.fit(*data, epochs=5, callbacks=[recorder], progress=True)
    assert len(recorder.seen) == 2
    assert "2/5" in capsys.readouterr().err


@pytest.mark.parametrize("stream", [False, True])
def test_the_bar_shows_every_value_in_80_columns(network, data, capsys, monkeypatch, stream):
    monkeypatch.setenv("COLUMNS", "80")
    X, y = data
    given = (lambda: iter([(X, y)]),) if stream else (X, y)
    history = network.fit(*given, epochs=3, X_val=X[:9], y_val=y[:9], progress=True)
    last = capsys.readouterr().err.split("\r")[-1].rstrip()
    assert len(last) <= 80
    for word in ("epoch 3/3", f"cost {history.cost[-1]:.4g}", f"{history.val_accuracy[-1]:.1%}"):
        assert word in last
