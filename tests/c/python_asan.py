"""Runs the Python tests with the module under the address and undefined-behaviour sanitizers.

The package is built into ``build/python-asan/`` of the checkout; the sanitizers' runtime is loaded
before the interpreter, which knows nothing of it. Leaks are not looked for: the interpreter keeps
memory to its end. Needs gcc, and setuptools and cffi in this environment, beside what the tests
need. Arguments are those of pytest; without any, the tests that are about what C is given.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "build" / "python-asan"
FLAGS = "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
# Where arrays of every kind, shape and content reach C.
TESTS = (
    *("bad_arguments", "bad_input", "calibration", "equations", "fit", "lbfgs", "network"),
    *("optimizers", "partial_fit", "sparse", "streaming", "weights"),
)

# They measure memory, and the sanitizers take much for themselves.
LEFT_OUT = (
    "sizes_beyond_the_memory_that_is_allowed",
    "refusals_leak_nothing",
    "no_more_than_a_batch_is_made_dense",
    "a_stream_holds_one_block",
)


def build(compiler: list[str]) -> None:
    """Build the module, and lay the package's Python beside it."""
    temporary = TARGET / "objects"
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", f"-b{TARGET}", f"-t{temporary}"],
        cwd=ROOT,
        env={**os.environ, "CC": " ".join(compiler), "CFLAGS": FLAGS, "LDFLAGS": FLAGS},
        check=True,
    )
    shutil.copytree(
        ROOT / "python" / "sigmax",
        TARGET / "sigmax",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("*.so", "__pycache__"),
    )


def runtime(compiler: list[str]) -> str:
    """Return the libraries to load first: the sanitizers, and the C++ library they may look for."""
    paths = []
    for name in ("libasan.so", "libubsan.so", "libstdc++.so"):
        command = [*compiler, f"-print-file-name={name}"]
        found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        paths.append(found.stdout.strip())
    missing = [path for path in paths if not Path(path).is_file()]
    if missing:
        raise SystemExit(f"{compiler[0]} has no {', '.join(missing)}: it takes gcc")
    return " ".join(paths)


def default_tests() -> list[str]:
    """Return the files of TESTS."""
    return [str(p) for name in TESTS for p in (ROOT / "tests").rglob(f"test_{name}.py")]


def main() -> int:
    """Build, and run pytest; returns its exit status."""
    compiler = os.environ.get("CC", sysconfig.get_config_var("CC") or "gcc").split()[:1]
    build(compiler)
    environment = {
        **os.environ,
        "LD_PRELOAD": runtime(compiler),
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONPATH": str(TARGET),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-c", "import sigmax._sigmax as m; print(m.__file__)"]
    found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    module = found.stdout.strip()
    if not Path(module).is_relative_to(TARGET):
        raise SystemExit(f"the tests would run with {module}, not with a module below {TARGET}")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "not slow",
        "-k",
    ]
    return subprocess.run(
        [*command, f"not ({' or '.join(LEFT_OUT)})", *(sys.argv[1:] or default_tests())],
        cwd=ROOT,
        env=environment,
        check=False,
    ).returncode


if __name__ == "__main__":
    raise SystemExit(main())
