"""The `sigmax` command when something is wrong: one line, an exit code, nothing written."""

import os
import re
import signal
import subprocess

import numpy as np
import processes
import pytest
import sigmax
from command_line import HANGS, command, fails, run, write_flowers
from sigmax import cli


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train none.csv", "none.csv: No such file"),
        ("train .", "Is a directory|Permission denied"),
        ("train flowers.csv --label-column size", "no column 'size' .* stem, leaf, kind"),
        ("train flowers.csv --label-column 0", "column 'kind': '(daisy|rose|tulip)' is not"),
        ("train flowers.csv --no-header", "line 1, column 0: 'stem' is not a number"),
        ("train flowers.csv --learning-rate nan", "--learning-rate is nan"),
        ("train flowers.csv --epochs -1", ": --epochs is -1"),
        ("train flowers.csv --patience 3", "--patience is 3, but --early-stopping is not given"),
        (
            "train flowers.csv --momentum 0.9",
            "--optimizer is 'sgd', .* --optimizer momentum or --optimizer nesterov, or no --mom",
        ),
        ("train label_smoothing.csv", "label_smoothing.csv: line 3, column 'learning_rate': 'x'"),
        ("train label_smoothing.csv --label-column l2", "a, learning_rate, kind"),
        ("info clip_norm.npz", " clip_norm.npz: not a model file"),
        ("train flowers.csv --checkpoint clip_norm.d/c.npz", "no folder .*/clip_norm.d"),
        ("train flowers.csv --batch-size 0", "--batch-size is 0"),
        ("train flowers.csv -o none/m.npz", "there is no folder"),
        ("train flowers.csv -o flowers.csv", "would be overwritten"),
        ("train flowers.csv -o .", "it is a folder"),
        ("train flowers.csv --validation-labels y.npy", "--validation-labels needs"),
        ("train flowers.csv flowers.csv", "holds its labels itself"),
        ("train flowers.csv --validation-fraction 0.0001", "leaves no row of 120"),
        ("train flowers.csv --validation-fraction 1", "--validation-fraction is 1"),
        ("train flowers.csv --validation-fraction .1 --validation b.csv", "one of them"),
        ("train flowers.csv --early-stopping cost", "--early-stopping needs --validation"),
        ("train flowers.csv --calibrate", "--calibrate needs --validation or"),
        ("train flowers.csv --min-delta 0.1", "--min-delta is 0.1, but --early-stopping is"),
        ("train flowers.csv --class-weight rose", "'rose': balanced or CLASS=WEIGHT"),
        ("train flowers.csv --class-weight rose=x", "'rose=x': balanced or"),
        ("train flowers.csv --class-weight rose=-1", "'rose=-1': balanced or"),
        ("train flowers.csv --class-weight lily=1", "'lily' is none of the classes: daisy"),
        ("train flowers.csv --weight-column size", "no column 'size' .* stem, leaf, kind"),
        ("train flowers.csv --weight-column 2 --label-column 2", "the same column"),
        ("train flowers.csv --weight-column kind --label-column leaf", "weight '(daisy|rose|t)"),
        ("train bad.gz bad.gz --weight-column 2", "only .csv files have"),
        ("train flowers.csv --checkpoint none/c.npz", "there is no folder"),
        ("train flowers.csv --checkpoint flowers.csv", "would be overwritten"),
        ("train flowers.csv --checkpoint m.npz -o ./m.npz", "cannot be the same file"),
        ("train flowers.csv --resume none.npz", "none.npz: No such file"),
        ("train flowers.csv --resume bad.npz --init lecun", "--init with --resume"),
        ("train flowers.csv --resume bad.npz", "bad.npz: (truncated|not a)"),
        ("train flowers.csv --resume model.npz", "would be overwritten"),
        ("train flowers.csv --resume model.npz -o m.npz", "model.npz: it is a model"),
        ("train flowers.csv --learning-rate 3e38", "diverged in epoch 0.*--learning-rate"),
        ("train empty.csv", "empty.csv: the file is empty"),
        ("train one.csv", "one.csv: all 2 labels are 'a'"),
        ("train real.csv", r"real.csv: the label 0\.5 is a number"),
        ("train ragged.csv", "line 3: 2 fields, where the first row has 3"),
        ("train bad.npz", "bad.npz: not a sound .npz file"),
        ("train bad.gz bad.gz", "bad.gz: not an idx file"),
        ("train flowers.csv --validation one.csv", "one.csv: row 1: the label 'a' is none of"),
        ("train wide.csv --divide 1e-30", "inf"),
        ("train tiny.csv --divide 1e-39", "--divide 1e-39: too small for weights of float32"),
        ("evaluate model.npz one.csv", "one.csv: row 1: the label 'a' is none of the classes"),
        ("evaluate model.npz wide.csv", "3 features besides .*, where the model takes 2"),
        ("evaluate none.npz flowers.csv", "none.npz: No such file"),
        ("predict model.npz flowers.csv", "3 columns, where the model takes 2; .*--label-column"),
        ("predict flowers.csv flowers.csv", "flowers.csv: not a model file"),
        ("predict model.npz bare.csv -o none/out.csv", "there is no folder"),
        ("predict model.npz bare.csv -o bare.csv", "would be overwritten"),
        ("info flowers.csv", "not a model file"),
        ("info bad.npz", "truncated or damaged|not a model file"),
        ("demo --epochs 0", "--epochs is 0"),
    ],
)
def test_a_mistake_is_one_line(model, folder, capsys, arguments, message):
    (folder / "empty.csv").write_text("")
    (folder / "one.csv").write_text("1,2,a\n3,4,a\n")
    (folder / "bare.csv").write_text("1,2\n3,4\n")
    (folder / "real.csv").write_text("1,2,0.5\n3,4,1\n")
    (folder / "wide.csv").write_text("1,2,3,a\n1e30,4,5,b\n")
    (folder / "tiny.csv").write_text("1e-39,2e-39,a\n3e-39,1e-39,b\n")
    (folder / "ragged.csv").write_text("a,b,c\n1,2,x\n1,2\n")
    (folder / "label_smoothing.csv").write_text("a,learning_rate,kind\n1,2,x\n3,x,y\n")
    (folder / "clip_norm.npz").write_bytes(b"")
    (folder / "bad.npz").write_bytes(b"PK\x03\x04 and no more")
    (folder / "bad.gz").write_bytes(b"neither packed nor an idx file")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert re.search(message, fails(capsys, *arguments.split()))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.skipif(os.name == "nt", reason="links and pipes of another kind")
def test_what_cannot_be_written_is_noticed_before_the_work(model, folder, capsys):
    (folder / "link.npz").symlink_to("none/m.npz")
    os.mkfifo("pipe")
    train, predict = "train flowers.csv -o", "predict model.npz flowers.csv --label-column 2 -o"
    cases = [
        (train, "link.npz", "link.npz: .*no folder .*none"),
        (predict, "link.npz", "no folder"),
    ]
    cases += [(train, "pipe", "pipe exists and is not a regular file")]
    if os.geteuid() != 0:  # whom nothing is forbidden
        (folder / "closed").mkdir()
        (folder / "closed" / "m.npz").touch()
        (folder / "closed").chmod(0o555)
        cases += [(command, "closed/m.npz", "permission denied") for command in (train, predict)]
    capsys.readouterr()
    for words, path, message in cases:
        assert cli.main([*words.split(), path]) == 1
        out, err = capsys.readouterr()
        assert out == "" and re.search(message, err), err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "required: COMMAND"),
        ("dance", "invalid choice: 'dance'"),
        ("train", "required: DATA"),
        ("train a.csv --hidden 0", "'0': sizes such as 30"),
        ("train a.csv --hidden 3,x", "'3,x': sizes such as 30"),
        ("train a.csv --divide 0", "'0': a number above 0"),
        ("train a.csv --divide x", "'x': a number above 0"),
        ("train a.csv --optimizer lion", "invalid choice: 'lion'"),
        ("train a.csv --schedule slow", "invalid choice: 'slow'"),
        ("train a.csv --l2 much", "invalid float value: 'much'"),
        # Some releases of argparse leave the value out.
        ("train a.csv --callbacks f", "unrecognized arguments: --callbacks( f)? .sigmax"),
        ("train a.csv --epoch 3", "--epoch( 3)?; did you mean --epochs[?]"),
        ("train a.csv --learning_rate 3", "did you mean --learning-rate[?]"),
        ("train a.csv --lr 3", "did you mean --learning-rate[?]"),
        ("train a.csv --solver adam", "did you mean --optimizer[?]"),
        ("train a.csv --nesterov", "did you mean --optimizer nesterov[?]"),
        ("train a.csv --betas 0.9,0.99", "did you mean --beta1 and --beta2[?]"),
        ("train a.csv --hidden-layer-sizes 9", "did you mean --hidden[?]"),
        ("train a.csv --verbose", "unrecognized arguments: --verbose .sigmax"),
        ("train a.csv --seed -1", "'-1': a whole number from 0|expected one argument"),
        ("train a.csv --seed 18446744073709551616", "a whole number from 0"),
        ("train a.csv --dtype float16", "invalid choice: 'float16'"),
        ("train a.csv --delimiter xy", "'xy': one character"),
        ("predict m.npz", "required: DATA"),
    ],
)
def test_a_wrong_argument_exits_with_2(folder, capsys, arguments, message):
    with pytest.raises(SystemExit) as exited:
        cli.main(arguments.split())
    assert exited.value.code == 2
    assert re.fullmatch(rf"sigmax: error: .*({message}).*\n", capsys.readouterr().err)


def test_help_and_version(folder, capsys):
    for arguments in (["--help"], ["train", "--help"], ["predict", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as exited:
            cli.main(arguments)
        assert exited.value.code == 0
    assert capsys.readouterr().out.endswith(f"sigmax {sigmax.__version__}\n")


def test_help_of_training_options_is_that_of_the_library(capsys):
    from dataclasses import fields

    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    from sigmax._command import arguments as _arguments

    options = [f for f in fields(sigmax.FitOptions) if f.name not in _arguments.NOT_OFFERED]
    assert len(options) >= 30
    for field in options:
        assert f"--{field.name.replace('_', '-')} " in out.replace(",", " ")
        assert re.split("[;`]", field.metadata["help"])[0] in out
        for choice in field.metadata["choices"] or ():
            assert choice in out
    assert "for --patience epochs" in out
    assert "`" not in out


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line(model):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command("predict", "model.npz", "flowers.csv", "--label-column", "-1"),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=HANGS,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"sigmax: error: cannot write: No space left on device\n"


def test_errors_of_a_process_have_no_traceback(folder):
    done = run("train", "none.csv")
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr == b"sigmax: error: none.csv: No such file or directory\n"


@pytest.mark.skipif(os.name == "nt", reason="pipes of another kind")
def test_a_closed_pipe_is_silent(model):
    np.save("many.npy", np.ones((200_000, 2)))
    with subprocess.Popen(
        command("predict", "model.npz", "many.npy"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"label\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(HANGS) == 141


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
def test_ctrl_c_exits_with_130_and_writes_nothing(model, folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    program = "programs/command_after_a_fit.py"
    arguments = ["train", "flowers.csv", "--epochs", 100_000_000]
    with processes.start(program, *arguments, env={"PYTHONUNBUFFERED": "1"}) as process:
        try:
            while not process.stdout.readline().startswith("network"):
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            assert process.wait(HANGS) == 130
        finally:
            process.kill()
        assert process.stderr.read().startswith("sigmax: interrupted: no file was written")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
