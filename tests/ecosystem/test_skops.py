"""skops: files without pickle, and the names of types that such a file's reader must trust."""

import io
import json
import zipfile

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("skops")

import skops.io
from sigmax import SigmaxClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from trusted import TRUSTED

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SETTINGS = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}


def fitted(X, y, **parameters):
    return SigmaxClassifier(**SETTINGS | parameters).fit(X, y)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"solver": "sgd", "learning_rate": "adaptive"},
        {"solver": "lbfgs"},
        {"early_stopping": True, "class_weight": "balanced"},
        {"standardize": True, "nan": "mean", "schedule": "cosine", "warmup_epochs": 1},
        {"hidden_layer_sizes": (), "class_weight": {"0": 2.0, "1": 1.0, "2": 1.0}},
        {"random_state": np.random.RandomState(0)},
    ],
    ids=["adam", "sgd", "lbfgs", "stopping", "prepared", "regression", "state"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_file_needs_these_names_and_no_others(three, tmp_path, parameters, dtype):
    X, y = three
    X, y = X.astype(dtype), y.astype(str)
    classifier = fitted(X, y, **parameters)
    path = tmp_path / "classifier.skops"
    skops.io.dump(classifier, path)
    assert skops.io.get_untrusted_types(file=path) == sorted(TRUSTED)
    again = skops.io.load(path, trusted=TRUSTED)
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    np.testing.assert_array_equal(again.predict(X), classifier.predict(X))
    assert again.network_.dtype == dtype
    assert again.loss_curve_ == classifier.loss_curve_
    names = set(classifier.get_params()) - {"random_state"}
    assert {n: again.get_params()[n] for n in names} == {
        n: classifier.get_params()[n] for n in names
    }
    if (
        classifier.solver != "lbfgs"
        and not classifier.early_stopping
        and not classifier.standardize
    ):
        again.partial_fit(X, y)  # it can be trained further


def test_each_name_is_needed(three):
    X, y = three
    data = skops.io.dumps(fitted(X, y))
    for name in TRUSTED:
        others = [other for other in TRUSTED if other != name]
        with pytest.raises(skops.io.exceptions.UntrustedTypesFoundException, match=name):
            skops.io.loads(data, trusted=others)


def test_a_pipeline_and_one_that_is_not_trained(three):
    X, y = three
    data = skops.io.dumps(SigmaxClassifier((3,), dropout=0.2))
    assert skops.io.get_untrusted_types(data=data) == ["sigmax.classifier.SigmaxClassifier"]
    assert skops.io.loads(data, trusted=TRUSTED).dropout == 0.2
    model = make_pipeline(StandardScaler(), SigmaxClassifier(**SETTINGS)).fit(X, y)
    again = skops.io.loads(skops.io.dumps(model), trusted=TRUSTED)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def halved(epoch):
    """A schedule of one's own."""
    return 0.1 * 0.5**epoch


def test_functions_of_ones_own_must_be_trusted_too(three):
    X, y = three
    data = skops.io.dumps(fitted(X, y, schedule=halved))
    assert skops.io.get_untrusted_types(data=data) == sorted([*TRUSTED, f"{__name__}.halved"])


def test_a_state_that_was_tampered_with_is_refused(three):
    """What a trusted type is given is checked, as that of a pickle is."""
    X, y = three
    archive = zipfile.ZipFile(io.BytesIO(skops.io.dumps(fitted(X, y))))
    schema = json.loads(archive.read("schema.json"))
    sizes = schema["content"]["content"]["network_"]["content"]["content"]["sizes"]
    assert [entry["content"] for entry in sizes["content"]] == ["13", "8", "3"]
    sizes["content"][0] |= {
        "content": "14",
        "__id__": 0,
    }  # and no longer the same as n_features_in_
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as target:
        for name in archive.namelist():
            text = json.dumps(schema) if name == "schema.json" else archive.read(name)
            target.writestr(name, text)
    with pytest.raises(ValueError, match="parameters"):
        skops.io.loads(changed.getvalue(), trusted=TRUSTED)
