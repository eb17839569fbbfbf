"""A program that fails, hangs or complains fails the test that runs it."""

import os

import processes
import pytest


def test_a_program_that_ends_with_an_error():
    with pytest.raises(AssertionError, match=r"(?s)exit code 2.*no_such_program\.py"):
        processes.run("programs/no_such_program.py")
    with pytest.raises(AssertionError, match=r"(?s)exit code 1.*IndexError"):
        processes.run("programs/predict_isolated.py")  # without its argument


def test_a_program_that_prints_to_stderr():
    with pytest.raises(AssertionError, match="import 'encodings"):
        processes.run("programs/memory.py", options=["-v"])


def test_a_program_that_hangs():
    reading, writing = os.pipe()  # nothing comes, and no end
    process = processes.start("programs/memory.py", options=["-i"], stdin=reading)
    with pytest.raises(AssertionError, match=r"still running after 0\.5 s"):
        processes.finish(process, timeout=0.5)
    assert process.poll() is not None
    os.close(reading)
    os.close(writing)


def test_variables_are_changed_and_removed(monkeypatch):
    monkeypatch.setenv("SIGMAX_NUM_THREADS", "3")
    program, order = "programs/threadpoolctl_limits.py", ("threadpoolctl", "sigmax", "no")
    pytest.importorskip("threadpoolctl", minversion="3.2")
    assert processes.run(program, *order).startswith("[[3], ")
    assert processes.run(program, *order, env={"SIGMAX_NUM_THREADS": "5"}).startswith("[[5], ")
    removed = {"SIGMAX_NUM_THREADS": None, "OMP_NUM_THREADS": "4"}
    assert processes.run(program, *order, env=removed).startswith("[[4], ")
