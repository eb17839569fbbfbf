"""Checkpoints of L-BFGS: a resumed training has the bits of one that was never interrupted."""

import os

import numpy as np
import pytest
import sigmax
from checkpoint_files import change, equal, refused, set_json
from helpers import what_it_holds
from sigmax._training import checkpoint_file as checkpoints
from sigmax._training import full_batch

SIZES = (6, 7, 3)
ROWS = 90
N = 6 * 7 + 7 + 7 * 3 + 3
OPTIONS = {"optimizer": "lbfgs", "epochs": 24, "l2": 1e-3}
AGAIN = {"callbacks": [lambda *_: None]}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # takes most of the time


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


@pytest.fixture
def data(rng):
    X = rng.normal(size=(ROWS, SIZES[0]))
    return X, (X[:, :3] + 0.5 * rng.normal(size=(ROWS, 3))).argmax(axis=1)


def new_network(dtype="float64"):
    return sigmax.Network(SIZES, dtype=dtype, seed=4)


def ctrl_c_after(n_epochs):
    def callback(network, epoch, history):
        if epoch + 1 == n_epochs:
            raise KeyboardInterrupt

    return callback


def interrupted(path, data, n_epochs, dtype="float64", **options):
    """Write a checkpoint of a training that was interrupted after so many epochs."""
    network = new_network(dtype)
    with pytest.raises(KeyboardInterrupt) as caught:
        network.fit(*data, checkpoint=path, callbacks=[ctrl_c_after(n_epochs)], **options)
    assert "goes on" in caught.value.__notes__[0]
    return network


@pytest.mark.parametrize("every", [1, 5])
def test_lbfgs_after_every_iteration(path, data, dtype, every):
    whole = new_network(dtype)
    expected = whole.fit(*data, **OPTIONS)  # a checkpoint changes nothing
    assert expected.epochs == OPTIONS["epochs"]
    for n_epochs in range(1, 24, 3):
        interrupted(path, data, n_epochs, dtype, checkpoint_every=every, **OPTIONS)
        assert checkpoints.load(path).state.epoch == n_epochs
        second = new_network(dtype)
        equal(second, second.fit(*data, resume=path, **AGAIN), whole, expected)


def test_lbfgs_between_two_iterations(path, data, monkeypatch):
    whole = new_network()
    expected = whole.fit(*data, **OPTIONS)
    backprop = full_batch._Objective._backprop
    for n_calls in (1, 2, 3, 9, 17, 24):
        left = [n_calls]

        def ctrl_c(self, block, left=left):
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            return backprop(self, block)

        monkeypatch.setattr(full_batch._Objective, "_backprop", ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            new_network().fit(*data, checkpoint=path, **OPTIONS)
        monkeypatch.undo()
        second = new_network()
        equal(second, second.fit(*data, resume=path), whole, expected)


def test_ctrl_c_between_the_network_and_the_state(path, data, monkeypatch):
    from sigmax._training.run import Run

    whole, plain, network, second = (new_network() for _ in range(4))
    expected = whole.fit(*data, **OPTIONS)
    plain.fit(*data, **{**OPTIONS, "epochs": 5})
    close_epoch = Run.close_epoch

    def ctrl_c(self, *arguments, **more):
        if self.state.epoch == 5:  # the network has the parameters of the sixth already
            raise KeyboardInterrupt
        close_epoch(self, *arguments, **more)

    monkeypatch.setattr(Run, "close_epoch", ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        network.fit(*data, checkpoint=path, **OPTIONS)
    monkeypatch.undo()
    assert what_it_holds(network) == what_it_holds(plain)
    equal(second, second.fit(*data, resume=path), whole, expected)


@pytest.mark.parametrize(
    ("ends", "stopped"),
    [
        ({"gtol": 1e-2}, "converged"),
        ({"max_evaluations": 17}, "max_evaluations"),
        ({"l2": 0.0, "epochs": 900, "gtol": 0.0}, "converged"),  # an iteration gains too little
        (
            {"early_stopping": "cost", "patience": 2, "validation_fraction": 0.3, "epochs": 99},
            "early_stopping",
        ),
    ],
    ids=["gtol", "max_evaluations", "ftol", "early_stopping"],
)
def test_however_it_ends(path, data, ends, stopped):
    options = {**OPTIONS, "epochs": 300, **ends}
    whole = new_network()
    expected = whole.fit(*data, **options)
    assert expected.stopped == stopped
    for n_epochs in (expected.epochs - 3, expected.epochs - 1, expected.epochs):
        interrupted(path, data, n_epochs, **options)
        second = new_network()
        equal(second, second.fit(*data, resume=path, **AGAIN), whole, expected)
    # and is over, whatever number of epochs is asked for
    third = new_network()
    equal(third, third.fit(*data, resume=path, epochs=1000, **AGAIN), whole, expected)


def test_more_epochs(path, data):
    whole, second = new_network(), new_network()
    expected = whole.fit(*data, **OPTIONS)
    second.fit(*data, checkpoint=path, **{**OPTIONS, "epochs": 9})
    for epochs in (14, 24):
        second = new_network()
        history = second.fit(*data, resume=path, epochs=epochs)
    equal(second, history, whole, expected)


def test_a_file_without_the_memory_begins_with_an_empty_one(path, data):
    network = interrupted(path, data, 9, **OPTIONS)

    def forget(arrays):  # as earlier releases wrote it
        for name in ("lbfgs_x", "lbfgs_s", "lbfgs_y"):
            del arrays[name]
        set_json(arrays, "options", checkpoint_every=None)

    change(path, forget)
    plain = network.copy()
    plain.fit(*data, **{**OPTIONS, "epochs": 15})
    second = new_network()
    assert second.fit(*data, resume=path, **AGAIN).epochs == 24
    np.testing.assert_array_equal(second.parameters, plain.parameters)


# ---- hostile files -------------------------------------------------------------------------------


@pytest.fixture
def plain(path, data):
    interrupted(path, data, 3, **OPTIONS)
    change(path, lambda arrays: set_json(arrays, "options", callbacks=[]))
    with np.load(path) as file:
        assert file["lbfgs_s"].size == file["lbfgs_y"].size == 3 * N
    return path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lbfgs_x", np.zeros(N - 1)),
        ("lbfgs_x", np.zeros(N, np.float32)),
        ("lbfgs_x", np.zeros((1, N))),
        ("lbfgs_x", np.full(N, np.nan)),
        ("lbfgs_s", np.ones(2 * N)),
        ("lbfgs_s", np.ones(3 * N + 1)),
        ("lbfgs_s", np.full(3 * N, np.inf)),
        ("lbfgs_s", np.zeros(3 * N)),
        ("lbfgs_s", np.full(3 * N, 1e308)),
        ("lbfgs_y", np.full(3 * N, -np.inf)),
        ("lbfgs_y", np.zeros(0)),
    ],
)
def test_lies_in_the_memory(plain, data, name, value):
    change(plain, lambda arrays: arrays.update({name: value}))
    refused(plain, data, sigmax.FileFormatError, plain.name, name, network=new_network())


def test_a_curvature_that_is_not_above_zero(plain, data):
    change(plain, lambda arrays: arrays.update(lbfgs_y=-arrays["lbfgs_y"]))
    words = "lbfgs_s . lbfgs_y", "in step 0"
    refused(plain, data, sigmax.FileFormatError, *words, network=new_network())


def test_too_long_a_memory(plain, data):
    s = np.tile(np.eye(1, N).ravel(), 11)
    change(plain, lambda arrays: arrays.update(lbfgs_s=s, lbfgs_y=s))
    refused(plain, data, sigmax.FileFormatError, f"at most {10 * N}", network=new_network())
    change(plain, lambda arrays: arrays.update(lbfgs_s=s[N:], lbfgs_y=s[N:]))
    assert new_network().fit(*data, resume=plain).epochs == 24


@pytest.mark.parametrize("name", ["lbfgs_x", "lbfgs_s", "lbfgs_y"])
def test_a_part_of_the_memory_is_missing(plain, data, name):
    change(plain, lambda arrays: arrays.pop(name))
    refused(plain, data, sigmax.FileFormatError, f"{name} is missing", network=new_network())


@pytest.mark.parametrize(
    "values", [{"evaluations": -1}, {"evaluations": None}, {"converged": 1}, {"converged": None}]
)
def test_lies_about_the_search(plain, data, values):
    change(plain, lambda arrays: set_json(arrays, "progress", **values))
    refused(plain, data, sigmax.FileFormatError, *values, network=new_network())


def test_the_memory_of_another_optimiser(path, data):
    network = new_network()
    network.fit(*data, epochs=2, checkpoint=path)
    change(path, lambda arrays: arrays.update(lbfgs_x=np.zeros(N)))
    words = "lbfgs_x", "optimizer is 'sgd'"
    refused(path, data, sigmax.FileFormatError, *words, network=new_network())
