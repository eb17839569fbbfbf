"""Errors and warnings about options: data, which every interface prints in its own words."""

import copy
import pickle

import pytest
import sigmax
from sigmax import cli
from sigmax._command.words import FLAGS
from sigmax._training.options import OPTION_NAMES, chosen
from sigmax.errors import (
    Change,
    DivergedError,
    Mention,
    OptionError,
    OptionTypeError,
    OptionValueError,
    TrainingWarning,
    joined,
)

REMEDY = joined([Change("a smaller", "l2", " (it was 3)"), Mention("learning_rate")], last=" or ")
MESSAGES = {
    "value": OptionValueError("l2", -1.0, "a finite number >= 0"),
    "because": OptionValueError(
        "rho", 0.5, "its default, 0.99", (", but ", Mention("optimizer", "sgd", " "), " ...")
    ),
    "type": OptionTypeError("callbacks", print, ("a list, or ", Mention("schedule"))),
    "diverged": DivergedError(3, 17),
    "remedy": DivergedError(3, 17, REMEDY),
    "warning": TrainingWarning("stalled; try ", *REMEDY, " and ", Mention("standardize", True)),
}


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize(
    "again",
    [lambda m: pickle.loads(pickle.dumps(m)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deepcopy"],
)
def test_a_message_travels(name, again):
    message = MESSAGES[name]
    other = again(message)
    assert type(other) is type(message)
    assert str(other) == str(message) and repr(other) == repr(message)
    assert other.in_words(FLAGS) == message.in_words(FLAGS)
    assert "NO_VALUE" not in str(other)


def test_a_value_that_cannot_be_pickled_is_shown():
    with pytest.raises(TypeError) as caught:
        sigmax.FitOptions(callbacks=lambda *_: None)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert "<lambda>" in str(caught.value)


def test_a_message_is_that_of_the_moment():
    value = ["one"]
    error = OptionTypeError("checkpoint", value, "a path")
    before = str(error)
    value.append("two")
    assert str(error) == before and error.value is value


def test_a_value_without_a_repr():
    with pytest.raises(ValueError, match="checkpoint_every is a value of type int"):
        sigmax.FitOptions(checkpoint="c", checkpoint_every=10**5000)


def test_the_data_of_an_error():
    with pytest.raises(OptionError) as caught:
        chosen({"momentum": 0.9}, "fit", OPTION_NAMES)
    error = caught.value
    assert isinstance(error, ValueError) and isinstance(error, sigmax.SigmaxError)
    assert (error.name, error.value) == ("momentum", 0.9)
    assert ("optimizer", "momentum") in error.advice and ("optimizer", "nesterov") in error.advice
    assert repr(error) == f"OptionValueError({str(error)!r})"


def test_each_interface_has_its_words(tmp_path, monkeypatch, capsys):
    message = MESSAGES["warning"]
    assert (
        str(message) == "stalled; try a smaller l2 (it was 3) or learning_rate and standardize=True"
    )
    assert message.in_words(FLAGS) == (
        "stalled; try a smaller --l2 (it was 3) or --learning-rate and --standardize"
    )
    assert TrainingWarning(Change("more", "epochs")).in_words(FLAGS) == "a larger --epochs"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("0,a\n1,b\n0,a\n1,b\n")
    assert cli.main(["train", "t.csv", "--early-stopping", "cost"]) == 1
    assert "--early-stopping needs --validation" in capsys.readouterr().err
    assert cli.main(["train", "t.csv", "--rho", "0.5"]) == 1
    expected = (
        "--rho is 0.5, but --optimizer sgd does not use it, only 'rmsprop'; expected its default"
    )
    assert expected in capsys.readouterr().err


def test_the_estimator_has_its_words():
    pytest.importorskip("sklearn")
    X, y = [[0.0], [1.0]] * 4, [0, 1] * 4
    with pytest.raises(OptionError, match=r"rho is 0\.5, but solver 'sgd' does not use it"):
        sigmax.SigmaxClassifier(solver="sgd", rho=0.5).fit(X, y)
    with pytest.raises(DivergedError, match=r"learning_rate_init.*standardize=True"):
        sigmax.SigmaxClassifier(solver="sgd", learning_rate_init=1e300).fit(X, y)
