"""FitOptions: every option checked, alone and beside the others; the one home of defaults."""

import dataclasses
import inspect
import math
import typing

import numpy as np
import pytest
import sigmax
from bad_input import refused
from sigmax._training.options import OPTION_NAMES, PARTIAL_OPTIONS, FitKeywords, FitOptions

NAN, INF = math.nan, math.inf

# For each option: values that are no such thing, and words that the error has beside the name.
NOT_ABOVE_ZERO = [NAN, INF, -INF, 0.0, -1.0, 10**400]
NOT_FROM_ZERO = [NAN, INF, -INF, -1e-9, 10**400]
NOT_A_SHARE = [NAN, INF, -1e-9, 1.0, 1.5, -3]
NO_NUMBER = ["fast", 1j, [0.5], True, None]
NO_TRUTH = ["no", 1, 0.0, None, []]
BAD = {
    "epochs": [-1, 1.5, NAN, None, "3", True],
    "batch_size": [0, -1, 2.5, None, True],
    "learning_rate": [*NOT_ABOVE_ZERO, *NO_NUMBER[:-1]],
    "optimizer": ["Adam", "", None, 3, b"adam"],
    "momentum": [*NOT_A_SHARE, *NO_NUMBER],
    "beta1": [*NOT_A_SHARE, *NO_NUMBER],
    "beta2": [*NOT_A_SHARE, *NO_NUMBER],
    "rho": [*NOT_A_SHARE, *NO_NUMBER],
    "epsilon": [*NOT_ABOVE_ZERO, *NO_NUMBER],
    "gtol": [*NOT_FROM_ZERO, *NO_NUMBER],
    "max_evaluations": [0, -1, 1.5, "3", True, 2**31],
    "weight_decay": [*NOT_FROM_ZERO, *NO_NUMBER[:-1]],
    "l2": [*NOT_FROM_ZERO, *NO_NUMBER],
    "l1": [*NOT_FROM_ZERO, *NO_NUMBER],
    "clip_norm": [*NOT_ABOVE_ZERO, *NO_NUMBER[:-1]],
    "dropout": [*NOT_A_SHARE, *NO_NUMBER],
    "label_smoothing": [*NOT_A_SHARE, *NO_NUMBER],
    "shuffle": NO_TRUTH,
    "class_weight": ["even", b"balanced", 3, 1.5],
    "validation_fraction": [*NOT_A_SHARE, *NO_NUMBER],
    "early_stopping": ["loss", True, 3],
    "patience": [0, -1, 2.5, None],
    "min_delta": [*NOT_FROM_ZERO, *NO_NUMBER],
    "schedule": ["cosines", None, 0.5],
    "schedule_factor": [NAN, INF, 0.0, 1.5, -1.0, "half"],
    "schedule_epochs": [0, -2, 1.5, None],
    "warmup_epochs": [-1, 1.5, None],
    "min_learning_rate": [*NOT_FROM_ZERO, *NO_NUMBER],
    "standardize": NO_TRUTH,
    "nan": ["median", None, True],
    "callbacks": [None, 3, "print", {"a": print}],
    "checkpoint": [3, "", 1.5],
    "checkpoint_every": [0, -1, 1.5, True],
    "progress": NO_TRUTH,
}


@pytest.mark.parametrize("name", OPTION_NAMES)
def test_a_bad_value_is_refused_with_its_name_and_what_was_expected(name):
    assert BAD[name], "an option without a bad value would test nothing"
    for value in BAD[name]:
        with pytest.raises((TypeError, ValueError)) as caught:
            FitOptions(**{name: value})
        message = str(caught.value)
        assert message.startswith(name), message
        assert "expected" in message, message
        text = repr(value) if not isinstance(value, int | float) else str(value)
        shown = text in message or "inf" in message or "empty" in message
        assert shown, f"{message!r} does not show {text}"


@pytest.mark.parametrize("name", OPTION_NAMES)
def test_fit_refuses_it_and_changes_nothing(name):
    network = sigmax.Network([3, 4, 2], seed=0)
    X, y = np.ones((6, 3)), [0, 1] * 3
    value = BAD[name][0]
    calls = {"fit": lambda: network.fit(X, y, **{name: value})}
    if name in PARTIAL_OPTIONS:
        calls["partial_fit"] = lambda: network.partial_fit(X, y, **{name: value})
    refused(network, calls, (TypeError, ValueError), name, "expected")


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({0: -1.0}, ("class_weight[0]", "-1.0", ">= 0")),
        ({0: NAN}, ("class_weight[0]", "nan", "finite")),
        ({-1: 1.0}, ("label", "-1")),
        ({"a": 1.0}, ("label", "'a'", "integer")),
        ([1.0, "b"], ("class_weight[1]", "'b'", "number")),
        ([1.0, INF], ("class_weight[1]", "inf", "finite")),
        (np.array([1.0, -2.0]), ("class_weight[1]", "-2.0")),
    ],
)
def test_bad_class_weights(weights, words):
    with pytest.raises((TypeError, ValueError)) as caught:
        FitOptions(class_weight=weights)
    for word in words:
        assert word in str(caught.value)


def test_bad_callbacks_are_named_by_their_place():
    with pytest.raises(TypeError, match=r"callbacks\[1\] is 5; expected a callable"):
        FitOptions(callbacks=[print, 5])


# ---- options that another one makes meaningless --------------------------------------------------

MEANINGLESS = [
    ({"momentum": 0.5}, ("momentum", "0.5", "'sgd'", "nesterov")),
    ({"optimizer": "adam", "momentum": 0.5}, ("momentum", "'adam'")),
    ({"optimizer": "momentum", "beta1": 0.5}, ("beta1", "'momentum'", "adam")),
    ({"beta2": 0.5}, ("beta2", "adamw")),
    ({"optimizer": "adam", "rho": 0.5}, ("rho", "rmsprop")),
    ({"optimizer": "nesterov", "epsilon": 0.5}, ("epsilon", "'nesterov'")),
    ({"optimizer": "adam", "weight_decay": 0.1}, ("weight_decay", "'adam'", "adamw", "None")),
    ({"gtol": 1e-3}, ("gtol", "'sgd'", "lbfgs")),
    ({"optimizer": "adam", "max_evaluations": 9}, ("max_evaluations", "'adam'", "lbfgs")),
    ({"optimizer": "lbfgs", "batch_size": 20}, ("batch_size", "20", "lbfgs", "all rows")),
    ({"optimizer": "lbfgs", "learning_rate": 0.1}, ("learning_rate", "lbfgs")),
    ({"optimizer": "lbfgs", "schedule": "step"}, ("schedule", "lbfgs")),
    ({"optimizer": "lbfgs", "warmup_epochs": 2}, ("warmup_epochs", "lbfgs")),
    ({"optimizer": "lbfgs", "l1": 0.1}, ("l1", "lbfgs")),
    ({"optimizer": "lbfgs", "clip_norm": 1.0}, ("clip_norm", "lbfgs")),
    ({"optimizer": "lbfgs", "dropout": 0.5}, ("dropout", "lbfgs")),
    ({"schedule_factor": 0.5}, ("schedule_factor", "'constant'")),
    ({"schedule": "cosine", "schedule_factor": 0.5}, ("schedule_factor", "'cosine'")),
    ({"schedule": "exponential", "schedule_epochs": 5}, ("schedule_epochs", "'exponential'")),
    ({"min_learning_rate": 0.1}, ("min_learning_rate", "'constant'")),
    ({"schedule": abs, "learning_rate": 0.1}, ("learning_rate", "function")),
    ({"schedule": abs, "warmup_epochs": 3}, ("warmup_epochs", "function")),
    ({"schedule": "cosine", "min_learning_rate": 0.6}, ("min_learning_rate", "0.6", "0.5")),
    ({"patience": 5}, ("patience", "early_stopping")),
    ({"min_delta": 0.5}, ("min_delta", "early_stopping")),
    ({"checkpoint_every": 2}, ("checkpoint_every", "checkpoint is None")),
]


@pytest.mark.parametrize(("given", "words"), MEANINGLESS, ids=lambda v: str(v)[:40])
def test_options_that_would_be_ignored_are_refused(given, words):
    with pytest.raises(ValueError) as caught:
        FitOptions(**given)
    for word in (*words, "expected"):
        assert word in str(caught.value), caught.value


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam", "adamw", "lbfgs"])
def test_options_at_their_defaults_are_never_refused(optimizer):
    defaults = {f.name: f.default for f in dataclasses.fields(FitOptions)}
    options = FitOptions(**{**defaults, "optimizer": optimizer})
    assert options.optimizer == optimizer


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"momentum": 0.9}, ("momentum", "0.9", "'sgd'", "optimizer='momentum'")),
        ({"patience": 10}, ("patience", "10", "early_stopping='cost'")),
    ],
)
def test_what_is_written_down_has_to_be_of_use_even_at_its_default(given, words):
    network = sigmax.Network([2, 2], seed=0)
    call = {"fit": lambda: network.fit([[0, 1], [1, 0]], [0, 1], **given)}
    refused(network, call, ValueError, *words, "expected")
    useful = {"optimizer": "nesterov", "early_stopping": "cost", "X_val": [[0, 1]], "y_val": [0]}
    assert network.fit([[0, 1], [1, 0]], [0, 1], **useful, **given, epochs=2).epochs == 2


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lr", "learning_rate"),
        ("max_iter", "epochs"),
        ("alpha", "l2"),
        ("verbose", "progress"),
        ("validation_data", "X_val"),
        ("nesterovs_momentum", "optimizer='nesterov'"),
        ("bacth_size", "batch_size"),
    ],
)
def test_names_of_other_libraries_lead_to_ours(name, meant):
    network = sigmax.Network([2, 2], seed=0)
    with pytest.raises(TypeError, match=f"{name}'; did you mean.*{meant}"):
        network.fit([[0, 1]], [0], **{name: 1})


# ---- defaults ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [
        ("sgd", 0.5),
        ("momentum", 0.1),
        ("nesterov", 0.1),
        ("rmsprop", 0.001),
        ("adam", 0.001),
        ("adamw", 0.001),
    ],
)
def test_the_default_learning_rate_is_that_of_the_optimizer(optimizer, rate):
    assert FitOptions(optimizer=optimizer).rate == rate
    assert FitOptions(optimizer=optimizer, learning_rate=0.25).rate == 0.25


def test_the_weight_decay_is_adamws_alone():
    assert FitOptions(optimizer="adamw").decay == 0.01
    assert FitOptions(optimizer="adamw", weight_decay=0.0).decay == 0.0
    assert FitOptions(optimizer="adam").decay == 0.0


@pytest.mark.parametrize(
    ("schedule", "factor"), [("step", 0.1), ("exponential", 0.95), ("plateau", 0.1)]
)
def test_the_default_factor_is_that_of_the_schedule(schedule, factor):
    assert FitOptions(schedule=schedule).factor == factor
    assert FitOptions(schedule=schedule, schedule_factor=0.5).factor == 0.5


def test_numpy_scalars_become_python_numbers():
    options = FitOptions(
        epochs=np.int32(3),
        learning_rate=np.float32(0.25),
        shuffle=np.bool_(False),
        class_weight=np.array([1, 2]),
    )
    assert (options.epochs, options.learning_rate, options.shuffle) == (3, 0.25, False)
    assert type(options.epochs) is int and type(options.learning_rate) is float
    assert type(options.shuffle) is bool
    assert options.class_weight == (1.0, 2.0)


def test_options_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        FitOptions().epochs = 3


# ---- one home of names and defaults --------------------------------------------------------------


def test_keywords_for_type_checkers_are_the_fields():
    fields = {f.name: f.type for f in dataclasses.fields(FitOptions)}
    keywords = {name: ref.__forward_arg__ for name, ref in FitKeywords.__annotations__.items()}
    assert keywords == fields
    assert not FitKeywords.__required_keys__
    assert typing.get_type_hints(FitKeywords).keys() == fields.keys()


@pytest.mark.parametrize(
    ("function", "names"),
    [(sigmax.Network.fit, OPTION_NAMES), (sigmax.Network.partial_fit, PARTIAL_OPTIONS)],
)
def test_signature_shows_every_option_with_its_default(function, names):
    parameters = inspect.signature(function).parameters
    defaults = {f.name: f.default for f in dataclasses.fields(FitOptions)}
    for name in names:
        assert parameters[name].default == defaults[name]
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
    assert not any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    assert list(inspect.signature(sigmax.Network([1, 2]).fit).parameters)[:2] == ["X", "y"]


def test_the_docstring_of_fit_names_every_option():
    for name in OPTION_NAMES:
        assert name in sigmax.Network.fit.__doc__, name


def test_every_option_has_help_and_a_type():
    for field in dataclasses.fields(FitOptions):
        assert field.metadata["help"] and isinstance(field.metadata["type"], type)
        assert field.metadata["resume"] in ("same", "again", "free")


def test_unknown_options_are_refused_with_the_one_that_was_meant():
    network = sigmax.Network([2, 2], seed=0)
    X, y = np.ones((2, 2)), [0, 1]
    refused(
        network,
        {"fit": lambda: network.fit(X, y, learning_rte=0.5)},
        TypeError, "learning_rte", "did you mean 'learning_rate'",
    )  # fmt: skip
    refused(
        network,
        {"partial_fit": lambda: network.partial_fit(X, y, epochs=3)},
        TypeError, "partial_fit", "epochs", "batch_size",
    )  # fmt: skip
    refused(network, {"fit": lambda: network.fit(X, y, xyzzy=1)}, TypeError, "xyzzy", "epochs")
