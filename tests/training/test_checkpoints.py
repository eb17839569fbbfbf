"""Checkpoint files: that they keep everything, and what they refuse, damaged or hostile."""

import os

import numpy as np
import pytest
import sigmax
from checkpoint_files import (
    ROWS,
    SIZES,
    change,
    comparable,
    new_network,
    refused,
    resume,
    set_json,
    write_interrupted,
    write_plain,
)
from helpers import what_it_holds
from sigmax._training import checkpoint_file as checkpoints


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


@pytest.fixture
def data(rng):
    return rng.normal(size=(ROWS, SIZES[0])), rng.integers(0, SIZES[-1], ROWS)


@pytest.fixture
def plain(path, data):
    return write_plain(path, data)


# ---- the file ------------------------------------------------------------------------------------


def test_it_keeps_everything(plain, data):
    found = checkpoints.load(plain)
    assert found.options["optimizer"] == "adam"
    assert found.options["epochs"] == 5
    assert "progress" not in found.options
    assert not found.functions
    assert (found.state.epoch, found.state.position, found.state.updates) == (2, 0, 8)
    assert found.state.n_rows == ROWS
    assert found.state.optimizer_state.size == 2 * found.model.layout.n_parameters
    assert np.abs(found.state.optimizer_state).max() > 0
    assert found.state.history.epochs == 2
    assert resume(plain, data).epochs == 5


@pytest.mark.parametrize(
    "class_weight", [None, "balanced", {0: 0.1, 2: 3.0}, [1.0, 1 / 3, 2.0]], ids=str
)
def test_options_come_back_to_the_bit(path, data, class_weight):
    options = {
        "learning_rate": 0.1 + 0.2,
        "l2": 5e-324,
        "beta2": 1 - 2**-40,
        "class_weight": class_weight,
        "schedule": "plateau",
        "clip_norm": 1e300,
    }
    kept = checkpoints.load(write_interrupted(path, data, **options)).options
    whole = sigmax.FitOptions(epochs=5, optimizer="adam", **options)
    for name in (*options, "epochs", "optimizer", "patience", "batch_size", "nan"):
        assert kept[name] == getattr(whole, name), name
        assert type(kept[name]) is type(getattr(whole, name))


def test_truncated_at_every_byte_the_older_one_still_loads(plain, tmp_path, data):
    whole = plain.read_bytes()
    damaged = tmp_path / "damaged.npz"
    for length in [*range(0, len(whole), 17), len(whole) - 1]:
        damaged.write_bytes(whole[:length])
        with pytest.raises(sigmax.FileFormatError, match=r"damaged\.npz"):
            resume(damaged, data)
    assert resume(plain, data).epochs == 5


@pytest.mark.thorough
def test_flipped_bytes(plain, tmp_path, rng):
    whole = plain.read_bytes()
    expected = comparable(checkpoints.load(plain))
    damaged = tmp_path / plain.name
    harmless = 0
    positions = rng.choice(len(whole), 600, replace=False)
    for position in positions:
        content = bytearray(whole)
        content[position] ^= 0x10
        damaged.write_bytes(content)
        try:
            found = checkpoints.load(damaged)
        except sigmax.FileFormatError:
            continue
        harmless += 1  # a time or an attribute of the zip directory
        assert comparable(found) == expected
    assert harmless < len(positions) / 4


def test_a_full_disk_leaves_the_older_checkpoint(path, data, monkeypatch):
    write_interrupted(path, data)
    content = path.read_bytes()

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        resume(path, data, callbacks=[lambda *_: None])
    monkeypatch.undo()
    assert path.read_bytes() == content
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_file_that_cannot_be_written_is_found_out_before_the_training(data, tmp_path):
    network = new_network()
    before = what_it_holds(network)
    for path, word in ((tmp_path / "absent" / "run.npz", "absent"), (tmp_path, "regular file")):
        with pytest.raises(OSError, match=word):
            network.fit(*data, checkpoint=path)
    assert what_it_holds(network) == before


def test_models_and_checkpoints_know_each_other(plain, tmp_path, data):
    model = tmp_path / "model.npz"
    new_network().save(model)
    refused(model, data, sigmax.FileFormatError, "it is a model", "Network.load")
    with pytest.raises(sigmax.FileFormatError, match=r"checkpoint.*resume="):
        sigmax.Network.load(plain)


def test_no_file(path, data):
    with pytest.raises(FileNotFoundError):
        resume(path, data)


LIES = [
    ({"epoch": 3}, "epoch"),
    ({"epoch": 1}, "epoch"),
    ({"epoch": -1}, "epoch"),
    ({"epoch": 2.0}, "epoch"),
    ({"epoch": True}, "epoch"),
    ({"epoch": None}, "epoch"),
    ({"position": 41}, "position"),
    ({"position": -1}, "position"),
    ({"position": 2**63}, "position"),
    ({"cost": float("nan")}, "cost"),
    ({"cost": float("inf")}, "cost"),
    ({"cost": -1.0}, "cost"),
    ({"cost": "1"}, "cost"),
    ({"n_correct": None}, "n_correct"),
    ({"step": -1}, "step"),
    ({"step": 2**64}, "step"),
    ({"batch": []}, "batch"),
    ({"n_rows": 0.5}, "n_rows"),
    ({"finished": 1}, "finished"),
    ({"stopping": {"value": 1.0}}, "stopping"),
    ({"stopping": {"value": "x", "epoch": 1, "waited": 0}}, "stopping"),
    ({"stopping": []}, "stopping"),
    ({"schedule": {"surprise": 1}}, "schedule"),
    ({"stopped": 7}, "stopped"),
    ({"best_epoch": -3}, "best_epoch"),
    ({"best_epoch": "1"}, "best_epoch"),
    ({"marks": {"training": 0.5}}, "marks"),
    ({"marks": 3}, "marks"),
]


@pytest.mark.parametrize(("values", "word"), LIES, ids=str)
def test_lies_about_the_progress(plain, data, values, word):
    change(plain, lambda arrays: set_json(arrays, "progress", **values))
    refused(plain, data, sigmax.FileFormatError, plain.name, word)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"optimizer": "lion"}, "optimizer"),
        ({"epochs": -5}, "epochs"),
        ({"epochs": 1}, "epoch is 2 of 1"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"surprise": 1}, "surprise"),
        ({"optimizer": {"function": True}}, "optimizer"),
        ({"class_weight": {"pairs": 3}}, "mapping"),
        ({"class_weight": {"a": 1}}, "mapping"),
        ({"class_weight": {"pairs": [[-1, 2]]}}, "class_weight"),
        ({"optimizer": "sgd"}, "moments"),
        ({"optimizer": "momentum"}, "moments"),
        ({"callbacks": ["print"]}, "callbacks"),
    ],
    ids=str,
)
def test_lies_about_the_options(plain, data, values, word):
    change(plain, lambda arrays: set_json(arrays, "options", **values))
    refused(plain, data, sigmax.FileFormatError, plain.name, word)


@pytest.mark.parametrize("name", ["options", "progress"])
@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"a": ' + b"9" * 10_000 + b"}"]
)
def test_what_is_no_json(plain, data, name, text):
    change(plain, lambda arrays: arrays.update({name: np.frombuffer(text, np.uint8)}))
    refused(plain, data, sigmax.FileFormatError, name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("checkpoint_version", np.int64(2)),  # which has required_fields
        ("checkpoint_version", np.int64(3)),
        ("checkpoint_version", np.int64(0)),
        ("moments", np.zeros(3, np.float32)),
        ("moments", np.zeros(0, np.float32)),
        ("moments", np.zeros(86, np.float64)),
        ("moments", np.full(86, np.nan, np.float32)),
        ("best", np.zeros(42, np.float32)),
        ("best", np.full(43, np.inf, np.float32)),
        ("history_cost", np.zeros(3)),
        ("history_cost", np.zeros(2, np.float32)),
        ("history_accuracy", np.zeros(1)),
        ("history_val_cost", np.zeros(1)),
        ("epochs_trained", np.uint64(1)),
        ("parameters", np.zeros(44, np.float32)),
        ("parameters", np.full(43, np.nan, np.float32)),
        ("surprise", np.zeros(1)),
        ("options", np.array(["x"])),
    ],
    ids=lambda x: str(x)[:20].replace("\n", ""),
)
def test_lies_in_the_arrays(plain, data, name, value):
    change(plain, lambda arrays: arrays.update({name: value}))
    refused(plain, data, sigmax.FileFormatError, name)


def test_missing_arrays(plain, data, tmp_path):
    with np.load(plain) as file:
        names = file.files
    assert len(names) > 10
    for name in names:
        target = tmp_path / "less.npz"
        change(plain, lambda arrays, name=name: arrays.pop(name), target)
        with pytest.raises(sigmax.FileFormatError, match=name):
            resume(target, data)


def test_lies_cannot_make_resume_crash(plain, data):
    # A state that is possible in itself, though no training came to it.
    change(
        plain,
        lambda arrays: set_json(arrays, "progress", position=37, batch=99, cost=1e300, marks={}),
    )
    try:
        history = resume(plain, data)
    except (ValueError, sigmax.SigmaxError):
        return
    assert history.epochs == 5
