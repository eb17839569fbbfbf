"""What SigmaxClassifier holds out, and validation data of one's own."""

import inspect

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sigmax import SigmaxClassifier
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
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


# ---- validation data of one's own ----------------------------------------------------------------


@pytest.fixture
def parts(rng):
    X, y = three_classes(rng, rows=200)
    return X[:120], y[:120], X[120:], y[120:]


@unconverged
def test_own_rows_are_used_instead_of_some_held_out(parts):
    X, y, X_val, y_val = parts
    settings = {"learning_rate_init": 0.05, "n_iter_no_change": 3, "max_iter": 200, "tol": 1e-3}
    classifier = SigmaxClassifier(**{**SETTINGS, **settings})
    classifier.fit(X, y, X_val=X_val, y_val=y_val)
    assert classifier.t_ == classifier.n_iter_ * len(X)
    scores = classifier.validation_scores_
    assert classifier.best_validation_score_ == max(scores) > scores[-1] - 1e-9
    assert classifier.n_iter_ == len(scores) < 200
    assert classifier.score(X_val, y_val) == pytest.approx(max(scores), abs=1e-12)
    assert classifier.best_loss_ is None
    # the same epochs without early stopping: only the end differs
    seen = []
    settings |= {"early_stopping": False, "max_iter": classifier.n_iter_, "tol": 0.0}
    SigmaxClassifier(
        **{**SETTINGS, **settings},
        callbacks=[lambda network, epoch, history: seen.append(history.val_accuracy[-1]) and False],
    ).fit(X, y, X_val=X_val, y_val=y_val)
    assert seen == scores


@unconverged
@pytest.mark.parametrize(
    ("solver", "early_stopping"), [("adam", False), ("lbfgs", False), ("lbfgs", True)]
)
def test_without_early_stopping_own_rows_are_recorded_and_change_nothing(
    parts, solver, early_stopping
):
    X, y, X_val, y_val = parts
    settings = {"solver": solver, "early_stopping": early_stopping}
    a = SigmaxClassifier(**{**SETTINGS, **settings})
    b = SigmaxClassifier(**{**SETTINGS, **settings}).fit(X, y)
    a.fit(X, y, X_val=X_val, y_val=y_val)
    np.testing.assert_array_equal(a.network_.parameters, b.network_.parameters)
    assert b.validation_scores_ is None and b.best_validation_score_ is None
    assert len(a.validation_scores_) == a.n_iter_
    assert a.validation_scores_[-1] == pytest.approx(a.score(X_val, y_val), abs=1e-12)
    assert a.best_validation_score_ == max(a.validation_scores_)
    assert a.best_loss_ == b.best_loss_ is not None


@unconverged
def test_weights_of_own_rows_count_in_the_score(parts, rng):
    X, y, X_val, y_val = parts
    weights = rng.uniform(0.0, 3.0, len(y_val))
    classifier = SigmaxClassifier(**{**SETTINGS, "early_stopping": False})
    classifier.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights)
    expected = classifier.score(X_val, y_val, sample_weight=weights)
    assert classifier.validation_scores_[-1] == pytest.approx(expected, abs=1e-12)
    plain = classifier.fit(X, y, X_val=X_val, y_val=y_val).validation_scores_
    assert classifier.fit(X, y, None, X_val, y_val, 2.0).validation_scores_ == plain


@unconverged
def test_own_rows_in_any_form(parts):
    sparse, frames = pytest.importorskip("scipy.sparse"), pytest.importorskip("pandas")
    X, y, X_val, y_val = parts
    expected = SigmaxClassifier(**SETTINGS).fit(X, y, X_val=X_val, y_val=y_val)
    for form in (np.ndarray.tolist, sparse.csr_array, sparse.coo_array, frames.DataFrame):
        same(SigmaxClassifier(**SETTINGS).fit(X, y, X_val=form(X_val), y_val=list(y_val)), expected)
    filled = SigmaxClassifier(**SETTINGS, nan="mean")
    missing = X_val.copy()
    missing[3, 1] = np.nan
    filled.fit(X, y, X_val=missing, y_val=y_val)
    missing[3, 1] = X[:, 1].mean()
    same(filled, expected.fit(X, y, X_val=missing, y_val=y_val))


def changed(array, place, value):
    array = array.astype(object) if isinstance(value, str) else array.copy()
    array[place] = value
    return array


@unconverged
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda X, y: {"X_val": X}, "^X_val is given but y_val is not; expected both or neither"),
        (lambda X, y: {"y_val": y}, "^y_val is given but X_val is not; expected both or neither"),
        (lambda X, y: {"sample_weight_val": 2.0}, "^sample_weight_val is given but X_val is not"),
        (lambda X, y: {"X_val": X[:, :3], "y_val": y}, "^X_val: .* 3 features, .* 5 features"),
        (lambda X, y: {"X_val": X, "y_val": y[1:]}, "^y_val has 79 rows; expected .* 80 rows of X"),
        (
            lambda X, y: {"X_val": X, "y_val": changed(y, 3, "dog")},
            "^y_val, row 3: 'dog'; expected",
        ),
        (
            lambda X, y: {"X_val": X, "y_val": changed(y, 3, "")[:, None] == y},
            "^y_val is multilabel",
        ),
        (lambda X, y: {"X_val": changed(X, (7, 2), np.inf), "y_val": y}, "^X_val, row 7, column 2"),
        (lambda X, y: {"X_val": X[:0], "y_val": y[:0]}, "^X_val: .* 0 sample"),
        (
            lambda X, y: {"X_val": X, "y_val": y, "sample_weight_val": -np.ones(80)},
            "^sample_weight_val, row 0: -1.0; expected",
        ),
        (
            lambda X, y: {"X_val": X, "y_val": y, "sample_weight_val": np.zeros(80)},
            "^sample_weight_val is 0 in all 80 rows",
        ),
    ],
)
def test_bad_validation_data_is_named_and_changes_nothing(parts, change, words):
    X, y, X_val, y_val = parts
    fresh = SigmaxClassifier(**SETTINGS)
    fitted = SigmaxClassifier(**SETTINGS, warm_start=True).fit(X, y)
    before = fitted.predict_proba(X)
    for classifier in (fresh, fitted):
        with pytest.raises(ValueError, match=words):
            classifier.fit(X, y, **change(X_val, y_val))
    assert not hasattr(fresh, "n_features_in_")
    np.testing.assert_array_equal(fitted.predict_proba(X), before)


@unconverged
def test_names_of_columns_are_compared(parts):
    frames = pytest.importorskip("pandas")
    X, y, X_val, y_val = parts
    frame = frames.DataFrame(X, columns=list("abcde"))
    other = frames.DataFrame(X_val, columns=list("abcde"))
    classifier = SigmaxClassifier(**SETTINGS)
    classifier.fit(frame, y, X_val=other, y_val=y_val)
    with pytest.raises(ValueError, match="X_val: The feature names should match"):
        classifier.fit(frame, y, X_val=other[list("edcba")], y_val=y_val)
    # compared with this X, not with that of the call before
    renamed = [f.rename(columns=str.upper) for f in (frame, other)]
    classifier.fit(renamed[0], y, X_val=renamed[1], y_val=y_val)
    assert classifier.feature_names_in_.tolist() == list("ABCDE")


@unconverged
def test_validation_data_are_compared_with_the_x_of_their_call(parts):
    frames = pytest.importorskip("pandas")
    X, y, X_val, y_val = parts
    classifier = SigmaxClassifier(**SETTINGS).fit(frames.DataFrame(X, columns=list("abcde")), y)
    classifier.fit(X[:, :3], y, X_val=X_val[:, :3], y_val=y_val)
    assert classifier.n_features_in_ == 3 and not hasattr(classifier, "feature_names_in_")


def test_validation_labels_that_are_one_number(parts):
    X, y, X_val, _ = parts
    with pytest.raises(ValueError, match=r"^y_val should be a 1d array"):
        SigmaxClassifier(**SETTINGS).fit(X, y, X_val=X_val, y_val=3)


@unconverged
def test_validation_scores_go_on_with_warm_start(parts):
    X, y, X_val, y_val = parts
    classifier = SigmaxClassifier(**{**SETTINGS, "early_stopping": False, "warm_start": True})
    classifier.fit(X, y, X_val=X_val, y_val=y_val).fit(X, y)
    assert len(classifier.validation_scores_) == SETTINGS["max_iter"]
    assert len(classifier.loss_curve_) == 2 * SETTINGS["max_iter"]
    classifier.fit(X, y, X_val=X_val, y_val=y_val)
    assert len(classifier.validation_scores_) == 2 * SETTINGS["max_iter"]


@unconverged
def test_a_pipeline_passes_validation_data_on(parts):
    pipeline = pytest.importorskip("sklearn.pipeline")
    if "transform_input" not in inspect.signature(pipeline.Pipeline).parameters:
        pytest.skip("this scikit-learn's pipelines transform X alone")
    X, y, X_val, y_val = parts
    scaler = StandardScaler().fit(X)
    expected = SigmaxClassifier(**SETTINGS)
    expected.fit(scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y_val)
    with config_context(enable_metadata_routing=True):
        last = SigmaxClassifier(**SETTINGS).set_fit_request(X_val=True, y_val=True)
        steps = [("scaler", StandardScaler()), ("classifier", last)]
        whole = clone(pipeline.Pipeline(steps, transform_input=["X_val"]))
        whole.fit(X, y, X_val=X_val, y_val=y_val)
        same(whole["classifier"], expected)
        search = GridSearchCV(whole, {"classifier__alpha": [1e-4, 1.0]}, cv=3)
        search.fit(X, y, X_val=X_val, y_val=y_val)
        same(clone(search.best_estimator_).fit(X, y, X_val=X_val, y_val=y_val)[-1], expected)
        assert len(search.best_estimator_["classifier"].validation_scores_) > 0
