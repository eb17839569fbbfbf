"""A run that has a name fails on a skip that tests/expected_skips.txt does not expect in it."""

import os
import shutil
import subprocess
import sys

import pytest
from expected_skips import is_expected
from processes import TESTS

PROGRAMS = TESTS / "programs"
ABSENT = "could not import 'torch': No module named 'torch'"


def test_a_skip_is_expected_where_every_condition_holds():
    assert is_expected(ABSENT, {"plain", "x86_64", "root"})
    assert not is_expected(ABSENT, {"x86_64", "root"})
    assert not is_expected(f"not {ABSENT}", {"plain", "x86_64", "root"})
    assert is_expected("the fuzzers, for want of clang", {"no-apt"})
    assert not is_expected("the fuzzers, for want of clang", {"aarch64"})


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "reason", "fails"),
    [("plain", ABSENT, False), ("plain", "no reason", True), ("", "no reason", False)],
)
def test_a_run_fails_on_others(tmp_path, name, reason, fails):
    shutil.copy(PROGRAMS / "suite_that_skips.py", tmp_path / "test_one.py")
    shutil.copy(PROGRAMS / "module_that_skips.py", tmp_path / "test_module.py")
    command = [sys.executable, "-m", "pytest", "-n1", "-p", "no:cacheprovider"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    process = subprocess.run(
        [*command, "-p", "expected_skips", str(tmp_path)],
        env={**env, "PYTHONPATH": str(TESTS), "SIGMAX_RUN": name, "REASON": reason},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == int(fails), process.stdout + process.stderr
    assert "1 passed, 2 skipped" in process.stdout
    assert (f"2 skipped, test_module.py for one: {reason}" in process.stdout) == fails
