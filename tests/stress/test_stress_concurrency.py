"""Threads that share a network: answers of before or after a batch, never of in between."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest
import sigmax

SIZES = (200, 300, 10)
ROWS = 400
N_READERS = 3

pytestmark = pytest.mark.filterwarnings("ignore:training stalled")  # labels at random


@pytest.fixture
def data(rng):
    return rng.normal(size=(ROWS, SIZES[0])).astype(np.float32), rng.integers(0, 10, ROWS)


def new_network():
    return sigmax.Network(SIZES, seed=7)


# One batch is one epoch: a callback sees every state that there is between two updates.
OPTIONS = {"batch_size": ROWS, "learning_rate": 0.05, "shuffle": False}


def saved(network, X, y, path=None):
    target = path / f"{threading.get_ident()}.npz"
    network.save(target)
    return sigmax.Network.load(target).parameters.tobytes()


# What a thread may ask of a network while another one trains it.
READINGS = {
    "predict_proba": lambda network, X, y, path: network.predict_proba(X[:50]).tobytes(),
    "of float64": lambda network, X, y, path: network.predict_proba(X[:50] + 0.0).tobytes(),
    "of one row": lambda network, X, y, path: network.predict_proba(X[:1]).tobytes(),
    "of a list": lambda network, X, y, path: network.predict_proba(X[:3].tolist()).tobytes(),
    "activations": lambda network, X, y, path: network.activations(X[:20])[-2].tobytes(),
    "cost": lambda network, X, y, path: network.cost(X, y),
    "backprop": lambda network, X, y, path: network.backprop(X, y).nabla_w[0].tobytes(),
    "copy": lambda network, X, y, path: network.copy().parameters.tobytes(),
    "pickle": lambda n, X, y, path: pickle.loads(pickle.dumps(n)).parameters.tobytes(),
    "save": lambda network, X, y, path: saved(network, X, y, path),
}


@pytest.mark.parametrize("name", READINGS)
def test_readings_during_a_training_are_of_before_or_after(name, data, tmp_path, rounds, tried):
    reading, (X, y), epochs = READINGS[name], data, rounds(25, 1000)
    network = new_network()
    possible = {reading(network, X, y, tmp_path)}

    def record(network, epoch, history):
        possible.add(reading(network, X, y, tmp_path))

    network.fit(X, y, epochs=epochs, callbacks=[record], **OPTIONS)
    assert len(possible) > 0.9 * epochs, "the states cannot be told apart"
    last = network.parameters.tobytes()

    network, over, answers = new_network(), threading.Event(), []
    ready = threading.Barrier(N_READERS + 1)

    def reads():
        ready.wait()
        mine = [reading(network, X, y, tmp_path)]
        while not over.is_set():
            mine.append(reading(network, X, y, tmp_path))
        return mine

    with ThreadPoolExecutor(N_READERS) as pool:
        try:
            readers = [pool.submit(reads) for _ in range(N_READERS)]
            ready.wait()
            network.fit(X, y, epochs=epochs, **OPTIONS)
        finally:
            over.set()
        for reader in readers:
            answers.extend(reader.result())
    torn = sum(answer not in possible for answer in answers)
    assert torn == 0, f"{torn} of {len(answers)} answers are of no state of the network"
    assert network.parameters.tobytes() == last, "the readers disturbed the training"
    assert len(answers) >= N_READERS
    tried(f"readings during a training: {name}", len(answers))
    tried(f"readings during a training: {name}: distinct states seen", len(set(answers)))


def halves(network, begun, go_on):
    """Halve all parameters, with a stop in the middle."""
    middle = network.n_parameters // 2
    network.parameters[:middle] /= 2
    begun.set()
    assert go_on.wait(600)
    network.parameters[middle:] /= 2


@pytest.mark.parametrize("name", READINGS)
def test_a_reading_in_the_middle_of_a_writing(name, data, tmp_path):
    # The same at one certain moment: it waits, or it is done again, and gives what is whole.
    (X, y), reading, network = data, READINGS[name], new_network()
    before = reading(network, X, y, tmp_path)
    network.parameters[:] /= 2
    expected = reading(network, X, y, tmp_path)
    assert before != expected
    network.parameters[:] *= 2
    begun, go_on = threading.Event(), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        writer = pool.submit(network._model.guard.write, halves, network, begun, go_on)
        try:
            assert begun.wait(600)
            assert network._model.guard.version is None
            reader = pool.submit(reading, network, X, y, tmp_path)
            assert not wait([reader], timeout=0.2).done, "an answer of half-written parameters"
        finally:
            go_on.set()
        writer.result(timeout=600)
        assert reader.result(timeout=600) == expected


def test_a_reading_that_a_writing_disturbed_is_done_again():
    original, seen = new_network()._model, []

    def compute(model, _):
        seen.append(model)
        if len(seen) == 1:
            original.guard.write(original.arena.fill, 0.25)
        return model.arena.tobytes()

    assert original.read(compute, None) == original.arena.tobytes()
    assert len(seen) == 2 and seen[0] is original and seen[1] is not original

    def fails(model, _):
        seen.append(model)
        if len(seen) == 3:
            original.guard.write(original.arena.fill, 0.5)
            raise ValueError("what half-written parameters led to")
        return "fine"

    assert original.read(fails, None) == "fine"
    with pytest.raises(ZeroDivisionError):  # of its own, when nobody disturbed it
        original.read(lambda model, _: 1 / 0, None)


def test_parameters_as_a_whole_during_lbfgs(data, tried):
    X, y = data
    states, options = set(), {"optimizer": "lbfgs", "epochs": 5, "l2": 1e-3}
    sizes = (SIZES[0], 40, 10)
    network = sigmax.Network(sizes, seed=7)
    states.add(network.copy().parameters.tobytes())
    network.fit(
        X, y, callbacks=[lambda n, *_: states.add(n.copy().parameters.tobytes())], **options
    )
    network, over, seen = sigmax.Network(sizes, seed=7), threading.Event(), []

    def reads():
        while not over.is_set():
            seen.append(network.copy().parameters.tobytes())

    reader = threading.Thread(target=reads)
    reader.start()
    network.fit(X, y, **options)
    over.set()
    reader.join()
    assert set(seen) <= states
    tried("copies during an L-BFGS training", len(seen))


def test_many_threads_predict_while_another_trains_a_copy(data, rounds, tried):
    X, y = data
    network = new_network()
    expected, over = network.predict_proba(X).tobytes(), threading.Event()

    def predicts():
        n = 0
        while not over.is_set():
            assert network.predict_proba(X).tobytes() == expected
            n += 1
        return n

    with ThreadPoolExecutor(6) as pool:
        try:
            readers = [pool.submit(predicts) for _ in range(6)]
            copy = network.copy()
            copy.fit(X, y, epochs=rounds(20, 500), batch_size=100)
        finally:
            over.set()
        n = sum(reader.result() for reader in readers)
    assert copy.predict_proba(X).tobytes() != expected
    tried("predictions while another thread trains a copy", n)


# ---- two who train -------------------------------------------------------------------------------


def during_a_fit(network, data, act):
    """What act() gives in another thread, while a callback of a fit waits for it."""
    found = []

    def callback(network, epoch, history):
        with ThreadPoolExecutor(1) as pool:
            found.append(pool.submit(act).result(timeout=600))

    network.fit(*data, epochs=1, callbacks=[callback], **OPTIONS)
    return found[0]


TRAININGS = {
    "fit": lambda network, X, y: network.fit(X, y, epochs=1),
    "partial_fit": lambda network, X, y: network.partial_fit(X, y),
    "calibrate": lambda network, X, y: network.calibrate(X, y),
}


@pytest.mark.parametrize("name", TRAININGS)
def test_a_second_training_at_the_same_time_is_refused(name, data):
    network = new_network()
    before = []

    def second():
        before.append(network.parameters.tobytes())
        with pytest.raises(RuntimeError, match="another thread is training this network"):
            TRAININGS[name](network, *data)
        assert network.parameters.tobytes() == before[0]
        return network.predict(data[0])

    labels = during_a_fit(network, data, second)
    assert (labels == network.predict(data[0])).all()
    network.fit(*data, epochs=1)  # over: it may be trained again ...
    with ThreadPoolExecutor(1) as pool:  # ... in any thread
        pool.submit(network.fit, *data, epochs=1).result()


def test_a_callback_may_wait_for_a_thread_that_uses_the_network(data):
    network = new_network()
    answers = during_a_fit(
        network, data, lambda: (network.copy(), network.cost(*data), network.predict(data[0]))
    )
    assert answers[1] == pytest.approx(network.cost(*data))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
def test_a_training_that_ends_early_gives_the_network_back(data, error):
    network = new_network()

    def fails(network, epoch, history):
        raise error

    with pytest.raises(error):
        network.fit(*data, epochs=1, callbacks=[fails], **OPTIONS)
    assert network._model.guard.trainer is None
    with ThreadPoolExecutor(1) as pool:
        pool.submit(network.fit, *data, epochs=1).result()


def test_a_training_within_a_callback_of_the_same_thread(data):
    # An odd thing to do, which is not refused: one thread does one thing after the other.
    network = new_network()
    network.fit(*data, epochs=1, callbacks=[lambda n, *_: n.partial_fit(*data) and None], **OPTIONS)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(network.fit, *data, epochs=1).result()


def test_trainings_in_many_threads_are_each_what_it_would_be_alone(data, rounds, tried):
    X, y = data

    def train(seed):
        network = sigmax.Network(SIZES, seed=seed)
        network.fit(X, y, epochs=2, batch_size=70, optimizer="adam", dropout=0.2)
        return network.parameters.tobytes()

    n = rounds(6, 60)
    alone = [train(seed) for seed in range(n)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(train, range(n))) == alone
    tried("trainings at once in threads, equal to the bit", n)
