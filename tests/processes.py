"""Programs in processes of their own, which a test can watch, signal and outlive.

A program is a Python file below tests/, named by its path from there: `programs/` holds those of
the tests, `stress/programs/` those of tests/stress.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent
HANGS = 900  # seconds, after which a process does so; a busy machine takes long for anything
QUIET = ("-W", "ignore")


def start(program, *arguments, options=QUIET, env=None, **popen):
    """The process that runs a program; what it prints can be read as text.

    options are the interpreter's, env the variables to change, None removing one.
    """
    variables = {**os.environ, **(env or {})}
    return subprocess.Popen(
        [sys.executable, *options, str(TESTS / program), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in variables.items() if value is not None},
        **popen,
    )


def finish(process, timeout=HANGS):
    """(exit code, stdout, stderr); a process that hangs is killed, and fails the test."""
    try:
        out, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, errors = process.communicate()
        raise AssertionError(f"still running after {timeout} s:\n{out}\n{errors}") from None
    return process.returncode, out, errors


def run(program, *arguments, timeout=HANGS, **options):
    """What a program prints; it must end well, and print nothing to stderr."""
    status, out, errors = finish(start(program, *arguments, **options), timeout)
    assert status == 0, f"exit code {status}\n{out}\n{errors}"
    assert not errors, errors
    return out


def signal_after(process, seconds, number=signal.SIGINT):
    """Send a signal, so many seconds after the process has said "ready"."""
    line = process.stdout.readline()
    assert line == "ready\n", line + process.stderr.read()
    time.sleep(seconds)
    process.send_signal(number)
