"""Training that is broken off, by divergence or by Ctrl-C: what is reported, and what is kept."""

import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest
import sigmax
from helpers import random_data

# ---- divergence ----------------------------------------------------------------------------------


def diverging_problem(dtype):
    """Softmax regression on 40 rows in batches of 5; batch 5 holds two equal, huge rows.

    They are of two classes, so one of them is wrong and makes W huge in epoch 0. In epoch 1 every z
    is finite up to that batch, and there W times the rows overflows.
    """
    rng = np.random.default_rng(1)
    X = rng.normal(0.0, 1.0, (40, 3)).astype(dtype)
    labels = rng.integers(0, 4, 40)
    X[27] = X[28] = {"float32": 1e30, "float64": 1e200}[dtype]
    labels[27], labels[28] = 0, 1
    return X, labels


@pytest.mark.filterwarnings("ignore::sigmax.TrainingWarning")  # X is huge on purpose
def test_divergence_names_epoch_and_batch_and_keeps_the_parameters_before(instruction_set, dtype):
    X, labels = diverging_problem(dtype)
    options = {"batch_size": 5, "learning_rate": 0.5, "shuffle": False}
    network = sigmax.Network([3, 4], dtype=dtype, seed=1)
    with pytest.raises(sigmax.DivergedError) as caught:
        network.fit(X, labels, epochs=9, **options)
    assert (caught.value.epoch, caught.value.batch) == (1, 5)
    assert "epoch 1" in str(caught.value) and "batch 5" in str(caught.value)

    stopped = sigmax.Network([3, 4], dtype=dtype, seed=1)
    stopped.fit(X, labels, epochs=1, **options)
    stopped.fit(X[:25], labels[:25], epochs=1, **options)
    assert np.isfinite(network.parameters).all()
    np.testing.assert_array_equal(network.parameters, stopped.parameters)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov"])
def test_divergence_by_l2_names_it(optimizer):
    X, y = np.ones((40, 2)), np.arange(40) % 2
    network = sigmax.Network([2, 3, 2], seed=0)
    with pytest.raises(sigmax.DivergedError, match=r"smaller l2 .* takes 5 times") as caught:
        network.fit(X, y, optimizer=optimizer, learning_rate=0.5, l2=10.0, epochs=500)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_divergence_of_the_first_batch_changes_nothing(dtype):
    network = sigmax.Network([2, 2], dtype=dtype, seed=1)
    before = network.parameters.copy()
    huge = {"float32": 1e38, "float64": 1e308}[dtype]
    X = np.full((4, 2), huge / 4, dtype)
    with pytest.raises(sigmax.DivergedError) as caught:
        network.fit(X, [0, 1, 1, 1], epochs=1, batch_size=4, learning_rate=1e6)
    assert (caught.value.epoch, caught.value.batch) == (0, 0)
    np.testing.assert_array_equal(network.parameters, before)


@pytest.mark.filterwarnings("ignore::sigmax.TrainingWarning")  # X is huge on purpose
def test_divergence_late_in_a_long_chunk_keeps_the_parameters_before(dtype):
    # The offending batch lies deep inside one C call, which has to be undone just so far.
    rng = np.random.default_rng(2)
    rows, bad = 3000, 2345
    X = rng.normal(0.0, 1.0, (rows, 4)).astype(dtype)
    X[bad - 1] = X[bad] = {"float32": 1e30, "float64": 1e200}[dtype]
    labels = rng.integers(0, 3, rows)
    network = sigmax.Network([4, 3], dtype=dtype, seed=1)
    stopped = network.copy()
    options = {"epochs": 1, "batch_size": 1, "learning_rate": 0.05, "shuffle": False}
    stopped.fit(X[: bad - 1], labels[: bad - 1], **options)
    # A wrong label makes W huge at row bad - 1, and W times the same row then overflows.
    labels[bad - 1] = (stopped.predict(X[bad : bad + 1])[0] + 1) % 3
    with pytest.raises(sigmax.DivergedError) as caught:
        network.fit(X, labels, **options)
    assert (caught.value.epoch, caught.value.batch) == (0, bad)
    stopped.fit(X[bad - 1 : bad], labels[bad - 1 : bad], **options)
    np.testing.assert_array_equal(network.parameters, stopped.parameters)


@pytest.mark.filterwarnings("ignore::sigmax.TrainingWarning")  # X is huge on purpose
def test_a_network_that_diverged_can_still_be_used(dtype):
    X, labels = diverging_problem(dtype)
    network = sigmax.Network([3, 4], dtype=dtype, seed=1)
    with pytest.raises(sigmax.DivergedError):
        network.fit(X, labels, epochs=9, batch_size=5, shuffle=False)
    assert np.isfinite(network.predict_proba(X[:20])).all()
    network.weights[0][:] = 0
    network.biases[0][:] = 0
    network.fit(X[:20], labels[:20], epochs=2)
    assert np.isfinite(network.parameters).all()


# ---- Ctrl-C --------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="sends a signal to itself")
@pytest.mark.parametrize("rows", [30, 20_000], ids=["short epochs", "long epochs"])
def test_keyboard_interrupt_leaves_a_usable_network(rng, rows):
    X, labels, _ = random_data(rng, rows, (50, 3))
    network = sigmax.Network([50, 60, 3], seed=1)
    before, sent, over = network.parameters.copy(), [], threading.Event()

    def interrupt():
        while np.array_equal(network.parameters, before):  # it has not begun
            if over.wait(0.001):
                return
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            thread.start()
            network.fit(X, labels, epochs=10**6, learning_rate=0.01)
        waited = time.perf_counter() - sent[0]
    finally:
        over.set()
        thread.join()
    assert waited < 60  # 0.2 s by design; a machine with other work to do takes longer
    assert np.isfinite(network.parameters).all()
    kept = network.parameters.copy()
    time.sleep(0.1)  # nothing goes on in the background
    np.testing.assert_array_equal(network.parameters, kept)
    network.fit(X[:30], labels[:30], epochs=1)
    assert (network.parameters != kept).any()
    assert network.predict(X).shape == (rows,)
