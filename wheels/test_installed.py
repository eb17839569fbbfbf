"""Tests a wheel in a fresh environment of every CPython of this machine that can install it.

``python wheels/test_installed.py WHEEL... [--whole] [--python PATH ...]``

The tests are a copy, and run from there, so that nothing of the checkout is in reach. --whole runs
all of them, which takes minutes for each interpreter; else those that depend on the interpreter,
and a sample of the arithmetic. Interpreters are looked for on the path, in pyenv's folder, and in
/opt/python; the first one of each version is used. One that cannot install any of the wheels is
named.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parents[1]
OLDEST = 11  # requires-python
QUICK_TESTS = (
    *("test_equations", "test_activation", "test_network", "test_optimizers", "test_dropout"),
    *(
        "test_bad_arguments",
        "test_files",
        "test_determinism",
        "test_weights",
        "test_inside_other_programs",
    ),
    *("test_resume", "test_sources", "test_data"),
)
DESCRIBE = """
import ensurepip, json, platform, sys, sysconfig, venv
print(json.dumps({"version": platform.python_version(), "minor": sys.version_info[1],
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "cpython": platform.python_implementation() == "CPython" and sys.version_info[0] == 3}))
"""


class Interpreter(NamedTuple):
    """A CPython that can make virtual environments."""

    path: Path
    version: str
    minor: int
    free_threaded: bool

    def installs(self, wheel: Path) -> bool:
        """Whether pip would take a wheel for this platform."""
        for tag in parse_wheel_filename(wheel.name)[3]:
            if tag.abi == "abi3" and not self.free_threaded:
                if self.minor >= int(tag.interpreter.removeprefix("cp3")):
                    return True
            elif tag.abi == f"cp3{self.minor}{'t' if self.free_threaded else ''}":
                return True
        return False


def candidates() -> list[Path]:
    """Every program whose name is that of a CPython, this one first."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders += [*sorted(pyenv.glob("versions/*/bin")), *sorted(Path("/opt/python").glob("*/bin"))]
    shims = pyenv / "shims"  # scripts that ask for one of the versions
    found = [Path(sys.executable)]
    for folder in folders:
        if folder != shims and folder.is_dir():
            names = sorted(n for n in os.listdir(folder) if re.fullmatch(r"python3\.\d+t?", n))
            found += [folder / name for name in names]
    return found


def describe(path: Path) -> Interpreter | None:
    """What a program is, or None when it is no CPython that works."""
    try:
        process = subprocess.run(
            [path, "-I", "-c", DESCRIBE], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    facts = json.loads(process.stdout)
    if not facts.pop("cpython"):
        return None
    return Interpreter(path, **facts)


def interpreters(paths: list[Path]) -> list[Interpreter]:
    """One for each version and kind, the oldest first."""
    found: dict[tuple[int, bool], Interpreter] = {}
    for interpreter in filter(None, map(describe, paths)):
        if interpreter.minor < OLDEST:
            continue
        found.setdefault((interpreter.minor, interpreter.free_threaded), interpreter)
    return [found[key] for key in sorted(found)]


def test(interpreter: Interpreter, wheel: Path, whole: bool, folder: Path) -> None:
    """Install the wheel with its extra "test", and run a copy of the tests."""
    begin = time.monotonic()
    environment, copy = folder / "environment", folder / "copy"
    subprocess.run([interpreter.path, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*install, f"{wheel}[test]", "threadpoolctl"], check=True)
    copy.mkdir()
    shutil.copy(ROOT / "pyproject.toml", copy)
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tests", copy / "tests", ignore=unwanted)
    chosen = [] if whole else [path for n in QUICK_TESTS for path in copy.rglob(f"{n}.py")]
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen]
    print(f"\n{interpreter.path} ({interpreter.version}), {wheel.name}", flush=True)
    if subprocess.run(command, cwd=copy, check=False).returncode != 0:
        raise SystemExit(f"the tests fail on {interpreter.path} ({interpreter.version})")
    print(f"{interpreter.version}: {time.monotonic() - begin:.0f} s", flush=True)


def main() -> None:
    """Test on every interpreter there is, or on those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheels", nargs="+", type=Path, metavar="WHEEL")
    parser.add_argument("--whole", action="store_true", help="the whole suite")
    parser.add_argument("--python", nargs="+", type=Path, help="interpreters, not those found")
    arguments = parser.parse_args()
    tested = []
    for interpreter in interpreters(arguments.python or candidates()):
        wheel = next((w for w in arguments.wheels if interpreter.installs(w)), None)
        if wheel is None:
            kind = ", free-threaded" if interpreter.free_threaded else ""
            print(f"no wheel for {interpreter.path} ({interpreter.version}{kind})")
            continue
        with tempfile.TemporaryDirectory() as folder:
            test(interpreter, wheel.resolve(), arguments.whole, Path(folder))
        tested.append(interpreter.version)
    if not tested:
        raise SystemExit("no interpreter can install any of these wheels")
    print(f"\n{len(tested)} interpreters passed the tests: {', '.join(tested)}")


if __name__ == "__main__":
    main()
