"""Learning rates: each schedule against a list written by hand, and what fit makes of it."""

import itertools
import math

import numpy as np
import pytest
import sigmax
from helpers import random_data
from sigmax._training.options import FitOptions
from sigmax._training.schedules import LearningRate

SIZES = (4, 5, 3)


@pytest.fixture
def data(rng):
    X, labels, _ = random_data(rng, 30, SIZES)
    return X, labels


def rates(n=6, costs=None, **options):
    """The rates of n epochs; costs are what the plateau sees."""
    schedule = LearningRate(FitOptions(epochs=n, **options))
    found = []
    for epoch in range(n):
        found.append(schedule(epoch))
        schedule.observe(epoch, costs[epoch] if costs else 1.0)
    return found


def harmonic(epoch):
    return 1.0 / (epoch + 1)


BY_HAND = [
    ({}, [0.5] * 6),
    ({"learning_rate": 0.2, "warmup_epochs": 3}, [0.05, 0.1, 0.15, 0.2, 0.2, 0.2]),
    (
        {"schedule": "step", "learning_rate": 1.0, "schedule_epochs": 2},
        [1.0, 1.0, 0.1, 0.1, 0.01, 0.01],
    ),
    (
        {"schedule": "step", "learning_rate": 8.0, "schedule_epochs": 1, "schedule_factor": 0.5},
        [8.0, 4.0, 2.0, 1.0, 0.5, 0.25],
    ),
    (
        {"schedule": "step", "learning_rate": 8.0, "schedule_epochs": 2, "schedule_factor": 0.5,
         "warmup_epochs": 1, "min_learning_rate": 3.0},
        [4.0, 8.0, 8.0, 4.0, 4.0, 3.0],
    ),
    (
        {"schedule": "exponential", "learning_rate": 1.0},
        [1.0, 0.95, 0.9025, 0.857375, 0.81450625, 0.7737809375],
    ),
    (
        {"schedule": "exponential", "learning_rate": 16.0, "schedule_factor": 0.25,
         "warmup_epochs": 1, "min_learning_rate": 0.5},
        [8.0, 16.0, 4.0, 1.0, 0.5, 0.5],
    ),
    (
        {"schedule": "cosine", "learning_rate": 2.0},
        [2.0, 1.8660254037844386, 1.5, 1.0, 0.5, 0.1339745962155614],
    ),
    (
        {"schedule": "cosine", "learning_rate": 2.0, "warmup_epochs": 2, "min_learning_rate": 1.0},
        [2 / 3, 4 / 3, 2.0, 1.8535533905932737, 1.5, 1.1464466094067263],
    ),
    ({"schedule": harmonic}, [1.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6]),
]  # fmt: skip


def described(value):
    """A name for the test, the same in every process."""
    return str(value).partition("<function")[0][:60]


@pytest.mark.parametrize(("options", "expected"), BY_HAND, ids=described)
def test_rates_by_hand(options, expected):
    assert rates(**options) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("options", "expected"), BY_HAND, ids=described)
def test_fit_uses_them(data, options, expected):
    # One epoch at a time with a constant rate is the same training.
    X, y = data
    network = sigmax.Network(SIZES, seed=1, dtype="float64")
    apart = network.copy()
    history = network.fit(X, y, epochs=6, **options)
    assert history.learning_rate == pytest.approx(expected, rel=1e-14)
    for rate in history.learning_rate:
        apart.fit(X, y, epochs=1, learning_rate=rate)
    np.testing.assert_array_equal(network.parameters, apart.parameters)


def test_plateau_by_hand():
    options = {"schedule": "plateau", "learning_rate": 1.0, "schedule_epochs": 2}
    #        best 5   best 4  waits   waits -> 0.1    waits  best 3 waits waits -> 0.01
    costs = [5.0, 4.0, 4.0, 4.5, 4.2, 3.0, 3.0, 3.5, 9.0]
    expected = [1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.1, 0.01]
    assert rates(9, costs, **options) == pytest.approx(expected, rel=1e-14)


def test_plateau_after_a_warm_up_and_with_a_floor():
    options = {
        "schedule": "plateau", "learning_rate": 8.0, "schedule_epochs": 1, "schedule_factor": 0.5,
        "warmup_epochs": 1, "min_learning_rate": 3.0,
    }  # fmt: skip
    # The cost of the warm-up's epoch does not count.
    assert rates(5, [0.0, 5.0, 6.0, 7.0, 8.0], **options) == [4.0, 8.0, 8.0, 4.0, 3.0]


@pytest.mark.filterwarnings("ignore:training stalled")  # labels at random
def test_plateau_watches_the_validation_cost_where_there_is_one(data):
    X, y = data
    options = {"epochs": 12, "learning_rate": 4.0, "schedule": "plateau", "schedule_epochs": 1}
    network = sigmax.Network(SIZES, seed=1)
    validated = network.copy()
    alone = network.fit(X, y, **options)
    history = validated.fit(X, y, X_val=X, y_val=(y + 1) % 3, **options)  # contrary to training
    assert len(set(history.learning_rate)) > 1
    for h, costs in ((alone, alone.cost), (history, history.val_cost)):
        best, rate = math.inf, 4.0
        for epoch, cost in enumerate(costs):
            assert h.learning_rate[epoch] == pytest.approx(rate, rel=1e-12)
            if cost >= best:
                rate *= 0.1
            best = min(best, cost)


def test_a_plateau_goes_on_from_its_state():
    options = FitOptions(schedule="plateau", schedule_epochs=2)
    costs = [3.0, 2.0, 2.0, 2.0, 2.5, 2.5, 2.5]
    whole = LearningRate(options)
    for stop in range(len(costs)):
        first = LearningRate(options)
        for epoch in range(stop):
            first.observe(epoch, costs[epoch])
        second = LearningRate(options, dict(first.state))
        whole = LearningRate(options)
        for epoch in range(len(costs)):
            whole.observe(epoch, costs[epoch])
            if epoch >= stop:
                second.observe(epoch, costs[epoch])
                assert second(epoch + 1) == whole(epoch + 1)
    assert whole(len(costs)) < 0.5


@pytest.mark.parametrize("schedule", ["step", "exponential"])
def test_a_rate_never_becomes_zero(schedule):
    options = FitOptions(epochs=10**6, schedule=schedule, schedule_factor=1e-3)
    assert LearningRate(options)(10**6 - 1) > 0


@pytest.mark.parametrize("answer", [0.0, -1.0, math.nan, math.inf, None, "0.5", 1j])
def test_a_function_that_gives_no_rate_is_named_with_its_epoch(data, answer):
    X, y = data
    network = sigmax.Network(SIZES, seed=1)
    stopped = network.copy()
    given = itertools.chain([0.5], itertools.repeat(answer))
    with pytest.raises((TypeError, ValueError), match=r"schedule\(1\) is .*expected"):
        network.fit(X, y, epochs=3, schedule=lambda epoch: next(given))
    stopped.fit(X, y, epochs=1)
    np.testing.assert_array_equal(network.parameters, stopped.parameters)


def test_a_function_is_asked_once_per_epoch_in_order(data):
    X, y = data
    asked = []
    sigmax.Network(SIZES, seed=1).fit(X, y, epochs=4, schedule=lambda e: asked.append(e) or 0.1)
    assert asked == [0, 1, 2, 3]


def test_what_a_function_raises_is_passed_on(data):
    X, y = data
    network = sigmax.Network(SIZES, seed=1)
    with pytest.raises(ZeroDivisionError):
        network.fit(X, y, schedule=lambda epoch: 1 / (2 - epoch))
    assert network.epochs_trained == 2
