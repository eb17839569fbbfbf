"""`sigmax train` with all that training can do, and how it goes on after an interruption."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import sigmax
from sigmax import cli, files
from sigmax._training import checkpoint_file as checkpoints

NAMES = ("daisy", "rose", "tulip")


@pytest.fixture
def flowers(tmp_path, monkeypatch, rng):
    """Write flowers.csv of 120 rows into an empty folder to work in; return X and classes."""
    monkeypatch.chdir(tmp_path)
    X = rng.uniform(0, 3, (120, 2)).round(3)
    y = np.minimum(X.sum(axis=1) // 2, 2).astype(int)
    write("flowers.csv", X, y)
    return X, y


def write(name, X, y, weights=None):
    with open(name, "w") as file:
        file.write("stem,leaf,kind\n" if weights is None else "stem,leaf,count,kind\n")
        for i, row in enumerate(X.tolist()):
            fields = ["" if np.isnan(value) else str(value) for value in row]
            fields += [] if weights is None else [str(weights[i])]
            file.write(",".join([*fields, NAMES[y[i]]]) + "\n")


def train(*arguments):
    words = [word for argument in arguments for word in argument.split()]
    assert cli.main(["train", "flowers.csv", "--quiet", *words]) == 0
    return files.load("model.npz")


def same(stored, network):
    np.testing.assert_array_equal(stored.network.parameters, network.parameters)
    assert stored.network.epochs_trained == network.epochs_trained


@pytest.mark.parametrize("resumed", [False, True])
def test_rows_of_a_class_of_weight_0_are_not_held_out(flowers, capsys, resumed):
    X, y = flowers
    options = {"class_weight": {2: 0.0}, "validation_fraction": 0.25, "epochs": 3}
    network = sigmax.Network([2, 30, 3], seed=0)
    history = network.fit(X, y, **options)
    words = ["--class-weight", "tulip=0", "--validation-fraction", "0.25", "--checkpoint"]
    words += ["run.npz", "--epochs", "1" if resumed else "3"]
    assert cli.main(["train", "flowers.csv", *words]) == 0
    if resumed:
        assert cli.main(["train", "flowers.csv", "--resume", "run.npz", "--epochs", "3"]) == 0
    same(files.load("model.npz"), network)
    held = sum((y == label).sum() // 4 for label in (0, 1))
    shown = capsys.readouterr().out
    n_held, cost = (re.findall(p, shown)[-1] for p in (r"tion: (\d+) of", r"validation +([\d.]+) "))
    assert abs(int(n_held) - held) <= 1
    assert float(cost) == pytest.approx(history.val_cost[-1], abs=1e-4)


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("--optimizer adam --beta1 0.8 --epsilon 1e-6", {"optimizer": "adam", "beta1": 0.8}),
        ("--optimizer adamw --weight-decay 0.2", {"optimizer": "adamw", "weight_decay": 0.2}),
        ("--optimizer nesterov --momentum 0.5", {"optimizer": "nesterov", "momentum": 0.5}),
        ("--optimizer rmsprop --rho 0.9", {"optimizer": "rmsprop", "rho": 0.9}),
        ("--l1 0.01 --dropout 0.25 --clip-norm 1", {"l1": 0.01, "dropout": 0.25, "clip_norm": 1}),
        ("--label-smoothing 0.1", {"label_smoothing": 0.1}),
        ("--class-weight balanced", {"class_weight": "balanced"}),
        ("--class-weight tulip=3,daisy=0.5", {"class_weight": {2: 3.0, 0: 0.5}}),
        ("--schedule step --schedule-epochs 2", {"schedule": "step", "schedule_epochs": 2}),
        ("--schedule cosine --warmup-epochs 2", {"schedule": "cosine", "warmup_epochs": 2}),
        ("--standardize", {"standardize": True}),
        ("--validation-fraction 0.2", {"validation_fraction": 0.2}),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_it_trains_as_the_library_does(flowers, words, options):
    X, y = flowers
    if "--epsilon" in words:
        options = {**options, "epsilon": 1e-6}
    network = sigmax.Network([2, 30, 3], seed=0)
    network.fit(X.astype(np.float32), y, epochs=5, **options)
    same(train(words, "--epochs 5"), network)


@pytest.mark.filterwarnings("ignore::sigmax.TrainingWarning")
def test_early_stopping_keeps_the_best_parameters(flowers, capsys):
    X, y = flowers
    options = "--epochs 200 --learning-rate 8 --early-stopping cost --patience 5"
    stored = train(options, "--validation-fraction 0.3")
    network = sigmax.Network([2, 30, 3], seed=0)
    history = network.fit(
        X, y, epochs=200, learning_rate=8.0, early_stopping="cost", patience=5,
        validation_fraction=0.3,
    )  # fmt: skip
    assert history.stopped == "early_stopping"
    same(stored, network)


def test_figures_are_those_of_the_parts(flowers, capsys):
    assert cli.main(["train", "flowers.csv", "--validation-fraction", "0.25", "--epochs", "9"]) == 0
    out = capsys.readouterr().out
    X, y = flowers
    network = sigmax.Network([2, 30, 3], seed=0)
    history = network.fit(X, y, epochs=9, validation_fraction=0.25)
    n_held_out = np.floor(0.25 * np.bincount(y) + 0.5).sum()
    assert f"held out for validation: {n_held_out:.0f} of the rows" in out
    figures = re.search(r"^validation +([\d.]+) +([\d.]+) %$", out, re.M).groups()
    assert figures == (f"{history.val_cost[-1]:.4f}", f"{100 * history.val_accuracy[-1]:.2f}")


def test_weights_of_rows(flowers, rng, capsys):
    X, y = flowers
    weights = rng.integers(0, 4, 120)
    write("counted.csv", X, y, weights)
    network = sigmax.Network([2, 30, 3], seed=0)
    network.fit(X, y, epochs=4, sample_weight=weights)
    for column in ("count", "2", "-2"):
        words = ["--weight-column", column, "--epochs", "4", "--quiet"]
        assert cli.main(["train", "counted.csv", *words]) == 0
        same(files.load("model.npz"), network)
    # Afterwards the column is left out.
    for words in (["predict", "model.npz", "counted.csv", "--label-column", "kind"],
                  ["evaluate", "model.npz", "counted.csv"]):  # fmt: skip
        assert cli.main([*words, "--weight-column", "count"]) == 0
    assert "120 rows" in capsys.readouterr().out


def test_preparation_travels_with_the_model(flowers, capsys):
    X, y = flowers
    X = 1000 + 10 * X
    X[5, 0] = X[17, 1] = np.nan
    write("flowers.csv", X, y)
    stored = train("--standardize --nan mean --epochs 40")
    assert stored.class_names == NAMES
    network = sigmax.Network([2, 30, 3], seed=0)
    network.fit(X.astype(np.float32), y, epochs=40, standardize=True, nan="mean")
    same(stored, network)
    for part in ("mean", "scale", "fill"):
        np.testing.assert_array_equal(
            getattr(stored.network.preparation, part), getattr(network.preparation, part)
        )

    assert cli.main(["predict", "model.npz", "flowers.csv", "--label-column", "kind"]) == 0
    labels = capsys.readouterr().out.split()[1:]
    assert labels == [NAMES[k] for k in network.predict(X.astype(np.float32))]
    assert np.mean([label == NAMES[k] for label, k in zip(labels, y, strict=True)]) > 0.9
    assert cli.main(["evaluate", "model.npz", "flowers.csv"]) == 0
    assert f"cost {network.cost(X.astype(np.float32), y):.4f}" in capsys.readouterr().out
    assert cli.main(["info", "model.npz"]) == 0
    out = capsys.readouterr().out
    assert "missing values filled in" in out
    assert "columns shifted and scaled" in out
    assert "daisy, rose, tulip" in out


def test_missing_values_without_the_option(flowers, capsys):
    X, y = flowers
    train("--epochs 2")
    X[5, 0] = np.nan
    write("flowers.csv", X, y)
    for words in (["train", "flowers.csv"], ["evaluate", "model.npz", "flowers.csv"]):
        assert cli.main(words) == 1
        assert re.search("line 7, column 'stem': '' is not.*--nan mean", capsys.readouterr().err)


def test_a_large_npy_file_is_mapped(flowers, monkeypatch):
    from sigmax._formats import dataset as data

    X, y = flowers
    np.save("X.npy", X.astype(np.float32))
    np.save("y.npy", y)
    options = "--epochs 3 --quiet --standardize --validation-fraction 0.2"
    words = ["train", "X.npy", "y.npy", *options.split()]
    assert cli.main([*words, "-o", "read.npz"]) == 0
    monkeypatch.setattr(data, "_MAPPED_FROM", 0)
    assert isinstance(data.read("X.npy", "y.npy").X.base, np.memmap)
    assert cli.main([*words, "-o", "mapped.npz"]) == 0
    assert Path("read.npz").read_bytes() == Path("mapped.npz").read_bytes()
    for words in (["predict", "read.npz", "X.npy"], ["evaluate", "read.npz", "X.npy", "y.npy"]):
        assert cli.main(words) == 0
    lie = Path("X.npy").read_bytes().replace(b"(120, 2)", b"(-6,-40)")
    Path("lie.npy").write_bytes(lie)
    with pytest.raises(sigmax.FileFormatError, match=r"lie\.npy"):
        data.read("lie.npy", "y.npy")


def test_calibrate(flowers, capsys):
    X, y = flowers
    words = "--calibrate --validation-fraction 0.3 --epochs 15 --seed 1"
    stored = train(words)
    assert stored.network.temperature != 1
    plain = train(words.removeprefix("--calibrate "))
    assert plain.network.temperature == 1
    np.testing.assert_array_equal(stored.network.parameters, plain.network.parameters)
    assert cli.main(["train", "flowers.csv", *words.split()]) == 0
    assert "expected calibration error" in capsys.readouterr().out
    assert cli.main(["info", "model.npz"]) == 0
    assert f"temperature {stored.network.temperature:.6g}" in capsys.readouterr().out
    assert cli.main(["evaluate", "model.npz", "flowers.csv"]) == 0
    assert f"cost {stored.network.cost(X, y):.4f}" in capsys.readouterr().out


def test_a_network_that_is_always_right_is_saved_uncalibrated(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = [f"{x},{'left' if x < 0 else 'right'}" for x in (-2, -1, 1, 2) for _ in range(10)]
    (tmp_path / "sides.csv").write_text("\n".join(["x,side", *rows]))
    words = "sides.csv --calibrate --validation-fraction 0.3 --epochs 30 --hidden 4 --seed 0"
    assert cli.main(["train", *words.split(), "-o", "sides.npz"]) == 0
    assert "warning: not calibrated: X_val, y_val: no temperature" in capsys.readouterr().err
    assert sigmax.Network.load("sides.npz").temperature == 1


@pytest.mark.parametrize("words", ["--learning-rate 1e6", "--learning-rate 1e3 --epochs 2"])
def test_a_huge_rate_is_not_silent(flowers, capsys, words):
    train(words)
    error = capsys.readouterr().err
    assert re.search(
        r"^sigmax: warning: .*worse than guessing.*smaller --learning-rate", error, re.M
    )
    assert all(line.startswith("sigmax: warning: ") for line in error.splitlines())


def test_no_warning_where_it_learns(flowers, capsys):
    train("--epochs 60")
    assert capsys.readouterr().err == ""


# ---- going on ------------------------------------------------------------------------------------


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "sigmax", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def wait_for_a_checkpoint(process, previous):
    """Return once my run.npz is there and is newer than the previous one."""
    while not os.path.exists("my run.npz") or os.stat("my run.npz").st_mtime_ns == previous:
        assert process.poll() is None
        time.sleep(0.002)


@pytest.mark.thorough
@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
def test_ctrl_c_prints_the_command_that_goes_on(flowers):
    options = "--epochs 9000 --batch-size 3 --optimizer adam --dropout 0.1 --validation-fraction .2"
    words = ["train", "flowers.csv", *options.split()]
    with start(*words, "-o", "whole.npz") as whole:
        assert whole.wait(600) == 0
    words += ["--checkpoint-every", "100", "--checkpoint=my run.npz"]
    with start(*words, "-o", "a b.npz") as process:
        wait_for_a_checkpoint(process, None)
        process.send_signal(signal.SIGINT)
        assert process.wait(600) == 130
        error = process.stderr.read()
    assert not os.path.exists("a b.npz")
    assert error.startswith("sigmax: interrupted; to resume:\n")
    command = error.splitlines()[1]
    assert command.endswith("--resume 'my run.npz'")
    program, *words = shlex.split(command)
    assert program == "sigmax"
    state, written = checkpoints.load("my run.npz").state, os.stat("my run.npz").st_mtime_ns
    assert 0 < state.epoch < 9000

    with start(*words) as process:  # and once more
        wait_for_a_checkpoint(process, written)
        process.send_signal(signal.SIGINT)
        assert process.wait(600) == 130
        assert process.stderr.read().splitlines()[1] == command
    assert checkpoints.load("my run.npz").state.updates > state.updates

    with start(*words) as process:
        assert process.wait(600) == 0, process.stderr.read()
    assert Path("a b.npz").read_bytes() == Path("whole.npz").read_bytes()


@pytest.fixture
def checkpoint(flowers, monkeypatch):
    """Write run.npz: interrupted after 2 of 6 epochs."""
    network = sigmax.Network([2, 5, 3], seed=3, dtype="float64")

    def stop(network, epoch, history):
        if epoch == 1:
            raise KeyboardInterrupt

    X, y = flowers
    with pytest.raises(KeyboardInterrupt):
        network.fit(X, y, epochs=6, optimizer="adam", checkpoint="run.npz", callbacks=[stop])
    with np.load("run.npz") as file:
        arrays = {name: file[name] for name in file.files}
    text = (
        arrays["options"].tobytes().replace(b'"callbacks": {"function": true}', b'"callbacks": []')
    )
    arrays["options"] = np.frombuffer(text, np.uint8)
    with open("run.npz", "wb") as file:
        np.savez(file, **arrays)


def test_resume_takes_network_and_options_from_the_checkpoint(flowers, checkpoint, capsys):
    X, y = flowers
    whole = sigmax.Network([2, 5, 3], seed=3, dtype="float64")
    whole.fit(X, y, epochs=6, optimizer="adam")
    assert cli.main(["train", "flowers.csv", "--resume", "run.npz"]) == 0
    assert "resuming run.npz in epoch 3" in capsys.readouterr().out
    stored = files.load("model.npz")
    same(stored, whole)
    assert stored.network.dtype == np.float64
    assert stored.class_names == NAMES
    assert cli.main(["train", "flowers.csv", "--resume", "run.npz", "--hidden", "5"]) == 0
    assert "run.npz: this training is already complete" in capsys.readouterr().out
    same(files.load("model.npz"), whole)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--epochs 1", "--epochs is 1, but run.npz has done 2; expected at least 2"),
        ("--from run.npz", "run.npz: .*checkpoint"),
        ("--optimizer sgd", "optimizer is 'sgd', but run.npz has 'adam'"),
        ("--hidden 6", r"run.npz is of a network \[2, 5, 3\] of float64"),
        ("--dtype float32", "of float64; this one is .* of float32"),
        ("--seed 4", "--seed 4: run.npz has 3"),
        ("--divide 2", "X, y or weights are not those of run.npz"),
        ("--calibrate", "--calibrate needs"),
        ("--class-weight balanced", "class-weight is 'balanced', but run.npz has None"),
        ("-o run.npz", "would be overwritten"),
    ],
)
def test_what_differs_from_the_checkpoint(checkpoint, capsys, words, message):
    path = Path("run.npz")
    before = path.read_bytes()
    assert cli.main(["train", "flowers.csv", "--resume", "run.npz", *words.split()]) == 1
    error = capsys.readouterr().err
    assert re.fullmatch(rf"sigmax: error: .*{message}.*\n", error), error
    assert path.read_bytes() == before
    assert not os.path.exists("model.npz")


def test_info_of_a_checkpoint(checkpoint, capsys):
    assert cli.main(["info", "run.npz"]) == 0
    out = capsys.readouterr().out
    for expected in ("a checkpoint", "2-5-3", "epoch 3 of 6", "optimizer=adam", "accuracy"):
        assert expected in out
    assert cli.main(["train", "flowers.csv", "--resume", "run.npz", "--quiet"]) == 0
    assert cli.main(["info", "run.npz"]) == 0
    assert "over after 6 epochs" in capsys.readouterr().out
