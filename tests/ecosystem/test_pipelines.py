"""Pipelines and tables: columns by name, frames in and between, text columns, sparse columns."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy import sparse
from sigmax import SigmaxClassifier
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from twins import assert_agree, logistic_regression, softmax_regression

SETTINGS = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.02, "random_state": 0}
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]

unconverged = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
both_libraries = pytest.mark.parametrize("library", ["pandas", "polars"])


def frame_of_irises(library):
    """The irises as a frame with one column of text, and the species as a series of text."""
    frames = pytest.importorskip(library)
    X, y = load_iris(return_X_y=True)
    columns = {name: X[:, i] for i, name in enumerate(NAMES)}
    columns["colour"] = [["blue", "violet", "purple"][(7 * i) % 3] for i in range(len(y))]
    species = np.array(["setosa", "versicolor", "virginica"])[y]
    return frames.DataFrame(columns), frames.Series(species.tolist())


def encoder():
    """Numbers scaled, text one-hot, as most tables are prepared."""
    return ColumnTransformer(
        [("numbers", StandardScaler(), NAMES), ("text", OneHotEncoder(), ["colour"])]
    )


def test_a_pipeline_is_scaling_and_training(three):
    X, y = three
    model = make_pipeline(StandardScaler(), SigmaxClassifier(**SETTINGS, tol=1e-3)).fit(X, y)
    alone = SigmaxClassifier(**SETTINGS, tol=1e-3).fit(StandardScaler().fit_transform(X), y)
    np.testing.assert_array_equal(
        model.predict_proba(X), alone.predict_proba(model[0].transform(X))
    )
    assert model.score(X, y) > 0.95
    with_weights = clone(model).fit(X, y, sigmaxclassifier__sample_weight=np.ones(len(X)))
    np.testing.assert_allclose(with_weights.predict_proba(X), model.predict_proba(X), rtol=1e-6)


@both_libraries
def test_a_frame_with_text(library):
    X, y = frame_of_irises(library)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
    ours, theirs = (
        make_pipeline(encoder(), e).fit(X_train, y_train)
        for e in (softmax_regression(), logistic_regression())
    )
    assert ours.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert_agree(ours.predict_proba(X_test), theirs.predict_proba(X_test))
    assert ours.score(X_test, y_test) == theirs.score(X_test, y_test) > 0.75


@both_libraries
def test_frames_between_the_steps(library):
    X, y = frame_of_irises(library)
    transformer = encoder().set_params(text__sparse_output=False)
    classifier = SigmaxClassifier(**SETTINGS, tol=1e-3)
    model = make_pipeline(transformer, classifier).set_output(transform=library).fit(X, y)
    names = model[0].get_feature_names_out().tolist()
    assert model[-1].feature_names_in_.tolist() == names
    plain = make_pipeline(clone(transformer).set_output(transform="default"), clone(classifier))
    np.testing.assert_array_equal(model.predict_proba(X), plain.fit(X, y).predict_proba(X))
    # the frame's own order of columns does not matter, since the transformer takes them by name
    np.testing.assert_array_equal(model.predict(X[[*reversed(X.columns)]]), model.predict(X))


@unconverged
@both_libraries
def test_searches_over_frames(library):
    X, y = frame_of_irises(library)
    model = make_pipeline(encoder(), SigmaxClassifier(**SETTINGS, max_iter=60))
    search = GridSearchCV(
        model, {"sigmaxclassifier__alpha": [1e-4, 10.0]}, cv=3, n_jobs=2, error_score="raise"
    ).fit(X, y)
    assert search.best_params_ == {"sigmaxclassifier__alpha": 1e-4}
    arrays = clone(model)
    table = np.asarray(X.to_numpy(), object)
    arrays[0].set_params(
        transformers=[("numbers", StandardScaler(), [0, 1, 2, 3]), ("text", OneHotEncoder(), [4])]
    )
    labels = np.asarray(y).astype(str)
    np.testing.assert_array_equal(
        cross_val_predict(model, X, y, cv=3, method="predict_proba"),
        cross_val_predict(arrays, table, labels, cv=3, method="predict_proba"),
    )


def test_columns_by_their_type():
    X, y = frame_of_irises("pandas")
    X.loc[3, "sepal_width"] = np.nan
    model = make_pipeline(
        ColumnTransformer(
            [
                ("numbers", SimpleImputer(), make_column_selector(dtype_include="number")),
                ("text", OneHotEncoder(), make_column_selector(dtype_exclude="number")),
            ]
        ),
        SigmaxClassifier(**SETTINGS, tol=1e-3, standardize=True),
    ).fit(X, y)
    assert model.score(X, y) > 0.95
    own = SigmaxClassifier(**SETTINGS, tol=1e-3, standardize=True, nan="mean")
    assert own.fit(X[NAMES], y).score(X[NAMES], y) > 0.95


def test_several_transformers_side_by_side(three):
    X, y = three
    ours, theirs = (
        make_pipeline(make_union(PCA(2, random_state=0), StandardScaler()), e).fit(X, y)
        for e in (softmax_regression(), logistic_regression())
    )
    assert_agree(ours.predict_proba(X), theirs.predict_proba(X))


def test_text_as_sparse_columns():
    rng = np.random.default_rng(0)
    words = np.array(
        ["tide", "wave", "reef", "kelp", "gull", "ridge", "scree", "larch", "ibex", "tarn", "and"]
    )
    y = rng.integers(0, 2, 300)
    texts = [" ".join(rng.choice(words[[*range(5), 10]] if c else words[5:], 6)) for c in y]
    ours, theirs = (
        make_pipeline(TfidfVectorizer(), e).fit(texts, y)
        for e in (softmax_regression(), logistic_regression(classes=2))
    )
    assert sparse.issparse(ours[0].transform(texts))
    assert_agree(ours.predict_proba(texts), theirs.predict_proba(texts))
    assert ours.score(texts, y) == theirs.score(texts, y) > 0.95
