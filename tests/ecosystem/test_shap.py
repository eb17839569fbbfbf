"""SHAP: how much each column adds to an output, by definition and by its own explainers."""

import itertools
from math import factorial

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("shap")

import shap
from sigmax import SigmaxClassifier
from twins import assert_agree, logistic_regression, softmax_regression

COLUMNS = [0, 6, 9, 12]  # of the wines: alcohol, flavanoids, colour, proline


@pytest.fixture(scope="module")
def explained(three):
    """A network of four columns, the rows that stand for all, and those to explain."""
    X, y = three
    X = X[:, COLUMNS]
    network = SigmaxClassifier((6,), learning_rate_init=0.02, random_state=0, tol=1e-3).fit(X, y)
    return network, X[:30], X[30:36]


def shapley(function, background, x):
    """Shapley values (columns, outputs) by their definition.

    phi_i = sum over sets S without i of |S|! (p - |S| - 1)! / p! (v(S + i) - v(S)), where v(S) is
    the mean output over the background with the columns of S as in x (Shapley 1953; Lundberg & Lee
    2017, equation 8).
    """
    p = len(x)

    def value(columns):
        rows = background.copy()
        rows[:, list(columns)] = x[list(columns)]
        return function(rows).mean(axis=0)

    result = []
    for i in range(p):
        others, total = [j for j in range(p) if j != i], 0.0
        for size in range(p):
            share = factorial(size) * factorial(p - size - 1) / factorial(p)
            for chosen in itertools.combinations(others, size):
                total = total + share * (value((*chosen, i)) - value(chosen))
        result.append(total)
    return np.array(result)


@pytest.mark.parametrize("algorithm", ["exact", "permutation", "kernel"])
def test_values_are_those_of_the_definition_and_sum_to_the_difference(explained, algorithm):
    network, background, rows = explained
    expected = np.array([shapley(network.predict_proba, background, x) for x in rows])
    if algorithm == "kernel":
        explainer = shap.KernelExplainer(network.predict_proba, background)
        found = explainer(rows, silent=True)
    else:
        masker = shap.maskers.Independent(background, max_samples=len(background))
        explainer = shap.Explainer(network.predict_proba, masker, algorithm=algorithm, seed=0)
        found = explainer(rows)
    difference = network.predict_proba(rows) - network.predict_proba(background).mean(axis=0)
    np.testing.assert_allclose(found.values.sum(axis=1), difference, atol=1e-6)
    # permutation takes ten random orders of the columns
    np.testing.assert_allclose(
        found.values, expected, atol=0.05 if algorithm == "permutation" else 1e-6
    )
    assert np.abs(expected).max() > 0.1


def test_values_of_softmax_regression_are_those_of_logistic_regression(three):
    X, y = three
    values = []
    for estimator in softmax_regression(), logistic_regression():
        estimator.fit(X[:, COLUMNS], y)
        explainer = shap.KernelExplainer(estimator.predict_proba, X[:50, COLUMNS])
        values.append(explainer(X[50:60, COLUMNS], silent=True).values)
    assert_agree(*values)


def test_a_frame_gives_names_to_the_values(explained):
    pandas = pytest.importorskip("pandas")
    network, background, rows = explained
    names = ["alcohol", "flavanoids", "colour", "proline"]
    frame = pandas.DataFrame(background, columns=names)
    of_frame = SigmaxClassifier((6,), learning_rate_init=0.02, random_state=0, tol=1e-3)
    of_frame.fit(frame, network.predict(background))

    def function(values):
        return of_frame.predict_proba(pandas.DataFrame(values, columns=names))

    explained_rows = pandas.DataFrame(rows, columns=names)
    found = shap.KernelExplainer(function, frame)(explained_rows, silent=True)
    assert found.feature_names == names
    difference = function(rows) - function(background).mean(axis=0)
    np.testing.assert_allclose(found.values.sum(axis=1), difference, atol=1e-6)
