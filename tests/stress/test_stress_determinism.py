"""The promise of one result: for any threads, chunks, interruptions, processes, and each time.

`test_determinism.py` has the parts one by one; here all of them meet.
"""

import hashlib
import json
import threading

import numpy as np
import processes
import pytest
import sigmax
from sigmax._training import epoch

pytestmark = pytest.mark.filterwarnings("ignore:training stalled")

SIZES = (150, 170, 60, 7)
ROWS = 700
OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw")
TERMS = {"l2": 1e-3, "l1": 1e-4, "clip_norm": 1.0, "dropout": 0.3, "label_smoothing": 0.1}
OPTIONS = {"epochs": 3, "batch_size": 48, "learning_rate": 0.01, **TERMS}


@pytest.fixture
def data(dtype):
    """Data that NumPy's version cannot change."""
    X = (np.arange(ROWS * SIZES[0]) * 7919 % 10_007 / 5_003.5 - 1.0).reshape(ROWS, SIZES[0])
    return X.astype(dtype), np.arange(ROWS) * 31 % SIZES[-1]


def bits(network, history):
    """All that a run gives but its seconds."""
    kept = {name: value for name, value in vars(history).items() if name != "seconds"}
    return hashlib.sha256(network.parameters.tobytes()).hexdigest(), kept


def train(data, optimizer, **more):
    network = sigmax.Network(SIZES, dtype=data[0].dtype, seed=5)
    return bits(network, network.fit(*data, optimizer=optimizer, **{**OPTIONS, **more}))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_any_number_of_threads_and_twice(data, optimizer, tried):
    with sigmax.num_threads(1):
        alone = train(data, optimizer)
        assert train(data, optimizer) == alone
    for threads in (2, 3, 7, 16):
        with sigmax.num_threads(threads):
            assert train(data, optimizer) == alone, f"{threads} threads"
    tried("trainings compared to the bit", 5)


def sparse(X):
    scipy_sparse = pytest.importorskip("scipy.sparse")
    return scipy_sparse.csr_array(np.where(np.abs(X) < 0.7, 0, X).astype(X.dtype))


def stream(X, y):
    return lambda: ((X[i : i + 111], y[i : i + 111]) for i in range(0, len(X), 111))


def mapped(X, folder):
    X.tofile(folder / "X.bin")
    return np.memmap(folder / "X.bin", X.dtype, "r", shape=X.shape)


# Ways to the same batches: (X, y, options) of data and of a folder.
SOURCES = {
    "L-BFGS": lambda X, y, _: (X, y, {"optimizer": "lbfgs", "epochs": 4, "l2": 1e-3}),
    "weights": lambda X, y, _: (X, y, {"sample_weight": np.arange(ROWS) % 5 / 2.0, **OPTIONS}),
    "soft labels": lambda X, y, _: (
        X,
        np.eye(SIZES[-1], dtype=X.dtype)[y] * 0.9 + 0.1 / 7,
        OPTIONS,
    ),
    "standardized": lambda X, y, _: (X, y, {"standardize": True, **OPTIONS}),
    "sparse": lambda X, y, _: (sparse(X), y, OPTIONS),
    "stream": lambda X, y, _: (stream(X, y), None, {**OPTIONS}),
    "mapped": lambda X, y, folder: (mapped(X, folder), y, OPTIONS),
    "held out": lambda X, y, _: (X, y, {"validation_fraction": 0.2, **OPTIONS}),
}


@pytest.mark.parametrize("name", SOURCES)
def test_any_number_of_threads_for_every_source(data, name, tmp_path, tried):
    X, y, options = SOURCES[name](*data, tmp_path)
    found = {}
    for threads in (1, 2, 3, 7, 16):
        network = sigmax.Network(SIZES, dtype=data[0].dtype, seed=5)
        with sigmax.num_threads(threads):
            found[threads] = bits(network, network.fit(X, y, **options))
    assert all(run == found[1] for run in found.values()), found
    assert len(found[1][1]["cost"]) == options["epochs"]
    tried("trainings compared to the bit", 5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_any_chunks(data, optimizer, monkeypatch, tried):
    whole = train(data, optimizer)

    class Fixed(epoch.Pace):
        """So many batches in each call of C."""

        def __init__(self):
            self.n_batches = size

        def learn(self, done, seconds):
            pass

    monkeypatch.setattr("sigmax._training.run.Pace", Fixed)
    for size in (1, 2, 5, ROWS):
        assert train(data, optimizer) == whole, f"{size} batches in each call"
    tried("trainings compared to the bit", 4)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_busy_pool(data, optimizer, tried):
    # Another caller has the pool: each of the two finds it busy again and again.
    with sigmax.num_threads(3):
        expected = train(data, optimizer, epochs=1)
        ready, over, calls = threading.Event(), threading.Event(), []
        other = sigmax.Network([300, 400, 10], seed=1)
        X = np.zeros((500, 300), np.float32)

        def keep_busy():
            while not over.is_set():
                calls.append(other.predict(X))
                ready.set()

        thread = threading.Thread(target=keep_busy)
        thread.start()
        try:
            assert ready.wait(600)
            found = train(data, optimizer, epochs=1)
        finally:
            over.set()
            thread.join()
    assert found == expected and calls
    tried("trainings compared to the bit")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_interrupted_or_not(data, optimizer, tmp_path, tried):
    expected, path = train(data, optimizer), tmp_path / "run.checkpoint"
    for stop in (0, 1):

        def interrupt(network, epoch, history, stop=stop):
            if epoch == stop:
                raise KeyboardInterrupt

        network = sigmax.Network(SIZES, dtype=data[0].dtype, seed=5)
        callbacks = {"callbacks": [interrupt], "checkpoint": path, "optimizer": optimizer}
        with pytest.raises(KeyboardInterrupt):
            network.fit(*data, **{**OPTIONS, **callbacks})
        again = sigmax.Network(SIZES, dtype=data[0].dtype, seed=99)
        history = again.fit(*data, resume=path, callbacks=[lambda *_: None])
        assert bits(again, history) == expected
        path.unlink()
    tried("trainings compared to the bit", 2)


@pytest.mark.parametrize("rows", [1, 95, 96, 97, 700])
def test_predictions_in_one_call_or_in_several(data, instruction_set, rows):
    network = sigmax.Network(SIZES, dtype=data[0].dtype, seed=5)
    X = data[0][:rows]
    assert network._model.call_rows > ROWS
    whole = network.predict_proba(X).tobytes(), network.predict(X).tobytes()
    network._model.call_rows = 96
    assert (network.predict_proba(X).tobytes(), network.predict(X).tobytes()) == whole


@pytest.mark.parametrize("threads", [1, 3])
def test_new_processes(threads, tried):
    program = "stress/programs/trainings_hashed.py"
    arguments = [json.dumps(argument) for argument in (OPTIMIZERS, SIZES, OPTIONS)]
    env = {"SIGMAX_NUM_THREADS": str(threads), "PYTHONHASHSEED": "1"}
    first = processes.run(program, *arguments, env=env)
    assert len(set(first.split())) == 2 * len(OPTIMIZERS)
    env = {"SIGMAX_NUM_THREADS": "2", "PYTHONHASHSEED": "2"}
    second = processes.run(program, *arguments, env=env)
    assert first == second
    tried("trainings in new processes compared to the bit", 2 * len(OPTIMIZERS))
