"""scikit-learn's own tests of MLPClassifier, run on SigmaxClassifier in its place.

They are those of the installed scikit-learn, whatever its release: its wheels ship them. A copy of
the module is loaded with MLPClassifier replaced and with "logistic" as the only activation. Tests
of MLPRegressor alone are left out, others by name, in EXCEPTIONS, where each says how it fails.
"""

import functools
import importlib.util
import inspect
import os
import re
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("sklearn.neural_network.tests.test_mlp")

import sklearn.neural_network
from sigmax import SigmaxClassifier
from sklearn.neural_network import MLPRegressor


class MLPClassifier(SigmaxClassifier):
    """SigmaxClassifier with the private attributes of MLPClassifier that its tests read."""

    @property
    def _optimizer(self):
        return SimpleNamespace(learning_rate=self._convergence.rate)

    @property
    def _no_improvement_count(self):
        return self._convergence._unimproved


# name: (why it is left out, the exception that it must end with, and its text; and if not always,
# the part of the test's source for whose sake it is left out)
EXCEPTIONS = {
    "test_fit": (
        "a worked example, set up through private attributes; below it is set up without",
        AttributeError,
        "no attribute 'coefs_' before fit",
        None,
    ),
    "test_gradient": (
        "calls a private method for the gradient; ours is checked by Network.gradient_check",
        AttributeError,
        "no attribute '_loss_grad_lbfgs'",
        None,
    ),
    "test_multilabel_classification": (
        "softmax gives a row one class",
        ValueError,
        "y is multilabel-indicator; expected one class per row",
        None,
    ),
    "test_predict_proba_multilabel": (
        "softmax gives a row one class",
        ValueError,
        "y is multilabel-indicator; expected one class per row",
        None,
    ),
    "test_preserve_feature_names": (
        "its y has one class only; test_the_names_of_columns_are_kept has three",
        ValueError,
        "y has only one class, 1; expected at least 2 classes",
        None,
    ),
    "test_early_stopping_stratified": (
        "wants the class 1 to be called 'True', as MLPClassifier does since 1.9; ours is called 1",
        AssertionError,
        "The least populated class in y has only 1 member: 1, in row 3",
        "True",
    ),
}


def copy_of_the_suite():
    """Load scikit-learn's module once more, with our classifier under MLPClassifier's name."""
    origin = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp").origin
    spec = importlib.util.spec_from_file_location("scikit_learn_test_mlp", origin)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sklearn.neural_network, "MLPClassifier", MLPClassifier)
        spec.loader.exec_module(module)
    assert module.MLPClassifier is MLPClassifier
    module.ACTIVATION_TYPES = ["logistic"]
    return module


def for_classifiers(test):
    """Take MLPRegressor out of a test's parameters, and return whether a classifier is left."""
    marks, has_parameter = [], False
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize" and MLPRegressor in mark.args[1]:
            has_parameter = True
            values = [value for value in mark.args[1] if value is not MLPRegressor]
            mark = pytest.mark.parametrize(mark.args[0], values).mark
        marks.append(mark)
    test.pytestmark = marks
    return has_parameter or "MLPRegressor" not in re.findall(r"\w+", inspect.getsource(test))


def failing(test, error, words):
    """Return a test that passes if this one ends with this error."""

    @functools.wraps(test)
    def must_fail(**given):
        with pytest.raises(error, match=words):
            test(**given)

    return must_fail


SUITE = copy_of_the_suite()
TESTS = {
    name: test
    for name, test in inspect.getmembers(SUITE, inspect.isfunction)
    if name.startswith("test_") and for_classifiers(test)
}
# what its own settings let pass, and what sigmax says of data that were made for other purposes
TOLERATED = (
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::sigmax.TrainingWarning",
)

for name, test in TESTS.items():
    if name in EXCEPTIONS:
        _, error, words, evidence = EXCEPTIONS[name]
        if evidence is None or evidence in inspect.getsource(test):
            test = failing(test, error, words)
    for mark in TOLERATED:
        test = pytest.mark.filterwarnings(mark)(test)
    globals()[name] = test


@pytest.fixture(autouse=True)
def seeded():
    """Some of the tests have no random_state: they draw from NumPy's global generator."""
    before = np.random.get_state()
    np.random.seed(int(os.environ.get("SKLEARN_SEED", "0")))  # scikit-learn's own variable
    yield
    np.random.set_state(before)


def test_the_suite_is_there():
    assert len(TESTS) > 25
    assert set(EXCEPTIONS) <= set(TESTS), "a name in EXCEPTIONS that scikit-learn no longer has"
    assert not any("MLPRegressor(" in inspect.getsource(test) for test in TESTS.values())


def test_the_worked_example_of_test_fit():
    # Two softmax outputs with the weights 0 and w are their logistic one with w; in an update the
    # hidden layer and the second output change as theirs, and the first changes, too. Compared as
    # there: not all of the values are exact.
    X, y = np.array([[0.6, 0.8, 0.7]]), np.array([0])
    classifier = SigmaxClassifier(
        solver="sgd", learning_rate_init=0.1, alpha=0.1, hidden_layer_sizes=2, momentum=0
    ).partial_fit(X, y, classes=[0, 1])
    classifier.coefs_ = [[[0.1, 0.2], [0.3, 0.1], [0.5, 0.0]], [[0.0, 0.1], [0.0, 0.2]]]
    classifier.intercepts_ = [[0.1, 0.1], [0.0, 1.0]]
    classifier.partial_fit(X, y)
    hidden, output = classifier.coefs_
    expected = [[0.098, 0.195756], [0.2956664, 0.096008], [0.4939998, -0.002244]]
    np.testing.assert_allclose(hidden, expected, atol=5e-4)
    np.testing.assert_allclose(output[:, 1], [0.04706, 0.154089], atol=5e-4)
    np.testing.assert_allclose(classifier.intercepts_[0], [0.098333, 0.09626], atol=5e-4)
    np.testing.assert_allclose(classifier.intercepts_[1], [0.0765, 0.9235], atol=5e-4)
