"""A resumed training with another number of epochs equals one that had it from the beginning."""

import numpy as np
import pytest
import sigmax
from checkpoint_files import change, equal, refused, set_json
from helpers import what_it_holds
from sigmax._training import checkpoint_file as checkpoints
from sigmax._training.run import Run

SIZES = (6, 7, 3)
ROWS = 60

SCHEDULES = {
    "constant": {},
    "step": {"schedule": "step", "schedule_epochs": 2},
    "exponential": {"schedule": "exponential", "warmup_epochs": 4},
    "plateau": {"schedule": "plateau", "schedule_epochs": 1, "learning_rate": 2.0},
    "function": {"schedule": lambda epoch: 0.5 / (epoch + 1)},
}
METHODS = {
    "sgd": {},
    "adam with dropout": {"optimizer": "adam", "dropout": 0.3, "learning_rate": 0.02},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


@pytest.fixture
def data(rng):
    X = rng.normal(size=(ROWS, SIZES[0]))
    return X, (X[:, :3] + rng.normal(size=(ROWS, 3))).argmax(axis=1)


def new_network(seed=4):
    return sigmax.Network(SIZES, seed=seed)


def functions(options):
    return {name: value for name, value in options.items() if callable(value)}


def stop_after(n_epochs, error=None):
    def callback(network, epoch, history):
        if epoch + 1 == n_epochs and error is not None:
            raise error
        return epoch + 1 == n_epochs

    return callback


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("method", METHODS)
def test_a_finished_training_goes_on(path, data, schedule, method):
    options = {**METHODS[method], **SCHEDULES[schedule]}
    if schedule == "function":
        options.pop("learning_rate", None)
    whole = new_network()
    expected = whole.fit(*data, epochs=7, **options)
    new_network().fit(*data, epochs=3, checkpoint=path, **options)
    for epochs in (5, 7):  # and is then finished at that number
        network = new_network(seed=None)
        history = network.fit(*data, resume=path, epochs=epochs, **functions(options))
        assert history.epochs == epochs
    equal(network, history, whole, expected)
    again = new_network()
    equal(again, again.fit(*data, resume=path, **functions(options)), whole, expected)


@pytest.mark.parametrize("epochs", [2, 3, 6, 9])
def test_an_interrupted_training_gets_another_number(path, data, epochs):
    whole = new_network()
    expected = whole.fit(*data, epochs=epochs, optimizer="adam")
    with pytest.raises(KeyboardInterrupt):
        new_network().fit(
            *data, epochs=6, optimizer="adam", checkpoint=path,
            callbacks=[stop_after(2, KeyboardInterrupt)],
        )  # fmt: skip
    network = new_network()
    history = network.fit(*data, resume=path, epochs=epochs, callbacks=[lambda *_: None])
    equal(network, history, whole, expected)


EARLY = {"learning_rate": 5.0, "early_stopping": "cost", "validation_fraction": 0.3}


def test_early_stopping_goes_on_from_the_last_parameters(path, data):
    whole, first = new_network(), new_network()
    expected = whole.fit(*data, epochs=50, patience=99, **EARLY)
    before = first.fit(*data, epochs=30, patience=99, checkpoint=path, **EARLY)
    assert before.best_epoch < 29
    network = new_network()
    # the best parameters, as long as it does not go on
    equal(network, network.fit(*data, resume=path, epochs=30), first, before)
    equal(network, network.fit(*data, resume=path, epochs=50), whole, expected)


def test_what_early_stopping_ended_stays_so(path, data):
    whole, network = new_network(), new_network()
    expected = whole.fit(*data, epochs=200, patience=3, checkpoint=path, **EARLY)
    assert expected.stopped == "early_stopping" and expected.epochs < 100
    content = path.read_bytes()
    equal(network, network.fit(*data, resume=path, epochs=500), whole, expected)
    assert path.read_bytes() == content


def test_what_a_callback_ended_goes_on_with_more_epochs(path, data):
    whole = new_network()
    expected = whole.fit(*data, epochs=7)
    stopped = new_network()
    ended = stopped.fit(*data, epochs=6, checkpoint=path, callbacks=[stop_after(2)])
    assert ended.stopped == "callback"
    again = {"resume": path, "callbacks": [lambda *_: None]}
    for epochs in (4, 6):
        network = new_network()
        equal(network, network.fit(*data, epochs=epochs, **again), stopped, ended)
    equal(network, network.fit(*data, epochs=7, **again), whole, expected)


def test_early_stopping_interrupted_between_best_and_checkpoint(path, data, monkeypatch):
    # Ctrl-C after the best parameters were restored, before the last checkpoint is complete
    from sigmax._training import checkpoint_file

    whole = new_network()
    expected = whole.fit(*data, epochs=30, patience=99, **EARLY)
    save, seen = checkpoint_file.save, []

    def interrupted(path, model, options, state):
        if state.finished and not seen:
            seen.append(state)
            raise KeyboardInterrupt
        save(path, model, options, state)

    monkeypatch.setattr(checkpoint_file, "save", interrupted)
    for epochs in (20, 30):
        seen.clear()
        network = new_network()
        given = {"epochs": epochs}
        given |= {"resume": path} if epochs == 30 else {"checkpoint": path, "patience": 99, **EARLY}
        with pytest.raises(KeyboardInterrupt):
            network.fit(*data, **given)
    network = new_network()
    equal(network, network.fit(*data, resume=path), whole, expected)


# ---- refused -------------------------------------------------------------------------------------


def test_fewer_epochs_than_are_done(path, data):
    new_network().fit(*data, epochs=3, checkpoint=path)
    words = f"epochs is 2, but {path} has done 3", "expected at least 3"
    refused(path, data, ValueError, *words, network=new_network(), epochs=2)
    assert new_network().fit(*data, resume=path, epochs=3).epochs == 3


def test_fewer_epochs_than_are_begun(path, data):
    new_network().fit(*data, epochs=3, checkpoint=path)
    progress = {"position": 20, "batch": 2, "step": 20, "epoch": 3, "finished": False}

    def in_epoch_4(arrays):
        set_json(arrays, "progress", **progress)
        set_json(arrays, "options", epochs=5)

    change(path, in_epoch_4)
    words = f"epochs is 3, but {path} has done 3 and a part of epoch 4", "expected at least 4"
    refused(path, data, ValueError, *words, network=new_network(), epochs=3)
    assert new_network().fit(*data, resume=path, epochs=4).epochs == 4


@pytest.mark.parametrize("epochs", [2, 4])
def test_cosine_depends_on_the_number(path, data, epochs):
    network = new_network()
    network.fit(*data, epochs=3, schedule="cosine", checkpoint=path)
    words = f"epochs is {epochs}, but {path} has 3", "'cosine'", "expected 3, and afterwards"
    refused(path, data, ValueError, *words, network=new_network(), epochs=epochs)
    again = new_network()  # as the message says
    again.fit(*data, resume=path, epochs=3)
    assert what_it_holds(again) == what_it_holds(network)
    assert again.fit(*data, epochs=4, schedule="cosine").epochs == 4


def test_a_file_with_the_best_parameters_alone(path, data):
    history = new_network().fit(*data, epochs=30, patience=99, checkpoint=path, **EARLY)
    assert history.best_epoch < 29
    change(path, lambda arrays: arrays.pop("last"))  # as earlier releases wrote it
    words = "epochs is 31", "only the best parameters", "30 epochs"
    refused(path, data, ValueError, *words, network=new_network(), epochs=31)
    assert new_network().fit(*data, resume=path, epochs=30).epochs == 30


def test_ctrl_c_before_the_best_parameters_are_put_back(path, data, monkeypatch):
    options = {**EARLY, "patience": 99}
    whole = new_network()
    expected = whole.fit(*data, epochs=9, **options)
    restore_best, calls = Run.restore_best, []

    def interrupted(self):
        calls.append(self)
        if len(calls) == 1:
            raise KeyboardInterrupt
        restore_best(self)

    monkeypatch.setattr(Run, "restore_best", interrupted)
    with pytest.raises(KeyboardInterrupt):
        new_network().fit(*data, epochs=5, checkpoint=path, **options)
    monkeypatch.undo()
    state = checkpoints.load(path).state
    assert state.last is not None and not state.finished  # it is over, but for its last checkpoint
    callbacks = [stop_after(7, KeyboardInterrupt)]
    with pytest.raises(KeyboardInterrupt):
        new_network().fit(*data, resume=path, epochs=9, callbacks=callbacks)
    assert checkpoints.load(path).state.last is None  # no longer those to go on from
    network = new_network()
    history = network.fit(*data, resume=path, callbacks=[lambda *_: None])
    equal(network, history, whole, expected)


@pytest.mark.parametrize(
    "last", [np.zeros(5, np.float32), np.full(73, np.nan, np.float32), np.zeros(73)]
)
def test_lies_about_the_last_parameters(path, data, last):
    new_network().fit(*data, epochs=3, checkpoint=path)
    change(path, lambda arrays: arrays.update(last=last))
    refused(path, data, sigmax.FileFormatError, "last", network=new_network())
