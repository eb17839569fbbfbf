"""How the package behaves among others: in any interpreter, beside any tool, without a trace."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import sigmax
from sigmax._boundary.build import built_instruction_sets

PACKAGE = Path(sigmax.__file__).resolve().parent


def run(code, *options, **environment):
    """Runs Python code in a process of its own, and returns what it printed as JSON."""
    code = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n{textwrap.dedent(code)}"
    process = subprocess.run(
        [sys.executable, *options, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


# ---- isolated interpreters -----------------------------------------------------------------------


@pytest.mark.parametrize("options", [("-I",), ("-I", "-O"), ("-I", "-OO"), ("-I", "-X", "utf8=0")])
def test_isolated_mode(options):
    code = """
        import json, sigmax
        network = sigmax.Network([3, 4, 2], seed=0)
        print(json.dumps(network.predict_proba([[1, 2, 3]]).shape))
    """
    assert run(code, *options) == [1, 2]


# What `import sigmax` loads of its own. What is new is imported where it is used first, and has no
# place here: see the limit of wheels/check_wheel.py. Beyond these, NumPy and cffi only the standard
# library may come, and of that nothing slow.
LOADED = {
    "sigmax",
    "sigmax._boundary",
    "sigmax._boundary.arrays",
    "sigmax._boundary.build",
    "sigmax._boundary.layout",
    "sigmax._boundary.lazily",
    "sigmax._boundary.scalars",
    "sigmax._boundary.status",
    "sigmax._boundary.threadpoolctl",
    "sigmax._boundary.threads",
    "sigmax._data",
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
    code = """
        import json, sys
        import numpy, _cffi_backend
        before = set(sys.modules)
        import sigmax
        print(json.dumps(sorted(set(sys.modules) - before)))
    """
    loaded = set(run(code, "-I"))
    own = {name for name in loaded if name.partition(".")[0] == "sigmax"}
    assert own == LOADED
    others = {name.partition(".")[0] for name in loaded - own}
    assert others <= {"numpy"} | sys.stdlib_module_names - SLOW, others


# ---- threadpoolctl -------------------------------------------------------------------------------

POOL = """
    import json
    {imports}
    def pool():
        infos = threadpoolctl.threadpool_info()
        return [i["num_threads"] for i in infos if i["internal_api"] == "sigmax"]
    seen = [pool()]
    with sigmax.num_threads(3):
        seen.append(pool())
        with threadpoolctl.threadpool_limits(1):
            seen.append([sigmax.get_num_threads()])
        seen.append([sigmax.get_num_threads()])
        with threadpoolctl.threadpool_limits(2, user_api="sigmax"):
            seen.append(pool())
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            seen.append(pool())
    print(json.dumps(seen))
"""


@pytest.mark.parametrize(
    "imports",
    [
        "import threadpoolctl, sigmax",
        "import sigmax, threadpoolctl; sigmax.register_threadpoolctl()",
        "import threadpoolctl, sigmax; sigmax.register_threadpoolctl()",  # a second time
    ],
)
def test_threadpoolctl_sees_and_limits_the_pool(imports):
    pytest.importorskip("threadpoolctl", minversion="3.2")
    seen = run(POOL.format(imports=imports), SIGMAX_NUM_THREADS="5")
    assert seen == [[5], [3], [1], [3], [2], [3]]


def test_an_import_leaves_the_finders_alone():
    code = """
        import json, sys, numpy
        before = list(sys.meta_path)
        import sigmax
        print(json.dumps([sys.meta_path == before, "threadpoolctl" in sys.modules]))
    """
    assert run(code) == [True, False]


@pytest.mark.parametrize(
    "threadpoolctl", ["None", "types.SimpleNamespace(__version__='3.1')"], ids=["absent", "old"]
)
def test_registering_without_threadpoolctl(threadpoolctl):
    code = f"""
        import json, sys, types
        sys.modules["threadpoolctl"] = {threadpoolctl}
        import sigmax
        try:
            sigmax.register_threadpoolctl()
        except ImportError as error:
            print(json.dumps(str(error)))
    """
    assert "pip install" in run(code)


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


def test_pytest_xdist(tmp_path):
    pytest.importorskip("xdist")
    (tmp_path / "test_network.py").write_text(
        "import numpy as np, pytest, sigmax\n"
        "@pytest.mark.parametrize('seed', range(8))\n"
        "def test_fit(seed):\n"
        "    X = np.random.default_rng(seed).normal(size=(300, 200))\n"
        "    sigmax.set_num_threads(2)\n"
        "    net = sigmax.Network([200, 300, 3], seed=seed)\n"
        "    history = net.fit(X, np.arange(300) % 3, epochs=2, batch_size=300)\n"
        "    assert len(history.cost) == 2\n",
        encoding="utf-8",
    )
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

USER = """
import numpy as np
import sigmax

network = sigmax.Network([4, 8, 3], dtype="float32", seed=0)
reveal_type(network.n_parameters)
reveal_type(sigmax.instruction_sets())
reveal_type(sigmax.get_num_threads())
history = network.fit(np.zeros((5, 4)), np.zeros(5, int), epochs=1)
network.save("model.npz")
network.no_such_thing
"""


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_types_from_outside(checker, tmp_path):
    """A user's program is checked against the package's own annotations (PEP 561)."""
    pytest.importorskip(checker)
    script = tmp_path / "user.py"
    script.write_text(USER, encoding="utf-8")
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
    errors = [line for line in printed.splitlines() if "error" in line and "user.py" in line]
    assert len(errors) == 1, printed
    assert "no_such_thing" in errors[0]
    for revealed in ("int", "tuple[str, ...]"):
        assert f'"{revealed}"' in printed, printed
