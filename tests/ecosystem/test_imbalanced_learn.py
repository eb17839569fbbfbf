"""imbalanced-learn: samplers in front of a classifier, ensembles of balanced samples."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("imblearn")

from imblearn.ensemble import BalancedBaggingClassifier, EasyEnsembleClassifier
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline, make_pipeline
from imblearn.under_sampling import RandomUnderSampler
from sklearn.datasets import make_classification
from sklearn.ensemble import AdaBoostClassifier
from sklearn.metrics import recall_score
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.preprocessing import StandardScaler
from twins import ALPHA, assert_agree, logistic_regression, softmax_regression


@pytest.fixture(scope="module")
def rare():
    """600 rows of two classes, one of them one row in twelve."""
    return make_classification(
        600, 6, n_informative=4, weights=[11 / 12], class_sep=0.7, random_state=0
    )


@pytest.mark.parametrize("sampler", [RandomOverSampler, RandomUnderSampler, SMOTE])
def test_a_sampler_before_the_classifier(rare, sampler):
    X, y = rare

    def answers(estimator):
        model = make_pipeline(StandardScaler(), sampler(random_state=0), estimator)
        return cross_val_predict(model, X, y, cv=3, method="predict_proba")

    ours, theirs = answers(softmax_regression()), answers(logistic_regression(classes=2))
    assert_agree(ours, theirs)
    alone = cross_val_predict(softmax_regression(), X, y, cv=3)
    assert recall_score(y, ours.argmax(axis=1)) > recall_score(y, alone) + 0.2


def test_rows_that_are_repeated_are_rows_of_larger_weight(rare):
    X, y = rare
    times = 1 + 11 * y  # each rare row twelve times
    indices = np.repeat(np.arange(len(y)), times)
    repeated = softmax_regression().fit(X[indices], y[indices])
    weighted = softmax_regression().fit(X, y, sample_weight=times)
    of_class = softmax_regression().set_params(class_weight={1: 12}).fit(X, y)
    assert_agree(repeated.predict_proba(X), weighted.predict_proba(X))
    assert_agree(repeated.predict_proba(X), of_class.predict_proba(X))


def test_a_search_over_sampler_and_classifier(rare):
    X, y = rare
    scores = []
    for estimator, name, values in (
        (softmax_regression(), "alpha", [1.0, ALPHA]),
        (logistic_regression(classes=2), "C", [2.0, 2.0 / ALPHA]),
    ):
        model = Pipeline([("sampler", SMOTE(random_state=0)), ("classifier", estimator)])
        grid = {f"classifier__{name}": values, "sampler__k_neighbors": [3, 5]}
        search = GridSearchCV(model, grid, cv=3, scoring="balanced_accuracy", error_score="raise")
        scores.append(search.fit(X, y).cv_results_["mean_test_score"])
    assert_agree(*scores, atol=0.01)


@pytest.mark.parametrize("ensemble", [BalancedBaggingClassifier, EasyEnsembleClassifier])
# A few rows of each class, and those that are hard: see test_ensembles.py.
@pytest.mark.filterwarnings("ignore:training stalled:sigmax.TrainingWarning")
def test_ensembles_of_balanced_samples(rare, ensemble):
    X, y = rare

    def make(estimator):
        if ensemble is EasyEnsembleClassifier:  # which wants something that boosts
            estimator = AdaBoostClassifier(estimator, n_estimators=3)
        return ensemble(n_estimators=4, estimator=estimator, random_state=0).fit(X, y)

    ours, theirs = make(softmax_regression()), make(logistic_regression(classes=2))
    assert_agree(ours.predict_proba(X), theirs.predict_proba(X))
    alone = softmax_regression().fit(X, y)
    assert recall_score(y, ours.predict(X)) > recall_score(y, alone.predict(X)) + 0.2
