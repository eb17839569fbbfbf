"""The `sigmax` command as a user meets it: the demo, a model made, used and measured."""

import csv
import gzip
import io
import os
import re
import struct
import sys

import numpy as np
import pytest
import sigmax
from command_line import NAMES, fails, run, write_flowers
from sigmax import cli, files


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, and a terminal of 80 columns without colours."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.fixture
def flowers(folder, rng):
    return write_flowers(folder / "flowers.csv", rng)


@pytest.fixture
def model(flowers):
    """Train model.npz on flowers.csv."""
    assert cli.main(["train", "flowers.csv", "--epochs", "60", "--quiet", "--hidden", "8"]) == 0
    return flowers


# ---- demo --------------------------------------------------------------------------------------


def test_demo_reads_the_held_out_digits(folder, capsys):
    assert cli.main(["demo"]) == 0
    out = capsys.readouterr().out
    accuracy = float(re.search(r"held-out accuracy ([\d.]+) %", out)[1])
    assert accuracy >= 97
    epochs = re.findall(r"^ +(\d+) +([\d.]+) +([\d.]+) % +([\d.]+) +([\d.]+) %$", out, re.M)
    assert [int(epoch[0]) for epoch in epochs] == list(range(1, len(epochs) + 1))
    assert float(epochs[-1][1]) < float(epochs[0][1]) / 10
    assert float(epochs[-1][4]) == accuracy
    assert "░" in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80

    # The matrix holds every held-out digit, the right ones on its diagonal.
    rows = re.findall(r"^  \d ((?: +(?:\d+|\.)){10})$", out, re.M)
    counts = np.array([[int(n) if n != "." else 0 for n in row.split()] for row in rows])
    right, total = map(int, re.search(r"\((\d+) of (\d+)\)", out).groups())
    assert (counts.trace(), counts.sum()) == (right, total)
    assert ("wrong" in out) == (right < total)


def test_demo_is_the_same_twice_and_another_with_another_seed(folder, capsys):
    outputs = []
    for seed in ("3", "3", "4"):
        assert cli.main(["demo", "--epochs", "1", "--seed", seed]) == 0
        outputs.append(re.sub(r"after [\d.]+ s", "", capsys.readouterr().out))
    assert outputs[0] == outputs[1]
    assert outputs[0] != outputs[2]


def test_demo_on_an_ascii_terminal():
    done = run("demo", "--epochs", "1", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stderr == b""
    assert b"@@" in done.stdout
    done.stdout.decode("ascii")


def test_demo_plot(folder, capsys):
    pytest.importorskip("matplotlib")
    assert cli.main(["demo", "--epochs", "2", "--plot", "curves.png"]) == 0
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "curves.png" in capsys.readouterr().out
    assert "ending 'foo'" in fails(capsys, "demo", "--plot", "curves.foo")


def test_demo_plot_without_matplotlib_fails_before_the_training(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert cli.main(["demo", "--plot", "curves.png"]) == 1
    captured = capsys.readouterr()
    assert "pip install matplotlib" in captured.err
    assert captured.out == ""


# ---- train, evaluate, predict, info ------------------------------------------------------------


def test_train_evaluate_predict_info(model, capsys):
    X, y = model
    stored = files.load("model.npz")
    assert stored.class_names == NAMES
    assert stored.network.sizes == (2, 8, 3)
    assert capsys.readouterr().out == ""

    assert cli.main(["evaluate", "model.npz", "flowers.csv"]) == 0
    out = capsys.readouterr().out
    X = X.astype(np.float32)
    accuracy = stored.network.accuracy(X, y)
    assert accuracy > 0.9
    assert f"accuracy {100 * accuracy:.2f} %" in out
    assert f"cost {stored.network.cost(X, y):.4f}" in out

    arguments = ["predict", "model.npz", "flowers.csv", "--label-column", "kind"]
    assert cli.main(arguments) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == ["label"] + [NAMES[k] for k in stored.network.predict(X)]
    assert err == "flowers.csv: header, labels in column 'kind': 120 rows\n"

    assert cli.main([*arguments, "--proba", "-o", "out.csv"]) == 0
    with open("out.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["label", "p_daisy", "p_rose", "p_tulip"]
    probabilities = np.array([row[1:] for row in rows[1:]], dtype=np.float32)
    np.testing.assert_array_equal(probabilities, stored.network.predict_proba(X))
    assert os.listdir(".").count("out.csv") == 1
    assert not [name for name in os.listdir(".") if name.endswith(".tmp")]

    assert cli.main(["info", "model.npz"]) == 0
    out = capsys.readouterr().out
    for expected in ("2-8-3", "51", "float32", "daisy, rose, tulip", "60 epochs"):
        assert expected in out


def test_training_is_that_of_the_library(flowers, capsys):
    X, y = flowers
    options = "--hidden 5,4 --epochs 3 --batch-size 7 --learning-rate 0.3 --l2 0.01 --seed 5"
    more = "--dtype float64 --init glorot --no-shuffle -o m.npz"
    assert cli.main(["train", "flowers.csv", *options.split(), *more.split()]) == 0
    network = sigmax.Network([2, 5, 4, 3], dtype="float64", seed=5, init="glorot")
    network.fit(X, y, epochs=3, batch_size=7, learning_rate=0.3, l2=0.01, shuffle=False)
    stored = files.load("m.npz").network
    np.testing.assert_array_equal(stored.parameters, network.parameters)
    out = capsys.readouterr().out
    assert f"{network.cost(X, y):.4f}" in out
    assert "120 rows of 2 features, 3 classes (daisy, rose, tulip)" in out


def test_softmax_regression(flowers):
    assert cli.main(["train", "flowers.csv", "--hidden", "none", "--quiet"]) == 0
    assert files.load("model.npz").network.sizes == (2, 3)


def test_the_divisor_goes_into_the_first_layer(folder, rng, capsys):
    images = rng.integers(0, 256, (50, 3, 3), dtype=np.uint8)
    labels = (images[:, 0, 0] > 128).astype(np.uint8)
    np.savez("images.npz", x=images, y=labels)
    X = images.reshape(50, 9)
    network = sigmax.Network([9, 4, 2], seed=0)
    network.fit(X.astype(np.float32) / np.float32(255), labels, epochs=20)
    assert (
        cli.main(["train", "images.npz", "--hidden", "4", "--divide", "255", "--epochs", "20"]) == 0
    )
    stored = files.load("model.npz").network
    np.testing.assert_array_equal(stored.weights[0], network.weights[0] / np.float32(255))
    np.testing.assert_array_equal(stored.weights[1], network.weights[1])
    np.testing.assert_allclose(
        stored.predict_proba(X), network.predict_proba(X / 255), rtol=0, atol=1e-5
    )
    assert "part of the first layer's weights" in capsys.readouterr().out
    assert cli.main(["train", "images.npz", "--hidden", "4", "--epochs", "1"]) == 0
    assert re.search(r"^sigmax: warning: .*--standardize", capsys.readouterr().err)
    for other in (["--standardize"], ["--nan", "mean"]):
        assert "one of them" in fails(capsys, "train", "images.npz", "--divide", "9", *other)


def test_validation_by_fraction_file_and_test_part(flowers, capsys):
    X, y = flowers
    assert cli.main(["train", "flowers.csv", "--validation-fraction", "0.25"]) == 0
    out = capsys.readouterr().out
    n_held_out = np.floor(0.25 * np.bincount(y) + 0.5).sum()
    assert f"held out for validation: {n_held_out:.0f} of the rows" in out
    assert re.search(r"^validation +[\d.]+ +[\d.]+ %$", out, re.M)

    assert cli.main(["train", "flowers.csv", "--validation", "flowers.csv"]) == 0
    out = capsys.readouterr().out
    training, validation = re.findall(r"^(?:training|validation) +(.*)$", out, re.M)
    assert training == validation

    np.savez("parts.npz", x_train=X, y_train=y, x_test=X[:9], y_test=y[:9])
    assert cli.main(["train", "parts.npz"]) == 0
    out = capsys.readouterr().out
    assert "9 rows for testing" in out
    assert re.search(r"^test +[\d.]+ +[\d.]+ %$", out, re.M)


def test_pairs_of_files(folder, rng, capsys):
    X = rng.integers(0, 2, (40, 5)).astype(np.uint8)
    y = X[:, 0]
    np.save("X.npy", X)
    np.save("y.npy", y)
    assert cli.main(["train", "X.npy", "y.npy", "-o", "a.npz"]) == 0
    for name, array in (("X.gz", X), ("y.gz", y)):
        header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        (folder / name).write_bytes(gzip.compress(header + array.tobytes()))
    arguments = [
        "train",
        "X.gz",
        "y.gz",
        "-o",
        "b.npz",
        "--validation",
        "X.npy",
        "--validation-labels",
        "y.npy",
    ]
    assert cli.main(arguments) == 0
    assert (folder / "a.npz").read_bytes() == (folder / "b.npz").read_bytes()
    capsys.readouterr()
    assert cli.main(["evaluate", "a.npz", "X.gz", "y.npy"]) == 0
    assert "accuracy 100.00 % (40 of 40)" in capsys.readouterr().out
    assert cli.main(["predict", "a.npz", "X.npy"]) == 0
    assert capsys.readouterr().out.split()[1:] == [str(k) for k in y]


def test_soft_labels(folder, rng, capsys):
    X = rng.uniform(0, 1, (30, 3))
    rows = np.stack([X[:, 0], 1 - X[:, 0]], axis=1)
    np.savez("soft.npz", x=X, y=rows)
    assert cli.main(["train", "soft.npz", "--validation-fraction", "0.2", "--epochs", "2"]) == 0
    assert cli.main(["evaluate", "model.npz", "soft.npz"]) == 0
    cost = files.load("model.npz").network.cost(X, rows)
    assert f"cost {cost:.4f} nats" in capsys.readouterr().out


def test_many_classes_are_shown_as_their_mistakes(folder, rng, capsys):
    np.savez("many.npz", x=rng.normal(size=(200, 2)), y=rng.integers(0, 40, 200))
    assert cli.main(["train", "many.npz", "--epochs", "1", "--quiet"]) == 0
    assert cli.main(["evaluate", "model.npz", "many.npz"]) == 0
    out = capsys.readouterr().out
    assert "most frequent mistakes" in out
    assert max(map(len, out.splitlines())) <= 80


def test_colours_only_on_a_terminal_that_wants_them(monkeypatch):
    from sigmax._command.report import Terminal

    class Screen(io.StringIO):
        encoding = "utf-8"

        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Terminal.of(Screen()).bad("x") == "\x1b[31mx\x1b[0m"
    assert Terminal.of(io.StringIO()).bad("x") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Terminal.of(Screen()).bad("x") == "x"
