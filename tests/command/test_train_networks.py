"""`sigmax train --networks`: several networks in one model file."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import sigmax
from command_line import fails, write_flowers
from sigmax import cli, files
from sigmax._ensemble import side_by_side


@pytest.fixture
def flowers(tmp_path, monkeypatch, rng):
    """Write flowers.csv into an empty folder to work in; return X and classes."""
    monkeypatch.chdir(tmp_path)
    return write_flowers(tmp_path / "flowers.csv", rng)


OPTIONS = "--optimizer adam --learning-rate 0.05 --epochs 8 --hidden 6"


def train(words):
    return cli.main(["train", "flowers.csv", *words.split(), *OPTIONS.split()])


def bag(X, y, **options):
    return sigmax.bag(
        X, y, hidden=[6], seed=0, optimizer="adam", learning_rate=0.05, epochs=8, **options
    )


def test_it_is_the_bag_of_the_library(flowers, capsys):
    X, y = flowers
    assert train("--networks 4 --early-stopping cost --patience 2") == 0
    out = capsys.readouterr().out
    bagged = bag(X, y, n_networks=4, early_stopping="cost", patience=2)
    stored = files.load("model.npz")
    assert stored.class_names == ("daisy", "rose", "tulip")
    assert stored.network.column_names == ("stem", "leaf")
    assert np.array_equal(stored.network.parameters, bagged.network.parameters)
    assert "folded into 2-24-3: 147 parameters" in out
    assert re.search(r"4 networks of \d+( to \d+)? epochs in", out)
    percent = f"{100 * bagged.oof_accuracy:.2f} %"
    assert f"out of fold {bagged.oof_cost:8.4f}  {percent:>8}" in out


def test_temperature_of_repeats_or_of_validation_data(flowers, capsys):
    X, y = flowers
    assert train("--networks 6 --repeats 3 --calibrate") == 0
    bagged = bag(X, y, n_networks=6, repeats=3, calibrate=True)
    assert files.load("model.npz").network.temperature == bagged.network.temperature != 1
    assert "temperature" in capsys.readouterr().out
    header, *rows = Path("flowers.csv").read_text().splitlines()
    Path("other.csv").write_text("\n".join([header, *rows[60:]]))
    assert train("--networks 2 --calibrate --validation other.csv") == 0
    plain = bag(X, y, n_networks=2).network
    found = plain.calibrate(X[60:], y[60:])
    network = files.load("model.npz").network
    assert network.temperature == pytest.approx(found.temperature, rel=1e-3)


def test_division_goes_into_the_first_layer(flowers):
    X, y = flowers
    assert train("--networks 2 --divide 4") == 0
    network = files.load("model.npz").network
    bagged = bag(X.astype(np.float32) / np.float32(4), y, n_networks=2).network
    assert np.allclose(network.predict_proba(X), bagged.predict_proba(X / 4), atol=1e-5)


def test_ctrl_c_prints_the_command_that_goes_on(flowers, monkeypatch, capsys):
    wait, calls = side_by_side.wait, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return wait(*arguments)

    monkeypatch.setattr(side_by_side, "wait", interrupted)
    assert train("--networks 3 --checkpoint run --quiet") == 130
    command = capsys.readouterr().err.splitlines()[-1]
    assert "--resume run" in command
    assert not Path("model.npz").exists()
    assert cli.main(shlex.split(command)[1:]) == 0
    X, y = flowers
    expected = bag(X, y, n_networks=3).network
    assert np.array_equal(files.load("model.npz").network.parameters, expected.parameters)


def test_resuming_without_repeating_the_options(flowers, capsys):
    assert train("--networks 3 --checkpoint run --quiet") == 0
    first = files.load("model.npz").network
    assert cli.main(["train", "flowers.csv", "--resume", "run", "-o", "again.npz"]) == 0
    assert "resuming run, of 3 networks" in capsys.readouterr().out
    assert np.array_equal(files.load("again.npz").network.parameters, first.parameters)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--repeats 3", "--repeats needs --networks"),
        (
            "--networks 4 --repeats 3",
            "--repeats is 3, but --networks is 4; expected 1, or a divisor",
        ),
        (
            "--networks 5 --calibrate",
            "--calibrate with --networks needs --validation, or --repeats",
        ),
        ("--networks 5 --validation-fraction 0.1", "--validation-fraction is 0.1, but each of the"),
        ("--networks 3 --from model.npz", "--from with --networks.* expected one of them"),
        ("--networks 500", "--networks is 500, with 500 folds; .* 120"),
        ("--early-stopping cost", "--early-stopping needs --validation or --validation-fraction"),
    ],
)
def test_refusals(flowers, capsys, words, message):
    error = fails(capsys, "train", "flowers.csv", "--quiet", *words.split())
    assert re.search(message, error), error


def test_networks_for_a_checkpoint_of_one(flowers, capsys):
    assert train("--checkpoint run --quiet") == 0
    error = fails(capsys, "train", "flowers.csv", "--resume", "run", "--networks", "3")
    assert "--networks 3: run is a checkpoint of one network" in error


def test_a_temperature_that_was_not_asked_for_at_the_beginning(flowers, capsys):
    assert train("--networks 6 --repeats 3 --checkpoint run --quiet") == 0
    error = fails(capsys, "train", "flowers.csv", "--resume", "run", "--calibrate")
    assert "--calibrate: run was begun without it; expected it omitted, or --validation" in error
    words = ["--resume", "run", "--calibrate", "--validation", "flowers.csv", "--quiet"]
    assert cli.main(["train", "flowers.csv", *words]) == 0  # the remedy
    assert files.load("model.npz").network.temperature != 1


def test_another_number_than_that_of_the_checkpoint(flowers, capsys):
    assert train("--networks 3 --checkpoint run --quiet") == 0
    error = fails(capsys, "train", "flowers.csv", "--resume", "run", "--networks", "4")
    assert "--networks is 4, but run has 3; expected the same, or none" in error


def test_what_is_wrong_with_a_checkpoint_of_several(flowers, capsys):
    assert train("--networks 3 --checkpoint run --quiet") == 0
    assert train("--networks 3 --checkpoint other --seed 1 --quiet") == 0
    Path("other.0").replace("run.0")
    error = fails(capsys, "train", "flowers.csv", "--resume", "run")
    assert "run.0 has seed 1; expected 0, as run has it" in error


@pytest.mark.parametrize("number", ["0", "x", "2.5"])
def test_a_number_that_is_none(flowers, capsys, number):
    with pytest.raises(SystemExit) as caught:
        train(f"--networks {number}")
    assert caught.value.code == 2
    assert "a whole number of at least 1 is expected" in capsys.readouterr().err
