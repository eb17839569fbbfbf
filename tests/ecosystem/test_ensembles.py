"""What trains several copies of a classifier: ensembles, calibration, one classifier per class."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sigmax import SigmaxClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.semi_supervised import SelfTrainingClassifier
from twins import ALPHA, assert_agree, logistic_regression, softmax_regression

unconverged = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def both(make, X, y, classes=3):
    """What make makes of our estimator and of scikit-learn's, trained on the same rows."""
    return [make(e).fit(X, y) for e in (softmax_regression(), logistic_regression(classes=classes))]


# ---- ensembles -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bootstrap", [True, False])
def test_bagging(three, bootstrap):
    X, y = three

    def make(estimator):
        return BaggingClassifier(
            estimator, 5, max_samples=0.5, max_features=6, bootstrap=bootstrap, random_state=0
        )

    ours, theirs = both(make, X, y)
    assert_agree(ours.predict_proba(X), theirs.predict_proba(X))
    single = [
        e.predict_proba(X[:, c]) for e, c in zip(ours, ours.estimators_features_, strict=True)
    ]
    assert np.ptp(single, axis=0).max() > 0.05  # five different ones


# Each round weights most the rows that are hard: the optimum may be hardly better than a guess.
def test_boosting_depends_on_the_weights_of_rows(two):
    X, y = two
    ours, theirs = both(lambda e: AdaBoostClassifier(e, n_estimators=8, random_state=0), X, y, 2)
    assert len(ours.estimators_) == len(theirs.estimators_) >= 3
    assert_agree(ours.estimator_errors_, theirs.estimator_errors_)
    assert_agree(ours.estimator_weights_, theirs.estimator_weights_)
    assert_agree(ours.predict_proba(X), theirs.predict_proba(X))
    # without weights every estimator would be the first
    assert np.ptp([e.predict_proba(X) for e in ours.estimators_], axis=0).max() > 0.05


@pytest.mark.parametrize("passthrough", [False, True])
def test_stacking(three, passthrough):
    X, y = three

    def make(estimator):
        first = [("regression", estimator), ("bayes", GaussianNB())]
        return StackingClassifier(first, logistic_regression(), passthrough=passthrough, cv=3)

    ours, theirs = both(make, X, y)
    assert_agree(ours.predict_proba(X), theirs.predict_proba(X))
    assert_agree(ours.transform(X), theirs.transform(X))


def test_the_last_estimator_of_a_stack(three):
    X, y = three

    def make(estimator):
        return StackingClassifier([("bayes", GaussianNB())], estimator, cv=3, passthrough=True)

    ours, theirs = both(make, X, y)
    assert_agree(ours.predict_proba(X), theirs.predict_proba(X))


@unconverged
def test_voting(three):
    X, y = three
    members = [
        ("wide", SigmaxClassifier((16,), learning_rate_init=0.02, random_state=0)),
        ("straight", softmax_regression()),
        ("bayes", GaussianNB()),
    ]
    names = np.array(["Barolo", "Grignolino", "Barbera"])
    model = VotingClassifier(members, voting="soft", weights=[2, 1, 1]).fit(X, names[y])
    wide, straight, bayes = (e.predict_proba(X) for e in model.estimators_)
    np.testing.assert_allclose(
        model.predict_proba(X), (2 * wide + straight + bayes) / 4, rtol=1e-12
    )
    assert model.score(X, names[y]) > 0.95
    model = VotingClassifier(members[:2], voting="hard").fit(X, names[y])
    assert set(model.predict(X)) == set(names)
    assert model.score(X, names[y]) > 0.95


# ---- calibration ---------------------------------------------------------------------------------


def only_probabilities():
    """The same optimum without decision_function, which would be calibrated in preference."""
    return MLPClassifier((), solver="lbfgs", alpha=ALPHA, tol=1e-9, max_iter=2000, random_state=0)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("ensemble", [False, True])
def test_calibration(three, method, ensemble):
    X, y = three
    ours, theirs = (
        CalibratedClassifierCV(e, method=method, cv=3, ensemble=ensemble).fit(X, y).predict_proba(X)
        for e in (softmax_regression(), only_probabilities())
    )
    if method == "sigmoid":
        assert_agree(ours, theirs)
    else:  # a step more or less, where two rows are as probable as each other
        assert np.isclose(ours, theirs, rtol=0, atol=1e-3).mean() > 0.95


def test_calibration_of_a_classifier_that_is_trained_already(three):
    frozen = pytest.importorskip("sklearn.frozen").FrozenEstimator
    X, y = three
    train, rest = slice(0, 90), slice(90, None)
    ours, theirs = (
        CalibratedClassifierCV(frozen(e.fit(X[train], y[train]))).fit(X[rest], y[rest])
        for e in (softmax_regression(), only_probabilities())
    )
    assert_agree(ours.predict_proba(X), theirs.predict_proba(X))


@unconverged
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_lowers_the_cost_of_a_network_that_is_too_sure(method):
    X, y = make_classification(3000, 10, n_informative=5, flip_y=0.3, random_state=1)
    train, test = slice(0, 1500), slice(1500, None)
    network = SigmaxClassifier(
        (60,), solver="lbfgs", alpha=1e-3, max_iter=100, init="large", random_state=0
    )
    alone = network.fit(X[train], y[train]).predict_proba(X[test])
    model = CalibratedClassifierCV(network, method=method, cv=3).fit(X[train], y[train])
    assert log_loss(y[test], model.predict_proba(X[test])) < 0.7 * log_loss(y[test], alone)


# ---- one classifier per class, per pair, per column ----------------------------------------------


@pytest.mark.parametrize("meta", [OneVsRestClassifier, OneVsOneClassifier])
def test_one_classifier_per_class_or_pair(three, meta):
    X, y = three
    ours, theirs = both(meta, X, y, classes=2)
    assert len(ours.estimators_) == 3
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    if meta is OneVsRestClassifier:
        assert_agree(ours.predict_proba(X), theirs.predict_proba(X))


@pytest.mark.parametrize("meta", [MultiOutputClassifier, ClassifierChain])
def test_one_classifier_per_column(two, meta):
    X, y = two
    columns = np.stack([y, X[:, 0] > 0], axis=1).astype(int)
    ours, theirs = both(meta, X, columns, classes=2)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert_agree(ours.predict_proba(X), theirs.predict_proba(X))


def test_labels_that_are_learnt_from_its_own_predictions(two):
    X, y = two
    some = y.copy()
    some[40:] = -1  # not known
    ours, theirs = both(lambda e: SelfTrainingClassifier(e, threshold=0.9), X, some, classes=2)
    assert ours.n_iter_ > 1
    np.testing.assert_array_equal(ours.labeled_iter_, theirs.labeled_iter_)
    assert_agree(ours.predict_proba(X), theirs.predict_proba(X))


def test_a_different_penalty_would_be_noticed(three):
    """That the comparisons above can fail."""
    X, y = three
    other = LogisticRegression(C=0.2, max_iter=2000).fit(X, y).predict_proba(X)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_agree(softmax_regression().fit(X, y).predict_proba(X), other)
