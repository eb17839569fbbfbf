"""Processes that are interrupted or killed at random moments of a training, and resumed."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

SCRIPT = """
import sys, numpy as np, sigmax
path, resume, out = sys.argv[1:]
rng = np.random.default_rng(3)
X = rng.normal(size=(3000, 20)).astype(np.float32)
y = (X @ rng.normal(size=(20, 4))).argmax(axis=1)
network = sigmax.Network([20, 30, 4], seed=9)
options = dict(epochs=40, optimizer="adam", dropout=0.25, validation_fraction=0.2,
               early_stopping="cost", patience=40, schedule="cosine", batch_size=7)
print("ready", flush=True)
try:
    if resume == "resume":
        history = network.fit(X, y, resume=path)
    else:
        history = network.fit(X, y, checkpoint=path if path else None, **options)
except KeyboardInterrupt:
    sys.exit(42)
network.save(out)
print(repr([history.cost, history.val_cost, history.best_epoch]))
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


def start(*arguments):
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process):
    out, _ = process.communicate(timeout=120)
    return process.returncode, out


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
@pytest.mark.parametrize("kind", ["SIGINT", "SIGKILL"])
def test_ctrl_c_and_kill_at_random_moments(path, tmp_path, kind):
    began = time.perf_counter()
    code, expected = finish(start("", "new", tmp_path / "whole.npz"))
    seconds = time.perf_counter() - began
    assert code == 0
    rng = np.random.default_rng()  # other moments in every run
    how, interruptions = "new", 0
    for _ in range(15):
        process = start(path, how, tmp_path / "resumed.npz")
        try:
            process.wait(rng.uniform(0, 0.3 * seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(getattr(signal, kind))
        code, out = finish(process)
        if code == 0:
            break
        assert code == {"SIGINT": 42, "SIGKILL": -signal.SIGKILL}[kind]
        if path.exists():
            how = "resume"
        interruptions += 1
    else:
        # Killed again and again before the next checkpoint: let it end.
        code, out = finish(start(path, how, tmp_path / "resumed.npz"))
    assert code == 0
    assert interruptions >= 2
    assert out == expected
    assert (tmp_path / "resumed.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
