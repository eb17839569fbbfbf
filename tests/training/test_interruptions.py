"""Processes that are interrupted or killed at random moments of a training, and resumed."""

import os
import signal
import subprocess
import time

import numpy as np
import processes
import pytest
import sigmax
from helpers import what_it_holds
from sigmax._data import sources

ROWS = 300


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


def start(*arguments):
    process = processes.start("programs/interrupted_training.py", *arguments)
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process):
    status, out, _ = processes.finish(process)
    return status, out


@pytest.mark.thorough
@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
@pytest.mark.parametrize("kind", ["SIGINT", "SIGKILL"])
@pytest.mark.parametrize(
    "optimizer",
    [
        "adam",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("sgd", "momentum", "nesterov", "rmsprop", "adamw")
        ),
    ],
)
def test_ctrl_c_and_kill_at_random_moments(path, tmp_path, kind, optimizer):
    process = start("", "new", tmp_path / "whole.npz", optimizer)
    began = time.perf_counter()
    code, expected = finish(process)
    longest = time.perf_counter() - began
    assert code == 0
    rng = np.random.default_rng()  # other moments in every run
    how, interruptions = "new", 0
    while True:
        process = start(path, how, tmp_path / "resumed.npz", optimizer)
        try:
            process.wait(rng.uniform(0, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(getattr(signal, kind))
        code, out = finish(process)
        if code == 0:
            if interruptions >= 5:
                break
            how = "new"
            longest *= 0.7  # or a fast machine would never be interrupted
            path.unlink()
            continue
        # Ctrl-C may also come when Python is about to end, which it then does by that signal.
        assert code in {"SIGINT": (42, -signal.SIGINT), "SIGKILL": (-signal.SIGKILL,)}[kind]
        if path.exists():
            how = "resume"
        interruptions += 1
        longest *= 1.1  # or no machine would ever come to the end
    assert out == expected
    assert (tmp_path / "resumed.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


# ---- between any two lines of Python -------------------------------------------------------------


@pytest.fixture
def alarm():
    """Let a function raise KeyboardInterrupt after so many seconds, wherever it is then."""

    def handler(*_):
        raise KeyboardInterrupt

    def interrupted(seconds, function):
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            found = function()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            return None
        return found

    before = signal.signal(signal.SIGALRM, handler)
    yield interrupted
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def data_of(kind, X, y, tmp_path):
    """X, y and options of a kind of training."""
    if kind == "array":
        return X, y, {"validation_fraction": 0.2, "early_stopping": "cost", "patience": 3}
    if kind == "sparse":
        sparse = pytest.importorskip("scipy.sparse")
        return sparse.csr_array(np.where(np.abs(X) < 0.7, 0, X)), y, {"standardize": True}
    if kind == "memmap":
        mapped = np.memmap(tmp_path / "X.bin", np.float32, "w+", shape=X.shape)
        mapped[:] = X
        return mapped, y, {"class_weight": "balanced"}

    def stream():
        for start in range(0, ROWS, 37):
            yield X[start : start + 37], y[start : start + 37]

    return stream, None, {"schedule": "plateau", "schedule_epochs": 1}


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
@pytest.mark.filterwarnings("ignore::sigmax.TrainingWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", ["array", "sparse", "memmap", "stream"])
def test_ctrl_c_between_any_two_lines(kind, path, tmp_path, rng, alarm, monkeypatch):
    monkeypatch.setattr(sources, "_CHUNK_BYTES", 60 * 24)
    X = rng.normal(size=(ROWS, 6)).astype(np.float32)
    y = (X[:, :3] + 0.5 * rng.normal(size=(ROWS, 3))).argmax(axis=1)
    X, y, more = data_of(kind, X, y, tmp_path)
    options = {"epochs": 8, "optimizer": "adam", "dropout": 0.2, "batch_size": 9, **more}
    whole = sigmax.Network([6, 9, 3], seed=1)
    began = time.perf_counter()
    expected = vars(whole.fit(X, y, **options))
    longest = time.perf_counter() - began
    moments = np.random.default_rng()  # others in every run
    completed = interruptions = 0
    how = {"checkpoint": path, "checkpoint_every": 2, **options}
    while completed < 20 or interruptions < 20:
        network = sigmax.Network([6, 9, 3], seed=1)
        delay = moments.uniform(1e-5, longest)
        history = alarm(delay, lambda how=how, n=network: n.fit(X, y, **how))
        if history is None:
            interruptions += 1
            longest *= 1.2  # or no machine would ever complete one
            how = {"resume": path} if path.exists() else how
            continue
        completed += 1
        longest *= 0.7  # or a fast one would never be interrupted
        for name, values in vars(history).items():
            assert name == "seconds" or values == expected[name], name
        assert what_it_holds(network) == what_it_holds(whole)
        path.unlink()
        how = {"checkpoint": path, "checkpoint_every": 2, **options}
    assert not list(tmp_path.glob(".sigmax*")), "a temporary file was left behind"
