"""How the package behaves among others: in any interpreter, beside any tool, without a trace."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import processes
import pytest
import sigmax
from sigmax._boundary.build import built_instruction_sets

PACKAGE = Path(sigmax.__file__).resolve().parent


def printed(program, *arguments, options=(), **environment):
    """What a program prints in a process of its own, read as JSON."""
    options = (*processes.QUIET, *options)
    return json.loads(processes.run(program, *arguments, options=options, env=environment))


# ---- isolated interpreters -----------------------------------------------------------------------


@pytest.mark.parametrize("options", [("-I",), ("-I", "-O"), ("-I", "-OO"), ("-I", "-X", "utf8=0")])
def test_isolated_mode(options):
    assert printed("programs/predict_isolated.py", PACKAGE.parent, options=options) == [1, 2]


# What `import sigmax` loads of its own. What is new is imported where it is used first, and has no
# place here: see the limit of wheels/check_wheel.py. Beyond these, NumPy and cffi only the standard
# library may come, and of that nothing slow.
LOADED = {
    "sigmax",
    "sigmax._boundary",
    "sigmax._boundary.arrays",
    "sigmax._boundary.build",
    "sigmax._boundary.frames",
    "sigmax._boundary.layout",
    "sigmax._boundary.lazily",
    "sigmax._boundary.scalars",
    "sigmax._boundary.status",
    "sigmax._boundary.threadpoolctl",
    "sigmax._boundary.threads",
    "sigmax._data",
    "sigmax._data.columns",
    "sigmax._data.examples",
    "sigmax._data.mapped",
    "sigmax._data.preparation",
    "sigmax._data.rows",
    "sigmax._data.sparse",
    "sigmax._data.weighting",
    "sigmax._model",
    "sigmax._model.calibration",
    "sigmax._model.gradient",
    "sigmax._model.guard",
    "sigmax._model.inference",
    "sigmax._model.model",
    "sigmax._sigmax",
    "sigmax._sigmax.lib",
    "sigmax._training",
    "sigmax._training.history",
    "sigmax._training.option_rules",
    "sigmax._training.options",
    "sigmax.config",
    "sigmax.equations",
    "sigmax.errors",
    "sigmax.network",
}
SLOW = {"zipfile", "unittest", "multiprocessing", "concurrent", "asyncio", "http", "email", "ssl"}


def test_what_an_import_loads():
    program = "programs/modules_of_an_import.py"
    loaded = set(printed(program, PACKAGE.parent, options=["-I"]))
    own = {name for name in loaded if name.partition(".")[0] == "sigmax"}
    assert own == LOADED
    others = {name.partition(".")[0] for name in loaded - own}
    assert others <= {"numpy"} | sys.stdlib_module_names - SLOW, others


# ---- threadpoolctl -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order",
    [
        ("threadpoolctl", "sigmax", "no"),
        ("sigmax", "threadpoolctl", "register"),
        ("threadpoolctl", "sigmax", "register"),  # a second time
    ],
)
def test_threadpoolctl_sees_and_limits_the_pool(order):
    pytest.importorskip("threadpoolctl", minversion="3.2")
    seen = printed("programs/threadpoolctl_limits.py", *order, SIGMAX_NUM_THREADS="5")
    assert seen == [[5], [3], [1], [3], [2], [3]]


def test_an_import_leaves_the_finders_alone():
    assert printed("programs/finders_of_an_import.py") == [True, False]


@pytest.mark.parametrize("kind", ["absent", "old"])
def test_registering_without_threadpoolctl(kind):
    assert "pip install" in printed("programs/register_without_threadpoolctl.py", kind)


# ---- configuration -------------------------------------------------------------------------------


def test_show_config_says_everything(capsys):
    sigmax.show_config()
    printed = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert list(printed) == [
        "version",
        "module",
        "compiler",
        "instruction sets built",
        "instruction sets available",
        "instruction set in use",
        "threads",
        "Python",
        "NumPy",
    ]
    values = {name: value.strip() for name, value in printed.items()}
    assert all(values.values()), printed
    available = values["instruction sets available"].partition(" (SIGMAX_WITHOUT=")[0]
    assert available.split(", ") == list(sigmax.instruction_sets())
    assert values["module"].startswith(str(PACKAGE))


def test_show_config_says_what_is_left_out(capsys, monkeypatch):
    monkeypatch.setenv("SIGMAX_WITHOUT", "v4, v9")
    sigmax.show_config()
    (line,) = (li for li in capsys.readouterr().out.splitlines() if "sets available" in li)
    built_without = " v4," if "v4" not in built_instruction_sets() else ""
    assert line.endswith(
        f" (SIGMAX_WITHOUT=v4, v9;{built_without} v9: not in this build, so ignored)"
    )
    assert line.split("  ")[-1].partition(" (")[0] == ", ".join(sigmax.instruction_sets())


# ---- pytest-xdist --------------------------------------------------------------------------------


@pytest.mark.thorough
def test_pytest_xdist(tmp_path):
    pytest.importorskip("xdist")
    shutil.copy(processes.TESTS / "programs" / "suite_for_xdist.py", tmp_path / "test_network.py")
    # The variables of the run around this one would choose other tests.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", str(tmp_path)],
        env={**env, "PYTHONPATH": str(PACKAGE.parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "8 passed" in process.stdout


# ---- types ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_types_from_outside(checker, tmp_path):
    """A user's program is checked against the package's own annotations (PEP 561)."""
    pytest.importorskip(checker)
    script = processes.TESTS / "programs" / "user_of_types.py"
    command = [sys.executable, "-m", checker, str(script)]
    process = subprocess.run(
        command[:3] + (["--strict"] if checker == "mypy" else []) + command[3:],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": "", "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    printed = process.stdout.replace("builtins.", "")
    assert process.returncode == 1, process.stdout + process.stderr
    errors = [line for line in printed.splitlines() if "error" in line and script.name in line]
    assert len(errors) == 1, printed
    assert "no_such_thing" in errors[0]
    for revealed in ("int", "tuple[str, ...]"):
        assert f'"{revealed}"' in printed, printed
