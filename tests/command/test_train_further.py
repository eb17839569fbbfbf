"""`sigmax train --from MODEL`, and `--resume` with a larger --epochs."""

import contextlib
import io
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import command_line
import numpy as np
import pytest
import sigmax
from command_line import NAMES, fails, write_flowers
from sigmax import cli, files
from sigmax._training.run import Run


@pytest.fixture
def flowers(tmp_path, monkeypatch, rng):
    """Write flowers.csv of 120 rows into an empty folder to work in; return X and classes."""
    monkeypatch.chdir(tmp_path)
    return write_flowers(tmp_path / "flowers.csv", rng)


def train(words, data="flowers.csv"):
    assert cli.main(["train", data, "--quiet", *words.split()]) == 0


@pytest.fixture
def model(flowers):
    """Write model.npz after 3 epochs; return it."""
    train("--hidden 5 --seed 3 --dtype float64 --epochs 3")
    return files.load("model.npz")


def write(name, X, y, names=NAMES):
    rows = [f"{a},{b},{names[k]}\n" for (a, b), k in zip(X.tolist(), y.tolist(), strict=True)]
    Path(name).write_text("stem,leaf,kind\n" + "".join(rows))


@pytest.mark.parametrize("output", ["model.npz", "other.npz"])
def test_it_goes_on_as_the_library_does(flowers, model, output, capsys):
    X, y = flowers
    network = model.network.copy()
    network.fit(X, y, epochs=4, optimizer="adam")
    words = f"--from model.npz --epochs 4 --optimizer adam -o {output}"
    assert cli.main(["train", "flowers.csv", *words.split()]) == 0
    assert "going on from model.npz, trained for 3 epochs" in capsys.readouterr().out
    stored = files.load(output)
    np.testing.assert_array_equal(stored.network.parameters, network.parameters)
    assert stored.network.epochs_trained == 7
    assert (stored.network.dtype, stored.network.seed) == (np.float64, 3)
    assert stored.class_names == NAMES


def test_options_that_agree_with_the_model(flowers, model):
    train("--from model.npz --hidden 5 --seed 3 --dtype float64 --epochs 1")
    assert files.load("model.npz").network.epochs_trained == 4


def test_a_table_without_one_of_the_classes(flowers, model):
    X, y = flowers
    rows = y != 0  # without the class that would come first
    write("some.csv", X[rows], y[rows])
    network = model.network.copy()
    network.fit(X[rows], y[rows], epochs=2, class_weight={2: 3.0})
    train("--from model.npz --epochs 2 --class-weight tulip=3", "some.csv")
    stored = files.load("model.npz")
    np.testing.assert_array_equal(stored.network.parameters, network.parameters)
    assert stored.class_names == NAMES


def test_what_the_names_stand_for_is_kept(flowers, model):
    files.save("model.npz", model.network, class_names=["1", "2", "3"], class_kind="int")
    X, y = flowers
    write("numbers.csv", X, y, names=["1", "2", "3"])
    train("--from model.npz --epochs 1", "numbers.csv")
    stored = files.load("model.npz")
    assert (stored.class_names, stored.class_kind) == (("1", "2", "3"), "int")


def test_the_preparation_is_the_models(flowers):
    X, y = flowers
    X = 1000 + 10 * X
    X[5, 0] = np.nan
    write("flowers.csv", X, y)
    text = Path("flowers.csv").read_text()
    Path("flowers.csv").write_text(text.replace("nan,", ","))
    train("--standardize --nan mean --epochs 3")
    network = files.load("model.npz").network
    mean = network.preparation.mean.copy()
    network.fit(X.astype(np.float32), y, epochs=2)
    train("--from model.npz --epochs 2")  # missing values are filled without being asked for
    stored = files.load("model.npz").network
    np.testing.assert_array_equal(stored.parameters, network.parameters)
    np.testing.assert_array_equal(stored.preparation.mean, mean)


def test_a_divisor_is_taken_out_of_the_first_layer_and_put_back(flowers):
    X, y = flowers
    train("--divide 4 --epochs 3")  # a power of two, which rounds nothing
    train("--divide 4 --epochs 2 --from model.npz")
    network = sigmax.Network([2, 30, 3], seed=0)
    for epochs in (3, 2):
        network.fit(X.astype(np.float32) / 4, y, epochs=epochs)
    network.weights[0][...] /= 4
    np.testing.assert_array_equal(files.load("model.npz").network.parameters, network.parameters)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--hidden 6", "--hidden 6: model.npz has 5"),
        ("--hidden none", "--hidden none: model.npz has 5"),
        ("--dtype float32", "--dtype float32: model.npz has float64"),
        ("--seed 4", "--seed 4: model.npz has 3"),
        ("--init large", "--init with --from: the weights are those of the model"),
        ("--standardize", "--standardize is True, but the network was trained without it"),
        ("--checkpoint model.npz -o other.npz", "model.npz: would be overwritten, but it is also"),
        ("--ignore-column leaf", "1 .*model takes 2|model .* 2"),
        ("--class-weight iris=2", "--class-weight: 'iris' is none of the classes: daisy, rose"),
    ],
)
def test_what_contradicts_the_model(model, capsys, words, message):
    before = Path("model.npz").read_bytes()
    error = fails(capsys, "train", "flowers.csv", "--from", "model.npz", *words.split())
    assert re.search(message, error), error
    assert Path("model.npz").read_bytes() == before
    assert sorted(os.listdir()) == ["flowers.csv", "model.npz"]


def test_a_divisor_beside_a_preparation(flowers, capsys):
    train("--standardize --epochs 2")
    error = fails(capsys, "train", "flowers.csv", "--from", "model.npz", "--divide", "2")
    assert "--divide with --from: model.npz prepares its columns by itself" in error


def test_a_divisor_that_is_too_large(flowers, model, capsys):
    model.network.weights[0][...] = 10
    files.save("model.npz", model.network, class_names=NAMES)
    error = fails(capsys, "train", "flowers.csv", "--from", "model.npz", "--divide", "1e308")
    assert "--divide 1e+308: too large for weights of float64" in error


def test_a_class_that_the_model_lacks(flowers, model, capsys):
    X, y = flowers
    y = y.copy()
    y[7] = 3
    write("more.csv", X, y, names=[*NAMES, "iris"])
    before = Path("model.npz").read_bytes()
    error = fails(capsys, "train", "more.csv", "--from", "model.npz")
    for word in (
        "more.csv",
        "model.npz",
        "row 8",
        "'iris' is none of the classes: daisy, rose, tulip",
    ):
        assert word in error
    assert Path("model.npz").read_bytes() == before


def test_files_that_are_no_model(flowers, capsys):
    sigmax.Network([2, 4, 3], seed=1).fit(*flowers, epochs=1, checkpoint="run.npz")
    assert "checkpoint" in fails(capsys, "train", "flowers.csv", "--from", "run.npz")
    assert "none.npz: No such file" in fails(capsys, "train", "flowers.csv", "--from", "none.npz")


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
@pytest.mark.parametrize("flag", ["--from model.npz", "--from=model.npz"])
def test_ctrl_c_prints_a_command_that_goes_on_from_the_checkpoint(flowers, model, flag):
    words = f"train flowers.csv {flag} --epochs 1000000 --checkpoint run.npz --checkpoint-every 50"
    with subprocess.Popen(
        command_line.command(*words.split()), stderr=subprocess.PIPE, text=True
    ) as process:
        while not os.path.exists("run.npz"):
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=command_line.HANGS)[1]
    assert process.returncode == 130, error
    command = shlex.split(error.splitlines()[-1])
    assert flag in error  # for the classes
    command[command.index("1000000")] = "20000"
    program, *words = command
    assert program == "sigmax"
    assert cli.main(words) == 0
    assert files.load("model.npz").network.epochs_trained == 3 + 20000


def resuming_command(words, data="flowers.csv"):
    """Interrupt a training in its third epoch; return the words of the command that is printed."""
    close_epoch = Run.close_epoch

    def interrupted(self, *arguments, **more):
        if self.state.epoch == 2:
            raise KeyboardInterrupt
        close_epoch(self, *arguments, **more)

    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(printed):
        patch.setattr(Run, "close_epoch", interrupted)
        assert cli.main(["train", *shlex.split(words), "--quiet", *data.split()]) == 130
    program, *resumed = shlex.split(printed.getvalue().splitlines()[-1])
    assert program == "sigmax"
    return resumed


NETWORK_OPTIONS = ["--hidden 4", "--dtype float64", "--init large", "--init=glorot", "--seed 5"]


@pytest.mark.parametrize("words", ["", *NETWORK_OPTIONS, " ".join(NETWORK_OPTIONS[:3])])
@pytest.mark.parametrize("networks", ["", "--networks 2", "--networks 4 --repeats 2"])
@pytest.mark.parametrize("data", ["flowers.csv", "-- flowers.csv"])
def test_the_command_after_ctrl_c_runs_with_every_network_option(flowers, words, networks, data):
    options = f"{words} {networks} --epochs 5 --no-shuffle"
    assert cli.main(["train", *options.split(), "--quiet", "-o", "whole.npz", *data.split()]) == 0
    assert cli.main(resuming_command(f"{options} --checkpoint run", data)) == 0
    assert Path("model.npz").read_bytes() == Path("whole.npz").read_bytes()


def test_the_command_after_ctrl_c_keeps_the_classes_of_the_model(flowers, model):
    files.save("model.npz", model.network, class_names=["1", "2", "3"], class_kind="int")
    X, y = flowers
    rows = y != 0
    write("some.csv", X[rows], y[rows], names=["1", "2", "3"])
    options = "--from model.npz --epochs 5 --class-weight 3=2"
    train(f"{options} -o whole.npz", "some.csv")
    resumed = resuming_command(f"{options} --checkpoint run -o more.npz", "some.csv")
    assert cli.main(resumed) == 0
    assert Path("more.npz").read_bytes() == Path("whole.npz").read_bytes()
    stored = files.load("more.npz")
    assert (stored.class_names, stored.class_kind) == (("1", "2", "3"), "int")
    assert stored.network.epochs_trained == 8


def test_the_command_after_ctrl_c_fills_missing_values_as_the_model_does(flowers):
    train("--standardize --nan mean --epochs 3")
    text = Path("flowers.csv").read_text().splitlines()
    text[1] = "," + text[1].partition(",")[2]
    Path("flowers.csv").write_text("\n".join(text))
    train("--from model.npz --epochs 5 -o whole.npz")
    resumed = resuming_command("--from model.npz --epochs 5 --checkpoint run -o more.npz")
    assert cli.main(resumed) == 0
    assert Path("more.npz").read_bytes() == Path("whole.npz").read_bytes()
    without = resumed[: resumed.index("--from")] + resumed[resumed.index("--from") + 2 :]
    assert cli.main(without) == 0  # the checkpoint has the preparation, too


def test_divided_features_after_ctrl_c(flowers):
    train("--divide 4 --epochs 3")
    options = "--from model.npz --divide 4 --epochs 5"
    train(f"{options} -o whole.npz")
    assert cli.main(resuming_command(f"{options} --checkpoint run -o more.npz")) == 0
    assert Path("more.npz").read_bytes() == Path("whole.npz").read_bytes()


def test_from_with_a_checkpoint_of_another_network(flowers, model, capsys):
    train("--hidden 4 --epochs 1 --checkpoint run -o other.npz")
    train("--networks 2 --epochs 1 --checkpoint several -o other.npz")
    words = ("train", "flowers.csv", "--from", "model.npz", "--resume")
    error = fails(capsys, *words, "run")
    assert "--from model.npz is a network [2, 5, 3] of float64, but run is of [2, 4, 3] of" in error
    train("--resume run -o again.npz")  # a remedy
    assert "--from with --resume: the networks of several began" in fails(capsys, *words, "several")


# ---- --resume with more epochs -------------------------------------------------------------------


def test_resume_with_more_epochs(flowers, capsys):
    train("--epochs 5 -o whole.npz")
    train("--epochs 3 --checkpoint run.npz")
    for epochs in ("4", "5"):
        words = ["--resume", "run.npz", "--epochs", epochs]
        assert cli.main(["train", "flowers.csv", *words]) == 0
        said = f"resuming run.npz in epoch {epochs} of {epochs}\n"
        assert said in capsys.readouterr().out
    assert Path("model.npz").read_bytes() == Path("whole.npz").read_bytes()
    assert cli.main(["train", "flowers.csv", "--resume", "run.npz"]) == 0
    assert "run.npz: this training is already complete\n" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::sigmax.TrainingWarning")
def test_resume_of_what_early_stopping_ended(flowers, capsys):
    options = "--epochs 200 --learning-rate 8 --early-stopping cost --patience 2"
    train(f"{options} --validation-fraction 0.3 --checkpoint run.npz -o whole.npz")
    assert cli.main(["train", "flowers.csv", "--resume", "run.npz", "--epochs", "300"]) == 0
    out = capsys.readouterr().out
    assert "run.npz: this training is already complete, ended by early_stopping\n" in out
    assert Path("model.npz").read_bytes() == Path("whole.npz").read_bytes()


def test_resume_of_cosine_with_more_epochs(flowers, capsys):
    train("--epochs 3 --schedule cosine --checkpoint run.npz")
    error = fails(capsys, "train", "flowers.csv", "--resume", "run.npz", "--epochs", "4")
    assert "--epochs is 4, but run.npz has 3, and by its schedule 'cosine'" in error
    train("--resume run.npz --epochs 3")  # as the message says
    train("--from model.npz --epochs 4 --schedule cosine")
    assert files.load("model.npz").network.epochs_trained == 7
