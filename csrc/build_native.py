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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from source_hash import GENERATED, source_hash

CSRC = Path(__file__).resolve().parent

V3_FLAGS = ["-mavx2", "-mfma", "-mbmi", "-mbmi2", "-mf16c", "-mlzcnt", "-mmovbe", "-mpopcnt"]
V4_FLAGS = [
    *V3_FLAGS,
    *("-mavx512f", "-mavx512bw", "-mavx512cd", "-mavx512dq", "-mavx512vl"),
    "-mprefer-vector-width=512",
]
# clang copies the bodies of short loops whose length it does not know. In a module that comes over
# a network this is a tenth of the bytes, for nothing that could be measured. (Functions inlined
# less, and loops of constant length unrolled less, are smaller too, and half as fast.)
WASM_FLAGS = ["-msimd128", "-mllvm", "-unroll-runtime=false"]


class InstructionSet(NamedTuple):
    """One instruction set that the engine is compiled for."""

    name: str
    flags: list[str]
    msvc_flags: list[str]


# From the least to the most capable. A new one is a line here, its test in
# machine/instruction_set.c, and its tile sizes.
INSTRUCTION_SETS = {
    "x86_64": [
        InstructionSet("baseline", [], []),
        InstructionSet("v3", V3_FLAGS, ["/arch:AVX2"]),
        InstructionSet("v4", V4_FLAGS, ["/arch:AVX512"]),
    ],
    # The same bits as x86-64's baseline: vectors of 16 bytes too, and no fused multiply-add.
    "wasm32": [InstructionSet("baseline", WASM_FLAGS, [])],
    "other": [InstructionSet("baseline", [], [])],
}

# What a machine lacks.
MACHINE_MACROS = {"wasm32": [("SIGMAX_NO_THREADS", "1")]}


class Flags(NamedTuple):
    """The flags that this library needs, for one family of compilers."""

    common: list[str]  # of every object
    contract: list[str]  # a * b + c may be rounded once: for the engine
    strict: list[str]  # ... and must not elsewhere: a seed gives the same random numbers everywhere
    last: list[str]  # after everything else: a distribution's defaults must not undo the above
    warnings: list[str]
    warnings_are_errors: list[str]


# -std=c99 turns contraction off, so it must be asked for by name.
_GNU_COMMON = [
    *("-std=c99", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd"),
    *("-fvisibility=hidden", "-ffunction-sections", "-g0"),
]
_GNU_CONTRACT = ["-ffp-contract=fast"]
_GNU_STRICT = ["-ffp-contract=off"]
_GNU_WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-pedantic"]
# Where a tile's sums are set to 0, clang sees a memset, and cuts the sums to fit it: one of them
# then stays in memory, which halves the speed of AVX2.
_CLANG_SUMS = "-fno-builtin-memset"
# glibc 2.43 declares strchr and similar functions with _Generic, for which clang warns in callers;
# and C allows arithmetic between a double and a constant of an enum, the usual constants here.
_CLANG_WARNINGS = [*_GNU_WARNINGS, "-Wno-c11-extensions", "-Wno-enum-float-conversion"]

FLAGS = {
    # -O3 without what it adds beside vectors and unrolled loops of constant length: copies of
    # functions and of loops for values they seldom see. The limit still unrolls the vectors of a
    # tile, which is what keeps its sums in registers. With gcc 12 the engine is a quarter smaller
    # than at -O3, and up to a quarter faster.
    "gcc": Flags(
        common=[
            *_GNU_COMMON,
            *("-O2", "-ftree-vectorize", "-fvect-cost-model=dynamic", "-fpeel-loops"),
            "--param=max-completely-peeled-insns=120",
            *("-fno-inline-small-functions", "-fno-indirect-inlining"),
            # Loops stay aligned; functions begin with a cache line wherever the linker lays them.
            *("-falign-functions=64", "-falign-jumps=1", "-falign-labels=1"),
        ],
        contract=_GNU_CONTRACT,
        strict=_GNU_STRICT,
        last=["-fno-lto"],
        warnings=_GNU_WARNINGS,
        warnings_are_errors=["-Werror"],
    ),
    "clang": Flags(
        common=[*_GNU_COMMON, "-O3", _CLANG_SUMS],
        contract=_GNU_CONTRACT,
        strict=_GNU_STRICT,
        last=["-fno-lto"],
        warnings=_CLANG_WARNINGS,
        warnings_are_errors=["-Werror"],
    ),
    # clang with the options of MSVC; other flags are passed by /clang:
    "clang-cl": Flags(
        common=[
            *("/std:c11", "/O2", "/D_CRT_SECURE_NO_WARNINGS"),
            *("/clang:-O3", "/clang:-fno-math-errno", "/clang:-fopenmp-simd"),
            f"/clang:{_CLANG_SUMS}",
        ],
        contract=["/clang:-ffp-contract=fast"],
        strict=["/clang:-ffp-contract=off"],
        last=["/clang:-fno-lto"],
        warnings=["/W4"],
        warnings_are_errors=["/WX"],
    ),
    "msvc": Flags(
        common=["/std:c11", "/O2", "/GL-", "/D_CRT_SECURE_NO_WARNINGS"],
        contract=["/fp:contract"],
        strict=["/fp:precise"],
        last=[],
        warnings=["/W3"],
        warnings_are_errors=["/WX"],
    ),
}


def compiler_family(command: Sequence[str]) -> str:
    """Return "clang" or "gcc", as the compiler's own macros say; its name may be cc for both."""
    # A universal Python of macOS compiles for two kinds of processor, each with macros of its own.
    command = [
        c for before, c in zip(["", *command], command, strict=False) if "-arch" not in (before, c)
    ]
    macros = subprocess.run(
        [*command, "-dM", "-E", "-x", "c", os.devnull],
        capture_output=True,
        text=True,
        check=False,
    )
    if macros.returncode != 0:
        raise SystemExit(f"{shlex.join(command)} does not compile C: {macros.stderr.strip()}")
    return "clang" if "__clang__" in macros.stdout else "gcc"


# What is compiled once, and so the same on every machine.
PLAIN_SOURCES = sorted(
    path
    for pattern in ("*.c", "calls/*.c", "machine/*.c")
    for path in CSRC.glob(pattern)
    if path.name != GENERATED
)


class Unit(NamedTuple):
    """One object file: a source under csrc/, its macros and flags, and the files it reads."""

    name: str
    source: Path
    macros: list[tuple[str, str]]
    flags: list[str]
    depends: list[Path]


def machine_kind(machine: str | None = None) -> str:
    """Return the key of INSTRUCTION_SETS for a name as ``platform.machine()`` gives it."""
    machine = (machine or platform.machine()).lower()
    if machine in ("x86_64", "amd64", "x64"):
        return "x86_64"
    return machine if machine in INSTRUCTION_SETS else "other"


def instruction_sets(machine: str | None = None) -> list[InstructionSet]:
    """Return the sets for a machine name as ``platform.machine()`` gives it."""
    return INSTRUCTION_SETS[machine_kind(machine)]


def units(machine: str | None = None, family: str = "gcc") -> list[Unit]:
    """Every object of the library, the engines last and the least capable first among them."""
    sets = instruction_sets(machine)
    flags = FLAGS[family]
    headers = sorted(CSRC.glob("*.h"))
    headers_of = {
        folder: sorted((CSRC / folder).glob("*.h")) for folder in ("calls", "machine", "engine")
    }
    names = " ".join(f"X({s.name})" for s in sets)
    macros = MACHINE_MACROS.get(machine_kind(machine), [])
    result = [
        Unit(
            source.stem,
            source,
            [("SIGMAX_INSTRUCTION_SETS", names), *macros],
            flags.common + flags.strict + flags.last,
            [source, *headers, *headers_of["calls"], *headers_of["machine"]],
        )
        for source in PLAIN_SOURCES
    ]
    engine = CSRC / "engine" / "engine.c"
    for s in sets:
        level = s.msvc_flags if family == "msvc" else s.flags
        if family == "clang-cl":
            level = [f"/clang:{flag}" for flag in level]
        for bits in (32, 64):
            result.append(
                Unit(
                    f"engine_f{bits}_{s.name}",
                    engine,
                    [("SIGMAX_REAL_BITS", str(bits)), ("SIGMAX_ISA_NAME", s.name)],
                    flags.common + flags.contract + level + flags.last,
                    [engine, *headers, *headers_of["engine"]],
                )
            )
    return result


def section_script(sets: Sequence[InstructionSet]) -> str:
    """Return a script for GNU ld: a section of its own for the engines of each instruction set.

    Its functions for float32 and float64 lie in pairs, by name. Deflate, which compresses a wheel,
    looks back 32 KB, less than an engine: the similar pairs make it 4 % smaller. The section also
    shows which instructions a function may use.
    """
    objects = "*engine_f??_{}*engine.o"
    sections = (
        f"  .text.{s.name} : {{ {objects.format(s.name)}(SORT_BY_NAME(.text.*)) }}\n" for s in sets
    )
    return f"SECTIONS\n{{\n{''.join(sections)}}}\nINSERT AFTER .text;\n"


def ffi_builder() -> object:
    """Return the cffi builder of ``sigmax._sigmax``; setup.py adds the objects of `units` to it."""
    from cffi import FFI

    builder = FFI()
    builder.cdef((CSRC / "sigmax_api.h").read_text(encoding="utf-8"))
    builder.cdef("#define SIGMAX_SOURCE_HASH ...")
    libraries = [] if sys.platform == "win32" else ["m"]
    builder.set_source(
        "sigmax._sigmax",
        f'#include "sigmax.h"\n#define SIGMAX_SOURCE_HASH {source_hash():#010x}u\n',
        include_dirs=[str(CSRC)],
        libraries=libraries,
    )
    return builder


def compile_objects(
    folder: Path, compiler: list[str], extra_flags: list[str], machine: str | None = None
) -> list[str]:
    """Compile every unit with ``compiler`` into a folder; return the paths of the objects."""
    family = compiler_family(compiler)
    warnings, last = FLAGS[family].warnings, FLAGS[family].last

    def compile_unit(unit: Unit) -> str:
        target = str(folder / f"{unit.name}.o")
        macros = [f"-D{name}={value}" for name, value in unit.macros]
        command = [*compiler, *unit.flags, *warnings, *macros, *extra_flags, *last]
        command += ["-c", str(unit.source), "-o", target]
        if subprocess.run(command, check=False).returncode != 0:
            raise SystemExit(f"failed: {shlex.join(command)}")
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(compile_unit, units(machine, family)))


def compile_library(
    archive: Path, compiler: list[str], extra_flags: list[str], machine: str | None = None
) -> None:
    """Compile every unit with ``compiler`` and put them into a static library."""
    with tempfile.TemporaryDirectory() as folder:
        objects = compile_objects(Path(folder), compiler, extra_flags, machine)
        archive.unlink(missing_ok=True)
        subprocess.run(
            [*shlex.split(os.environ.get("AR", "ar")), "rcs", str(archive), *objects], check=True
        )


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
