"""Scripts in processes of their own, which a test can watch, signal and outlive."""

import os
import signal
import subprocess
import sys
import time

HANGS = 900  # seconds, after which a process does so; a busy machine takes long for anything

BEGIN = """
import os, signal, sys, threading, time
import numpy as np, sigmax
signal.signal(signal.SIGINT, signal.default_int_handler)
rng = np.random.default_rng(1)

def problem(rows=400, sizes=(40, 64, 5), dtype=np.float32):
    return rng.normal(size=(rows, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], rows)
"""


def start(code, *arguments, env=None, **options):
    """The process that runs code; what it prints can be read as text."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", BEGIN + code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
        **options,
    )


def finish(process, timeout=HANGS):
    """(exit code, what it printed); a process that hangs fails the test, and is killed."""
    try:
        out, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, errors = process.communicate()
        raise AssertionError(f"still running after {timeout} s:\n{out}\n{errors}") from None
    return process.returncode, out, errors


def run(code, *arguments, timeout=HANGS, **options):
    """What code prints; it must end well, and print nothing to stderr."""
    status, out, errors = finish(start(code, *arguments, **options), timeout)
    assert status == 0, f"exit code {status}\n{out}\n{errors}"
    assert not errors, errors
    return out


def signal_after(process, seconds, number=signal.SIGINT):
    """Send a signal, so many seconds after the process has said "ready"."""
    line = process.stdout.readline()
    assert line == "ready\n", line + process.stderr.read()
    time.sleep(seconds)
    process.send_signal(number)
