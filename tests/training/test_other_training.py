"""Resuming what is another training: other data, another network, other options."""

import numpy as np
import pytest
from checkpoint_files import (
    ROWS,
    SIZES,
    new_network,
    refused,
    resume,
    write_interrupted,
    write_plain,
)
from helpers import what_it_holds
from sigmax._training import resuming
from sigmax._training.options import OPTION_NAMES


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


@pytest.fixture
def data(rng):
    return rng.normal(size=(ROWS, SIZES[0])), rng.integers(0, SIZES[-1], ROWS)


@pytest.fixture
def plain(path, data):
    return write_plain(path, data)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"sizes": (4, 6, 3)}, ["[4, 5, 3] of float32", "[4, 6, 3] of float32"]),
        ({"dtype": "float64"}, ["[4, 5, 3] of float32", "[4, 5, 3] of float64"]),
    ],
)
def test_another_network(plain, data, other, words):
    refused(
        plain, data, ValueError, "run.npz is of a network", *words, network=new_network(**other)
    )


def test_other_data(plain, data):
    X, y = data
    changed, swapped = X.copy(), y.copy()
    changed *= 1.5
    swapped[-1] = (swapped[-1] + 1) % 3
    words = ["run.npz", "same data"]
    refused(plain, (X[:-1], y[:-1]), ValueError, "39 rows", "has 40", *words)
    refused(plain, (changed, y), ValueError, "X, y or weights", *words)
    refused(plain, (X, swapped), ValueError, "X, y or weights", *words)
    ones_and_twos = 1.0 + np.arange(ROWS) % 2
    refused(plain, data, ValueError, "weights", *words, sample_weight=ones_and_twos)
    refused(plain, data, ValueError, "given, but", "none", *words, X_val=X, y_val=y)
    refused(plain, (lambda: [(X, y)], None), ValueError, "stream", *words)
    refused(plain, (X, None), TypeError, "y is missing")


def test_an_option_without_use_is_refused_here_too(path, data):
    write_plain(path, data, optimizer="sgd")
    refused(path, data, ValueError, "momentum is 0.9", "optimizer is 'sgd'", momentum=0.9)
    refused(path, data, ValueError, "patience is 10", "early_stopping is None", patience=10)


@pytest.mark.parametrize("row", range(ROWS))
def test_one_other_number(plain, data, row):
    X, y = data[0].copy(), data[1]
    X[row, row % 4] += 0.1
    refused(plain, (X, y), ValueError, "X, y or weights", "run.npz", "same data")


def test_of_a_large_x_some_rows_are_compared(path, data, monkeypatch):
    monkeypatch.setattr(resuming, "_MARKED_WHOLE", 100)
    monkeypatch.setattr(resuming, "_MARKED_ROWS", 3)
    write_plain(path, data)
    X, y = data[0].copy(), data[1]
    X[-1, -1] += 0.1
    refused(path, (X, y), ValueError, "X, y or weights")
    X[-1, -1], X[1, 1] = data[0][-1, -1], 0.0
    assert resume(path, (X, y)).epochs == 5


def test_validation_data_must_come_again(path, data):
    X, y = data
    write_interrupted(path, data, X_val=X[:9], y_val=y[:9])
    again = {"callbacks": [lambda *_: None]}
    refused(path, data, ValueError, "validation data are missing", **again)
    refused(path, data, ValueError, "validation data are not", X_val=X[:8], y_val=y[:8], **again)
    assert len(resume(path, data, X_val=X[:9], y_val=y[:9], **again).val_cost) == 5


def test_the_same_values_in_other_types_are_the_same_data(plain, data):
    X, y = data
    expected = resume(plain, data)
    assert expected.epochs == 5
    for other in ((X.tolist(), y.tolist()), (np.asfortranarray(X), y.astype(np.uint8))):
        resume(plain, other)


OTHER_OPTIONS = [
    {"epochs": 6},  # which test_more_epochs.py tests
    {"batch_size": 11},
    {"learning_rate": 0.5},
    {"optimizer": "sgd"},
    {"momentum": 0.8},
    {"beta1": 0.5},
    {"beta2": 0.5},
    {"rho": 0.5},
    {"epsilon": 1e-7},
    {"weight_decay": 0.1},
    {"gtol": 1e-3},
    {"max_evaluations": 7},
    {"l2": 0.1},
    {"l1": 0.1},
    {"clip_norm": 1.0},
    {"dropout": 0.1},
    {"label_smoothing": 0.1},
    {"shuffle": False},
    {"class_weight": "balanced"},
    {"validation_fraction": 0.1},
    {"early_stopping": "cost"},
    {"patience": 3},
    {"min_delta": 0.1},
    {"schedule": "cosine"},
    {"schedule": lambda epoch: 0.1},
    {"schedule_factor": 0.5},
    {"schedule_epochs": 3},
    {"warmup_epochs": 2},
    {"min_learning_rate": 0.1},
    {"standardize": True},
    {"nan": "mean"},
    {"checkpoint_every": 2},
]


@pytest.mark.parametrize("option", OTHER_OPTIONS[1:], ids=lambda option: next(iter(option)))
def test_an_option_that_differs(plain, data, option):
    (name,) = option
    refused(plain, data, ValueError, f"{name} is ", f"{plain} has ", **option)


def test_every_option_is_either_refused_or_free():
    tested = {name for option in OTHER_OPTIONS for name in option}
    assert tested | {"callbacks", "checkpoint", "progress"} == set(OPTION_NAMES)


def test_options_that_are_the_same_are_accepted(plain, data, capsys):
    expected = new_network()
    resume(plain, data, expected)
    again = new_network()
    # the first run has finished the file
    history = resume(plain, data, again, epochs=5, optimizer="adam", l2=0, progress=True)
    assert history.epochs == 5
    assert what_it_holds(again) == what_it_holds(expected)


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ({"epochs": "5"}, TypeError),
        ({"learning_rate": -1}, ValueError),
        ({"checkpoint": 3}, TypeError),
        ({"epoch": 5}, TypeError),
        ({"seed": 5}, TypeError),
    ],
)
def test_bad_options(plain, data, option, kind):
    (name,) = option
    refused(plain, data, kind, name, **option)


def test_functions_must_come_again(path, data):
    write_interrupted(path, data, schedule=lambda epoch: 0.1)
    look = [lambda *_: None]
    refused(path, data, ValueError, "callbacks is missing", schedule=lambda epoch: 0.1)
    refused(path, data, ValueError, "schedule is missing", "function", callbacks=look)
    refused(path, data, ValueError, "schedule is 'cosine'", schedule="cosine", callbacks=look)
    assert resume(path, data, schedule=lambda epoch: 0.1, callbacks=look).epochs == 5
