"""The right answer for whatever uses an estimator: scikit-learn's own, with the same optimum.

A network without hidden layers is softmax regression. MLPClassifier's alpha, which is
SigmaxClassifier's, adds (alpha/2) sum w^2 to the summed cost of the rows; LogisticRegression
multiplies that cost by C instead, so C = 1/alpha. Two classes have two outputs here, whose weights
are w/2 and -w/2 at the optimum: a penalty of (alpha/4) sum w^2, and C = 2/alpha.

Probabilities at the optimum are unique. With an alpha of this size both end within 1e-4 of them,
and so must everything that is computed from them.
"""

import numpy as np
from sigmax import SigmaxClassifier
from sklearn.linear_model import LogisticRegression

ALPHA = 10.0


def softmax_regression():
    """Ours."""
    return SigmaxClassifier(
        (), solver="lbfgs", alpha=ALPHA, tol=1e-9, max_iter=2000, random_state=0
    )


def logistic_regression(*, classes=3):
    """Scikit-learn's, for so many classes."""
    return LogisticRegression(C=(2.0 if classes == 2 else 1.0) / ALPHA, tol=1e-10, max_iter=2000)


def assert_agree(ours, theirs, atol=1e-3):
    """Both arrays are the same, as far as two trainings that end near an optimum can be."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)
