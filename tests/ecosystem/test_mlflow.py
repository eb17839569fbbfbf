"""MLflow's scikit-learn flavour: models logged with a signature, loaded as they were."""

import logging
import warnings
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MLflow warns of annotations of its own
    pytest.importorskip("mlflow")
    pytest.importorskip("mlflow.pyfunc")

import mlflow
import pandas
from mlflow.models import infer_signature
from sigmax import SigmaxClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from trusted import TRUSTED

# MLflow compares the columns of a frame with a range, which pandas 3 will understand differently.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

SETTINGS = {
    "hidden_layer_sizes": (8,),
    "learning_rate_init": 0.02,
    "max_iter": 20,
    "random_state": 0,
}
NEEDED = {"pip_requirements": ["sigmax[sklearn]"]}  # given, so that MLflow need not find out
SKOPS = {"serialization_format": "skops", "skops_trusted_types": TRUSTED}


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """A store of its own for each test, in files: a database needs more packages."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    yield
    mlflow.set_tracking_uri(before)


@pytest.fixture
def frame(three):
    X, y = three
    names = [f"column {i}" for i in range(X.shape[1])]
    return pandas.DataFrame(X, columns=names), np.array(["ant", "bee", "cow"])[y]


needs_skops = pytest.mark.skipif(find_spec("skops") is None, reason="skops not installed")


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(SKOPS, id="skops", marks=needs_skops),
        pytest.param({"serialization_format": "pickle"}, id="pickle"),
        pytest.param({"serialization_format": "cloudpickle"}, id="cloudpickle"),
    ],
)
@pytest.mark.parametrize("function", ["predict", "predict_proba"])
def test_a_model_is_logged_with_its_signature(frame, how, function):
    X, y = frame
    classifier = SigmaxClassifier(**SETTINGS).fit(X, y)
    answers = getattr(classifier, function)(X)
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            classifier,
            name="classifier",
            signature=infer_signature(X, answers),
            pyfunc_predict_fn=function,
            **NEEDED,
            **how,
        )
    again = mlflow.sklearn.load_model(logged.model_uri)
    assert isinstance(again, SigmaxClassifier)
    assert again.get_params() == classifier.get_params()
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    served = mlflow.pyfunc.load_model(logged.model_uri)
    np.testing.assert_array_equal(served.predict(X), answers)
    schema = served.metadata.signature
    assert schema.inputs.input_names() == X.columns.tolist()
    if function == "predict_proba":
        (output,) = schema.outputs.inputs
        assert (output.type, output.shape) == (np.dtype(np.float64), (-1, 3))
    # columns are taken by name, and missing ones are an error
    np.testing.assert_array_equal(served.predict(X[X.columns[::-1]]), answers)
    with pytest.raises(mlflow.MlflowException, match="column 3"):
        served.predict(X.drop(columns="column 3"))


@needs_skops
def test_skops_is_refused_without_the_list_of_types(frame, tmp_path):
    X, y = frame
    classifier = SigmaxClassifier(**SETTINGS).fit(X, y)
    with pytest.raises(mlflow.MlflowException, match=r"sigmax\.classifier\.SigmaxClassifier"):
        mlflow.sklearn.save_model(
            classifier, tmp_path / "model", serialization_format="skops", **NEEDED
        )


def test_it_finds_out_that_sigmax_is_needed(frame, tmp_path):
    X, y = frame
    classifier = SigmaxClassifier(**SETTINGS).fit(X, y)
    mlflow.sklearn.save_model(
        classifier, tmp_path / "model", serialization_format="cloudpickle", input_example=X[:2]
    )
    lines = (tmp_path / "model" / "requirements.txt").read_text(encoding="utf-8").split()
    names = {line.partition("==")[0] for line in lines}
    assert {"sigmax", "scikit-learn"} <= names


def test_what_it_logs_by_itself(frame, caplog):
    """A search and what it chooses; of single estimators scikit-learn's own alone."""
    X, y = frame
    how = {"log_models": False, "log_datasets": False, "silent": True}
    mlflow.sklearn.autolog(**how)
    try:
        with mlflow.start_run() as run, caplog.at_level(logging.WARNING):
            search = GridSearchCV(
                make_pipeline(StandardScaler(), SigmaxClassifier(**SETTINGS)),
                {"sigmaxclassifier__learning_rate_init": [5e-3, 5e-2]},
                cv=3,
            ).fit(X, y)
        SigmaxClassifier(**SETTINGS).fit(X, y)
        assert mlflow.last_active_run().info.run_id == run.info.run_id
    finally:
        mlflow.sklearn.autolog(disable=True)
    assert not [record.message for record in caplog.records if "sigmax" in record.message.lower()]
    data = mlflow.get_run(run.info.run_id).data
    assert data.params["best_sigmaxclassifier__learning_rate_init"] == "0.05"
    assert data.metrics["best_cv_score"] == pytest.approx(search.best_score_)
    assert data.metrics["training_score"] == search.score(X, y)
