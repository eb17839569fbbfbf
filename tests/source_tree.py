"""Copies of the source tree that tests may build, and spoil."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("csrc", "python", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")


def copy_of_sources(folder):
    """A copy of what a build needs; skips where there is none, or no compiler to build it."""
    if not (ROOT / "csrc" / "build_native.py").is_file():
        pytest.skip("no csrc/ beside the tests, so there is nothing to build")
    pytest.importorskip("setuptools", minversion="77")
    compiler = os.environ.get("CC", "cc").split()[0]
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} on the path")
    built = shutil.ignore_patterns("*.so", "*.pyd", "*.o", "_sigmax.c", "__pycache__", "*.egg-info")
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=built)
        else:
            shutil.copy(source, folder / name)
    return folder


def setup_py(tree, *arguments, **environment):
    """Runs setup.py in a tree and returns what it printed."""
    process = subprocess.run(
        [sys.executable, "setup.py", "-q", *map(str, arguments)],
        cwd=tree,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


def append(path, text):
    """Adds lines to a source file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def replace_once(path, old, new):
    """Changes one place of a source file, which must be there."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} is in {path.name} {text.count(old)} times"
    path.write_text(text.replace(old, new), encoding="utf-8")
