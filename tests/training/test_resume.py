"""A training that was interrupted and resumed equals one that was not, bit for bit."""

import numpy as np
import pytest
import sigmax
from checkpoint_files import equal
from helpers import what_it_holds
from sigmax._training import checkpoint_file as checkpoints
from sigmax._training import epoch, run

SIZES = (6, 7, 3)
ROWS = 90
OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


@pytest.fixture
def data(rng):
    X = rng.normal(size=(ROWS, SIZES[0]))
    return X, (X[:, :3] + 0.5 * rng.normal(size=(ROWS, 3))).argmax(axis=1)


@pytest.fixture
def interrupt(monkeypatch):
    """Let Ctrl-C come after so many calls of C, each of one batch."""

    class Interrupter:
        left = None

        def after(self, n_calls):
            self.left = n_calls

    interrupter = Interrupter()

    class Pace:
        n_batches = 1

        def learn(self, done, seconds):
            if interrupter.left is not None:
                interrupter.left -= 1
                if interrupter.left == 0:
                    interrupter.left = None
                    raise KeyboardInterrupt

    for module in (epoch, run):
        monkeypatch.setattr(module, "Pace", Pace)
    return interrupter


def new_network(dtype="float32", seed=4):
    return sigmax.Network(SIZES, dtype=dtype, seed=seed)


def check(interrupt, path, data, options, *, points=(1, 4, 9, 10, 17, 26), dtype="float32", **more):
    """Interrupt after each number of batches in turn, resume in another network, and compare.

    Each epoch of the 90 rows in batches of 10 has 9 batches.
    """
    X, y = data
    options = {"epochs": 3, "batch_size": 10, **options}
    whole = new_network(dtype)
    before = whole.parameters.copy()
    expected = whole.fit(X, y, **options, **more)
    assert (whole.parameters != before).any()
    for point in points:
        first = new_network(dtype)
        interrupt.after(point)
        with pytest.raises(KeyboardInterrupt) as caught:
            first.fit(X, y, checkpoint=path, **options, **more)
        assert repr(str(path)) in caught.value.__notes__[0]
        second = new_network(dtype, seed=None)
        again = {name: options[name] for name in ("schedule", "callbacks") if name in options}
        functions = {name: value for name, value in again.items() if not isinstance(value, str)}
        history = second.fit(X, y, resume=path, **functions, **more)
        equal(second, history, whole, expected)
        assert len(history.seconds) == expected.epochs
    return whole, expected


# ---- bit for bit ---------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimiser(interrupt, path, data, optimizer, dtype):
    options = {"optimizer": optimizer, "learning_rate": 0.01}
    check(interrupt, path, data, options, dtype=dtype)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_with_dropout_and_all_penalties(interrupt, path, data, optimizer):
    more = {"dropout": 0.4, "l2": 1e-3, "l1": 1e-4, "clip_norm": 0.5, "label_smoothing": 0.1}
    options = {"optimizer": optimizer, "learning_rate": 0.02, "batch_size": 12, **more}
    check(interrupt, path, data, options, points=(1, 3, 8, 9, 13))


def test_after_every_single_batch(interrupt, path, data):
    options = {"optimizer": "adam", "dropout": 0.5, "batch_size": 20, "epochs": 2}
    check(interrupt, path, data, options, points=range(1, 11))


def test_interrupted_again_and_again(interrupt, path, data):
    X, y = data
    options = {"epochs": 4, "optimizer": "nesterov", "dropout": 0.2}
    whole = new_network()
    expected = whole.fit(X, y, **options)
    network, more = new_network(), {"checkpoint": path, **options}
    for _ in range(11):
        interrupt.after(3)
        with pytest.raises(KeyboardInterrupt):
            network.fit(X, y, **more)
        network, more = new_network(), {"resume": path}
    equal(network, network.fit(X, y, resume=path), whole, expected)


@pytest.mark.parametrize(
    "schedule",
    [
        {"schedule": "step", "schedule_epochs": 2},
        {"schedule": "exponential", "warmup_epochs": 2},
        {"schedule": "cosine", "min_learning_rate": 0.01},
        {"schedule": "plateau", "schedule_epochs": 1, "schedule_factor": 0.5},
        {"schedule": lambda epoch: 0.3 / (epoch + 1)},
    ],
    ids=["step", "exponential", "cosine", "plateau", "function"],
)
def test_schedules(interrupt, path, data, schedule):
    rate = {} if callable(schedule["schedule"]) else {"learning_rate": 2.0}
    options = {"epochs": 8, **rate, **schedule}
    _, history = check(interrupt, path, data, options, points=(2, 20, 45, 65))
    assert len(set(history.learning_rate)) > 1


@pytest.mark.parametrize("early_stopping", ["cost", "accuracy"])
def test_early_stopping(interrupt, path, data, early_stopping):
    options = {
        "epochs": 60,
        "batch_size": 10,
        "learning_rate": 5.0,
        "early_stopping": early_stopping,
        "patience": 4,
        "validation_fraction": 0.3,
    }
    history = new_network().fit(*data, **options)
    per_epoch = round(0.7 * ROWS) // 10 + 1
    waiting = (history.best_epoch + 3) * per_epoch + 2  # when some epochs brought nothing
    points = (3, 12, 26, waiting, history.epochs * per_epoch)
    _, history = check(interrupt, path, data, options, points=points)
    assert history.stopped == "early_stopping"
    assert 0 < history.best_epoch < history.epochs - 1 < 59


def test_validation_data_and_weights(interrupt, path, data, rng):
    X, y = data
    more = {
        "X_val": X[:30] + 0.1,
        "y_val": y[:30],
        "sample_weight": rng.uniform(0, 2, ROWS),
        "sample_weight_val": rng.uniform(0, 2, 30),
    }
    for class_weight in ("balanced", {0: 2.0, 2: 0.25}, [1, 2, 3]):
        options = {"class_weight": class_weight, "optimizer": "rmsprop"}
        check(interrupt, path, data, options, points=(1, 13, 18), **more)


def test_preparation(interrupt, path, data):
    X, y = data
    X = 50 + 9 * X
    X[3, 2] = X[70, 0] = np.nan
    whole, _ = check(interrupt, path, (X, y), {"standardize": True, "nan": "mean"})
    assert whole.preparation is not None
    resumed = checkpoints.load(path).model.preparation
    for part in ("mean", "scale", "fill"):
        np.testing.assert_array_equal(
            getattr(resumed, part), getattr(whole.preparation, part), strict=True
        )


def test_soft_labels_without_shuffling(interrupt, path, data, rng):
    soft = rng.dirichlet(np.ones(3), ROWS)
    check(interrupt, path, (data[0], soft), {"shuffle": False})


def test_a_second_fit(interrupt, path, data):
    # The shuffles and the masks of a network that was trained before.
    X, y = data
    options = {"epochs": 2, "dropout": 0.3, "optimizer": "momentum"}
    start = new_network()
    start.fit(X, y, **options)
    whole, first = start.copy(), start.copy()
    expected = whole.fit(X, y, **options)
    interrupt.after(5)
    with pytest.raises(KeyboardInterrupt):
        first.fit(X, y, checkpoint=path, **options)
    second = new_network()
    equal(second, second.fit(X, y, resume=path), whole, expected)
    assert second.epochs_trained == 4


# ---- data that are not arrays --------------------------------------------------------------------


def test_memmap(interrupt, path, data, tmp_path, monkeypatch):
    from sigmax._data import sources

    X, y = data
    mapped = np.memmap(tmp_path / "X.bin", np.float32, "w+", shape=X.shape)
    mapped[:] = X
    monkeypatch.setattr(sources, "_CHUNK_BYTES", 25 * SIZES[0] * 4)  # pieces of two batches
    options = {"optimizer": "adam", "dropout": 0.2}
    whole, history = check(interrupt, path, (mapped, y), options)
    equal(whole, history, *fitted(np.asarray(mapped), y, epochs=3, batch_size=10, **options))


def fitted(X, y, **options):
    network = new_network()
    return network, network.fit(X, y, **options)


def test_sparse_rows(interrupt, path, data):
    sparse = pytest.importorskip("scipy.sparse")
    X, y = data
    X = np.where(np.abs(X) < 0.7, 0, X).astype(np.float32)
    options = {"optimizer": "adam", "dropout": 0.2}
    whole, history = check(interrupt, path, (sparse.csr_array(X), y), options)
    equal(whole, history, *fitted(X, y, epochs=3, batch_size=10, **options))


@pytest.mark.parametrize("block", [7, 10, 33, 90])
def test_stream(interrupt, path, data, block):
    X, y = data

    def stream():
        for start in range(0, ROWS, block):
            yield X[start : start + block], y[start : start + block]

    options = {"optimizer": "adam", "dropout": 0.2}
    whole, history = check(interrupt, path, (stream, None), options)
    other = fitted(X, y, epochs=3, batch_size=10, shuffle=False, **options)
    equal(whole, history, *other)


# ---- where it ends -------------------------------------------------------------------------------


def test_a_finished_run_gives_its_history_and_network_at_once(path, data):
    X, y = data
    whole = new_network()
    expected = whole.fit(X, y, epochs=3, checkpoint=path)
    content = path.read_bytes()
    second = new_network()
    equal(second, second.fit(X, y, resume=path), whole, expected)
    assert path.read_bytes() == content


def test_the_bar_goes_on_from_where_it_was(interrupt, path, data, capsys):
    X, y = data
    interrupt.after(14)
    with pytest.raises(KeyboardInterrupt):
        new_network().fit(X, y, checkpoint=path, epochs=3)
    new_network().fit(X, y, resume=path, progress=True)
    bars = capsys.readouterr().err
    assert bars.index(" 52%") < bars.index("100%")  # 140 of 270 rows
    assert " 0%" not in bars
    assert "epoch 3/3" in bars


def test_views_and_the_later_fit_are_those_of_the_network(path, data):
    X, y = data
    whole = new_network()
    whole.fit(X, y, epochs=2, checkpoint=path)
    second = new_network(seed=77)
    view = second.weights[0]
    second.fit(X, y, resume=path)
    assert view is second.weights[0]
    np.testing.assert_array_equal(view, whole.weights[0])
    whole.fit(X, y, epochs=1)
    second.fit(X, y, epochs=1)
    assert what_it_holds(second) == what_it_holds(whole)


def test_a_callback_that_stops(path, data):
    X, y = data
    whole = new_network()
    expected = whole.fit(X, y, checkpoint=path, callbacks=[lambda n, epoch, h: epoch == 3])
    assert expected.stopped == "callback"
    second = new_network()
    history = second.fit(X, y, resume=path, callbacks=[lambda *_: None])
    equal(second, history, whole, expected)


def test_a_callback_that_raises_leaves_the_epoch_before(path, data):
    X, y = data

    def fail(network, epoch, history):
        if epoch == 2:
            raise RuntimeError("no more disk")

    first = new_network()
    with pytest.raises(RuntimeError, match="no more disk"):
        first.fit(X, y, epochs=5, checkpoint=path, callbacks=[fail])
    assert checkpoints.load(path).state.epoch == 2
    whole, second = new_network(), new_network()
    expected = whole.fit(X, y, epochs=5)
    history = second.fit(X, y, resume=path, callbacks=[lambda *_: None])
    equal(second, history, whole, expected)


def test_divergence_leaves_the_checkpoint_before(path, data):
    X, y = data
    network = new_network()
    options = {"epochs": 6, "l2": 1.0}
    with pytest.raises(sigmax.DivergedError):
        network.fit(
            X, y, checkpoint=path, schedule=lambda epoch: 0.1 if epoch < 3 else 3e38, **options
        )
    assert checkpoints.load(path).state.epoch == 3
    whole, second = new_network(), new_network()
    expected = whole.fit(X, y, schedule=lambda epoch: 0.1, **options)
    equal(second, second.fit(X, y, resume=path, schedule=lambda epoch: 0.1), whole, expected)


def test_checkpoint_every(interrupt, path, data):
    X, y = data
    seen = []

    def look(network, epoch, history):
        seen.append(checkpoints.load(path).state.epoch if path.exists() else None)

    options = {"epochs": 7, "checkpoint_every": 3, "callbacks": [look]}
    new_network().fit(X, y, checkpoint=path, **options)
    assert seen == [None, None, None, 3, 3, 3, 6]
    assert checkpoints.load(path).state.finished
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_checkpoint_goes_on_being_written_unless_another_is_named(interrupt, path, data):
    X, y = data
    interrupt.after(4)
    with pytest.raises(KeyboardInterrupt):
        new_network().fit(X, y, checkpoint=path, epochs=2)
    content = path.read_bytes()
    other = path.with_name("other.npz")
    new_network().fit(X, y, resume=path, checkpoint=other)
    assert path.read_bytes() == content
    assert checkpoints.load(other).state.finished
    new_network().fit(X, y, resume=path)
    assert checkpoints.load(path).state.finished
