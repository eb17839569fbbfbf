"""scikit-learn's searches, curves and choices of columns and thresholds."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn
from scipy.stats import loguniform
from sigmax import SigmaxClassifier
from sklearn import model_selection
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 (what it is imported for)
from sklearn.feature_selection import RFECV, SelectFromModel, SequentialFeatureSelector
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from twins import ALPHA, assert_agree, logistic_regression, softmax_regression

unconverged = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
# A search tries what learns nothing, too, and each such training says so.
some_stall = pytest.mark.filterwarnings("ignore:training stalled:sigmax.TrainingWarning")
SETTINGS = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.02, "random_state": 0}


# ---- cross-validation ----------------------------------------------------------------------------


def test_cross_validation(three):
    X, y = three
    ours, theirs = softmax_regression(), logistic_regression()
    probabilities = [
        cross_val_predict(e, X, y, cv=3, method="predict_proba") for e in (ours, theirs)
    ]
    assert_agree(*probabilities)
    logarithms = cross_val_predict(ours, X, y, cv=3, method="predict_log_proba")
    assert_agree(np.exp(logarithms), probabilities[1])
    scores = [cross_val_score(e, X, y, cv=3, scoring="neg_log_loss") for e in (ours, theirs)]
    assert_agree(*scores)


def test_weights_reach_it_by_metadata_routing(two):
    X, y = two
    weights = np.where(y == 1, 5.0, 1.0)

    def score(estimator):
        model = make_pipeline(StandardScaler(), estimator.set_fit_request(sample_weight=True))
        model[0].set_fit_request(sample_weight=False)
        scorer = get_scorer("recall").set_score_request(sample_weight=False)
        given = {"sample_weight": weights}
        results = cross_validate(model, X, y, cv=3, params=given, scoring=scorer)
        return results["test_score"]

    with sklearn.config_context(enable_metadata_routing=True):
        ours, theirs = score(softmax_regression()), score(logistic_regression(classes=2))
    assert_agree(ours, theirs)
    without = cross_val_score(
        make_pipeline(StandardScaler(), softmax_regression()), X, y, cv=3, scoring="recall"
    )
    assert (ours > without + 0.05).all()


# ---- searches ------------------------------------------------------------------------------------


def test_grid_search_in_two_processes(three):
    X, y = three
    alphas = [0.1, ALPHA, 1e4]
    results = [
        GridSearchCV(
            estimator, grid, cv=3, n_jobs=2, scoring="neg_log_loss", error_score="raise"
        ).fit(X, y)
        for estimator, grid in (
            (softmax_regression(), {"alpha": alphas}),
            (LogisticRegression(tol=1e-10, max_iter=2000), {"C": [1 / a for a in alphas]}),
        )
    ]
    ours, theirs = (search.cv_results_["mean_test_score"] for search in results)
    assert_agree(ours, theirs, atol=5e-3)
    assert results[0].best_index_ == results[1].best_index_
    assert_agree(results[0].predict_proba(X), results[1].predict_proba(X), atol=5e-3)


@unconverged
def test_grid_of_layers_and_solvers_in_a_pipeline(three):
    X, y = three
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SigmaxClassifier(**SETTINGS, max_iter=100)),
        {
            "sigmaxclassifier__hidden_layer_sizes": [(), (5,), (5, 5)],
            "sigmaxclassifier__solver": ["adam", "sgd"],
        },
        cv=3,
        n_jobs=2,
        error_score="raise",
    ).fit(X, y)
    assert search.best_score_ > 0.93
    assert len(search.cv_results_["params"]) == 6


@unconverged
@some_stall
def test_random_search_is_the_same_in_two_processes(three):
    X, y = three
    grid = {"learning_rate_init": loguniform(1e-4, 1e-1), "alpha": loguniform(1e-5, 1.0)}
    one, two = (
        RandomizedSearchCV(
            SigmaxClassifier(**SETTINGS, max_iter=40),
            grid,
            n_iter=6,
            cv=3,
            n_jobs=n_jobs,
            random_state=0,
            scoring="neg_log_loss",
            error_score="raise",
        ).fit(X, y)
        for n_jobs in (1, 2)
    )
    scores = one.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, two.cv_results_["mean_test_score"])
    assert np.ptp(scores) > 0.1
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


@unconverged
@some_stall
def test_halving_gives_more_epochs_to_those_that_learn(three):
    X, y = three
    rates = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 3e-2]
    search = HalvingGridSearchCV(
        SigmaxClassifier((8,), random_state=0, tol=0.0, n_iter_no_change=1000),
        {"learning_rate_init": rates},
        resource="max_iter",
        min_resources=10,
        max_resources=90,
        factor=3,
        cv=3,
        random_state=0,
        error_score="raise",
    ).fit(X, y)
    assert search.n_resources_ == [10, 30]
    assert search.n_candidates_ == [6, 2]
    assert search.best_params_["learning_rate_init"] >= 1e-2
    assert search.best_estimator_.n_iter_ == search.best_params_["max_iter"] == 30
    last = search.cv_results_["iter"] == 1
    for params, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        direct = SigmaxClassifier((8,), random_state=0, tol=0.0, n_iter_no_change=1000, **params)
        if params["max_iter"] == 30:
            folds = cross_val_score(direct, X, y, cv=search.cv)
            assert score == pytest.approx(folds.mean())
    assert last.sum() == 2


# ---- curves --------------------------------------------------------------------------------------


def test_learning_curve(three):
    X, y = three
    ours, theirs = (
        learning_curve(e, X, y, train_sizes=[0.3, 1.0], cv=3, scoring="neg_log_loss")
        for e in (softmax_regression(), logistic_regression())
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert_agree(mine, other)


def test_learning_curve_of_partial_fits(three):
    X, y = three
    classifier = SigmaxClassifier(**SETTINGS, batch_size=1)
    sizes, _, scores = learning_curve(
        classifier, X, y, train_sizes=[20, 60, 118], cv=3, exploit_incremental_learning=True
    )
    model, (train, test) = (
        SigmaxClassifier(**SETTINGS, batch_size=1),
        next(model_selection.StratifiedKFold(3).split(X, y)),
    )
    start = 0
    for size, row in zip(sizes, scores, strict=True):
        part = train[start:size]
        model.partial_fit(X[part], y[part], classes=np.unique(y))
        assert row[0] == model.score(X[test], y[test])
        start = size
    assert scores[-1].min() > scores[0].min()


def test_validation_curve(three):
    X, y = three
    alphas = np.array([1.0, ALPHA, 100.0])
    ours = validation_curve(
        softmax_regression(), X, y, param_name="alpha", param_range=alphas, cv=3
    )
    theirs = validation_curve(
        LogisticRegression(tol=1e-10, max_iter=2000),
        X,
        y,
        param_name="C",
        param_range=1 / alphas,
        cv=3,
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert_agree(mine, other)


def test_permuted_labels_cannot_be_learnt(three):
    X, y = three
    given = {"cv": 3, "n_permutations": 10, "random_state": 0}
    ours = permutation_test_score(softmax_regression(), X, y, **given)
    theirs = permutation_test_score(logistic_regression(), X, y, **given)
    for mine, other in zip(ours, theirs, strict=True):
        assert_agree(mine, other, atol=0.01)  # a row more or less of 178


# ---- columns and thresholds ----------------------------------------------------------------------


def norms_of_columns(estimator):
    """How much each column counts: the norm of its weights into the first layer."""
    weights = estimator.coefs_[0] if hasattr(estimator, "coefs_") else estimator.coef_.T
    return np.linalg.norm(weights, axis=1)


def test_columns_are_eliminated(three):
    X, y = three
    noise = np.random.default_rng(0).normal(size=X.shape)
    X = np.hstack([X, noise])
    ours, theirs = (
        RFECV(e, cv=3, importance_getter=norms_of_columns, scoring="neg_log_loss").fit(X, y)
        for e in (softmax_regression(), logistic_regression())
    )
    np.testing.assert_array_equal(ours.ranking_, theirs.ranking_)
    assert_agree(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"])
    assert ours.n_features_ == theirs.n_features_
    assert ours.support_[:13].sum() > ours.support_[13:].sum()
    assert_agree(ours.predict_proba(X), theirs.predict_proba(X))


def test_columns_are_selected(three):
    X, y = three
    ours, theirs = (
        SelectFromModel(e, importance_getter=norms_of_columns).fit(X, y).get_support()
        for e in (softmax_regression(), logistic_regression())
    )
    np.testing.assert_array_equal(ours, theirs)
    ours, theirs = (
        SequentialFeatureSelector(e, n_features_to_select=2, cv=3, scoring="neg_log_loss")
        .fit(X, y)
        .get_support()
        for e in (softmax_regression(), logistic_regression())
    )
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.skipif(
    not hasattr(model_selection, "TunedThresholdClassifierCV"),
    reason="this scikit-learn has no TunedThresholdClassifierCV",
)
def test_a_threshold_is_tuned(two):
    X, y = two
    ours, theirs = (
        model_selection.TunedThresholdClassifierCV(e, scoring="balanced_accuracy", cv=3).fit(X, y)
        for e in (softmax_regression(), logistic_regression(classes=2))
    )
    assert ours.best_threshold_ == pytest.approx(theirs.best_threshold_, abs=0.01)
    assert ours.best_threshold_ < 0.45  # class 1 is rare
    assert ours.best_score_ == pytest.approx(theirs.best_score_, abs=0.01)
    assert (ours.predict(X) == theirs.predict(X)).mean() > 0.99
    fixed = model_selection.FixedThresholdClassifier(softmax_regression(), threshold=0.2).fit(X, y)
    probabilities = fixed.estimator_.predict_proba(X)[:, 1]
    np.testing.assert_array_equal(fixed.predict(X), probabilities >= 0.2)
