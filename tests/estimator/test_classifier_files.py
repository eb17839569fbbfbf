"""SigmaxClassifier out of a model file, whoever wrote it."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sigmax
from command_line import run
from sigmax import SigmaxClassifier, files
from sklearn.base import clone
from sklearn.datasets import load_iris

SETTINGS = {
    "hidden_layer_sizes": (5, 4),
    "learning_rate_init": 0.02,
    "max_iter": 30,
    "batch_size": 10,
}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.mark.parametrize(
    "classes",
    [
        [0, 1, 2],
        [-10, 9, 1000],
        [0.0, 1.0, 3.0],
        ["ant", "bee", "wasp"],
        ["01", "1", "2"],
        ["1", "2", "3"],
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_was_saved_predicts_the_same(iris, tmp_path, classes, dtype):
    X, y = iris[0].astype(dtype), np.array(classes)[iris[1]]
    saved = SigmaxClassifier(**SETTINGS, standardize=True, nan="mean", random_state=1).fit(X, y)
    saved.save(tmp_path / "model.npz")
    loaded = SigmaxClassifier.load(tmp_path / "model.npz")
    assert loaded.classes_.tolist() == classes
    assert loaded.classes_.dtype.kind == saved.classes_.dtype.kind
    X[3, 2] = np.nan
    np.testing.assert_array_equal(loaded.predict_proba(X), saved.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), saved.predict(X))
    assert loaded.score(X, y) == saved.score(X, y) > 0.8
    assert clone(loaded).get_params() == {
        **SigmaxClassifier().get_params(),
        "hidden_layer_sizes": (5, 4),
        "standardize": True,
        "nan": "mean",
    }


def test_classes_stay_what_they_were(iris, tmp_path):
    X, y = iris
    for labels in (y == 1, np.array(list("abc"), object)[y], y.astype(np.float32)):
        SigmaxClassifier(**SETTINGS, random_state=1).fit(X, labels).save(tmp_path / "model.npz")
        loaded = SigmaxClassifier.load(tmp_path / "model.npz")
        assert loaded.classes_.tolist() == np.unique(labels).tolist()
        assert type(loaded.classes_.tolist()[0]) is type(labels.tolist()[0])
        assert loaded.score(X, labels) > 0.5


def test_it_goes_on_training(iris, tmp_path):
    X, y = iris
    SigmaxClassifier(**SETTINGS, random_state=1).fit(X, y).save(tmp_path / "model.npz")
    loaded = SigmaxClassifier.load(tmp_path / "model.npz")
    network, before = loaded.network_, loaded.network_.cost(X, y)
    loaded.set_params(warm_start=True, max_iter=30, learning_rate_init=0.02).fit(X, y)
    assert loaded.network_ is network and network.cost(X, y) < before
    assert loaded.n_iter_ == len(loaded.loss_curve_) == 30
    with pytest.raises(ValueError, match="3 features"):
        loaded.predict(X[:, :3])


def test_names_in_any_order(iris, tmp_path):
    X, y = iris
    network = sigmax.Network([4, 5, 3], dtype="float64", seed=2)
    network.fit(X, y, epochs=5, standardize=True)
    names = ["wasp", "ant", "bee"]
    files.save(tmp_path / "model.npz", network, class_names=names)
    loaded = SigmaxClassifier.load(tmp_path / "model.npz")
    assert loaded.classes_.tolist() == ["ant", "bee", "wasp"]
    np.testing.assert_array_equal(loaded.predict_proba(X), network.predict_proba(X)[:, [1, 2, 0]])
    np.testing.assert_array_equal(loaded.predict(X), np.array(names)[network.predict(X)])
    labels = np.array(names)[y]
    assert loaded.score(X, labels) == network.accuracy(X, y)
    loaded.partial_fit(X, labels)


def test_without_names_and_of_the_command(iris, tmp_path):
    X, y = iris
    network = sigmax.Network([4, 3], seed=2)
    network.save(tmp_path / "plain.npz")
    plain = SigmaxClassifier.load(tmp_path / "plain.npz")
    assert plain.classes_.tolist() == [0, 1, 2] and plain.hidden_layer_sizes == ()
    np.testing.assert_array_equal(plain.predict(X), network.predict(X))

    table = tmp_path / "table.csv"
    rows = (",".join([*map(str, row), "abc"[label]]) for row, label in zip(X, y, strict=True))
    table.write_text("\n".join(rows))
    model = tmp_path / "model.npz"
    done = run("train", table, "-o", model, "--epochs", "20", "--standardize", "--quiet")
    assert done.returncode == 0, done.stderr
    assert SigmaxClassifier.load(model).score(X, np.array(list("abc"))[y]) > 0.9


def test_no_model_file(tmp_path):
    (tmp_path / "junk.npz").write_bytes(b"hello")
    with pytest.raises(sigmax.FileFormatError, match=r"junk\.npz"):
        SigmaxClassifier.load(tmp_path / "junk.npz")
    with pytest.raises(FileNotFoundError):
        SigmaxClassifier.load(tmp_path / "none.npz")
