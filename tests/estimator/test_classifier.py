"""SigmaxClassifier: MLPClassifier's meanings, attributes and errors. Conventions: see _sklearn."""

import copy
import inspect
import itertools
import pickle
import subprocess
import sys
import warnings

import numpy as np
import processes
import pytest
import sigmax

pytest.importorskip("sklearn")

from scipy import sparse
from sigmax import SigmaxClassifier
from sigmax.files import load
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

unconverged = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def three_classes(rng, rows=120, columns=5, dtype=np.float64):
    """Rows around three centres, with the classes' names."""
    labels = rng.integers(0, 3, rows)
    X = rng.normal(0.0, 1.0, (rows, columns)) + 2.0 * np.eye(3, columns)[labels]
    return X.astype(dtype), np.array(["ant", "bee", "cow"])[labels]


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False
    )


# ---- the same meaning as MLPClassifier's ---------------------------------------------------------


def test_every_parameter_of_mlp_classifier_has_its_name_and_default():
    theirs = inspect.signature(MLPClassifier).parameters
    ours = inspect.signature(SigmaxClassifier).parameters
    for name, parameter in theirs.items():
        if name != "activation":  # theirs is relu
            assert ours[name].default == parameter.default, name
    assert list(ours)[: len(theirs)] == list(theirs)
    assert ours["activation"].default == "logistic"


def twins(X, y, sample_weight=None, epochs=4, **parameters):
    """Both classifiers after so many epochs from the same start, in the order of the rows."""
    parameters |= {"hidden_layer_sizes": (7, 4), "shuffle": False, "random_state": 3}
    ours = SigmaxClassifier(max_iter=1, warm_start=True, **parameters).fit(X, y)
    theirs = MLPClassifier("", "logistic", max_iter=1, warm_start=True)
    theirs.set_params(**parameters).fit(X, y)
    theirs.coefs_ = [w.copy() for w in ours.coefs_]
    theirs.intercepts_ = [b.copy() for b in ours.intercepts_]
    for classifier in ours, theirs:
        classifier.set_params(max_iter=epochs)
        given = {} if sample_weight is None else {"sample_weight": sample_weight}
        classifier.fit(X, y, **given)
    return ours, theirs


def assert_same_parameters(ours, theirs, tolerance=1e-10):
    assert np.abs(ours.network_.weights[0]).max() > 0.1
    for mine, other in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        np.testing.assert_allclose(mine, other, rtol=0, atol=tolerance)


@unconverged
@pytest.mark.parametrize(
    "parameters",
    [
        {"solver": "sgd", "momentum": 0.0},
        {"solver": "sgd", "momentum": 0.8, "nesterovs_momentum": False},
        {"solver": "sgd"},
        {"solver": "sgd", "momentum": 0.0, "learning_rate": "invscaling", "power_t": 0.3},
        {
            "solver": "sgd",
            "momentum": 0.0,
            "learning_rate": "adaptive",
            "tol": 10.0,
            "n_iter_no_change": 1,
        },
        {"solver": "adam", "epsilon": 1e-15, "beta_1": 0.8, "beta_2": 0.99},
    ],
)
def test_an_update_is_that_of_mlp_classifier(rng, parameters):
    X, y = three_classes(rng)
    both = twins(X, y, epochs=6, alpha=0.5, batch_size=30, learning_rate_init=0.05, **parameters)
    assert_same_parameters(*both)
    assert both[0].n_iter_ == both[1].n_iter_
    assert both[0].t_ == both[1].t_


@unconverged
def test_weights_of_rows_are_those_of_mlp_classifier(rng):
    if "sample_weight" not in inspect.signature(MLPClassifier.fit).parameters:
        pytest.skip("this release's MLPClassifier has no sample_weight")
    X, y = three_classes(rng)
    weights = rng.uniform(0.0, 3.0, len(X))
    both = twins(X, y, weights, solver="sgd", alpha=0.5, learning_rate_init=0.05)
    assert_same_parameters(*both)
    np.testing.assert_allclose(both[0].loss_curve_[1:], both[1].loss_curve_[1:], rtol=0.02)


@unconverged
def test_the_loss_curve_is_that_of_mlp_classifier(rng):
    X, y = three_classes(rng)
    ours, theirs = twins(X, y, solver="sgd", alpha=0.0, batch_size=20)
    np.testing.assert_allclose(ours.loss_curve_[1:], theirs.loss_curve_[1:], rtol=1e-6)
    assert ours.best_loss_ == min(ours.loss_curve_)
    assert ours.loss_ == ours.loss_curve_[-1]
    assert ours.validation_scores_ is None
    assert ours.best_validation_score_ is None


def test_the_loss_holds_the_penalties(rng):
    X, y = three_classes(rng)
    with pytest.warns(ConvergenceWarning):
        classifier = SigmaxClassifier(
            max_iter=1, batch_size=30, alpha=3.0, l1=0.01, solver="sgd", learning_rate_init=1e-9
        ).fit(X, y)
    weights = classifier.network_.weights
    penalty = sum(0.5 * (3.0 / 30) * (w**2).sum() + 0.01 * np.abs(w).sum() for w in weights)
    labels = np.searchsorted(classifier.classes_, y)
    expected = classifier.network_.cost(X, labels) + penalty
    assert classifier.loss_ == pytest.approx(expected, rel=1e-6)


@unconverged
def test_training_stops_where_that_of_mlp_classifier_stops(rng):
    X, y = three_classes(rng)
    ours, theirs = twins(
        X, y, epochs=500, solver="sgd", tol=3e-3, n_iter_no_change=3, learning_rate_init=0.3
    )
    assert 5 < ours.n_iter_ < 500
    assert ours.n_iter_ == theirs.n_iter_


def test_an_adaptive_rate_ends_where_it_is_too_small(rng, capsys):
    X, y = three_classes(rng)
    SigmaxClassifier(
        solver="sgd",
        learning_rate="adaptive",
        learning_rate_init=1e-4,
        tol=100.0,
        n_iter_no_change=1,
        verbose=True,
    ).fit(X, y)
    printed = capsys.readouterr().out
    # 1e-4 / 5^3 is the first that is not above 1e-6
    assert printed.count("Setting learning rate") == 3
    assert "Learning rate too small. Stopping." in printed
    assert "Iteration 1, loss = " in printed


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # older scikit-learn, newer SciPy
def test_lbfgs_finds_the_optimum_that_mlp_classifier_finds(rng):
    X, y = three_classes(rng)
    settings = {
        "hidden_layer_sizes": (),
        "alpha": 2.0,
        "tol": 1e-7,
        "max_iter": 2000,
        "random_state": 0,
    }
    ours = SigmaxClassifier(solver="lbfgs", **settings).fit(X, y)
    theirs = MLPClassifier(solver="lbfgs", activation="logistic", **settings).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=5e-4)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-6)
    assert not hasattr(ours, "partial_fit")


def test_lbfgs_stops_after_max_iter(rng):
    X, y = three_classes(rng)
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        few = SigmaxClassifier(solver="lbfgs", max_iter=3, random_state=0).fit(X, y)
    assert few.n_iter_ == 3
    assert few.loss_ < few.loss_curve_[-1]  # the cost at the beginning of an iteration


def test_lbfgs_stops_below_tol_and_after_max_fun(rng):
    X, y = three_classes(rng)
    settings = {"solver": "lbfgs", "random_state": 0, "max_iter": 5000}
    rough = SigmaxClassifier(tol=0.05, **settings).fit(X, y)
    fine = SigmaxClassifier(tol=1e-4, **settings).fit(X, y)
    assert 0 < rough.n_iter_ < fine.n_iter_
    with pytest.warns(ConvergenceWarning, match="max_fun=3"):
        few = SigmaxClassifier(max_fun=3, **settings).fit(X, y)
    assert few.n_iter_ <= 3


# ---- what is sigmax's own ------------------------------------------------------------------------


@unconverged
def test_the_options_of_fit_reach_the_network(rng):
    X, y = three_classes(rng, dtype=np.float32)
    classifier = SigmaxClassifier(
        (6,),
        solver="adamw",
        alpha=0.7,
        batch_size=16,
        learning_rate_init=0.02,
        max_iter=5,
        random_state=1,
        tol=0.0,
        dropout=0.2,
        label_smoothing=0.1,
        l1=1e-3,
        clip_norm=0.5,
        weight_decay=0.03,
        schedule="cosine",
        warmup_epochs=1,
        min_learning_rate=1e-3,
        standardize=True,
        init="lecun",
    ).fit(X, y)
    trained = classifier.network_
    network = sigmax.Network([5, 6, 3], seed=trained.seed, init="lecun")
    network.fit(
        X,
        np.searchsorted(classifier.classes_, y),
        optimizer="adamw",
        l2=0.7 / 16,
        batch_size=16,
        learning_rate=0.02,
        epochs=5,
        dropout=0.2,
        label_smoothing=0.1,
        l1=1e-3,
        clip_norm=0.5,
        weight_decay=0.03,
        schedule="cosine",
        warmup_epochs=1,
        min_learning_rate=1e-3,
        standardize=True,
    )
    np.testing.assert_array_equal(trained.parameters, network.parameters)
    np.testing.assert_array_equal(classifier.predict_proba(X), network.predict_proba(X))


@unconverged
@pytest.mark.parametrize("given", ["balanced", {"ant": 2.0, "cow": 0.5}])
def test_class_weight_is_a_weight_of_rows(rng, given):
    X, y = three_classes(rng)
    X, y = X[10:], y[10:]
    if given == "balanced":
        per_class = {name: len(y) / (3 * (y == name).sum()) for name in np.unique(y)}
    else:
        per_class = {"bee": 1.0} | given
    weights = rng.uniform(0.5, 1.5, len(X))
    settings = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
    a = SigmaxClassifier(class_weight=given, **settings).fit(X, y, weights)
    b = SigmaxClassifier(**settings).fit(X, y, weights * [per_class[name] for name in y])
    np.testing.assert_allclose(a.network_.parameters, b.network_.parameters, rtol=1e-9)


@unconverged
def test_nan_is_filled_when_asked_for(rng):
    X, y = three_classes(rng)
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        SigmaxClassifier().fit(X, y)
    classifier = SigmaxClassifier((8,), nan="mean", solver="sgd", learning_rate_init=0.3)
    classifier.fit(X, y)
    filled = X.copy()
    filled[3, 2] = np.nanmean(X[:, 2])
    np.testing.assert_allclose(classifier.predict_proba(X), classifier.predict_proba(filled))


@unconverged
def test_a_callback_that_returns_true_ends_training(rng):
    X, y = three_classes(rng)
    seen = []
    classifier = SigmaxClassifier(
        (3,), callbacks=[lambda network, epoch, history: seen.append(epoch) or epoch == 2]
    ).fit(X, y)
    assert seen == [0, 1, 2]
    assert classifier.n_iter_ == len(classifier.loss_curve_) == 3


def test_ctrl_c_keeps_what_was_trained(rng):
    X, y = three_classes(rng)

    def interrupt(network, epoch, history):
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted"):
        classifier = SigmaxClassifier((3,), callbacks=[interrupt]).fit(X, y)
    assert classifier.n_iter_ == 2
    assert set(classifier.predict(X)) <= {"ant", "bee", "cow"}


def test_divergence_names_the_parameter_to_change(rng):
    X, y = three_classes(rng)
    classifier = SigmaxClassifier((3,), solver="sgd", learning_rate_init=1e300)
    with pytest.raises(sigmax.DivergedError) as caught:
        classifier.fit(X, y)
    assert "a smaller alpha or learning_rate_init (by them" in str(caught.value)


@unconverged
def test_save_keeps_the_names_of_the_classes(rng, tmp_path):
    X, y = three_classes(rng)
    classifier = SigmaxClassifier((3,), max_iter=2).fit(X, y)
    classifier.save(tmp_path / "insects.npz")
    stored = load(tmp_path / "insects.npz")
    assert stored.class_names == ("ant", "bee", "cow")
    np.testing.assert_array_equal(stored.network.predict_proba(X), classifier.predict_proba(X))
    with pytest.raises(NotFittedError):
        SigmaxClassifier().save(tmp_path / "none.npz")


# ---- fitting in several calls --------------------------------------------------------------------


@unconverged
@pytest.mark.parametrize("solver", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("learning_rate", ["constant", "invscaling"])
def test_partial_fit_of_all_rows_is_an_epoch_of_fit(rng, solver, learning_rate):
    X, y = three_classes(rng)
    whole = SigmaxClassifier(
        (4,), solver=solver, learning_rate=learning_rate, random_state=5, max_iter=4, batch_size=25
    )
    parts = clone(whole)
    whole.fit(X, y)
    for _ in range(4):
        parts.partial_fit(X, y, classes=np.unique(y))
    np.testing.assert_array_equal(whole.network_.parameters, parts.network_.parameters)
    assert whole.loss_curve_ == parts.loss_curve_
    assert whole.t_ == parts.t_ == 4 * len(X)
    assert parts.n_iter_ == 1


@unconverged
def test_partial_fit_needs_all_classes_once(rng):
    X, y = three_classes(rng)
    classifier = SigmaxClassifier((4,))
    with pytest.raises(ValueError, match="classes is None"):
        classifier.partial_fit(X, y)
    two = y != "bee"
    classifier.partial_fit(X[two], y[two], classes=["cow", "bee", "ant"])
    assert classifier.predict_proba(X).shape == (len(X), 3)
    classifier.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"classes is \['ant', 'dog'\]; expected"):
        classifier.partial_fit(X, y, classes=["dog", "ant"])
    y[7] = "dog"
    with pytest.raises(ValueError, match="y, row 7: 'dog'; expected one of the classes"):
        classifier.partial_fit(X, y)


@unconverged
def test_partial_fit_takes_another_rate(rng):
    X, y = three_classes(rng)
    a = SigmaxClassifier((4,), random_state=0, solver="sgd", momentum=0.0)
    a.partial_fit(X, y, classes=np.unique(y))
    b = pickle.loads(pickle.dumps(a))
    start = a.network_.parameters.copy()
    a.partial_fit(X, y)
    b.set_params(learning_rate_init=0.01).partial_fit(X, y)
    once, ten_times = a.network_.parameters - start, b.network_.parameters - start
    np.testing.assert_allclose(ten_times, 10 * once, rtol=0.05, atol=1e-7)


@pytest.mark.parametrize(
    "parameters",
    [
        {"early_stopping": True},
        {"class_weight": "balanced"},
        {"standardize": True},
        {"nan": "mean"},
        {"schedule": "cosine"},
        {"warmup_epochs": 2},
    ],
)
def test_partial_fit_refuses_what_one_call_cannot_know(rng, parameters):
    X, y = three_classes(rng)
    with pytest.raises(ValueError, match=f"^{next(iter(parameters))} is .*partial_fit"):
        SigmaxClassifier(**parameters).partial_fit(X, y, classes=np.unique(y))


@unconverged
def test_warm_start_goes_on(rng):
    X, y = three_classes(rng)
    classifier = SigmaxClassifier((4,), warm_start=True, max_iter=3, random_state=0, solver="sgd")
    classifier.set_params(momentum=0.0)
    whole = clone(classifier).set_params(max_iter=6).fit(X, y)
    classifier.fit(X, y)
    network = classifier.network_
    classifier.fit(X, y)
    assert classifier.network_ is network
    assert len(classifier.loss_curve_) == 6
    assert classifier.n_iter_ == 3
    assert classifier.t_ == 6 * len(X)
    np.testing.assert_array_equal(network.parameters, whole.network_.parameters)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes is \[5\]; expected .*\[4\]"):
        classifier.set_params(hidden_layer_sizes=(5,)).fit(X, y)
    classifier.set_params(hidden_layer_sizes=(4,))
    before = network.parameters.copy()
    for other in (np.where(y == "ant", "bee", y), np.where(y == "ant", "dog", y)):
        with pytest.raises(
            ValueError, match=r"only be used where `y` has the same .*\['ant' 'bee'"
        ):
            classifier.fit(X, other)
    np.testing.assert_array_equal(network.parameters, before)


# ---- early stopping ------------------------------------------------------------------------------


def test_early_stopping_goes_back_to_the_best_parameters():
    X, y = load_digits(return_X_y=True)
    X = X / 16.0
    classifier = SigmaxClassifier(
        (20,), early_stopping=True, n_iter_no_change=3, random_state=2, learning_rate_init=0.02
    ).fit(X, y)
    scores = classifier.validation_scores_
    assert classifier.best_validation_score_ == max(scores) > 0.9
    assert scores[-1] < max(scores), "the last parameters must not be the best"
    assert classifier.best_loss_ is None
    assert len(scores) == len(classifier.loss_curve_) == classifier.n_iter_ < 200
    # more than 3 epochs in a row were not better than the best by tol, and none earlier
    assert _epochs_until(scores, 1e-4, 3) == len(scores)
    generator = np.random.RandomState(2)
    generator.randint(2**63 - 1, dtype=np.int64)  # the network's seed is drawn first
    _, held_out = train_test_split(
        np.arange(len(y)), random_state=generator, test_size=0.1, stratify=y
    )
    assert classifier.score(X[held_out], y[held_out]) == pytest.approx(max(scores), abs=1e-12)
    assert classifier.t_ == classifier.n_iter_ * (len(y) - len(held_out))


def _epochs_until(scores, tol, patience):
    best, waited = -np.inf, 0
    for epoch, score in enumerate(scores, 1):
        waited = waited + 1 if score < best + tol else 0
        best = max(best, score)
        if waited > patience:
            return epoch
    return None


@unconverged
def test_weights_count_in_the_validation_score(rng):
    X, y = three_classes(rng, rows=200)
    weights = rng.integers(0, 4, len(X)).astype(float)
    classifier = SigmaxClassifier((4,), early_stopping=True, max_iter=5, random_state=0)
    classifier.fit(X, y, sample_weight=weights)
    generator = np.random.RandomState(0)
    generator.randint(2**63 - 1, dtype=np.int64)
    weighted = np.flatnonzero(weights)
    _, held_out = train_test_split(
        weighted, random_state=generator, test_size=0.1, stratify=y[weighted]
    )
    score = classifier.score(X[held_out], y[held_out], sample_weight=weights[held_out])
    assert classifier.best_validation_score_ == pytest.approx(score, abs=1e-12)


# ---- attributes and types ------------------------------------------------------------------------


@unconverged
def test_attributes(rng):
    X, y = three_classes(rng)
    classifier = SigmaxClassifier((6, 4), max_iter=2)
    assert not hasattr(classifier, "coefs_")
    assert not hasattr(classifier, "intercepts_")
    classifier.fit(X, y)
    assert [w.shape for w in classifier.coefs_] == [(5, 6), (6, 4), (4, 3)]
    assert [b.shape for b in classifier.intercepts_] == [(6,), (4,), (3,)]
    assert classifier.classes_.tolist() == ["ant", "bee", "cow"]
    assert (classifier.n_layers_, classifier.n_outputs_, classifier.out_activation_) == (
        4,
        3,
        "softmax",
    )
    assert classifier.n_features_in_ == 5
    a = 1 / (1 + np.exp(-(X @ classifier.coefs_[0] + classifier.intercepts_[0])))
    np.testing.assert_allclose(a, classifier.network_.activations(X)[1], rtol=1e-12)


@unconverged
@pytest.mark.parametrize(
    "given, computed",
    [("float32", "float32"), ("float64", "float64"), ("float16", "float64"), ("int8", "float64")],
)
def test_it_computes_in_the_dtype_of_X(rng, given, computed):
    X, y = three_classes(rng)
    X = X.astype(given)
    classifier = SigmaxClassifier((3,), max_iter=2).fit(X, y)
    assert classifier.network_.dtype == computed
    assert classifier.predict_proba(X).dtype == computed
    assert classifier.predict_proba(X.astype(np.float64)).dtype == computed
    np.testing.assert_array_equal(
        classifier.predict_log_proba(X), np.log(classifier.predict_proba(X))
    )


@unconverged
def test_random_state(rng):
    X, y = three_classes(rng)
    settings = {"hidden_layer_sizes": (3,), "max_iter": 2}

    def parameters(random_state):
        return SigmaxClassifier(random_state=random_state, **settings).fit(X, y).network_.parameters

    np.testing.assert_array_equal(parameters(1), parameters(1))
    np.testing.assert_array_equal(parameters(np.random.RandomState(1)), parameters(1))
    assert (parameters(1) != parameters(2)).any()
    assert (parameters(None) != parameters(None)).any()


@unconverged
def test_a_pickled_classifier_is_the_same(rng):
    X, y = three_classes(rng)
    classifier = SigmaxClassifier((3,), max_iter=2).fit(X, y)
    other = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(other.predict_proba(X), classifier.predict_proba(X))
    assert other.loss_curve_ == classifier.loss_curve_
    other.partial_fit(X, y)
    assert len(other.loss_curve_) == 3


@unconverged
@pytest.mark.parametrize("solver", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("again", ["pickle", "deepcopy", "joblib", "mapped"])
def test_partial_fit_goes_on_after_a_pickle(rng, tmp_path, solver, again):
    joblib = pytest.importorskip("joblib")
    X, y = three_classes(rng)

    def written_and_read(classifier, **options):
        joblib.dump(classifier, tmp_path / "classifier.joblib")
        return joblib.load(tmp_path / "classifier.joblib", **options)

    whole = SigmaxClassifier(
        (4,), solver=solver, random_state=5, batch_size=25, dropout=0.1, learning_rate="invscaling"
    )
    whole.partial_fit(X, y, classes=np.unique(y))
    twin = {
        "pickle": lambda c: pickle.loads(pickle.dumps(c)),
        "deepcopy": copy.deepcopy,
        "joblib": written_and_read,
        "mapped": lambda c: written_and_read(c, mmap_mode="r"),
    }[again](whole)
    fresh = clone(whole).partial_fit(X, y, classes=np.unique(y))
    np.testing.assert_array_equal(fresh.network_.parameters, whole.network_.parameters)
    loaded = pickle.loads(pickle.dumps(whole))
    loaded.network_ = loaded.network_.copy()  # without the optimiser's state
    for classifier in (whole, twin, loaded):
        classifier.partial_fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(twin.network_.parameters, whole.network_.parameters)
    assert twin.loss_curve_ == whole.loss_curve_
    assert np.abs(loaded.network_.parameters - whole.network_.parameters).max() > 1e-6


@unconverged
def test_a_pickle_goes_on_with_warm_start(rng):
    X, y = three_classes(rng)
    classifier = SigmaxClassifier((4,), warm_start=True, max_iter=3, random_state=0).fit(X, y)
    twin = pickle.loads(pickle.dumps(classifier))
    for each in (classifier, twin):
        each.fit(X, y)
    np.testing.assert_array_equal(twin.network_.parameters, classifier.network_.parameters)
    assert twin.loss_curve_ == classifier.loss_curve_ and len(twin.loss_curve_) == 6


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("activation", "relu", "'logistic'"),
        ("solver", "adagrad", "'lbfgs', 'sgd', 'adam', 'adamw', 'rmsprop'"),
        ("learning_rate", "cosine", "'constant', 'invscaling', 'adaptive'"),
        ("hidden_layer_sizes", (3, 0), ">= 1"),
        ("hidden_layer_sizes", -4, ">= 1"),
        ("hidden_layer_sizes", "100", "integer"),
        ("alpha", -1.0, ">= 0"),
        ("alpha", "a", "number"),
        ("batch_size", 0, ">= 1"),
        ("batch_size", "all", "'auto'"),
        ("learning_rate_init", 0.0, "> 0"),
        ("power_t", -0.5, ">= 0"),
        ("max_iter", 0, ">= 1"),
        ("max_iter", 2.5, "integer"),
        ("shuffle", "yes", "True or False"),
        ("tol", -1e-3, ">= 0"),
        ("verbose", -1, ">= 0"),
        ("momentum", 1.0, "below 1"),
        ("early_stopping", 1, "True or False"),
        ("validation_fraction", 1.5, "below 1"),
        ("beta_1", 1.0, "below 1"),
        ("beta_2", np.nan, "from 0"),
        ("epsilon", 0.0, "> 0"),
        ("n_iter_no_change", 0, ">= 1"),
        ("max_fun", 0, ">= 1"),
        ("class_weight", "heavy", "'balanced'"),
        ("class_weight", [1, 2, 3], "'balanced'"),
        ("class_weight", {1: 1.0}, "text"),
        ("class_weight", {"dog": -1.0}, ">= 0"),
        ("class_weight", {"ant": -1.0}, ">= 0"),
        ("init", "he", "'glorot'"),
        ("dropout", 1.0, "below 1"),
        ("label_smoothing", -0.1, "from 0"),
        ("l1", -1.0, ">= 0"),
        ("clip_norm", 0.0, "> 0"),
        ("rho", 1.0, "below 1"),
        ("schedule", "linear", "'cosine'"),
        ("standardize", None, "True or False"),
        ("nan", "zero", "'mean'"),
        ("callbacks", [3], "callable"),
        ("callbacks", None, "a list of callables"),
        ("weight_decay", -5.0, ">= 0"),
        ("weight_decay", "x", "number"),
    ],
)
def test_a_bad_parameter_is_named(rng, name, value, expected):
    X, y = three_classes(rng)
    with pytest.raises((TypeError, ValueError), match=f"(?s)^{name}.*expected.*{expected}"):
        SigmaxClassifier(**{name: value}).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"solver": "sgd", "learning_rate": "adaptive", "schedule": "cosine"},
            "learning_rate is 'adaptive' and schedule is 'cosine'",
        ),
        (
            {"solver": "sgd", "learning_rate": "adaptive", "warmup_epochs": 2},
            "learning_rate is 'adaptive' and warmup_epochs is 2",
        ),
        ({"solver": "lbfgs", "dropout": 0.1}, "dropout is 0.1, but solver 'lbfgs' does not use it"),
        ({"solver": "lbfgs", "schedule": "bogus"}, "schedule is 'bogus'; expected one of"),
        ({"weight_decay": 0.1}, "weight_decay is 0.1, but solver 'adam' does not use it"),
        ({"solver": "sgd", "rho": 0.1}, "rho is 0.1, but solver 'sgd' does not use it"),
        (
            {"min_learning_rate": 1, "schedule": "cosine"},
            "min_learning_rate is 1.0; expected at most the learning_rate_init, 0.001",
        ),
    ],
    ids=str,
)
def test_parameters_that_make_no_sense_together_are_refused_in_their_own_names(
    rng, parameters, message
):
    X, y = three_classes(rng)
    with pytest.raises(ValueError, match=message):
        SigmaxClassifier(**parameters).fit(X, y)


@unconverged
def test_parameters_of_mlp_classifier_that_the_solver_does_not_use_are_ignored(rng):
    X, y = three_classes(rng)
    for solver in ("lbfgs", "rmsprop"):
        unused = {"momentum": 0.3, "beta_1": 0.3, "power_t": 2, "learning_rate": "adaptive"}
        classifier = SigmaxClassifier((3,), solver=solver, random_state=0, **unused)
        classifier.set_params(verbose=np.bool_(False)).fit(X, y)


@unconverged
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("given", [{0: 1.0, 1: 2.0, 2: 5.0}, {2: 5.0, 1: 2.0}])
def test_a_weight_of_a_class_that_is_absent_changes_nothing(rng, given, solver):
    X, y = three_classes(rng)
    labels = np.searchsorted(["ant", "bee", "cow"], y)
    X, labels = X[labels < 2], labels[labels < 2]  # as a fold may be
    settings = {"solver": solver, "hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
    a = SigmaxClassifier(class_weight=given, **settings).fit(X, labels)
    b = SigmaxClassifier(class_weight={1: 2.0}, **settings).fit(X, labels)
    np.testing.assert_array_equal(a.network_.parameters, b.network_.parameters)
    if solver == "adam":
        for classifier in (a, b):
            classifier.partial_fit(X[:9], labels[:9])
        np.testing.assert_array_equal(a.network_.parameters, b.network_.parameters)


def test_a_class_weight_that_can_be_no_class(rng):
    X, y = rng.normal(size=(6, 2)), [0, 1, 2] * 2
    with pytest.raises(ValueError, match=r"class_weight has '1'; expected numbers, .*\[0, 1, 2\]"):
        SigmaxClassifier(class_weight={"1": 3.0}).fit(X, y)


@unconverged
@pytest.mark.parametrize(
    ("form", "dtype"),
    [
        *itertools.product([np.asarray, np.ndarray.tolist, "pandas"], [int, float, bool, object]),
        *itertools.product([sparse.csr_array], [int, float, bool]),  # SciPy has none of objects
    ],
)
def test_one_hot_targets_name_the_call_that_helps(rng, form, dtype):
    if form == "pandas":
        form = pytest.importorskip("pandas").DataFrame
    X, labels = rng.normal(size=(30, 4)), np.arange(30) % 3
    y = form(np.eye(3, dtype=dtype)[labels])
    classifier = SigmaxClassifier((3,), max_iter=2)
    for call in (classifier.fit, lambda X, y: classifier.partial_fit(X, y, classes=[0, 1, 2])):
        with pytest.raises(
            ValueError, match=r"y is one-hot, \(30, 3\), .*expected.*argmax"
        ) as caught:
            call(X, y)
    remedy = str(caught.value).split("(30,): ")[1]
    classifier.fit(X, np.ravel(eval(remedy, {"numpy": np, "y": y})))
    np.testing.assert_array_equal(classifier.classes_, [0, 1, 2])


def test_soft_targets_are_what_network_fit_takes(rng):
    X, y = rng.normal(size=(30, 4)), rng.dirichlet([1.0, 1.0, 1.0], 30)
    with pytest.raises(ValueError, match=r"y has probabilities, \(30, 3\), .*Network.fit trains"):
        SigmaxClassifier().fit(X, y)
    with pytest.raises(ValueError, match="y has probabilities"):
        SigmaxClassifier().fit(X, y.astype(object))
    sigmax.Network([4, 3], seed=0).fit(X, y, epochs=1)
    with pytest.raises(ValueError, match="y is continuous-multioutput; expected one class per row"):
        SigmaxClassifier().fit(X, y + 0.1)


def test_bad_targets_are_refused(rng):
    X, _ = three_classes(rng)
    with pytest.raises(ValueError, match="multilabel-indicator; expected one class per row"):
        SigmaxClassifier().fit(X, np.eye(3, dtype=int)[np.arange(len(X)) % 3] | [0, 0, 1])
    with pytest.raises(ValueError, match="only one class, 'ant'; expected at least 2 classes"):
        SigmaxClassifier().fit(X, np.full(len(X), "ant"))
    with pytest.raises(ValueError, match="Unknown label type"):
        SigmaxClassifier().fit(X, rng.normal(size=len(X)))
    with warnings.catch_warnings(), pytest.raises(ValueError, match="y contains NaN"):
        warnings.simplefilter("error")
        SigmaxClassifier().fit(X, np.where(np.arange(len(X)) % 3, np.nan, 1.0))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["ant", float("nan"), "cow"], "y, row 1: nan; .*all text or all numbers"),
        (["ant", "bee", None], "y, row 2: None; "),
        (["ant", 1, "cow"], "y, row 1: 1; "),
        ([1, 2, "cow"], "y, row 0: 1; .* row 2 is text"),
    ],
)
def test_labels_of_several_kinds_are_refused_by_row(rng, labels, words):
    X, y = rng.normal(size=(6, 2)), np.array(labels * 2, object)
    with pytest.raises(ValueError, match=words):
        SigmaxClassifier().fit(X, y)
    with pytest.raises(ValueError, match=words.replace("y,", "classes,")):
        SigmaxClassifier().partial_fit(X, ["ant"] * 6, classes=y)


@unconverged
@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "nan; .*nan='mean' .* NaN"), (np.inf, "inf; .*number$")]
)
def test_nan_in_X_is_named_with_its_place(rng, value, words):
    X, y = three_classes(rng)
    fitted = SigmaxClassifier(max_iter=2, early_stopping=True).fit(X, y)
    X[7, 2] = value
    for rows in (X, sparse.csr_array(X), X.tolist()):
        for call in (lambda rows: SigmaxClassifier().fit(rows, y), fitted.predict):
            with pytest.raises(ValueError, match=f"X, row 7, column 2: {words}"):
                call(rows)


def test_bad_weights_are_refused(rng):
    X, y = three_classes(rng)
    weights = np.ones(len(X))
    weights[4] = -1.0
    with pytest.raises(ValueError, match=r"sample_weight, row 4: -1.0; expected"):
        SigmaxClassifier(early_stopping=True).fit(X, y, weights)
    with pytest.raises(ValueError, match="sample_weight has 3 entries; expected one per row, 120"):
        SigmaxClassifier().fit(X, y, [1, 2, 3])


@unconverged
def test_a_refused_fit_changes_nothing(rng):
    X, y = three_classes(rng)
    classifier = SigmaxClassifier(hidden_layer_sizes=3, max_iter=2, random_state=0)
    with pytest.raises(ValueError, match="sample_weight"):
        classifier.fit(X, y, sample_weight=-np.ones(len(X)))
    assert not [name for name in vars(classifier) if name.endswith("_")]
    before = classifier.fit(X, y).predict(X)
    for call in (
        lambda: classifier.fit(X[:, :2], y, sample_weight=-np.ones(len(X))),
        lambda: classifier.set_params(dropout=2.0).fit(X[:, :2], y),
    ):
        with pytest.raises(ValueError, match=r"sample_weight|dropout"):
            call()
        assert classifier.n_features_in_ == X.shape[1]
        np.testing.assert_array_equal(classifier.predict(X), before)


def test_max_iter_that_does_not_suffice_is_a_warning(rng):
    X, y = three_classes(rng)
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        SigmaxClassifier((3,), max_iter=3).fit(X, y)


def test_a_batch_larger_than_the_data_is_all_of_it(rng):
    X, y = three_classes(rng)
    settings = {"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0}
    with pytest.warns(ConvergenceWarning):
        a = SigmaxClassifier(batch_size=120, **settings).fit(X, y)
    with (
        pytest.warns(ConvergenceWarning),
        pytest.warns(UserWarning, match="batch_size is 500; there are only 120"),
    ):
        b = SigmaxClassifier(batch_size=500, **settings).fit(X, y)
    np.testing.assert_array_equal(a.network_.parameters, b.network_.parameters)


# ---- scikit-learn is loaded when it is used ------------------------------------------------------


def test_scikit_learn_is_not_imported_before_it_is_used():
    done = run(
        "import sys, sigmax; assert 'sklearn' not in sys.modules; "
        "sigmax.SigmaxClassifier; assert 'sklearn' in sys.modules"
    )
    assert done.returncode == 0, done.stderr


def test_without_scikit_learn_the_error_names_the_extra():
    status, _, errors = processes.finish(processes.start("programs/without_sklearn.py"))
    assert status == 1
    assert "ImportError: SigmaxClassifier needs scikit-learn: pip install" in errors
