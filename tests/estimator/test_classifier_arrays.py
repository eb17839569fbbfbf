"""What X and its weights may be in SigmaxClassifier: names, many rows, extreme weights."""

import pickle
import tracemalloc

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sigmax
from sigmax import SigmaxClassifier, files
from sklearn.datasets import load_iris

SETTINGS = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.05, "max_iter": 60}
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def frame(iris):
    return pytest.importorskip("pandas").DataFrame(iris[0], columns=NAMES)


# ---- names ---------------------------------------------------------------------------------------


def test_a_loaded_classifier_compares_names_as_before_saving(iris, frame, tmp_path):
    y = iris[1]
    saved = SigmaxClassifier(**SETTINGS, standardize=True, random_state=1).fit(frame, y)
    assert saved.score(frame, y) > 0.9
    saved.save(tmp_path / "model.npz")
    loaded = SigmaxClassifier.load(tmp_path / "model.npz")
    assert loaded.feature_names_in_.tolist() == NAMES
    assert loaded.feature_names_in_.dtype == object
    turned = frame[NAMES[::-1]]
    for classifier in (saved, loaded, pickle.loads(pickle.dumps(loaded))):
        assert classifier.score(frame, y) == saved.score(frame, y)
        for call in (classifier.predict, classifier.predict_proba):
            with pytest.raises(ValueError, match="feature names should match"):
                call(turned)
            with pytest.raises(ValueError, match="feature names should match"):
                call(frame.rename(columns={"petal_width": "Petal"}))
        with pytest.warns(UserWarning, match="valid feature names"):
            classifier.predict(iris[0])
    loaded.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "model.npz").read_bytes()


def test_the_network_of_a_classifier_puts_them_right(iris, frame, tmp_path):
    classifier = SigmaxClassifier(**SETTINGS, random_state=1).fit(frame, iris[1])
    classifier.save(tmp_path / "model.npz")
    expected = classifier.predict_proba(frame)
    for network in (classifier.network_, sigmax.Network.load(tmp_path / "model.npz")):
        assert network.column_names == tuple(NAMES)
        np.testing.assert_array_equal(network.predict_proba(frame[NAMES[::-1]]), expected)


@pytest.mark.parametrize(
    "options",
    [{}, {"n_networks": 2}, {"solver": "lbfgs"}, {"early_stopping": True}],
    ids=str,
)
def test_the_network_has_the_names_while_it_is_trained(iris, frame, options):
    answers = []

    def callback(network, epoch, history):
        turned = frame[NAMES[::-1]]
        answers.append((network.predict_proba(turned), network.predict_proba(frame)))

    settings = {**SETTINGS, "max_iter": 2, "standardize": True}
    SigmaxClassifier(**settings, **options, callbacks=[callback]).fit(frame, iris[1])
    assert len(answers) >= 2
    for ours, right in answers:
        np.testing.assert_array_equal(ours, right)


def test_an_error_in_training_leaves_the_names_as_they_were(iris, frame):
    def fail(network, epoch, history):
        raise RuntimeError("stop")

    classifier = SigmaxClassifier(**SETTINGS, warm_start=True).fit(iris[0], iris[1])
    network = classifier.network_
    classifier.set_params(warm_start=False, callbacks=[fail])
    with pytest.raises(RuntimeError, match="stop"):
        classifier.fit(frame, iris[1])
    assert classifier.network_ is network and network.column_names is None


def test_without_names_a_file_has_none(iris, frame, tmp_path):
    X, y = iris
    classifier = SigmaxClassifier(**SETTINGS, random_state=1).fit(frame, y)
    classifier.fit(X, y)
    classifier.save(tmp_path / "model.npz")
    assert files.load(tmp_path / "model.npz").network.column_names is None
    loaded = SigmaxClassifier.load(tmp_path / "model.npz")
    assert not hasattr(loaded, "feature_names_in_")
    with pytest.warns(UserWarning, match="fitted without feature names"):
        answers = loaded.predict(frame[NAMES[::-1]])
    np.testing.assert_array_equal(answers, loaded.predict(X[:, ::-1]))


def test_classes_of_other_types_are_compared_as_numbers(iris, tmp_path):
    X, y = iris[0], iris[1] == 2
    for labels in (y, y.astype(float)):
        SigmaxClassifier(**SETTINGS, random_state=1).fit(X, labels).save(tmp_path / "model.npz")
        loaded = SigmaxClassifier.load(tmp_path / "model.npz")
        scores = {loaded.score(X, other) for other in (y, y.astype(int), y.astype(float))}
        assert len(scores) == 1 and scores.pop() > 0.9
        loaded.partial_fit(X, y.astype(int))


# ---- many rows -----------------------------------------------------------------------------------

BOUND = 24 << 20  # bytes: a block of 16 MiB, and what it is made from


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("look", ["C", "F", "frame", "float16"])
def test_many_rows_are_converted_in_blocks(rng, dtype, look):
    X = rng.integers(0, 256, (20_000, 784), dtype=np.uint8)
    y = X[:, 0] % 3
    with pytest.warns(sigmax.TrainingWarning):
        classifier = SigmaxClassifier((4,), max_iter=1).fit(X[:99].astype(dtype), y[:99])
    expected = classifier.network_.predict_proba(X)
    extra = 0
    if look == "frame":
        X = pytest.importorskip("pandas").DataFrame(X)
        extra = X.size  # one array of a frame's columns
    elif look == "float16":
        X = X.astype(np.float16)
    else:
        X = np.asarray(X, order=look)
    assert len(expected) * 784 * np.dtype(dtype).itemsize > 2 * BOUND
    for call in (
        lambda: classifier.predict(X),
        lambda: classifier.predict_proba(X),
        lambda: classifier.score(X, y),
    ):
        tracemalloc.start()
        try:
            call()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < BOUND + extra, f"{peak >> 20} MiB"
    np.testing.assert_array_equal(classifier.predict_proba(X), expected)


# ---- weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("size", [5e-324, 1e-300, 1e-30])
def test_tiny_weights_are_named_and_the_remedies_work(iris, solver, early_stopping, size):
    X, y = iris
    weights = np.full(len(y), size)
    options = {"solver": solver, "early_stopping": early_stopping, "standardize": True}
    made = SigmaxClassifier(**SETTINGS, **options, random_state=1)
    with pytest.raises(ValueError, match=r"sample_weight has a mean of .*numpy\.max.*alpha=0"):
        made.fit(X, y, sample_weight=weights)
    assert not hasattr(made, "network_")
    assert made.fit(X, y, sample_weight=weights / np.max(weights)).score(X, y) > 0.8
    assert made.set_params(alpha=0).fit(X, y, sample_weight=weights).score(X, y) > 0.8


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("size", [1e-8, 1e-10, 1e-12])
def test_small_weights_that_let_the_penalty_prevail_are_named(rng, solver, size):
    X = rng.normal(size=(60, 3))
    y, weights = (X[:, 0] > 0).astype(int), np.full(60, size)
    made = SigmaxClassifier((8,), solver=solver, max_iter=200, random_state=0)
    made.set_params(learning_rate_init=0.05)
    with pytest.raises(ValueError, match=f"sample_weight has a mean of {size:.3g}, .*alpha=0"):
        made.fit(X, y, sample_weight=weights)
    assert made.fit(X, y, sample_weight=weights / np.max(weights)).score(X, y) > 0.8
    assert made.set_params(alpha=0).fit(X, y, sample_weight=weights).score(X, y) > 0.8
    made.set_params(alpha=1e-3 * size).fit(X, y, sample_weight=weights)  # small beside them
    assert made.score(X, y) > 0.8


def test_a_large_alpha_is_the_users_choice(iris):
    X, y = iris
    made = SigmaxClassifier(**{**SETTINGS, "max_iter": 2}, alpha=1e4)
    made.fit(X, y, sample_weight=np.full(len(y), 0.5))


def test_the_factor_that_is_tiny_is_named(iris):
    X, y = iris
    tiny = dict.fromkeys(range(3), 1e-20)
    made = SigmaxClassifier(**SETTINGS, class_weight=tiny)
    for weights in (None, np.ones(len(y))):
        with pytest.raises(ValueError, match=r"^class_weight is at most 1e-20, .* / 1e-20, or"):
            made.fit(X, y, sample_weight=weights)
        with pytest.raises(ValueError, match=r"^class_weight: the largest weight is 1e-20"):
            made.partial_fit(X, y, sample_weight=weights, classes=range(3))
    made.set_params(class_weight={0: 2.0})
    for call in (made.fit, lambda *a, **k: made.partial_fit(*a, **k, classes=range(3))):
        with pytest.raises(ValueError, match=r"^sample_weight"):
            call(X, y, sample_weight=np.full(len(y), 1e-20))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("size", [1e30, 1e300, 1.5e308])
def test_enormous_weights_leave_the_penalty_out(iris, solver, size):
    X, y = iris
    made = SigmaxClassifier(**SETTINGS, solver=solver, standardize=True, random_state=1)
    made.fit(X, y, sample_weight=np.full(len(y), size))
    assert made.score(X, y) > 0.9 and 0 < made.loss_ < 1
