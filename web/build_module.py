"""Compiles the C library into one WebAssembly module: ``python web/build_module.py sigmax.wasm``.

The module exports every function of csrc/sigmax_api.h, ``malloc``, ``free`` and its memory, and
imports nothing. Sources, flags and instruction set are those of csrc/build_native.py. The
compiler is zig's clang, the package ziglang of PyPI, or the one that ``$CC`` names:
``CC="clang-14 --target=wasm32-wasi"`` with Debian's lld-14, wasi-libc and
libclang-rt-14-dev-wasm32. The same compiler makes the same bytes, wherever the checkout lies.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "csrc"))
import build_native

ZIG = [sys.executable, "-m", "ziglang", "cc", "--target=wasm32-wasi"]
MEMORY = ["malloc", "free"]
NO_IMPORTS = ["-DSIGMAX_NO_ENVIRONMENT"]


def exported_functions() -> list[str]:
    """Return the names of the functions that sigmax_api.h declares, in its order."""
    header = (build_native.CSRC / "sigmax_api.h").read_text(encoding="utf-8")
    return re.findall(r"\b(sigmax_\w+)\(", re.sub(r"/\*.*?\*/|//[^\n]*", "", header, flags=re.S))


def build_module(module: Path, compiler: list[str], flags: list[str]) -> None:
    """Compile and link the module."""
    exports = [f"-Wl,--export={name}" for name in [*exported_functions(), *MEMORY]]
    # Where binaryen is installed, clang hands the module on to a wasm-opt that knows no SIMD,
    # unless linking is asked for at -O0. What is linked is optimised already.
    link = ["-O0", "-mexec-model=reactor", "-Wl,--gc-sections", "-Wl,--strip-all", *exports]
    with tempfile.TemporaryDirectory() as folder:
        objects = build_native.compile_objects(
            Path(folder), compiler, [*NO_IMPORTS, *flags], "wasm32"
        )
        subprocess.run([*compiler, *link, *objects, "-o", str(module)], check=True)
    module.chmod(0o644)


def main() -> None:
    """Build the module and print its size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("module", type=Path, help="the file to write, such as sigmax.wasm")
    arguments = parser.parse_args()
    compiler = shlex.split(os.environ["CC"]) if os.environ.get("CC") else ZIG
    arguments.module.parent.mkdir(parents=True, exist_ok=True)
    build_module(arguments.module, compiler, shlex.split(os.environ.get("CFLAGS", "")))
    print(f"{arguments.module}: {arguments.module.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
