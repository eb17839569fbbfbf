"""How the C library is built: the one list of instruction sets, flags and sources.

setup.py makes the cffi module of the Python package with it. For a C program,
``python csrc/build_native.py libsigmax.a`` compiles the same objects, with ``$CC`` and
``$CFLAGS``, into a static library (link with ``-lm -lpthread``).
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

CSRC = Path(__file__).resolve().parent

V3_FLAGS = ["-mavx2", "-mfma", "-mbmi", "-mbmi2", "-mf16c", "-mlzcnt", "-mmovbe", "-mpopcnt"]
V4_FLAGS = [
    *V3_FLAGS,
    *("-mavx512f", "-mavx512bw", "-mavx512cd", "-mavx512dq", "-mavx512vl"),
    "-mprefer-vector-width=512",
]


class InstructionSet(NamedTuple):
    """One instruction set that the engine is compiled for."""

    name: str
    flags: list[str]
    msvc_flags: list[str]


# From the least to the most capable. A new one is a line here, its test in instruction_set.c, and
# its tile sizes.
INSTRUCTION_SETS = {
    "x86_64": [
        InstructionSet("baseline", [], []),
        InstructionSet("v3", V3_FLAGS, ["/arch:AVX2"]),
        InstructionSet("v4", V4_FLAGS, ["/arch:AVX512"]),
    ],
    "other": [InstructionSet("baseline", [], [])],
}

# Contraction of a * b + c to one rounding is wanted in the engine, and must be said: -std=c99 turns
# it off. The generator of random numbers is compiled without, because a seed means the same bits
# everywhere.
COMMON_FLAGS = [
    "-std=c99",
    "-O3",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fopenmp-simd",
    "-fvisibility=hidden",
    "-g0",
]
CONTRACT_FLAGS = ["-ffp-contract=fast"]
STRICT_FLAGS = ["-ffp-contract=off"]
MSVC_COMMON_FLAGS = ["/std:c11", "/O2", "/GL-", "/openmp:experimental"]
MSVC_CONTRACT_FLAGS = ["/fp:contract"]
MSVC_STRICT_FLAGS = ["/fp:precise"]
WARNING_FLAGS = ["-Wall", "-Wextra", "-Wconversion", "-pedantic"]

# A distribution's defaults must not undo the above, so these come last.
LAST_FLAGS = ["-fno-lto"]

PLAIN_SOURCES = sorted(p.name for p in CSRC.glob("*.c") if p.name not in ("random.c", "_sigmax.c"))
HEADERS = sorted(
    str(p.relative_to(CSRC)) for pattern in ("*.h", "engine/*.h") for p in CSRC.glob(pattern)
)


class Unit(NamedTuple):
    """One object file: a source under csrc/, its macros and its flags."""

    name: str
    source: Path
    macros: list[tuple[str, str]]
    flags: list[str]


def instruction_sets(machine: str | None = None) -> list[InstructionSet]:
    """Return the sets for a machine name as ``platform.machine()`` gives it."""
    machine = (machine or platform.machine()).lower()
    return INSTRUCTION_SETS["x86_64" if machine in ("x86_64", "amd64", "x64") else "other"]


def units(machine: str | None = None, *, msvc: bool = False) -> list[Unit]:
    """Every object of the library."""
    sets = instruction_sets(machine)
    common = MSVC_COMMON_FLAGS if msvc else COMMON_FLAGS
    strict = common + (MSVC_STRICT_FLAGS if msvc else STRICT_FLAGS)
    contract = common + (MSVC_CONTRACT_FLAGS if msvc else CONTRACT_FLAGS)
    last = [] if msvc else LAST_FLAGS
    names = " ".join(f"X({s.name})" for s in sets)
    result = [
        Unit(Path(n).stem, CSRC / n, [("SIGMAX_INSTRUCTION_SETS", names)], strict + last)
        for n in [*PLAIN_SOURCES, "random.c"]
    ]
    for s in sets:
        for bits in (32, 64):
            macros = [("SIGMAX_REAL_BITS", str(bits)), ("SIGMAX_ISA_NAME", s.name)]
            flags = contract + (s.msvc_flags if msvc else s.flags) + last
            result.append(
                Unit(f"engine_f{bits}_{s.name}", CSRC / "engine" / "engine.c", macros, flags)
            )
    return result


def ffi_builder() -> object:
    """Return the cffi builder of ``sigmax._sigmax``; setup.py adds the objects of `units` to it."""
    from cffi import FFI

    builder = FFI()
    builder.cdef((CSRC / "sigmax_api.h").read_text(encoding="utf-8"))
    libraries = [] if sys.platform == "win32" else ["m"]
    builder.set_source(
        "sigmax._sigmax", '#include "sigmax.h"', include_dirs=[str(CSRC)], libraries=libraries
    )
    return builder


def compile_library(
    archive: Path, compiler: list[str], extra_flags: list[str], machine: str | None = None
) -> None:
    """Compile every unit with ``compiler`` and put them into a static library."""
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        running = []
        for unit in units(machine):
            target = str(Path(folder) / f"{unit.name}.o")
            macros = [f"-D{name}={value}" for name, value in unit.macros]
            command = [*compiler, *unit.flags, *WARNING_FLAGS, *macros, *extra_flags]
            running.append(subprocess.Popen([*command, "-c", str(unit.source), "-o", target]))
            objects.append(target)
            if len(running) >= (os.cpu_count() or 1):
                _finish(running.pop(0))
        for process in running:
            _finish(process)
        archive.unlink(missing_ok=True)
        subprocess.run(
            [*shlex.split(os.environ.get("AR", "ar")), "rcs", str(archive), *objects], check=True
        )


def _finish(process: subprocess.Popen[bytes]) -> None:
    if process.wait() != 0:
        raise SystemExit(f"failed: {shlex.join(map(str, process.args))}")  # type: ignore[arg-type]


def main() -> None:
    """Build the static library that a C program links with."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("archive", type=Path, help="the library to write, such as libsigmax.a")
    parser.add_argument("--machine", help="the machine compiled for; default: this one")
    arguments = parser.parse_args()
    compiler = shlex.split(os.environ.get("CC", "cc"))
    compile_library(
        arguments.archive, compiler, shlex.split(os.environ.get("CFLAGS", "")), arguments.machine
    )


if __name__ == "__main__":
    sys.exit(main())
