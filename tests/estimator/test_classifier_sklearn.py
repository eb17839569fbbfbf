"""SigmaxClassifier within scikit-learn: its own checks, and tables.

What takes an estimator, such as searches and ensembles, is tried in tests/ecosystem.
"""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

import scipy.sparse
from sigmax import SigmaxClassifier
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import SkipTestWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import estimator_checks

QUICK = {"max_iter": 60}
SETTINGS = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.02, "random_state": 0}

unconverged = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


# ---- scikit-learn's own checks -------------------------------------------------------------------


def unpassed(estimator, expected_to_fail=None):
    """Run all checks, raise where one fails, and name those that were not run."""
    if hasattr(estimator_checks, "estimator_checks_generator"):
        results = estimator_checks.check_estimator(
            estimator, expected_failed_checks=expected_to_fail, on_skip=None, on_fail="raise"
        )
        assert len(results) > 40
        return {r["check_name"] for r in results if r["status"] != "passed"}
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        estimator_checks.check_estimator(estimator)
    return {str(w.message) for w in seen if issubclass(w.category, SkipTestWarning)}


@pytest.fixture(scope="module")
def not_run_for_mlp():
    """What scikit-learn does not check of its own classifier."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return unpassed(MLPClassifier((10,), "logistic", max_iter=100))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "parameters",
    [
        {"max_iter": 100},
        {"hidden_layer_sizes": (10,), "solver": "sgd", "learning_rate_init": 0.2},
        # lbfgs has no partial_fit, which knows too little for nan="mean"
        {"hidden_layer_sizes": (10,), "solver": "lbfgs", "max_iter": 100, "nan": "mean"},
    ],
)
def test_all_checks_of_scikit_learn_pass(parameters, not_run_for_mlp):
    allowed = not_run_for_mlp | ({"check_estimators_nan_inf"} if "nan" in parameters else set())
    assert unpassed(SigmaxClassifier(**parameters)) <= allowed


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")
def test_all_checks_of_scikit_learn_pass_with_several_networks(not_run_for_mlp):
    """All but one: a row taken twice may be in two folds, and a row of weight 2 is in one.

    scikit-learn expects the same of its own BaggingClassifier.
    """
    checks = ("dense", "sparse")
    unequal = {f"check_sample_weight_equivalence_on_{kind}_data": "folds" for kind in checks}
    if not hasattr(estimator_checks, "estimator_checks_generator"):
        pytest.skip("this scikit-learn has no expected failures")
    found = unpassed(SigmaxClassifier(n_networks=3, max_iter=150), unequal)
    assert found <= not_run_for_mlp | set(unequal)


@unconverged
def test_early_stopping_takes_weights_that_are_no_array():
    check = estimator_checks.check_sample_weights_not_an_array
    check("SigmaxClassifier", SigmaxClassifier((10,), max_iter=3, early_stopping=True))


# ---- tables --------------------------------------------------------------------------------------


@unconverged
@pytest.mark.parametrize("module", ["pandas", "polars"])
def test_data_frames(module, iris):
    frames = pytest.importorskip(module)
    X, y = iris
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    frame = frames.DataFrame({name: X[:, i] for i, name in enumerate(names)})
    series = frames.Series(np.array(["a", "b", "c"])[y].tolist())
    if not hasattr(StandardScaler().fit(frame), "feature_names_in_"):
        pytest.skip(f"this scikit-learn does not see the names of this {module}'s columns")
    classifier = SigmaxClassifier(**SETTINGS, **QUICK).fit(frame, series)
    assert classifier.feature_names_in_.tolist() == names
    assert classifier.classes_.tolist() == ["a", "b", "c"]
    plain = SigmaxClassifier(**SETTINGS, **QUICK).fit(X, y)
    np.testing.assert_array_equal(classifier.predict_proba(frame), plain.predict_proba(X))
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(frame[names[::-1]])


@unconverged
@pytest.mark.parametrize("make", ["csr_matrix", "csr_array", "csc_matrix", "coo_matrix"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sparse_rows(make, dtype, rng):
    X = rng.integers(0, 5, (150, 6))
    y = (X[:, 0] + X[:, 3]) % 3
    X = OneHotEncoder(dtype=dtype).fit_transform(X)
    assert scipy.sparse.issparse(X)
    dense = np.ascontiguousarray(X.toarray())
    sparse = getattr(scipy.sparse, make)(X)
    a = SigmaxClassifier(**SETTINGS, **QUICK, early_stopping=True).fit(sparse, y)
    b = SigmaxClassifier(**SETTINGS, **QUICK, early_stopping=True).fit(dense, y)
    assert a.network_.dtype == dtype
    np.testing.assert_array_equal(a.network_.parameters, b.network_.parameters)
    np.testing.assert_array_equal(a.predict_proba(sparse), b.predict_proba(dense))
    np.testing.assert_array_equal(a.predict(sparse), b.predict(dense))
    a.set_params(early_stopping=False).partial_fit(sparse, y)
    b.set_params(early_stopping=False).partial_fit(dense, y)
    np.testing.assert_array_equal(a.network_.parameters, b.network_.parameters)


# ---- accuracy ------------------------------------------------------------------------------------


@unconverged
def test_digits_in_single_precision_as_good_as_mlp_classifier():
    X, y = load_digits(return_X_y=True)
    X = (X / 16.0).astype(np.float32)
    train, test = slice(0, 1400), slice(1400, None)
    settings = {"random_state": 0, "max_iter": 100}
    ours = SigmaxClassifier(**settings).fit(X[train], y[train]).score(X[test], y[test])
    theirs = MLPClassifier((100,), "logistic", **settings).fit(X[train], y[train])
    assert ours > theirs.score(X[test], y[test]) - 0.02
    assert ours > 0.88
