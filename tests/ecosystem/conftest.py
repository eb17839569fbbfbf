"""Data for the tests with other packages: three classes, and two."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def three():
    """178 wines of three kinds, 13 standardized columns, in a random order."""
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = datasets.load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X[order], y[order]


@pytest.fixture(scope="session")
def two():
    """400 rows of two classes that overlap, one of them three times as frequent, six columns."""
    datasets = pytest.importorskip("sklearn.datasets")
    return datasets.make_classification(
        400, 6, n_informative=4, weights=[0.75], flip_y=0.1, random_state=0
    )
