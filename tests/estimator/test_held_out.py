"""What SigmaxClassifier holds out, and validation data of one's own."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sigmax import SigmaxClassifier
from sklearn.ensemble import BaggingClassifier
from test_classifier import three_classes, unconverged

SETTINGS = {"hidden_layer_sizes": (4,), "early_stopping": True, "max_iter": 4, "random_state": 0}

# ---- rows of weight 0 ----------------------------------------------------------------------------


def same(a, b):
    np.testing.assert_array_equal(a.network_.parameters, b.network_.parameters)
    assert a.validation_scores_ == b.validation_scores_
    assert a.loss_curve_ == b.loss_curve_
    assert a.t_ == b.t_


@unconverged
@pytest.mark.parametrize("class_weight", [None, "balanced", {"ant": 2.0}])
@pytest.mark.parametrize("standardize", [False, True])
def test_rows_of_weight_0_are_as_if_they_were_not_there(rng, class_weight, standardize):
    X, y = three_classes(rng, rows=90)
    weights = rng.integers(0, 3, 90).astype(float)
    weights[y == "bee"] = np.arange((y == "bee").sum()) % 2  # so that "balanced" would differ
    settings = {**SETTINGS, "class_weight": class_weight, "standardize": standardize}
    there = weights > 0
    X[~there] = 1e6
    a = SigmaxClassifier(**settings).fit(X, y, weights)
    b = SigmaxClassifier(**settings).fit(X[there], y[there], weights[there])
    same(a, b)


@unconverged
def test_rows_of_a_class_of_weight_0_are_left_out(rng):
    X, y = three_classes(rng, rows=90)
    ignored = y == "cow"
    X[ignored] = 1e6
    a = SigmaxClassifier(**SETTINGS, class_weight={"cow": 0.0}, standardize=True).fit(X, y)
    assert a.classes_.tolist() == ["ant", "bee", "cow"]
    n = (~ignored).sum()
    assert a.t_ == a.n_iter_ * (n - np.ceil(0.1 * n))
    assert np.abs(a.network_.preparation.mean).max() < 10
    b = SigmaxClassifier(**SETTINGS, standardize=True).fit(X, y, np.where(ignored, 0.0, 1.0))
    same(a, b)


@unconverged
@pytest.mark.parametrize("rows", [14, 20, 40])
def test_bagging_with_early_stopping_on_few_rows(rng, rows):
    X, y = three_classes(rng, rows=rows)
    one = SigmaxClassifier((4,), early_stopping=True, max_iter=5, validation_fraction=0.3)
    bag = BaggingClassifier(one, 25, random_state=0).fit(X, y)
    assert bag.score(X, y) > 0.3
    assert all(len(member.validation_scores_) for member in bag.estimators_)


@unconverged
def test_a_row_that_weights_leave_alone_is_trained_on(rng):
    X, y = three_classes(rng, rows=60)
    y = np.where(y == "cow", "ant", y)
    weights = np.ones(60)
    weights[np.flatnonzero(y == "bee")[1:]] = 0.0
    seen = []
    for seed in range(20):
        classifier = SigmaxClassifier(**{**SETTINGS, "random_state": seed, "standardize": True})
        only = np.flatnonzero((y == "bee") & (weights > 0))
        X[only] = 1e6
        classifier.fit(X, y, weights)
        seen.append(classifier.network_.preparation.mean.max())
    assert min(seen) > 1e3


def test_too_few_rows_with_a_weight_are_an_error_in_the_users_words(rng):
    X, y = three_classes(rng, rows=60)
    weights = np.zeros(60)
    weights[:5] = 1.0
    words = (
        "validation_fraction is 0.1, which holds out 1 of 5 rows whose weight is not 0; expected"
    )
    with pytest.raises(ValueError, match=words):
        SigmaxClassifier(**SETTINGS).fit(X, y, weights)
    with pytest.raises(ValueError, match="sample_weight is zero in all rows"):
        SigmaxClassifier(**SETTINGS).fit(X, y, np.zeros(60))
    with pytest.raises(ValueError, match="class_weight and sample_weight together leave no row"):
        nothing = {name: 0.0 for name in y[:5]}
        SigmaxClassifier(**SETTINGS, class_weight=nothing).fit(X, y, weights)


def test_one_of_two_classes_with_a_single_row(rng):
    X, y = rng.normal(size=(40, 2)), np.array(["no"] * 39 + ["yes"])
    words = "The least populated class in y has only 1 member: 'yes', in row 39. .*expected"
    with pytest.raises(ValueError, match=words):
        SigmaxClassifier(**SETTINGS).fit(X, y)


@unconverged
def test_the_names_of_columns_are_kept(rng):
    frames = pytest.importorskip("pandas")
    X, y = three_classes(rng)
    frame = frames.DataFrame(X, columns=list("abcde"))
    classifier = SigmaxClassifier(**SETTINGS).fit(frame, y)
    assert classifier.feature_names_in_.tolist() == list("abcde")
    classifier.predict(frame)
