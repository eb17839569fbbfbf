"""MAPIE: sets of classes that hold the true one as often as promised."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("mapie")

from mapie.classification import CrossConformalClassifier, SplitConformalClassifier
from sigmax import SigmaxClassifier
from sklearn.datasets import make_blobs
from twins import assert_agree, logistic_regression, softmax_regression

LEVELS = [0.8, 0.9]
ROWS = 500  # for training, and as many for the sizes of the sets


@pytest.fixture(scope="module")
def overlapping():
    """5000 rows in four clouds that overlap."""
    X, y = make_blobs(5000, 2, centers=4, cluster_std=3.0, random_state=0)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def coverage(sets, y):
    """How often the true class is in its set, (levels,)."""
    return sets[np.arange(len(y)), y].mean(axis=0)


@pytest.mark.parametrize("score", ["lac", "aps"])
def test_the_promised_coverage(overlapping, score):
    X, y = overlapping
    network = SigmaxClassifier((8,), learning_rate_init=0.02, random_state=0, tol=1e-3)
    network.fit(X[:ROWS], y[:ROWS])
    model = SplitConformalClassifier(
        network, confidence_level=LEVELS, conformity_score=score, prefit=True, random_state=0
    ).conformalize(X[ROWS : 2 * ROWS], y[ROWS : 2 * ROWS])
    X_test, y_test = X[2 * ROWS :], y[2 * ROWS :]
    # by default aps keeps the last class of a set, whose coverage then is larger than promised
    given = (
        {"conformity_score_params": {"include_last_label": "randomized"}} if score == "aps" else {}
    )
    labels, sets = model.predict_set(X_test, **given)
    np.testing.assert_array_equal(labels, network.predict(X_test))
    assert sets.shape == (len(y_test), 4, 2)
    for level, share in zip(LEVELS, coverage(sets, y_test), strict=True):
        # a binomial share of the test rows around one of the rows before: three deviations
        deviation = np.sqrt(level * (1 - level) * (1 / ROWS + 1 / len(y_test)))
        assert abs(share - level) < 3 * deviation + 1 / ROWS
    sizes = sets.sum(axis=1).mean(axis=0)
    assert 1 <= sizes[0] < sizes[1] < 3


def test_its_sets_are_those_around_logistic_regression(overlapping):
    X, y = overlapping
    sets = []
    for estimator in softmax_regression(), logistic_regression():
        model = SplitConformalClassifier(
            estimator, confidence_level=LEVELS, prefit=False, random_state=0
        )
        model.fit(X[:ROWS], y[:ROWS]).conformalize(X[ROWS : 2 * ROWS], y[ROWS : 2 * ROWS])
        sets.append(model.predict_set(X[2 * ROWS :])[1])
    assert (sets[0] == sets[1]).mean() > 0.999  # but for a row on the edge
    assert 0.1 < sets[0].mean() < 0.9


def test_cross_conformal_sets(overlapping):
    X, y = overlapping
    shares, sets = [], []
    for estimator in softmax_regression(), logistic_regression():
        model = CrossConformalClassifier(estimator, confidence_level=LEVELS, cv=5, random_state=0)
        model.fit_conformalize(X[:ROWS], y[:ROWS])
        sets.append(model.predict_set(X[ROWS:])[1])
        shares.append(coverage(sets[-1], y[ROWS:]))
    assert_agree(shares[0], shares[1], atol=5e-3)
    assert (sets[0] == sets[1]).mean() > 0.995
    assert (shares[0] > np.array(LEVELS) - 0.05).all()
