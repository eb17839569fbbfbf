"""Ctrl-C before any single line of the training loop: what is resumed equals what never stopped."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import sigmax

PACKAGE = Path(sigmax.__file__).parent
TRAINING = (
    *("fit", "run", "epoch", "stopping", "schedules", "checkpoint_file", "resuming"),
    *("training_state", "full_batch", "lbfgs"),
)
LOOP = {str(PACKAGE / "_training" / f"{name}.py") for name in TRAINING}
LOOP |= {str(PACKAGE / "_model" / "inference.py"), str(PACKAGE / "_data" / "sources.py")}
assert all(map(os.path.exists, LOOP))
SIZES = (4, 6, 3)

pytestmark = pytest.mark.filterwarnings("ignore:training stalled")  # labels at random


class InterruptAt:
    """A tracer that raises KeyboardInterrupt before the n-th line of the loop; 0: it counts."""

    def __init__(self, n):
        self.n = n

    def __call__(self, frame, event, arg):
        return self.line if frame.f_code.co_filename in LOOP else None

    def line(self, frame, event, arg):
        if event == "line":
            self.n -= 1
            if self.n == 0:
                raise KeyboardInterrupt
        return self.line


def traced(tracer, call):
    """What call returns, traced."""
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        return call()
    finally:
        sys.settrace(before)


def what_counts(network, history):
    kept = {name: value for name, value in vars(history).items() if name != "seconds"}
    return kept, network.parameters.tobytes(), network.epochs_trained, len(history.seconds)


STEPPED = {"epochs": 6, "batch_size": 4, "schedule": "plateau", "schedule_epochs": 1}
RUNS = {
    "array": {**STEPPED, "optimizer": "adam", "learning_rate": 0.05, "dropout": 0.3,
              "early_stopping": "cost", "patience": 2, "validation_fraction": 0.3},
    "lbfgs": {"epochs": 6, "optimizer": "lbfgs", "l2": 0.01},
    "stream": {**STEPPED, "optimizer": "momentum", "warmup_epochs": 1, "standardize": True},
    "memmap": {**STEPPED, "optimizer": "rmsprop", "learning_rate": 0.01, "class_weight": [1, 2, 3],
               "checkpoint_every": 2},
}  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("share", [40, pytest.param(400, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", RUNS)
def test_a_resumed_training_equals_an_uninterrupted_one(kind, share, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # takes most of the time
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(23, 4)), rng.integers(0, 3, 23)
    data = X, y
    if kind == "stream":
        data = (lambda: iter([(X[:7], y[:7]), (X[7:9], y[7:9]), (X[9:], y[9:])]),)
    if kind == "memmap":
        mapped = np.memmap(tmp_path / "X", np.float64, "w+", shape=X.shape)
        mapped[:] = X
        data = mapped, y
    path = tmp_path / "run.checkpoint"
    options = {**RUNS[kind], "checkpoint": path}
    whole = sigmax.Network(SIZES, seed=1)
    lines = InterruptAt(0)
    expected = what_counts(whole, traced(lines, lambda: whole.fit(*data, **options)))
    if kind == "array":
        assert expected[0]["stopped"] == "early_stopping"

    step, resumed = max(1, -lines.n // share), 0
    for n in range(1, -lines.n + 1, step):
        path.unlink()
        network = sigmax.Network(SIZES, seed=1)
        try:
            traced(InterruptAt(n), lambda network=network: network.fit(*data, **options))
            continue  # fewer lines than counted: how often C is called depends on the clock
        except KeyboardInterrupt:
            pass
        assert np.isfinite(network.parameters).all()
        if not path.exists():  # as before the first epoch begins
            path.touch()
            continue
        again = sigmax.Network(SIZES, seed=99)
        assert what_counts(again, again.fit(*data, resume=path)) == expected, f"line {n}"
        resumed += 1
    assert resumed >= 0.6 * min(share, -lines.n)
