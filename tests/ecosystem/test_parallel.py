"""joblib: threads, processes, files; the same bits in each."""

import pickle
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

import joblib
from sigmax import SigmaxClassifier
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import cross_val_predict

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SETTINGS = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.02, "max_iter": 20}
MOST_ON_THE_SIDE = 20_000  # bytes of a file that are no parameters: names, records of 20 epochs

backends = pytest.mark.parametrize("backend", ["threading", "loky"])


@backends
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_trainings_side_by_side(three, backend, solver):
    X, y = three
    classifiers = [
        SigmaxClassifier(**SETTINGS, solver=solver, random_state=seed) for seed in range(4)
    ]
    serial = [clone(c).fit(X, y).network_.parameters for c in classifiers]
    with joblib.parallel_backend(backend, n_jobs=2):
        trained = joblib.Parallel()(joblib.delayed(c.fit)(X, y) for c in classifiers)
    for one, other in zip(serial, trained, strict=True):
        np.testing.assert_array_equal(one, other.network_.parameters)
    assert not np.array_equal(serial[0], serial[1])


@backends
def test_what_uses_joblib_within(three, backend):
    X, y = three
    bagging = BaggingClassifier(SigmaxClassifier(**SETTINGS), 4, n_jobs=2, random_state=0)
    classifier = SigmaxClassifier(**SETTINGS, random_state=0)
    serial = clone(bagging).set_params(n_jobs=1).fit(X, y)
    folds = cross_val_predict(classifier, X, y, cv=3, method="predict_proba")
    with joblib.parallel_config(backend):
        bagging.fit(X, y)
        again = cross_val_predict(classifier, X, y, cv=3, method="predict_proba", n_jobs=2)
        sums = bagging.predict_proba(X)
    np.testing.assert_array_equal(again, folds)
    for one, other in zip(serial.estimators_, bagging.estimators_, strict=True):
        np.testing.assert_array_equal(one.network_.parameters, other.network_.parameters)
    # of two jobs scikit-learn adds the sums, in another order than of one
    np.testing.assert_allclose(sums, serial.predict_proba(X), rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_that_joblib_maps_into_its_processes(dtype):
    """Arrays beyond max_nbytes reach a process as files, mapped read-only."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 50)).astype(dtype)
    y = (X[:, 0] > 0).astype(int)
    classifiers = [SigmaxClassifier(**SETTINGS, random_state=seed) for seed in range(2)]
    serial = [clone(c).set_params(max_iter=2).fit(X, y) for c in classifiers]
    trained = joblib.Parallel(n_jobs=2, backend="loky", max_nbytes=10_000)(
        joblib.delayed(clone(c).set_params(max_iter=2).fit)(X, y) for c in classifiers
    )
    answers = joblib.Parallel(n_jobs=2, backend="loky", max_nbytes=10_000)(
        joblib.delayed(c.predict_proba)(X) for c in trained
    )
    for one, other, answer in zip(serial, trained, answers, strict=True):
        np.testing.assert_array_equal(one.network_.parameters, other.network_.parameters)
        np.testing.assert_array_equal(one.predict_proba(X), answer)


# ---- files ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large():
    """A classifier of 60,000 parameters, and rows for it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 200))
    y = (X[:, 0] > 0).astype(int)
    return SigmaxClassifier((300,), max_iter=20, random_state=0).fit(X, y), X


@pytest.mark.parametrize("compress", [0, 3])
def test_a_dump_is_as_large_as_its_parameters(large, tmp_path, compress):
    classifier, X = large
    joblib.dump(classifier, tmp_path / "classifier.joblib", compress=compress)
    again = joblib.load(tmp_path / "classifier.joblib")
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    assert again.get_params() == classifier.get_params()
    size = (tmp_path / "classifier.joblib").stat().st_size
    assert size < classifier.network_.parameters.nbytes + MOST_ON_THE_SIDE
    assert len(pickle.dumps(classifier)) < classifier.network_.parameters.nbytes + MOST_ON_THE_SIDE


@pytest.mark.parametrize("mmap_mode", ["r", "c"])
def test_a_dump_that_is_mapped(large, three, tmp_path, mmap_mode):
    classifier, X = large
    path = Path(joblib.dump(classifier, tmp_path / "classifier.joblib")[0])
    stored = path.read_bytes()
    again = joblib.load(path, mmap_mode=mmap_mode)
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    # the parameters are a copy, which a training may change, and the file stays as it was
    again.set_params(warm_start=True, max_iter=1).fit(X, X[:, 0] > 0)
    assert not np.array_equal(again.network_.parameters, classifier.network_.parameters)
    assert path.read_bytes() == stored
