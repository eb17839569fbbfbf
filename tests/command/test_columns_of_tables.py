"""The command and the names of columns: kept with the model, compared, put in order; and labels."""

import numpy as np
import pytest
import sigmax
from command_line import fails, write_flowers
from sigmax import cli, files
from sigmax._command.class_names import class_of, number_labels
from sigmax._training import checkpoint_file


@pytest.fixture
def flowers(tmp_path, monkeypatch, rng):
    """Write flowers.csv, and the same in other forms; return X and y."""
    monkeypatch.chdir(tmp_path)
    X, y = write_flowers(tmp_path / "flowers.csv", rng)
    rows = [line.split(",") for line in (tmp_path / "flowers.csv").read_text().splitlines()]

    def rewrite(name, order, header=True):
        lines = [",".join(row[i] for i in order) for row in rows[not header :]]
        (tmp_path / name).write_text("\n".join(lines) + "\n")

    rewrite("other.csv", [1, 0, 2])
    rewrite("front.csv", [2, 1, 0])
    rewrite("bare.csv", [0, 1, 2], header=False)
    rewrite("less.csv", [0, 2])
    rewrite("more.csv", [0, 0, 1, 2])
    text = (tmp_path / "more.csv").read_text()
    (tmp_path / "more.csv").write_text(text.replace("stem,", "id,", 1))
    text = (tmp_path / "flowers.csv").read_text()
    (tmp_path / "renamed.csv").write_text(text.replace("leaf", "Leaf", 1))
    return X, y


def train(*words):
    assert cli.main(["train", *words]) == 0
    return files.load("model.npz").network


TRAIN = ("flowers.csv", "--epochs", "3", "--standardize", "--quiet")


def output(capsys, *words):
    capsys.readouterr()
    assert cli.main(list(words)) == 0
    return capsys.readouterr().out


def test_names_are_kept_compared_and_put_in_order(flowers, capsys):
    network = train(*TRAIN)
    assert network.column_names == ("stem", "leaf")
    assert "columns     stem, leaf" in output(capsys, "info", "model.npz")
    expected = output(capsys, "evaluate", "model.npz", "flowers.csv").splitlines()[1:]
    for words in (
        ["other.csv"],
        ["bare.csv"],
        ["front.csv", "--label-column", "kind"],
        ["more.csv", "--ignore-column", "id"],
    ):
        assert output(capsys, "evaluate", "model.npz", *words).splitlines()[1:] == expected, words
    with open("plain.csv", "w") as plain, open("turned.csv", "w") as turned:
        for file, names, order in ((plain, "stem,leaf", [0, 1]), (turned, "leaf,stem", [1, 0])):
            file.write(names + "\n")
            np.savetxt(file, flowers[0][:, order], "%.3f", ",")
    for words in ([], ["--proba"]):
        answers = output(capsys, "predict", "model.npz", "plain.csv", *words)
        assert output(capsys, "predict", "model.npz", "turned.csv", *words) == answers


def test_other_columns_are_named(flowers, capsys):
    train(*TRAIN)
    for name, words in {
        "renamed.csv": "renamed.csv has column 'Leaf' where the model has column 'leaf'",
        "less.csv": "lacking: 'leaf'",
        "more.csv": "besides: 'id'; --ignore-column leaves one out",
    }.items():
        assert words in fails(capsys, "evaluate", "model.npz", name)
        error = fails(capsys, "train", *TRAIN, "--validation", name)
        assert words in error


def test_validation_and_resuming_in_another_order(flowers):
    whole = train(*TRAIN, "--validation", "flowers.csv", "--checkpoint", "whole.npz")
    other = train(*TRAIN, "--validation", "other.csv", "--checkpoint", "run.npz")
    assert other.parameters.tobytes() == whole.parameters.tobytes()
    histories = [checkpoint_file.load(n).state.history.val_cost for n in ("whole.npz", "run.npz")]
    assert histories[0] == histories[1]
    assert checkpoint_file.load("run.npz").model.column_names == ("stem", "leaf")
    again = train("other.csv", "--quiet", "--resume", "run.npz", "--validation", "flowers.csv")
    assert again.parameters.tobytes() == whole.parameters.tobytes()
    assert again.column_names == ("stem", "leaf")


def test_without_names_nothing_is_compared(flowers, tmp_path):
    assert train("bare.csv", "--epochs", "1", "--quiet").column_names is None
    numbered = "0,1,2,3\n" + "".join(f"{i},{i % 3},{i % 2},{i % 2}\n" for i in range(20))
    (tmp_path / "numbered.csv").write_text(numbered)
    assert train("numbered.csv", "--epochs", "1", "--quiet").column_names is None


def test_a_model_of_the_command_compares_in_python_too(flowers):
    frames = pytest.importorskip("pandas")
    network = train(*TRAIN)
    X = flowers[0]
    turned = frames.DataFrame({"leaf": X[:, 1], "stem": X[:, 0]})
    np.testing.assert_array_equal(network.predict_proba(turned), network.predict_proba(X))


# ---- labels as numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "kind"),
    [(["0.0", "1.0"], "float"), (["False", "True"], "bool"), (["0", "1"], "int"), (None, None)],
)
@pytest.mark.parametrize("labels", ["0 1", "0.0 1.0", "False True", "0e0 1.000e+00", "00 01"])
def test_numbers_are_compared_as_numbers(tmp_path, monkeypatch, capsys, names, kind, labels):
    monkeypatch.chdir(tmp_path)
    network = sigmax.Network([1, 2], seed=0)
    files.save("model.npz", network, class_names=names, class_kind=kind)
    zero, one = labels.split()
    (tmp_path / "table.csv").write_text(f"x,y\n1,{zero}\n2,{one}\n3,{one}\n")
    expected = network.cost([[1], [2], [3]], [0, 1, 1])
    assert f"cost {expected:.4f} nats" in output(capsys, "evaluate", "model.npz", "table.csv")


@pytest.mark.parametrize("dtype", [bool, int, np.uint8, float, np.float32])
def test_arrays_of_any_type_are_compared_as_numbers(dtype):
    labels = np.array([0, 1, 1], dtype)
    for names in (("0.0", "1.0"), ("False", "True"), ("0", "1")):
        assert number_labels(labels, names).tolist() == [0, 1, 1]


def test_a_number_that_several_classes_are_is_none_of_them():
    assert class_of("01", ["01", "1"]) == 0
    assert class_of("1.0", ["01", "1"]) is None
    assert class_of("rose", ["rose", "1"]) == 0
    assert class_of("nan", ["nan ", "inf"]) is class_of("2", ["0", "1"]) is None
    assert class_of(str(2**63 + 1), [str(2**63), str(2**63 + 1)]) == 1
    with pytest.raises(ValueError, match=r"row 2: the label '2' is none of the classes: 0.0, 1.0"):
        number_labels(np.array([0, 2]), ("0.0", "1.0"))


def test_weights_of_classes_are_compared_as_numbers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i},{i % 2}\n" for i in range(20))
    (tmp_path / "table.csv").write_text("x,y\n" + rows)
    made = [
        train("table.csv", "--quiet", "--epochs", "2", "--class-weight", f"{name}=3")
        for name in ("1", "1.0", "True")
    ]
    assert len({network.parameters.tobytes() for network in made}) == 1
