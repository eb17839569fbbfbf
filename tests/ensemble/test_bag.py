"""`sigmax.bag`: members that are each what `fit` makes of their rows, folded; and honest scores."""

import os
import signal
import sys
import threading
import time
import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest
import sigmax
from helpers import assert_close
from sigmax import DivergedError, Network, TrainingWarning, bag
from sigmax._command.digits import load_digits
from sigmax._data.examples import as_examples
from sigmax._data.splitting import fold_numbers
from sigmax._ensemble.members import Scores, member_seed
from sigmax._training.fit import fit

OPTIONS = {"epochs": 4, "optimizer": "adam", "learning_rate": 0.02, "batch_size": 8}


def data(n=203, n_in=4, dtype=np.float64):
    """A hill in a plane: two classes, some labels wrong, the second class rarer."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, n_in)).astype(dtype)
    y = ((X**2)[:, :2].sum(axis=1) < 1.0).astype(int)
    return X, np.where(rng.random(n) < 0.1, 1 - y, y)


def numbers_of(network, X, y, n_folds, repeat=0, weights=None):
    examples = as_examples(X, y, network._model.layout).weighted(weights)
    return fold_numbers(examples, n_folds, network.seed, repeat)


def by_hand(X, y, n_networks=5, repeats=1, hidden=(7,), dtype="float64", weights=None, **options):
    """Return the members, trained one by one by `fit`, and the rows that each holds out."""
    options = {**OPTIONS, **options}
    n_out = y.shape[1] if y.ndim == 2 else 2
    first = Network([X.shape[1], *hidden, n_out], dtype=dtype, seed=3)
    n_folds = n_networks // repeats
    members, held = [], []
    for m in range(n_networks):
        numbers = numbers_of(first, X, y, n_folds, m // n_folds, weights)
        out = numbers == m % n_folds
        network = Network(first.sizes, dtype=dtype, seed=member_seed(3, m))
        given = {}
        if weights is not None:
            given = {"sample_weight": weights[~out], "sample_weight_val": weights[out]}
        network.fit(X[~out], y[~out], X_val=X[out], y_val=y[out], **given, **options)
        members.append(network)
        held.append(np.flatnonzero(out))
    return members, held


def bits(bagged):
    return (
        bagged.network.parameters.tobytes(),
        bagged.oof_proba.tobytes(),
        [(h.cost, h.val_cost, h.best_epoch) for h in bagged.histories],
    )


def small(X, y, **options):
    return bag(X, y, hidden=[7], seed=3, **{**OPTIONS, **options})


# ---- what a bag is -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"early_stopping": "cost", "patience": 1, "epochs": 12},
        {"early_stopping": "accuracy", "dropout": 0.2, "label_smoothing": 0.1},
        {"shuffle": False, "class_weight": "balanced"},
        {"batch_size": 1000, "optimizer": "sgd", "learning_rate": 1.0},
    ],
)
def test_members_are_what_fit_makes_of_their_rows(dtype, options):
    X, y = data(dtype=dtype)
    members, held = by_hand(X, y, dtype=dtype, **options)
    bagged = small(X, y, dtype=dtype, **options)
    assert np.array_equal(bagged.network.parameters, sigmax.fold(members).parameters)
    for history, member, rows in zip(bagged.histories, members, held, strict=True):
        assert history.val_cost[-1] > 0
        expected = sigmax.fold([member], dtype="float64").predict_proba(X[rows].astype(np.float64))
        assert np.array_equal(bagged.oof_proba[rows], expected)
    assert bagged.network.seed == 3


def test_repeats():
    X, y = data()
    members, held = by_hand(X, y, 6, repeats=3)
    bagged = small(X, y, dtype="float64", n_networks=6, repeats=3)
    assert np.array_equal(bagged.network.parameters, sigmax.fold(members).parameters)
    for row in (0, 100, 202):
        unseen = [network for network, rows in zip(members, held, strict=True) if row in rows]
        assert len(unseen) == 3
        product = np.prod([network.predict_proba(X[[row]]) for network in unseen], axis=0) ** (
            1 / 3
        )
        assert_close(bagged.oof_proba[row], (product / product.sum())[0], 1e-12)


def test_scores_are_those_of_the_out_of_fold_answers():
    X, y = data()
    weights = np.random.default_rng(1).uniform(0.5, 2.0, len(X))
    bagged = small(X, y, sample_weight=weights)
    losses = -np.log(bagged.oof_proba[np.arange(len(y)), y])
    assert bagged.oof_cost == pytest.approx(np.average(losses, weights=weights), rel=1e-12)
    right = bagged.oof_proba.argmax(axis=1) == y
    assert bagged.oof_accuracy == pytest.approx(np.average(right, weights=weights), rel=1e-12)
    assert f"oof_cost={bagged.oof_cost:.4g}" in repr(bagged)


def test_the_cost_of_overconfident_members_is_honest():
    X, y = data(dtype=np.float64)
    given = {"hidden": [], "epochs": 3, "learning_rate": 1.0, "dtype": "float64", "seed": 0}
    with pytest.warns(TrainingWarning):
        bagged = bag(1e4 * X, y, **given)
    held = [np.sum(numbers_of(bagged.network, X, y, 5) == m) for m in range(5)]
    expected = np.average([h.val_cost[-1] for h in bagged.histories], weights=held)
    assert expected > 1e4  # where probabilities are 0 in float64
    assert bagged.oof_cost == pytest.approx(expected, rel=1e-12)


def test_weights_of_rows_and_classes():
    X, y = data()
    weights = np.random.default_rng(1).integers(0, 3, len(X)).astype(float)
    options = {"class_weight": [1.0, 2.0], "dtype": "float64"}
    members, _ = by_hand(X, y, weights=weights, **options)
    bagged = small(X, y, sample_weight=weights, **options)
    assert np.array_equal(bagged.network.parameters, sigmax.fold(members).parameters)


def test_rows_of_a_class_of_weight_0_are_not_held_out():
    X, y = data()
    options = {**OPTIONS, "class_weight": [0.0, 1.0], "validation_fraction": 0.3}
    one = bag(X, y, hidden=[7], seed=3, n_networks=1, **options)
    network = Network([4, 7, 2], seed=3)
    history = network.fit(X, y, **options)
    assert np.array_equal(one.network.parameters, network.parameters)
    assert one.histories[0].val_cost == history.val_cost


def test_folds_for_rows_of_a_class_that_counts():
    X, y = data()
    few = np.zeros_like(y)
    few[[3, 50, 120]] = 1
    with pytest.raises(ValueError, match=r"n_networks is 5, .* rows with a weight above 0, 3"):
        small(X, few, class_weight=[0.0, 1.0])


def test_rows_of_weight_0_change_nothing_but_their_own_answers():
    X, y = data()
    weights = np.where(np.arange(len(X)) % 3 == 0, 0.0, 1.0)
    other = np.where(weights[:, None] == 0, 5 - X, X)
    one, two = (
        small(given, y, sample_weight=weights, standardize=True, early_stopping="cost")
        for given in (X, other)
    )
    assert np.array_equal(one.network.parameters, two.network.parameters)
    assert np.array_equal(one.oof_proba[weights > 0], two.oof_proba[weights > 0])
    assert one.oof_cost == two.oof_cost


def test_soft_labels():
    X, y = data()
    soft = np.eye(2)[y] * 0.8 + 0.1
    members, held = by_hand(X, soft)
    bagged = small(X, soft, dtype="float64")
    assert np.array_equal(bagged.network.parameters, sigmax.fold(members).parameters)
    costs = [m.cost(X[rows], soft[rows]) * len(rows) for m, rows in zip(members, held, strict=True)]
    assert bagged.oof_cost == pytest.approx(sum(costs) / len(X), rel=1e-12)


def test_one_preparation_over_all_rows():
    X, y = data()
    X = X * [1, 10, 100, 1000] + 5
    X[::7, 2] = np.nan
    bagged = small(X, y, standardize=True, nan="mean", dtype="float64")
    preparation = bagged.network.preparation
    assert_close(preparation.fill, np.nanmean(X, axis=0), 1e-12)
    filled = np.where(np.isnan(X), preparation.fill, X)
    assert_close(preparation.mean, filled.mean(axis=0), 1e-12)
    prepared = preparation.apply(X, np.float64)
    plain = small(prepared, y, dtype="float64")
    assert np.array_equal(plain.network.parameters, bagged.network.parameters)
    assert np.array_equal(plain.oof_proba, bagged.oof_proba)


def test_lbfgs():
    X, y = data()
    options = {"optimizer": "lbfgs", "l2": 0.01, "epochs": 5}
    for name in ("learning_rate", "batch_size"):
        options[name] = {"learning_rate": None, "batch_size": 10}[name]
    members, _ = by_hand(X, y, **options)
    bagged = small(X, y, dtype="float64", **options)
    assert np.array_equal(bagged.network.parameters, sigmax.fold(members).parameters)


def test_one_network_is_plain_early_stopping():
    X, y = data(dtype=np.float32)
    options = {"early_stopping": "cost", "validation_fraction": 0.25, "epochs": 20}
    network = Network([4, 7, 2], seed=3)
    history = network.fit(X, y, **{**OPTIONS, **options})
    bagged = small(X, y, n_networks=1, **options)
    assert np.array_equal(bagged.network.parameters, network.parameters)
    assert bagged.histories[0].val_cost == history.val_cost
    scored = ~np.isnan(bagged.oof_proba[:, 0])
    assert scored.sum() == pytest.approx(len(X) / 4, abs=1)
    assert bagged.oof_cost == pytest.approx(min(history.val_cost), rel=1e-5)


def test_one_network_that_holds_nothing_out():
    X, y = data()
    bagged = small(X, y, n_networks=1)
    assert np.isnan(bagged.oof_proba).all()
    assert np.isnan(bagged.oof_cost)


def test_no_epochs():
    X, y = data()
    bagged = small(X, y, epochs=0, standardize=True)
    assert bagged.network.epochs_trained == 0
    assert bagged.network.preparation is not None
    assert len(bagged.oof_proba) == len(X)


# ---- the same bits -------------------------------------------------------------------------------


@pytest.mark.parametrize("n_threads", [1, 3, 8])
def test_any_number_of_threads(n_threads):
    X, y = data()
    options = {"early_stopping": "cost", "dropout": 0.1, "standardize": True, "calibrate": True}
    expected = small(X, y, n_networks=6, repeats=3, **options)
    within = []
    note = [lambda *_: within.append(sigmax.get_num_threads())]  # what a callback may restore
    with sigmax.num_threads(n_threads):
        found = small(X, y, n_networks=6, repeats=3, callbacks=note, **options)
        assert sigmax.get_num_threads() == n_threads
    assert set(within) == {n_threads}
    assert bits(found) == bits(expected)
    assert found.calibration == expected.calibration


@pytest.mark.parametrize("standardize", [False, True])
def test_a_mapped_file_gives_the_bits_of_the_array(tmp_path, monkeypatch, standardize):
    monkeypatch.setattr("sigmax._data.rows._SMALL_FILE", 0)
    X, y = data(dtype=np.float32)
    mapped = np.memmap(tmp_path / "X.bin", np.float32, "w+", shape=X.shape)
    mapped[:] = X
    options = {"standardize": standardize, "early_stopping": "cost"}
    assert bits(small(mapped, y, **options)) == bits(small(X, y, **options))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_sparse_rows_give_the_bits_of_the_array(optimizer):
    scipy_sparse = pytest.importorskip("scipy.sparse")
    X, y = data(dtype=np.float32)
    X[np.abs(X) < 0.7] = 0
    options = {"optimizer": optimizer, "early_stopping": "cost"}
    assert bits(small(scipy_sparse.csr_array(X), y, **options)) == bits(small(X, y, **options))


def test_names_of_columns():
    pandas = pytest.importorskip("pandas")
    X, y = data(dtype=np.float32)
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    bagged = small(frame, y)
    assert bagged.network.column_names == ("a", "b", "c", "d")
    assert bits(bagged) == bits(small(X, y))


def test_any_form_of_array():
    X, y = data()
    expected = bits(small(X.astype(np.float32), y))
    assert bits(small(X, y)) == expected
    assert bits(small(X.tolist(), y.tolist())) == expected
    assert bits(small(np.asfortranarray(X.astype(np.float32)), y.astype(float))) == expected


def test_rows_in_memory_are_not_copied_for_each_member():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 800)).astype(np.float32)  # 64 MB
    y = rng.integers(0, 2, len(X))
    with sigmax.num_threads(2):
        tracemalloc.start()
        bag(X, y, n_networks=20, hidden=[2], epochs=1, batch_size=1000, seed=0)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < X.nbytes  # two held-out parts, blocks of the answers: not 20 copies, nor 2


# ---- temperature ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_no_temperature_near_it_suits_new_rows_better(seed, noise):
    X, y = load_digits()
    X = X.reshape(len(X), -1)
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(len(y)) < noise, rng.integers(0, 10, len(y)), y)
    order = rng.permutation(len(X))
    train, test = order[:1000], order[1000:]
    bagged = bag(
        X[train], y[train], n_networks=6, repeats=3, calibrate=True, hidden=[20], seed=seed,
        epochs=30, optimizer="adam", learning_rate=0.01, batch_size=50, standardize=True,
    )  # fmt: skip
    calibrated = bagged.network
    plain = calibrated.copy()
    plain._model.temperature = 1.0
    assert bagged.calibration.temperature == calibrated.temperature != 1.0

    def losses(temperature):
        plain._model.temperature = temperature
        answers = plain.predict_proba(X[test])[np.arange(len(test)), y[test]]
        return -np.log(answers.astype(float))

    best = bagged.calibration.temperature
    for other in (1.0, 1.2 * best, best / 1.2):
        raised = losses(best) - losses(other)
        assert raised.mean() <= raised.std() / np.sqrt(len(test)), other  # of the paired difference
    assert bagged.calibration.cost_after <= bagged.calibration.cost_before
    assert bagged.calibration.cost_before == pytest.approx(bagged.oof_cost, rel=1e-9)


def test_a_temperature_of_single_members_is_not_that_of_the_fold():
    """Why calibrate=True needs repeats: each member is overconfident, their mean is not."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    y = (rng.random(300) < 1 / (1 + np.exp(-2 * X[:, 0]))).astype(int)
    options = {"hidden": [30], "seed": 1, "epochs": 150, "optimizer": "adam", "learning_rate": 0.05}
    single = bag(X, y, n_networks=5, **options)
    several = bag(X, y, n_networks=15, repeats=3, calibrate=True, **options)
    examples = as_examples(X, y, single.network._model.layout)
    alone = Scores(np.log(single.oof_proba), examples).calibration()
    assert 1 < several.calibration.temperature < 0.9 * alone.temperature


def test_no_temperature_where_every_row_is_right():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 2))
    X[:, 0] += np.sign(X[:, 0]) * 3
    y = (X[:, 0] > 0).astype(int)
    with pytest.warns(TrainingWarning, match="not calibrated: no temperature .* right in every"):
        bagged = small(X, y, n_networks=6, repeats=3, calibrate=True, epochs=60)
    assert bagged.calibration is None
    assert bagged.network.temperature == 1.0
    assert bagged.oof_accuracy == 1.0


# ---- callbacks, progress, errors, Ctrl-C ---------------------------------------------------------


def test_callbacks_are_called_one_at_a_time_with_each_member():
    X, y = data()
    seen, busy = {}, threading.Lock()

    def note(network, epoch, history):
        assert busy.acquire(blocking=False), "two callbacks at once"
        seen.setdefault(network.seed, []).append(epoch)
        time.sleep(0.001)
        busy.release()
        return network.seed == 3 and epoch == 1

    bagged = small(X, y, callbacks=[note])
    assert seen == {
        member_seed(3, m): list(range(2 if m == 0 else OPTIONS["epochs"])) for m in range(5)
    }
    assert [h.stopped for h in bagged.histories] == ["callback", None, None, None, None]


def test_one_bar_for_all(capsys):
    X, y = data()
    small(X, y, progress=True, early_stopping="cost", patience=1)
    text = capsys.readouterr().err
    assert "5 networks" in text
    assert "100%" in text
    assert "val" in text


class _Counted:
    """A bar that keeps what it is told."""

    def __init__(self):
        self.steps = []

    def update(self, n):
        self.steps.append(n)

    def set_description(self, desc, *, refresh): ...
    def set_postfix_str(self, s, *, refresh): ...


def test_the_bar_of_a_resumed_bag_begins_with_what_is_done(tmp_path, monkeypatch):
    X, y = data()
    small(X, y, checkpoint=tmp_path / "bag", n_networks=2)
    bars = []

    @contextmanager
    def counted(wanted, total, initial=0):
        bars.append((total, _Counted()))
        yield bars[-1][1]

    monkeypatch.setattr("sigmax._ensemble.bagging.progress_bar", counted)
    bag(X, y, resume=tmp_path / "bag", epochs=6, progress=True)
    (total, bar), per_epoch = bars[0], 102
    assert total == 2 * 6 * per_epoch
    assert sum(bar.steps) == total
    assert min(bar.steps) >= 0
    done = [step for step in bar.steps if step > 3 * per_epoch]
    assert done == [4 * 101, 4 * 102] or done == [4 * 102, 4 * 101]


def test_a_member_with_lbfgs_ends_between_two_blocks(monkeypatch):
    X, y = data(20_000)
    monkeypatch.setattr("sigmax._training.full_batch._BLOCK_BYTES", 0)  # 64 rows each
    network = Network([4, 7, 2], seed=0)

    class Ending(_Counted):
        def update(self, n):
            super().update(n)
            if len(self.steps) == 3:
                raise KeyboardInterrupt

    bar = Ending()
    with pytest.raises(KeyboardInterrupt):
        fit(network._model, X, y, {"optimizer": "lbfgs", "epochs": 2}, bar=bar)
    assert bar.steps == [0, 0, 0]  # of the first evaluation, which has 313 blocks
    assert np.array_equal(network.parameters, Network([4, 7, 2], seed=0).parameters)


def test_an_error_of_a_member_ends_the_others_and_names_it():
    X, y = data()

    class Mine(Exception):
        pass

    epochs = []

    def fail(network, epoch, history):
        epochs.append(epoch)
        if network.seed == member_seed(3, 1):
            raise Mine("broken")

    n_before = threading.active_count()
    with sigmax.num_threads(2), pytest.raises(Mine, match="broken") as caught:
        small(X, y, callbacks=[fail], epochs=1_000_000)
    assert max(epochs) < 100_000
    assert caught.value.__notes__ == ["in member 1 of 5, which count from 0"]
    assert threading.active_count() == n_before


def test_divergence():
    X, y = data()
    with pytest.raises(DivergedError, match="training diverged in epoch"):
        small(X, y, learning_rate=1e10, l2=1e10, optimizer="sgd")


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals to threads here")
def test_ctrl_c_ends_all_members_soon():
    X, y = data(20_000)
    n_before = threading.active_count()

    def interrupt():
        time.sleep(0.5)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    sender = threading.Thread(target=interrupt)
    sender.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        small(X, y, epochs=1_000_000)
    sender.join()
    assert time.monotonic() - began < 10
    assert threading.active_count() == n_before


def test_a_warning_once():
    X, y = data()
    with pytest.warns(TrainingWarning) as found:
        small(100 * X, y, epochs=3)
    assert [str(w.message)[:30] for w in found] == ["X has a root mean square of 10"]
    assert found[0].filename == __file__


def test_the_kind_of_a_warning():
    smaller = sigmax.errors.Change("a smaller", "learning_rate")
    one, two = (TrainingWarning(f"X has entries up to {n}: ", smaller) for n in (3, 4.5))
    assert one.kind == two.kind == "X has entries up to "
    assert TrainingWarning("training stalled; try ", smaller).kind != one.kind


# ---- checkpoints ---------------------------------------------------------------------------------

LONG = {
    "epochs": 12, "early_stopping": "cost", "patience": 3, "dropout": 0.1, "standardize": True,
    "schedule": "plateau", "n_networks": 6, "repeats": 3, "calibrate": True,
}  # fmt: skip


def interrupted(X, y, path, after, **options):
    """Train with a checkpoint until callbacks were called so often, then Ctrl-C."""
    calls = []

    def stop(network, epoch, history):
        calls.append(epoch)
        if len(calls) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        small(X, y, checkpoint=path, callbacks=[stop], **options)
    assert f"sigmax.bag(X, y, resume={str(path)!r}) goes on" in caught.value.__notes__


@pytest.mark.parametrize("after", [1, 7, 20])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_resumed_bag_ends_with_the_bits_of_an_uninterrupted_one(tmp_path, after, n_threads):
    X, y = data()
    expected = small(X, y, **LONG)
    with sigmax.num_threads(n_threads):
        interrupted(X, y, tmp_path / "bag", after, **LONG)
    found = bag(X, y, resume=tmp_path / "bag", callbacks=[lambda *_: None])
    assert bits(found) == bits(expected)
    assert found.calibration == expected.calibration
    again = bag(X, y, resume=tmp_path / "bag", callbacks=[lambda *_: None])  # a finished one
    assert bits(again) == bits(expected)


def test_interrupted_twice(tmp_path):
    X, y = data()
    interrupted(X, y, tmp_path / "bag", 5, **LONG)
    calls = []

    def stop(network, epoch, history):
        calls.append(epoch)
        if len(calls) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bag(X, y, resume=tmp_path / "bag", callbacks=[stop])
    found = bag(X, y, resume=tmp_path / "bag", callbacks=[lambda *_: None])
    assert bits(found) == bits(small(X, y, **LONG))


def test_without_interruption_a_checkpoint_changes_nothing(tmp_path):
    X, y = data()
    assert bits(small(X, y, checkpoint=tmp_path / "bag")) == bits(small(X, y))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["bag", *(f"bag.{m}" for m in range(5))]


def test_a_new_bag_replaces_the_files_of_an_earlier_one(tmp_path):
    X, y = data()
    small(X, y, checkpoint=tmp_path / "bag", n_networks=3)
    interrupted(X, y, tmp_path / "bag", 2, l2=0.01)
    found = bag(X, y, resume=tmp_path / "bag", callbacks=[lambda *_: None])
    assert bits(found) == bits(small(X, y, l2=0.01))


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hidden": [], "dropout": 0.1}, "dropout is 0.1"),
        ({"schedule": lambda epoch: -1.0}, r"schedule\(0\) is -1"),
        ({"class_weight": [1.0, 0.0], "y": np.arange(203) > 0}, "rows with a weight above 0, 1"),
        ({"progress": True}, "tqdm"),
    ],
)
def test_a_refused_bag_leaves_the_files_of_an_earlier_one(tmp_path, monkeypatch, given, message):
    X, y = data()
    small(X, y, checkpoint=tmp_path / "bag")
    before = files_in(tmp_path)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    given = {"y": y, "hidden": [7], "epochs": 3, "checkpoint": tmp_path / "bag", **given}
    with pytest.raises((ValueError, ImportError), match=message):
        bag(X, **given)
    assert files_in(tmp_path) == before


def test_another_file_at_the_path_of_the_whole_stays(tmp_path):
    X, y = data()
    (tmp_path / "notes").write_text("my notes")
    Network([4, 7, 2]).fit(X, y, epochs=1, checkpoint=tmp_path / "one")
    before = files_in(tmp_path)
    for name, message in (("notes", "notes: "), ("one", "checkpoint of one network")):
        with pytest.raises(sigmax.FileFormatError, match=message):
            small(X, y, checkpoint=tmp_path / name)
    assert files_in(tmp_path) == before


def test_sparse_rows_are_not_copied_for_all_members_at_once(tmp_path):
    scipy_sparse = pytest.importorskip("scipy.sparse")
    rng = np.random.default_rng(0)
    X = scipy_sparse.random_array((20_000, 500), density=0.1, rng=rng, dtype=np.float32).tocsr()
    y = rng.integers(0, 2, 20_000)
    n_bytes = X.data.nbytes + X.indices.nbytes
    options = {"hidden": [2], "epochs": 1, "batch_size": 5000, "seed": 0}
    with sigmax.num_threads(1):
        tracemalloc.start()
        bag(X, y, n_networks=20, checkpoint=tmp_path / "bag", **options)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 * n_bytes


def test_what_a_resumed_bag_refuses(tmp_path):
    X, y = data()
    path = tmp_path / "bag"
    small(X, y, checkpoint=path)
    small(X, y, checkpoint=tmp_path / "other", n_networks=3)
    for given, message in (
        ({"n_networks": 4}, "n_networks is 4, but .*bag has 5; expected the same, or none"),
        ({"repeats": 2}, "repeats is 2, but .*bag has 1"),
        ({"seed": 4}, "seed is 4, but .*bag has 3"),
        ({"hidden": [8]}, r"hidden is \(8,\), but .*bag has \(7,\)"),
        ({"dtype": "float64"}, "dtype is 'float64', but .*bag has 'float32'"),
        ({"init": "glorot"}, "init is 'glorot', but .*bag has the weights"),
        ({"checkpoint": tmp_path / "new"}, "checkpoint is .*new', but .*bag is resumed"),
        ({"learning_rate": 0.5}, r"learning_rate is 0.5, but .*bag\.\d has 0.02"),
    ):
        with pytest.raises(ValueError, match=message):
            bag(X, y, resume=path, **given)
    with pytest.raises(ValueError, match=r"X, y or weights are not those of .*bag\.\d"):
        bag(X + 1, y, resume=path)
    assert bits(bag(X, y, resume=path, n_networks=5, seed=3, hidden=[7])) == bits(small(X, y))
    with pytest.raises(sigmax.FileFormatError, match=r"checkpoint of one network"):
        bag(X, y, resume=f"{path}.0")
    with pytest.raises(sigmax.FileFormatError, match=r"checkpoint of a bag: sigmax.bag"):
        Network([4, 7, 2]).fit(X, y, resume=path)
    with pytest.raises(sigmax.FileFormatError, match=r"checkpoint of a bag: sigmax.bag"):
        Network.load(path)
    os.replace(f"{path}.1", f"{path}.gone")
    with pytest.raises(FileNotFoundError, match=r"bag\.1"):
        bag(X, y, resume=path)


def test_a_member_of_another_bag(tmp_path):
    X, y = data()
    for name, seed in (("one", 3), ("two", 4)):
        bag(X, y, hidden=[7], seed=seed, checkpoint=tmp_path / name, **OPTIONS)
    os.replace(tmp_path / "two.0", tmp_path / "one.0")
    with pytest.raises(sigmax.FileFormatError, match=r"one.0 has seed 4; expected 3, as .*one"):
        bag(X, y, resume=tmp_path / "one")
    os.replace(tmp_path / "two.2", tmp_path / "one.2")
    bag(X, y, hidden=[7], seed=3, checkpoint=tmp_path / "three", **OPTIONS)
    os.replace(tmp_path / "three.0", tmp_path / "one.0")
    with pytest.raises(ValueError, match=r"not those of .*one.2"):
        bag(X, y, resume=tmp_path / "one")


def test_another_file_at_a_members_path_stays(tmp_path):
    X, y = data()
    (tmp_path / "bag.2").write_text("my notes")
    with pytest.raises(sigmax.FileFormatError, match=r"bag\.2"):
        small(X, y, checkpoint=tmp_path / "bag")
    assert (tmp_path / "bag.2").read_text() == "my notes"
    assert not (tmp_path / "bag").exists()


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_networks": 0}, "n_networks is 0; expected an integer >= 1"),
        ({"n_networks": 2.5}, "n_networks is 2.5; expected an integer"),
        ({"n_networks": 300}, "n_networks is 300, with 300 folds; .* there are rows, 203"),
        ({"repeats": 2}, "repeats is 2, but n_networks is 5; expected 1, or a divisor"),
        ({"repeats": 5}, "repeats is 5, but n_networks is 5; expected 1, or a divisor"),
        (
            {"calibrate": True},
            "calibrate is True, but repeats is 1: .* n_networks=15 and repeats=3",
        ),
        ({"calibrate": 1}, "calibrate is 1; expected True or False"),
        ({"validation_fraction": 0.1}, "validation_fraction is 0.1, but each of the 5 networks"),
        ({"n_networks": 1, "early_stopping": "cost"}, "early_stopping is 'cost', but there is no"),
        ({"hidden": 30}, r"hidden is 30; expected a sequence"),
        ({"hidden": [0]}, r"hidden\[0\] is 0"),
        ({"hidden": [], "dropout": 0.5}, r"dropout is 0.5, but sizes \[4, 2\]"),
        ({"dtype": "float16"}, "dtype is 'float16'"),
        ({"init": "zero"}, "init is 'zero'"),
        ({"seed": -1}, "seed is -1"),
        ({"sample_weight": [1.0]}, "sample_weight has 1 entries"),
        ({"progress": 3}, "progress is 3"),
        ({"epoch": 3}, "bag has no option 'epoch'; did you mean 'epochs'"),
        ({"X_val": 3}, "bag has no option 'X_val'"),
        ({"momentum": 0.5}, "momentum is 0.5, but optimizer"),
    ],
)
def test_refusals(given, message):
    X, y = data()
    with pytest.raises((TypeError, ValueError), match=message):
        bag(X, y, **{"hidden": [7], "epochs": 2, **given})


def test_weights_that_leave_too_few_rows():
    X, y = data()
    weights = np.zeros(len(X))
    weights[:4] = 1
    message = "expected at most as many as there are rows with a weight above 0, 4"
    with pytest.raises(ValueError, match=message):
        small(X, y, sample_weight=weights)
    assert small(X, y, sample_weight=weights, n_networks=4).oof_cost > 0  # the remedy


def test_a_stream_is_refused_with_a_remedy():
    X, y = data()
    with pytest.raises(TypeError, match=r"X is a callable; expected an array.* sigmax.fold"):
        small(lambda: iter([(X, y)]), None)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([1.0, 2.0], [0, 1], r"X has shape \(2,\); expected two dimensions"),
        ([["a"]], [0], "X, row 0, column 0: 'a' is text"),
        ([[1.0], [np.nan]], [0, 1], "X, row 1, column 0: nan; expected a finite number"),
        ([[1.0], [2.0]], ["a", "b"], "y, row 0: 'a' is text"),
        ([[1.0], [2.0]], [0, np.nan], "y, row 1: label nan"),
        ([[1.0], [2.0]], [0, -1], "y, row 1: label -1"),
        ([[1.0]] * 3, [0, 30000, 0], r"y, row 1: label 30000, but no row has 1; .*numpy.unique"),
        ([[1.0]] * 2, [1, 1], "y, row 0: label 1, but no row has 0"),
        ([[1.0], [2.0]], [0], "X has 2 rows but y has 1"),
        ([[1.0], [2.0]], None, "y is missing"),
    ],
)
def test_bad_rows(X, y, message):
    with pytest.raises((TypeError, ValueError), match=message):
        bag(X, y, n_networks=2)


def test_labels_with_a_class_that_has_no_row():
    """What the message recommends works."""
    X, y = data()
    gaps = np.where(y == 1, 2, 0)
    with pytest.raises(ValueError, match="label 2, but no row has 1"):
        small(X, gaps)
    assert bits(small(X, np.unique(gaps, return_inverse=True)[1])) == bits(small(X, y))
    assert small(X, np.eye(3)[gaps]).network.sizes == (4, 35, 3)
