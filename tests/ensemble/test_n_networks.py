"""SigmaxClassifier(n_networks=...): several networks behind scikit-learn's conventions."""

import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sigmax
from helpers import assert_close
from sigmax import Network, SigmaxClassifier
from sigmax._ensemble.members import member_seed
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SETTINGS = {
    "hidden_layer_sizes": (6,), "n_networks": 4, "max_iter": 15, "random_state": 0,
    "learning_rate_init": 0.05, "batch_size": 20,
}  # fmt: skip


def data(n=160):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    kind = np.digitize(X @ [1.0, 2.0, 0.0] + 0.3 * X[:, 0] ** 2, [-1.0, 1.0])
    return X, np.array(["in", "out", "far"])[kind]


def losses(classifier, y):
    label = np.searchsorted(classifier.classes_, y)
    return -np.log(classifier.oof_proba_[np.arange(len(y)), label])


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 60},
        {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.5},
        {"solver": "lbfgs"},
        {"standardize": True, "class_weight": "balanced", "hidden_layer_sizes": ()},
    ],
)
def test_it_is_the_fold_of_networks_that_did_not_see_a_part(parameters):
    X, y = data()
    classifier = SigmaxClassifier(**{**SETTINGS, **parameters}).fit(X, y)
    hidden = classifier.hidden_layer_sizes
    assert classifier.network_.sizes == (3, *(4 * n for n in hidden), 3)
    assert classifier.oof_proba_.shape == (160, 3)
    assert_close(classifier.oof_proba_.sum(axis=1), np.ones(160), 1e-12)
    assert classifier.oof_cost_ == pytest.approx(losses(classifier, y).mean(), rel=1e-12)
    assert classifier.oof_score_ == np.mean(
        classifier.classes_[classifier.oof_proba_.argmax(axis=1)] == y
    )
    assert classifier.score(X, y) > 0.5
    assert len(classifier.loss_curve_) == classifier.n_iter_
    assert len(classifier.validation_scores_) == classifier.n_iter_
    assert (classifier.best_loss_ is None) == bool(parameters.get("early_stopping"))


def test_a_member_is_what_fit_makes_of_its_rows():
    """Softmax regression, so that the fold's weights are the mean of the members'."""
    X, y = data()
    settings = {**SETTINGS, "hidden_layer_sizes": (), "n_networks": 2, "n_iter_no_change": np.inf}
    classifier = SigmaxClassifier(**settings).fit(X, y)
    labels = np.searchsorted(classifier.classes_, y)
    bagged = sigmax.bag(
        X, labels, n_networks=2, hidden=[], dtype="float64", init="glorot", optimizer="adam",
        seed=classifier.network_.seed, epochs=15, batch_size=20, learning_rate=0.05, l2=1e-4 / 20,
    )  # fmt: skip
    assert np.array_equal(classifier.network_.parameters, bagged.network.parameters)
    assert np.array_equal(classifier.oof_proba_, bagged.oof_proba)


def test_early_stopping_puts_the_best_parameters_of_each_back():
    X, y = data()
    settings = {**SETTINGS, "early_stopping": True, "n_iter_no_change": 3, "max_iter": 100}
    classifier = SigmaxClassifier(**settings).fit(X, y)
    # the accuracy out of fold is the mean of the members' best ones: folds are of equal size here
    assert classifier.oof_score_ == pytest.approx(classifier.best_validation_score_, abs=1e-12)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_the_same_bits_for_any_number_of_threads(n_threads):
    X, y = data()
    expected = SigmaxClassifier(**SETTINGS).fit(X, y)
    with sigmax.num_threads(n_threads):
        found = SigmaxClassifier(**SETTINGS).fit(X, y)
    assert np.array_equal(found.network_.parameters, expected.network_.parameters)
    assert found.loss_curve_ == expected.loss_curve_


def test_weights_count_in_the_scores():
    X, y = data()
    weights = np.random.default_rng(1).uniform(0, 2, len(y))
    weights[::5] = 0
    classifier = SigmaxClassifier(**SETTINGS).fit(X, y, weights)
    expected = np.average(losses(classifier, y), weights=weights)
    assert classifier.oof_cost_ == pytest.approx(expected, rel=1e-12)
    other = np.where((weights == 0)[:, None], 1 - X, X)
    again = SigmaxClassifier(**SETTINGS).fit(other, y, weights)
    assert np.array_equal(again.network_.parameters, classifier.network_.parameters)
    same = SigmaxClassifier(**SETTINGS).fit(X, y, 2.0)  # a number: the same for all rows
    assert same.oof_cost_ == pytest.approx(losses(same, y).mean(), rel=1e-12)


def test_sparse_rows_and_float32():
    sparse = pytest.importorskip("scipy.sparse")
    X, y = data()
    X = np.where(np.abs(X) < 0.5, 0, X).astype(np.float32)
    dense = SigmaxClassifier(**SETTINGS).fit(X, y)
    found = SigmaxClassifier(**SETTINGS).fit(sparse.csr_array(X), y)
    assert found.network_.dtype == np.float32
    assert np.array_equal(found.network_.parameters, dense.network_.parameters)


def test_files_pickles_and_clones(tmp_path):
    X, y = data()
    classifier = SigmaxClassifier(**SETTINGS).fit(X, y)
    classifier.save(tmp_path / "model.npz")
    loaded = SigmaxClassifier.load(tmp_path / "model.npz")
    assert np.array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    again = pickle.loads(pickle.dumps(classifier))
    assert np.array_equal(again.oof_proba_, classifier.oof_proba_)
    assert clone(classifier).n_networks == 4


def test_one_network_has_no_such_attributes():
    X, y = data()
    classifier = SigmaxClassifier(**SETTINGS).fit(X, y)
    classifier.set_params(n_networks=1).fit(X, y)
    assert not [name for name in vars(classifier) if name.startswith("oof")]
    plain = SigmaxClassifier(**{**SETTINGS, "n_networks": 1}).fit(X, y)
    assert np.array_equal(classifier.network_.parameters, plain.network_.parameters)


def test_callbacks_and_warnings():
    X, y = data()
    seen = set()
    settings = {**SETTINGS, "callbacks": [lambda network, *_: seen.add(network.seed)]}
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        classifier = SigmaxClassifier(**{**settings, "batch_size": 500}).fit(X, y)
    assert seen == {member_seed(classifier.network_.seed, m) for m in range(4)}
    texts = [str(w.message) for w in found]
    assert sum("batch_size is 500; there are only 120 training rows" in t for t in texts) == 1
    assert [w.category for w in found].count(ConvergenceWarning) == 1
    assert {w.filename for w in found} == {__file__}


def test_a_printed_line_says_whose_it_is(capsys):
    X, y = data()
    settings = {**SETTINGS, "verbose": True, "max_iter": 200, "tol": 1.0, "n_iter_no_change": 2}
    SigmaxClassifier(**settings).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert {line[:11] for line in lines} == {f"Network {m}: " for m in range(4)}
    assert any("Training loss did not improve" in line for line in lines)
    SigmaxClassifier(**{**settings, "n_networks": 1}).fit(X, y)
    assert capsys.readouterr().out.startswith("Iteration 1, loss")


def test_ctrl_c_keeps_what_was_trained():
    X, y = data()
    calls = []

    def stop(network, epoch, history):
        calls.append(epoch)
        if len(calls) == 6:
            raise KeyboardInterrupt

    with sigmax.num_threads(1), pytest.warns(UserWarning, match="interrupted; the parameters so"):
        classifier = SigmaxClassifier(**SETTINGS, callbacks=[stop]).fit(X, y)
    assert classifier.network_.sizes == (3, 6, 3)  # one was at work, the others had not begun
    assert np.isnan(classifier.oof_proba_).any(axis=1).sum() == 120
    assert classifier.predict(X).shape == y.shape


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_networks": 0}, "n_networks is 0; expected an integer >= 1"),
        ({"n_networks": "5"}, "n_networks is '5'; expected an integer"),
        ({"warm_start": True}, "warm_start is True, but n_networks is 4; expected False"),
        ({"n_networks": 200}, "n_networks is 200, with 200 folds; .* rows, 160"),
    ],
)
def test_refusals(parameters, message):
    X, y = data()
    with pytest.raises((TypeError, ValueError), match=message):
        SigmaxClassifier(**{**SETTINGS, **parameters}).fit(X, y)


def test_what_does_not_go_together():
    X, y = data()
    classifier = SigmaxClassifier(**SETTINGS)
    assert not hasattr(classifier, "partial_fit")
    with pytest.raises(ValueError, match="X_val is given, but n_networks is 4"):
        classifier.fit(X, y, X_val=X, y_val=y)
    classifier.fit(X, y)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes is .*expected that of the previous"):
        classifier.set_params(n_networks=1, warm_start=True).fit(X, y)
    assert isinstance(classifier.network_, Network)
