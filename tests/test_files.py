"""Model files: the same bits back, and an earlier file replaced as a whole or not at all."""

import os
import stat
import subprocess
import sys

import numpy as np
import pytest
import sigmax
from helpers import random_data, randomize, saved_bytes, what_it_holds
from sigmax import files

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
    code = f"""
import resource, signal, sigmax
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
network = sigmax.Network([300, 200, 10], seed=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    network.save({str(path)!r})
except OSError:
    print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "refused", done.stderr
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
