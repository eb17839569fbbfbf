"""What looks into a trained classifier: importances, dependences, pictures, tags, its repr."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sigmax
import sklearn
from sigmax import SigmaxClassifier
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from twins import assert_agree, logistic_regression, softmax_regression


@pytest.fixture(scope="module")
def network(three):
    """A trained one with a hidden layer."""
    X, y = three
    return SigmaxClassifier((8,), learning_rate_init=0.02, random_state=0, tol=1e-3).fit(X, y)


# ---- importance and dependence -------------------------------------------------------------------


def test_importance_of_a_column_that_is_permuted(three):
    X, y = three
    ours, theirs = (
        permutation_importance(
            e.fit(X, y), X, y, scoring="neg_log_loss", n_repeats=5, random_state=0
        ).importances
        for e in (softmax_regression(), logistic_regression())
    )
    assert_agree(ours, theirs)
    assert ours.max() > 0.05


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_importance_by_hand(three, network, n_jobs):
    X, y = three
    found = permutation_importance(network, X, y, n_repeats=3, random_state=0, n_jobs=n_jobs)
    best = int(found.importances_mean.argmax())
    assert found.importances_mean[best] > 0.03
    rng, drops = np.random.default_rng(1), []
    for _ in range(30):
        permuted = X.copy()
        permuted[:, best] = rng.permutation(permuted[:, best])
        drops.append(network.score(X, y) - network.score(permuted, y))
    np.testing.assert_allclose(found.importances_mean[best], np.mean(drops), atol=3 * np.std(drops))


@pytest.mark.parametrize("columns", [[12], [0, 12]])
def test_partial_dependence_by_hand(three, network, columns):
    X, _ = three
    found = partial_dependence(network, X, columns, kind="average", grid_resolution=7)
    grids = np.meshgrid(*found["grid_values"], indexing="ij")
    for at in np.ndindex(grids[0].shape):
        changed = X.copy()
        changed[:, columns] = [grid[at] for grid in grids]
        expected = network.predict_proba(changed).mean(axis=0)
        np.testing.assert_allclose(found["average"][(slice(None), *at)], expected, rtol=1e-12)
    assert np.ptp(found["average"]) > 0.1


# ---- pictures ------------------------------------------------------------------------------------


def test_displays(two):
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot
    from sklearn.calibration import CalibrationDisplay
    from sklearn.inspection import DecisionBoundaryDisplay, PartialDependenceDisplay
    from sklearn.metrics import ConfusionMatrixDisplay, PrecisionRecallDisplay, RocCurveDisplay

    X, y = two
    ours, theirs = softmax_regression().fit(X, y), logistic_regression(classes=2).fit(X, y)
    curves = [RocCurveDisplay.from_estimator(e, X, y) for e in (ours, theirs)]
    assert_agree(curves[0].roc_auc, curves[1].roc_auc)
    curves = [CalibrationDisplay.from_estimator(e, X, y, n_bins=4) for e in (ours, theirs)]
    assert_agree(curves[0].prob_pred, curves[1].prob_pred, atol=0.02)  # a row in the next bin
    PrecisionRecallDisplay.from_estimator(ours, X, y)
    matrix = ConfusionMatrixDisplay.from_estimator(ours, X, y).confusion_matrix
    assert np.trace(matrix) == round(ours.score(X, y) * len(y))
    PartialDependenceDisplay.from_estimator(ours, X, [0, (0, 1)], grid_resolution=5)
    plane = clone(ours).fit(X[:, :2], y)
    DecisionBoundaryDisplay.from_estimator(plane, X[:, :2], grid_resolution=20)
    pyplot.close("all")


# ---- parameters, tags, representations -----------------------------------------------------------


def test_parameters_come_back():
    given = {
        "hidden_layer_sizes": (3, 4),
        "class_weight": {"a": 2.0},
        "dropout": 0.1,
        "schedule": "cosine",
        "clip_norm": 1.0,
    }
    classifier = SigmaxClassifier(**given)
    params = classifier.get_params()
    assert given.items() <= params.items()
    assert SigmaxClassifier(**params).get_params() == params
    assert clone(classifier).get_params() == params
    assert SigmaxClassifier().set_params(**params).get_params() == params
    for name, value in given.items():
        assert f"{name}={value!r}" in repr(classifier)
    assert repr(SigmaxClassifier()) == "SigmaxClassifier()"
    names = {"SigmaxClassifier": SigmaxClassifier}
    assert eval(repr(classifier), names).get_params() == params
    pipeline = make_pipeline(StandardScaler(), classifier)
    assert pipeline.get_params()["sigmaxclassifier__dropout"] == 0.1
    with pytest.raises(ValueError, match="Invalid parameter 'dropuot'"):
        classifier.set_params(dropuot=0.1)


@pytest.mark.parametrize("fitted", [False, True])
def test_the_picture_in_a_notebook(network, fitted):
    model = network if fitted else clone(network)
    for text in (model._repr_html_(), estimator_html_repr(make_pipeline(StandardScaler(), model))):
        assert "SigmaxClassifier" in text
        assert "learning_rate_init" in text
    named = SigmaxClassifier(solver="<script>alert(1)</script>")
    assert "<script>alert" not in estimator_html_repr(named)


@pytest.mark.parametrize("nan", ["error", "mean"])
def test_tags_are_those_of_mlp_classifier(nan):
    assert is_classifier(SigmaxClassifier())
    assert not is_regressor(SigmaxClassifier())
    get_tags = getattr(sklearn.utils, "get_tags", None)
    if get_tags is None:
        pytest.skip("this scikit-learn has no get_tags")
    ours, theirs = get_tags(SigmaxClassifier(nan=nan)), get_tags(MLPClassifier())
    theirs.classifier_tags.multi_label = False  # softmax gives a row one class
    theirs.input_tags.allow_nan = nan == "mean"
    assert ours == theirs


def test_it_is_what_its_module_says():
    assert SigmaxClassifier.__module__ == "sigmax.classifier"
    assert sigmax.SigmaxClassifier is SigmaxClassifier
    unfitted = SigmaxClassifier()
    for name in ("predict", "predict_proba", "score"):
        given = ([[0.0]], [0]) if name == "score" else ([[0.0]],)
        with pytest.raises(sklearn.exceptions.NotFittedError, match="not fitted yet"):
            getattr(unfitted, name)(*given)
