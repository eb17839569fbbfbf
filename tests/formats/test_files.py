"""Model files: the same bits back, and an earlier file replaced as a whole or not at all."""

import base64
import json
import os
import stat
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import processes
import pytest
import sigmax
from c_library import ARCHIVE, ROOT, build
from helpers import random_data, randomize, saved_bytes, what_it_holds
from sigmax import files
from sigmax._data.preparation import Preparation
from sigmax._formats import archive
from sigmax._model import model_file

SIZES = (4, 3, 2)


@pytest.fixture
def network(dtype, rng):
    return randomize(sigmax.Network(SIZES, dtype=dtype, seed=2**64 - 1), rng)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


# ---- round trip ----------------------------------------------------------------------------------


def test_round_trip_keeps_every_bit(network, path, rng):
    X, labels, _ = random_data(rng, 30, SIZES)
    network.fit(X, labels, epochs=2)
    network.parameters[:3] = [-0.0, np.finfo(network.dtype).smallest_subnormal, 1 / 3]
    network.save(path)
    loaded = sigmax.Network.load(path)
    assert what_it_holds(loaded) == what_it_holds(network)
    np.testing.assert_array_equal(loaded.predict_proba(X), network.predict_proba(X))
    network.fit(X, labels, epochs=2)
    loaded.fit(X, labels, epochs=2)
    assert what_it_holds(loaded) == what_it_holds(network)


@pytest.mark.parametrize("sizes", [(1, 2), (3, 2), (1, 1, 1, 2), (784, 30, 10)], ids=str)
def test_round_trip_of_other_sizes(path, dtype, sizes):
    network = sigmax.Network(sizes, dtype=dtype, seed=1)
    network.save(path)
    assert what_it_holds(sigmax.Network.load(path)) == what_it_holds(network)


def test_a_loaded_network_is_like_any_other(network, path):
    network.save(path)
    loaded = sigmax.Network.load(path)
    path.unlink()
    assert loaded.parameters.flags.writeable
    assert loaded.parameters.ctypes.data % 64 == 0
    loaded.weights[0][:] = 0
    assert (network.weights[0] != 0).all()


def test_class_names(network, path):
    files.save(path, network, class_names=["Katze", "猫 🐈"])
    stored = files.load(path)
    assert list(stored.class_names) == ["Katze", "猫 🐈"]
    assert what_it_holds(stored.network) == what_it_holds(network)
    network.save(path)
    assert files.load(path).class_names is None


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [
        (["1", "2.5"], "int", r"class_names\[1\] is '2.5'; expected int"),
        (["1", "02"], "int", r"class_names\[1\]"),
        (["True", "yes"], "bool", r"class_names\[1\]"),
        (["1.0", "2"], "float", r"class_names\[1\]"),
        (["a", "b"], "list", "class_kind is 'list'; expected one of str, int, float, bool"),
    ],
)
def test_the_kind_of_the_classes_is_checked_on_both_ways(network, path, names, kind, message):
    with pytest.raises(ValueError, match=message):
        files.save(path, network, class_names=names, class_kind=kind)
    assert not path.exists()
    arrays = {
        "format_version": np.int64(1),
        **model_file.model_arrays(network._model),
        "class_kind": archive.as_text(kind),
    }
    archive.write(path, {**arrays, "class_names": archive.as_text(names)})
    with pytest.raises(sigmax.FileFormatError, match=f"{path.name}: {message}"):
        files.load(path)
    archive.write(path, arrays)
    with pytest.raises(sigmax.FileFormatError, match="class_names is missing"):
        files.load(path)


@pytest.mark.parametrize("names", [["one"], ["a", "b", "c"], [], ["same", "same"], [1, 2], "ab"])
def test_bad_class_names(network, path, names):
    with pytest.raises((TypeError, ValueError), match="class_names"):
        files.save(path, network, class_names=names)
    assert not path.exists()


@pytest.mark.parametrize(
    "name", ["model", "model.npz", "model.sigmax", "modèle 1.net", "m.npz.bak"]
)
def test_the_path_is_taken_as_it_is(network, tmp_path, name):
    network.save(str(tmp_path / name))
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert what_it_holds(sigmax.Network.load(tmp_path / name)) == what_it_holds(network)


def test_numpy_can_read_it_without_pickle(network, path):
    network.save(path)
    with np.load(path, allow_pickle=False) as arrays:
        by_size = {arrays[name].size: arrays[name] for name in arrays.files}
    np.testing.assert_array_equal(by_size[network.n_parameters], network.parameters)


def test_the_same_network_gives_the_same_file(network, path, tmp_path):
    first = saved_bytes(network, path)
    assert saved_bytes(network.copy(), tmp_path / "other") == first


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_the_file_has_ordinary_permissions(network, path):
    umask = os.umask(0o022)
    try:
        network.save(path)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


# ---- saving replaces a file as a whole or not at all ---------------------------------------------


def test_saving_again_replaces_the_file(network, path, tmp_path):
    network.save(path)
    network.parameters[:] = 1.0
    network.save(path)
    np.testing.assert_array_equal(sigmax.Network.load(path).parameters, network.parameters)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_failing_save_leaves_the_earlier_file(network, path, tmp_path, monkeypatch, function):
    earlier = saved_bytes(network, path)

    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, function, fail)
    network.parameters[:] = 1.0
    with pytest.raises(OSError, match="No space left"):
        network.save(path)
    monkeypatch.undo()
    assert path.read_bytes() == earlier
    assert list(tmp_path.iterdir()) == [path], "the temporary file was left behind"


def test_an_interrupted_save_leaves_the_earlier_file(network, path, tmp_path, monkeypatch):
    earlier = saved_bytes(network, path)

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        network.save(path)
    monkeypatch.undo()
    assert path.read_bytes() == earlier
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_full_disk_leaves_the_earlier_file(network, path, tmp_path):
    earlier = saved_bytes(network, path)
    # CPython 3.13's zipfile complains on stderr of what it could not write
    process = processes.start("programs/save_beyond_a_limit.py", path)
    status, out, errors = processes.finish(process)
    assert (status, out) == (0, "refused\n"), errors
    assert path.read_bytes() == earlier
    assert list(tmp_path.iterdir()) == [path]


def test_saving_where_no_file_can_be(network, tmp_path):
    with pytest.raises(OSError):
        network.save(tmp_path / "absent" / "model.npz")
    with pytest.raises(OSError):
        network.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_parameters_that_are_not_finite_are_not_saved(network, path, value):
    network.biases[1][1] = value
    with pytest.raises(ValueError, match="biases"):
        network.save(path)
    assert not path.exists()


# ---- preparation and temperature -----------------------------------------------------------------

WIDE = np.array([[1e6, 2e6, 3e6, 4e6], [-1.0, 0.5, np.nan, 1e-300]])
PREPARATIONS = {
    "none": {},
    "standardized": {"mean": [0.1, -1e30, 5e-324, 7.0], "scale": [1 / 3, 1.0, 1e-12, 9.0]},
    "filled": {"fill": [0.0, -0.0, 1.5, 2.5]},
    "both": {"mean": [1e6] * 4, "scale": [1 / 7] * 4, "fill": [1.0, 2.0, 3.0, 4.0]},
}


@pytest.mark.parametrize("temperature", [1.0, 0.1 + 0.2, 1e-3])
@pytest.mark.parametrize("kind", PREPARATIONS)
def test_preparation_and_temperature(network, path, kind, temperature):
    values = PREPARATIONS[kind]
    network._model.preparation = Preparation(**values) if values else None
    network._model.temperature = temperature
    network.save(path)
    loaded = sigmax.Network.load(path)
    assert what_it_holds(loaded) == what_it_holds(network)
    assert loaded.temperature == temperature
    assert (loaded.preparation is None) == (not values)
    for name in ("mean", "scale", "fill"):
        kept, given = getattr(loaded.preparation, name, None), values.get(name)
        assert (kept is None) == (given is None)
        assert given is None or kept.tobytes() == np.array(given).tobytes()
    X = WIDE if "fill" in values else WIDE[:1]
    np.testing.assert_array_equal(loaded.predict_proba(X), network.predict_proba(X))


def test_a_model_that_needs_neither_is_a_file_as_before_there_were_any(network, path):
    network.save(path)
    with np.load(path, allow_pickle=False) as arrays:
        assert set(arrays.files) == {
            "format_version", "sizes", "dtype", "parameters", "seed", "epochs_trained",
        }  # fmt: skip
        assert arrays["format_version"] == 1


# A file as the first version of this code wrote it, compressed: 2-3-2, parameters 0/7, 1/7, ...
FIRST_FORMAT = """
eNoL8GZm0WWAAEWGJRvnr/oPBUIMIgxp+UW5iSXxZalFxZn5eXp5BZWMDAIMHVD1MHqyX6hvQCQjQxlDtXpKanFykbqVgrpN
poW6joI60ISSosS8+PyilFSQuFtiTnEqULw4I7EgFcjX0NRRqFWgCHAxQt0RgOKX2Ss7t8D8wgn0S3FmVWoxzAszoMpmUMML
xjqUeoKLCeoOZijNhNVLE7fskUP2UkpJZUEqzEtzoMrm4PVSqDm9YiUN6IYcIM4H4kQgLgFiMyA2wfCWbleHMcxbfEBvFSQW
JeamlgATHcxvHNAohtHY/ZZGXHQZmlMaX1xQpzNMUvEEokP2EPqS/e1tuSAE5T+y3w7mPoOKv7aH6PoAlf9krwqiJn2Bqvtm
D+aq/ISq/22fB2b8hepjcIDIMzpA9DM5oIZjHjuPLiwcOUApPjU1hbQ8W0q3PHuJS/51z8qQ1ag++Pnm6jHk8ie1ID85ozge
6JrMvMHrF1asmdUjV1wY5hd+oF+ScxKLi+PzgCkbnqxXQBWvwJ9lTYnyiBHlpVAeNLsig0ogTgXiYiBWAGJhdZBHGZl0mVGr
jQ5ohAgh6W0AZ1fMSgRdP6iongEtjTlR9J8B2QwruNG1gYrDOdASD1XbfKDF8MIRXRuouAEVJCDMh6KtDFjsohY+6HpBWQzm
Uw4UvfuARTcsw6HrAiVr7OHTwMKAJZGj6wclpRXQdMKPot8HmPbQElaANysbSJIdCOcCvWgK5gEATzTD+A==
"""


def test_a_file_of_the_first_format_still_loads(path):
    path.write_bytes(zlib.decompress(base64.b64decode(FIRST_FORMAT)))
    stored = files.load(path)
    network = stored.network
    assert (network.sizes, network.dtype) == ((2, 3, 2), np.float64)
    np.testing.assert_array_equal(network.parameters, np.arange(17) / 7)
    assert (network.seed, network.epochs_trained) == (12345678901234567890, 5)
    assert (network.preparation, network.temperature) == (None, 1.0)
    assert stored.class_names == ("no", "yes \u2713")


def test_a_stored_file_of_version_1_still_loads():
    # 3-2-2 with all that version 1 could hold, written before there was a version 2
    stored = files.load(Path(__file__).with_name("version_1.npz"))
    network = stored.network
    assert (network.sizes, network.dtype, network.seed) == ((3, 2, 2), np.float32, 7)
    assert (network.epochs_trained, network.temperature) == (3, 1.25)
    assert (stored.class_names, stored.class_kind) == (("False", "True"), "bool")
    assert network.column_names is None
    X = [[0.12573022, np.nan, 0.64042265], [0.10490012, -0.53566937, 0.36159505]]
    expected = [[0.5262136, 0.4737864], [0.51261836, 0.48738164]]
    np.testing.assert_allclose(network.predict_proba(X), expected, rtol=1e-5)


# ---- version 2 -----------------------------------------------------------------------------------

COLUMNS = ("länge", "b" * 2000, "\0 \ud800", "")


def members(path):
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def version_2(network, path, **changed):
    """Write a file of version 2, with some arrays changed, and return its arrays."""
    network._model.column_names = COLUMNS
    network.save(path)
    arrays = {**members(path), **changed}
    with path.open("wb") as file:
        np.savez(file, **arrays)
    return arrays


@pytest.mark.parametrize("kind", PREPARATIONS)
def test_names_of_columns_make_a_file_of_version_2(network, path, kind):
    values = PREPARATIONS[kind]
    network._model.preparation = Preparation(**values) if values else None
    arrays = version_2(network, path)
    assert arrays["format_version"] == 2
    required = json.loads(arrays["required_fields"].tobytes())
    expected = ["sizes", "dtype", "parameters", *(f"preparation_{name}" for name in values)]
    assert required == expected
    assert json.loads(arrays["column_names"].tobytes()) == list(COLUMNS)
    assert path.stat().st_size < 10_000  # a long name does not widen the others
    loaded = sigmax.Network.load(path)
    assert loaded.column_names == COLUMNS
    assert what_it_holds(loaded) == what_it_holds(network)


def test_a_field_of_a_later_release_is_ignored_where_the_file_allows_it(network, path):
    version_2(network, path, column_kinds=np.zeros(3), later=np.zeros((2, 2), "<U3"))
    loaded = sigmax.Network.load(path)
    assert what_it_holds(loaded) == what_it_holds(network)
    loaded.save(path)
    assert not {"column_kinds", "later"} & set(members(path))


def test_a_field_of_a_later_release_that_is_required_is_refused_by_name(network, path):
    required = archive.as_json(["sizes", "dtype", "parameters", "column_kinds"])
    version_2(network, path, column_kinds=np.zeros(3), required_fields=required)
    with pytest.raises(sigmax.FileFormatError, match=r"it needs 'column_kinds'.*--upgrade sigmax"):
        sigmax.Network.load(path)
    version_2(network, path, required_fields=required)
    with pytest.raises(sigmax.FileFormatError, match="has 'column_kinds', which is missing"):
        sigmax.Network.load(path)


@pytest.mark.parametrize("version", [3, 2**40])
def test_a_file_of_a_later_version_says_what_to_do(network, path, version):
    version_2(network, path, format_version=np.int64(version), later=np.zeros(3))
    message = f"format_version is {version}, of a later release.*1 to 2.*pip install --upgrade"
    with pytest.raises(sigmax.FileFormatError, match=message):
        sigmax.Network.load(path)


# ---- in C ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def predict_model(tmp_path_factory):
    """Compile the C program that uses a model file."""
    build(str(ARCHIVE))
    program = tmp_path_factory.mktemp("c") / "predict_model"
    source = ROOT / "tests" / "c" / "predict_model.c"
    compiler = os.environ.get("CC", "cc").split()
    flags = ["-std=c99", "-Wall", "-Wextra", "-pedantic", f"-I{ROOT / 'csrc'}"]
    command = [*compiler, *flags, source, "-o", program, ARCHIVE, "-lm", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return program


def run_in_c(program, path, X):
    return subprocess.run(
        [program, path], input=X.tobytes(), capture_output=True, timeout=600, check=False
    )


@pytest.mark.skipif(sys.byteorder != "little", reason="the program is for little-endian machines")
def test_a_c_program_uses_a_model_file(predict_model, network, path, rng):
    X = rng.normal(size=(50, 4)).astype(network.dtype)
    files.save(path, network, class_names=["Katze", "猫"])
    done = run_in_c(predict_model, path, X)
    assert done.returncode == 0, done.stderr
    found = np.frombuffer(done.stdout, network.dtype).reshape(50, 2)
    np.testing.assert_allclose(found, network.predict_proba(X), rtol=1e-5)

    version_2(network, path, later=np.zeros(3))
    assert run_in_c(predict_model, path, X).stdout == done.stdout
    required = archive.as_json(["sizes", "dtype", "parameters", "later"])
    version_2(network, path, later=np.zeros(3), required_fields=required)
    assert b"the model needs later, which" in run_in_c(predict_model, path, X).stderr
    version_2(network, path, format_version=np.int64(3))
    assert b"later version" in run_in_c(predict_model, path, X).stderr

    network._model.temperature = 2.0
    network.save(path)
    assert b"temperature" in run_in_c(predict_model, path, X).stderr
    network._model.preparation, network._model.temperature = Preparation(fill=[0, 0, 0, 0]), 1.0
    network.save(path)
    assert b"prepares its input" in run_in_c(predict_model, path, X).stderr
