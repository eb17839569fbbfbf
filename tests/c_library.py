"""The C tests' Makefile, for the tests here that need a C compiler and the sources in csrc/."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "c-pytest"
ARCHIVE = BUILD / "libsigmax.a"


def require_what_it_takes():
    """Skips where ``make -C tests/c`` cannot work."""
    if not (ROOT / "csrc" / "build_native.py").is_file():
        pytest.skip("no csrc/ beside the tests, so there is no C library to build")
    if sys.platform != "linux":
        pytest.skip(f"the C tests wrap malloc as the linkers of Linux do, not {sys.platform}'s")
    for tool in ("make", os.environ.get("CC", "cc").split()[0]):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} on the path")


def make(*targets, **environment):
    """Runs ``make -C tests/c`` and returns what it printed; skips where that cannot work.

    Another compiler than the developers' may know other warnings, which are no failure here.
    """
    require_what_it_takes()
    process = subprocess.run(
        ["make", "-C", str(ROOT / "tests" / "c"), f"BUILD={BUILD}", "WERROR=", *targets],
        env={**os.environ, "PYTHON": sys.executable, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=3600,
        check=False,
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


def build(*targets):
    """The same for targets that are built: by one worker of pytest-xdist at a time."""
    require_what_it_takes()
    import fcntl  # which Linux has

    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make(*targets)
