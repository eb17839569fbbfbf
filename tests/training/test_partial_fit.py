"""partial_fit: one pass, an optimiser that goes on from call to call, and what ends it."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import reference_training
import sigmax
from bad_input import refused
from helpers import TOLERANCE, assert_close, random_data, reference_parameters
from reference import one_hot
from reference_optimizers import new_state
from sigmax._training.options import FitOptions

SIZES = (5, 7, 3)
ROWS = 40
OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw")


@pytest.fixture
def data(rng, dtype):
    X, y, _ = random_data(rng, ROWS, SIZES)
    return X.astype(dtype), y


@pytest.fixture
def network(dtype):
    return sigmax.Network(SIZES, dtype=dtype, seed=5)


# ---- the same as one training --------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_calls_in_turn_are_the_references_training(network, data, dtype, optimizer):
    # Four blocks of ten rows: the state of the optimiser and the number of the update go on.
    X, y = data
    options = FitOptions(optimizer=optimizer, dropout=0.25, l2=0.01)
    training = reference_training.Training(
        optimizer, options.rate, l2=0.01, dropout=0.25, seed=5, weight_decay=options.decay
    )
    w, b = reference_parameters(network)
    state = new_state(optimizer, network.n_parameters)
    now = reference_training.Trained(w, b, state, 0, 0.0, 0.0)
    for start in range(0, ROWS, 10):
        part = slice(start, start + 10)
        now = reference_training.train_epoch(
            now, X[part].astype(np.float64), one_hot(y[part], 3), training, 4
        )
        history = network.partial_fit(
            X[part], y[part], optimizer=optimizer, batch_size=4, shuffle=False, dropout=0.25,
            l2=0.01,
        )  # fmt: skip
        assert history.epochs == 1
        assert history.cost[0] == pytest.approx(now.cost / 10, rel=10 * TOLERANCE[dtype])
    assert now.step == 12
    expected = reference_training.flatten(now.weights, now.biases)
    assert_close(network.parameters, expected, 20 * TOLERANCE[dtype])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_blocks_of_whole_batches_are_one_epoch_of_fit(network, data, optimizer):
    X, y = data
    whole = network.copy()
    whole.fit(X, y, epochs=1, batch_size=5, shuffle=False, optimizer=optimizer)
    for start in range(0, ROWS, 10):
        part = slice(start, start + 10)
        network.partial_fit(X[part], y[part], batch_size=5, shuffle=False, optimizer=optimizer)
    np.testing.assert_array_equal(network.parameters, whole.parameters)


def test_a_call_shuffles_anew_and_counts_as_an_epoch(network, data):
    X, y = data
    other, fitted = network.copy(), network.copy()
    network.partial_fit(X, y, batch_size=7)
    network.partial_fit(X, y, batch_size=7)
    assert network.epochs_trained == 2
    fitted.fit(X, y, epochs=2, batch_size=7)  # of sgd, which has no state
    np.testing.assert_array_equal(network.parameters, fitted.parameters)
    other.partial_fit(X, y, batch_size=7, shuffle=False)
    other.partial_fit(X, y, batch_size=7, shuffle=False)
    assert (other.parameters != network.parameters).any()


def test_history_of_a_call(network, data):
    X, y = data
    before = network.cost(X, y), network.accuracy(X, y)
    history = network.partial_fit(X, y, batch_size=ROWS, learning_rate=0.25)
    assert history.cost[0] == pytest.approx(before[0], rel=1e-6)
    assert history.accuracy[0] == pytest.approx(before[1], rel=1e-12)
    assert history.learning_rate == [0.25] and len(history.seconds) == 1
    assert history.val_cost == []


# ---- weights -------------------------------------------------------------------------------------


def test_weights_are_used_as_they_are(network, data):
    X, y = data
    light, heavy, scaled = network.copy(), network.copy(), network.copy()
    options = {"batch_size": ROWS, "shuffle": False}
    heavy.partial_fit(X, y, sample_weight=np.full(ROWS, 2.0), learning_rate=0.1, **options)
    scaled.partial_fit(X, y, learning_rate=0.2, **options)
    np.testing.assert_allclose(heavy.parameters, scaled.parameters, rtol=1e-5, atol=1e-6)
    history = light.partial_fit(X, y, class_weight=[1.0, 2.0, 3.0], **options)
    weights = np.array([1.0, 2.0, 3.0])[y]
    network.partial_fit(X, y, sample_weight=weights, **options)
    np.testing.assert_array_equal(light.parameters, network.parameters)
    assert 0.5 < history.cost[0] < 2.5  # a mean, weighted


# ---- when the optimiser begins anew --------------------------------------------------------------


def another_optimizer(network, X, y):
    network.partial_fit(X, y, optimizer="rmsprop")
    return network


def a_fit(network, X, y):
    network.fit(X, y, epochs=1, optimizer="adam")
    return network


BEGINNINGS = {
    "another optimizer": another_optimizer,
    "fit": a_fit,
    "copy": lambda network, X, y: network.copy(),
    "copy.copy": lambda network, X, y: copy.copy(network),
}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_the_optimiser_begins_anew(network, data, name):
    X, y = data
    network.partial_fit(X, y, optimizer="adam")
    network = BEGINNINGS[name](network, X, y)
    fresh = sigmax.Network(SIZES, dtype=network.dtype, seed=5)
    fresh.parameters[:] = network.parameters
    for each in (network, fresh):
        each.partial_fit(X, y, optimizer="adam", shuffle=False)
    np.testing.assert_array_equal(network.parameters, fresh.parameters)
    kept = network.parameters.copy()
    network.partial_fit(X, y, optimizer="adam", shuffle=False)
    begun = sigmax.Network(SIZES, dtype=network.dtype, seed=5)
    begun.parameters[:] = kept
    begun.partial_fit(X, y, optimizer="adam", shuffle=False)
    assert (begun.parameters != network.parameters).any(), "this time it goes on"


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize(
    "again",
    [copy.deepcopy, *(lambda n, p=p: pickle.loads(pickle.dumps(n, p)) for p in (2, 5))],
    ids=["deepcopy", "pickle 2", "pickle 5"],
)
def test_pickles_and_deep_copies_go_on(network, data, optimizer, again):
    X, y = data
    options = {"optimizer": optimizer, "batch_size": 7, "dropout": 0.25}
    network.partial_fit(X, y, **options)
    twin, third = again(network), again(again(network))
    begun = network.copy()
    before = None
    if optimizer != "sgd":
        before = network._model.kept_optimizer.values.copy()
    for _ in range(3):
        for each in (network, twin, third, begun):
            each.partial_fit(X, y, **options)
    np.testing.assert_array_equal(twin.parameters, network.parameters)
    np.testing.assert_array_equal(third.parameters, network.parameters)
    assert (begun.parameters != network.parameters).any()
    if before is not None:  # they share no memory
        assert (network._model.kept_optimizer.values != before).any()
        assert not np.shares_memory(
            network._model.kept_optimizer.values, twin._model.kept_optimizer.values
        )


def test_a_pickle_of_a_network_without_it_is_as_it_was(network, data):
    X, y = data
    assert "kept_optimizer" not in network.__getstate__()  # so older releases read it
    network.partial_fit(X, y)
    state = network.__getstate__()
    del state["kept_optimizer"]  # as older releases wrote it
    other = sigmax.Network.__new__(sigmax.Network)
    other.__setstate__(state)
    np.testing.assert_array_equal(other.parameters, network.parameters)
    assert other._model.kept_optimizer is None


def test_a_pickle_made_while_another_thread_trains_has_none(network, data):
    X, y = data
    network.partial_fit(X, y, optimizer="adam")
    with network._model.guard.claim(), ThreadPoolExecutor(1) as pool:
        assert "kept_optimizer" in network.__getstate__()  # the training thread itself
        assert "kept_optimizer" not in pool.submit(network.__getstate__).result()
    with ThreadPoolExecutor(1) as pool:
        assert "kept_optimizer" in pool.submit(network.__getstate__).result()


def test_other_numbers_do_not_begin_it_anew(network, data):
    X, y = data
    first, second = network.copy(), network.copy()
    for each, rate in ((first, 0.01), (second, 0.02)):
        each.partial_fit(X, y, optimizer="momentum", learning_rate=0.01)
        each.partial_fit(X, y, optimizer="momentum", learning_rate=rate)
        assert each._model.kept_optimizer.updates == 8
    assert (first.parameters != second.parameters).any()


def test_it_can_follow_a_standardized_fit(network, data):
    X, y = data
    network.fit(X * 100, y, epochs=1, standardize=True)
    scaled = network.copy()
    prepared = ((X * 100.0 - network.preparation.mean) / network.preparation.scale).astype(X.dtype)
    network.partial_fit(X * 100, y, shuffle=False)
    plain = sigmax.Network(SIZES, dtype=network.dtype, seed=5)
    plain.parameters[:] = scaled.parameters
    plain.partial_fit(prepared, y, shuffle=False)
    assert_close(network.parameters, plain.parameters, 1e-5)


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 3}, ("partial_fit", "epochs")),
        ({"standardize": True}, ("partial_fit", "standardize")),
        ({"schedule": "cosine"}, ("partial_fit", "schedule")),
        ({"early_stopping": "cost"}, ("partial_fit", "early_stopping")),
        ({"optimizer": "lbfgs"}, ("optimizer is 'lbfgs'", "all rows")),
        ({"class_weight": "balanced"}, ("class_weight is 'balanced'", "all rows")),
        ({"optimizer": "adam", "momentum": 0.5}, ("momentum", "'adam'")),
        ({"batch_size": 0}, ("batch_size", "0", ">= 1")),
    ],
    ids=str,
)
def test_bad_options(network, data, options, words):
    X, y = data
    calls = {"partial_fit": lambda: network.partial_fit(X, y, **options)}
    refused(network, calls, (TypeError, ValueError), *words)


def test_bad_data(network, data):
    X, y = data
    bad = X.copy()
    bad[3, 1] = np.nan
    refused(network, {"nan": lambda: network.partial_fit(bad, y)}, ValueError, "X, row 3, column 1")
    refused(network, {"labels": lambda: network.partial_fit(X, y + 1)}, ValueError, "y, row")
    refused(network, {"rows": lambda: network.partial_fit(X, y[:-1])}, ValueError, "39", "40")
    calls = {"stream": lambda: network.partial_fit(lambda: iter([(X, y)]), None)}
    refused(network, calls, TypeError, "callable", "array")
    shallow = sigmax.Network([5, 3], dtype=network.dtype, seed=0)
    calls = {"dropout": lambda: shallow.partial_fit(X, y, dropout=0.5)}
    refused(shallow, calls, ValueError, "dropout", "no hidden layer")


def test_divergence_keeps_the_parameters_and_the_state(network, data):
    X, y = data
    huge = {"float32": 1e38, "float64": 1e308}[network.dtype.name]
    network.partial_fit(X, y, optimizer="momentum")
    before, moments = network.parameters.copy(), network._model.kept_optimizer.values.copy()
    with pytest.raises(sigmax.DivergedError):
        network.partial_fit(X, y, optimizer="momentum", batch_size=ROWS, learning_rate=huge, l2=1e3)
    np.testing.assert_array_equal(network.parameters, before)
    np.testing.assert_array_equal(network._model.kept_optimizer.values, moments)
    assert network._model.kept_optimizer.updates == 4 and network.epochs_trained == 1
    network.partial_fit(X, y, optimizer="momentum")
    assert np.isfinite(network.parameters).all()
