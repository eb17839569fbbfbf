"""Fixtures of all tests, and the one hypothesis profile."""

import os
import signal
from pathlib import Path

# Before NumPy is loaded, here and in the workers of pytest-xdist: of its BLAS's threads those that
# wait spin, on cores that others compute on.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest
import sigmax
from expected_skips import pytest_sessionfinish  # noqa: F401 (a hook)

# The same examples in every run on a build server, new ones at a desk; no deadline on any machine.
on_server = bool(os.environ.get("CI"))
hypothesis.settings.register_profile("sigmax", deadline=None, derandomize=on_server)
hypothesis.settings.load_profile("sigmax")

# A shell starts what runs in its background with Ctrl-C ignored, and that is inherited: the tests
# of Ctrl-C, and the processes they start, would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng():
    """A generator that is the same in every test and every run."""
    return np.random.default_rng(20240229)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """Each precision in turn."""
    return request.param


@pytest.fixture(params=sigmax.instruction_sets())
def instruction_set(request, monkeypatch):
    """Each instruction set of this machine in turn: networks made in the test compute with it."""
    monkeypatch.setenv("SIGMAX_ISA", request.param)
    return request.param


@pytest.fixture(scope="session")
def mnist():
    """MNIST's arrays, from the .npz file that the environment variable SIGMAX_MNIST names."""
    path = Path(os.environ.get("SIGMAX_MNIST", ""))
    if not path.is_file():
        pytest.skip("no MNIST: SIGMAX_MNIST names no file")
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
