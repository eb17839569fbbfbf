"""Ctrl-C, kill -9, a full disk, a folder that cannot be written to: at any moment, many times."""

import os
import pickle
import signal
import statistics
import subprocess
import sys
import time

import numpy as np
import processes
import pytest
import sigmax

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Linux has all of these"),
    pytest.mark.filterwarnings("ignore:training stalled"),  # labels at random
    # zipfile and others may be interrupted while they are being taken down
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SIZES = (100, 150, 5)
ROWS = 300
ONE_BATCH = {"batch_size": ROWS, "learning_rate": 0.05, "shuffle": False}
PATIENCE = 60.0  # seconds: 0.2 by design, the rest is for machines with other work to do


@pytest.fixture
def data(rng):
    return rng.normal(size=(ROWS, SIZES[0])).astype(np.float32), rng.integers(0, 5, ROWS)


@pytest.fixture
def ctrl_c(tried):
    """Interrupt function after so many seconds; gives (whether, seconds until it was back)."""
    waits = []

    def interrupted(seconds, function):
        began = time.perf_counter()
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            function()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            waits.append(time.perf_counter() - began - seconds)
            assert waits[-1] < PATIENCE, f"back only {waits[-1]:.2f} s after Ctrl-C"
            return True
        return False

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield interrupted
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    if waits:
        middle, longest = statistics.median(waits), max(waits)
        print(f"\n{len(waits)} interrupted; back after {middle:.4f} s, at most {longest:.4f} s")


def many(n, ctrl_c, longest, function, check, tried, what):
    """Interrupt function n times, at moments up to `longest` seconds after its beginning."""
    moments, hit = np.random.default_rng(), 0  # others in every run
    for _ in range(20 * n):
        if ctrl_c(moments.uniform(1e-5, longest), function):
            hit += 1
            longest *= 1.1
        else:  # it was over before: the first time took longer, or the machine was busier
            longest *= 0.8
        check()
        if hit == n:
            break
    assert hit >= n / 2, f"only {hit} of {n} interruptions came in time"
    tried(f"Ctrl-C during {what}", hit)


def duration(function):
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lbfgs"])
def test_ctrl_c_during_fit(data, ctrl_c, optimizer, rounds, tried):
    options = {"optimizer": optimizer, "epochs": 12, **({} if optimizer == "lbfgs" else ONE_BATCH)}
    sizes = (SIZES[0], 40, 5) if optimizer == "lbfgs" else SIZES  # its epochs are longer
    states = {sigmax.Network(sizes, seed=1).parameters.tobytes()}

    def record(network, epoch, history):
        states.add(network.parameters.tobytes())

    sigmax.Network(sizes, seed=1).fit(*data, callbacks=[record], **options)
    networks = []

    def fit():
        networks.append(sigmax.Network(sizes, seed=1))
        networks[-1].fit(*data, **options)

    def check():
        for network in networks:  # one, or none when Ctrl-C was faster
            assert network.parameters.tobytes() in states, "parameters of half an update"
            network.fit(*data, epochs=1, **ONE_BATCH)
        networks.clear()

    n = rounds(5, 60) if optimizer == "lbfgs" else rounds(15, 200)
    many(n, ctrl_c, duration(fit), fit, check, tried, f"fit by {optimizer}")


def test_ctrl_c_during_a_long_prediction(ctrl_c, rounds, tried):
    # Sixteen calls of C, each of which Ctrl-C waits for.
    network = sigmax.Network([300, 500, 10], seed=1)
    X = np.zeros((16 * network._model.call_rows, 300), np.float32)
    expected = network.predict(X[:100]).tobytes()

    def check():
        assert network.predict(X[:100]).tobytes() == expected

    for function in (network.predict_proba, network.predict):
        seconds = duration(lambda function=function: function(X))
        call = lambda function=function: function(X)  # noqa: E731
        many(rounds(4, 100), ctrl_c, seconds, call, check, tried, "predict")


def test_ctrl_c_during_save(ctrl_c, tmp_path, rounds, tried):
    path = tmp_path / "model.npz"
    networks = [sigmax.Network(SIZES, seed=seed) for seed in range(2)]
    whole = {network.parameters.tobytes() for network in networks}
    networks[0].save(path)

    def save():
        networks.reverse()
        networks[0].save(path)

    def check():
        assert sigmax.Network.load(path).parameters.tobytes() in whole
        assert os.listdir(tmp_path) == ["model.npz"], "a temporary file was left behind"

    many(rounds(25, 200), ctrl_c, 2 * duration(save), save, check, tried, "save")


def test_ctrl_c_during_load(ctrl_c, tmp_path, rounds, tried):
    path = tmp_path / "model.npz"
    network = sigmax.Network([500, 400, 5], seed=1)
    network.save(path)
    content = path.read_bytes()

    def check():
        assert path.read_bytes() == content

    seconds = 1.5 * duration(lambda: sigmax.Network.load(path))
    many(
        rounds(25, 200),
        *(ctrl_c, seconds, lambda: sigmax.Network.load(path), check, tried, "load"),
    )
    assert sigmax.Network.load(path).parameters.tobytes() == network.parameters.tobytes()


def test_ctrl_c_during_a_copy_and_a_pickle(ctrl_c, rounds, tried):
    network = sigmax.Network([500, 400, 5], seed=1)
    bits = network.parameters.tobytes()

    def copies():
        for _ in range(20):
            pickle.loads(pickle.dumps(network.copy()))

    def check():
        assert network.copy().parameters.tobytes() == bits  # a lock that stayed closed would hang

    many(rounds(20, 200), ctrl_c, duration(copies), copies, check, tried, "copy and pickle")


# ---- kill -9 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["save", "checkpoint"])
def test_kill_9(kind, tmp_path, rounds, tried):
    n = rounds(30, 200)
    program, alone = "stress/programs/killed_while_writing.py", {"SIGMAX_NUM_THREADS": "1"}
    out = processes.run(program, kind, n, tmp_path, env=alone)
    found, left = map(int, out.split())
    assert found >= n / 3, f"in {n - found} of {n} rounds nothing had been written yet"
    tried(f"kill -9 during {kind}: a complete file was read back", found)
    tried(f"kill -9 during {kind}: of them in the middle of writing one", left)


# ---- no room, no permission ----------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk],
            **{"capture_output": True, "text": True, "check": False},
        )
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk(small_disk, data, tried):
    path = small_disk / "model.npz"
    small = sigmax.Network(SIZES, seed=1)  # 63 KB
    small.save(path)
    content = path.read_bytes()
    large = sigmax.Network([100, 2000, 5], seed=1)
    with pytest.raises(OSError, match="No space left"):
        large.save(path)
    assert path.read_bytes() == content
    assert os.listdir(small_disk) == ["model.npz"]

    checkpoint = small_disk / "run.checkpoint"
    history = sigmax.Network(SIZES, seed=1).fit(
        *data, epochs=2, optimizer="sgd", checkpoint=checkpoint, **ONE_BATCH
    )
    assert len(history.cost) == 2
    good = checkpoint.read_bytes()
    (small_disk / "filler").write_bytes(bytes(256 * 1024 - 2 * len(content) - 40_000))
    network = sigmax.Network(SIZES, seed=1)
    with pytest.raises(OSError, match="No space left"):
        network.fit(*data, epochs=3, optimizer="adam", checkpoint=checkpoint, **ONE_BATCH)
    assert checkpoint.read_bytes() == good
    assert sorted(os.listdir(small_disk)) == ["filler", "model.npz", "run.checkpoint"]
    assert np.isfinite(network.parameters).all() and network.epochs_trained == 1
    network.fit(*data, epochs=1, **ONE_BATCH)
    tried("writes to a full disk", 2)


def test_files_that_may_not_grow(tmp_path, tried):
    # The same without a file system of its own: RLIMIT_FSIZE, at every size up to the whole.
    refused = int(processes.run("stress/programs/limited_file_size.py", tmp_path))
    assert refused >= 20
    tried("files that could not grow to their size", refused)


def test_a_folder_that_cannot_be_written_to(tmp_path, tried):
    folder = tmp_path / "folder"
    folder.mkdir()
    if processes.run("stress/programs/folder_without_permission.py", folder) == "cannot\n":
        pytest.skip("root, who cannot become anybody else")
    tried("writes to a folder without permission", 3)
