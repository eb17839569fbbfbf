"""C programs that time parts of an engine: how they are compiled and run, for the scripts beside.

Each script has a C program of the same name, which is compiled with the flags of an engine, and
prints lines of numbers.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "csrc"))
import build_native
from sigmax import instruction_sets

COMPILE_SECONDS, RUN_SECONDS = 600, 300


class Program(NamedTuple):
    """A C program to be compiled with the flags and macros of an engine."""

    sources: list[Path]  # random.c, which every engine needs, is added
    unit: build_native.Unit
    macros: list[str]  # as the compiler takes them: -DNAME=VALUE


def compiler() -> list[str]:
    """Return the command of the C compiler: ``$CC``, or cc."""
    return shlex.split(os.environ.get("CC", "cc"))


def engine_name(unit: build_native.Unit) -> str:
    """Return the symbol of an engine's table: sigmax_engine_f32_v3."""
    values = dict(unit.macros)
    return f"sigmax_engine_f{values['SIGMAX_REAL_BITS']}_{values['SIGMAX_ISA_NAME']}"


def compile_program(program: Program, to: Path) -> None:
    sources = [str(source) for source in [*program.sources, build_native.CSRC / "random.c"]]
    macros = [f"-D{name}={value}" for name, value in program.unit.macros] + program.macros
    command = [*compiler(), *program.unit.flags, *macros, f"-I{build_native.CSRC}"]
    command += [*sources, "-lm", "-o", str(to)]
    subprocess.run(command, check=True, timeout=COMPILE_SECONDS)


def compile_all(programs: Mapping[Path, Program]) -> None:
    """Compile every program to its path, as many at a time as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for job in [pool.submit(compile_program, p, to) for to, p in programs.items()]:
            job.result()


def lines_of(program: Path, *arguments: object) -> list[list[str]]:
    """Run a compiled program and return the words of each line that it prints."""
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=RUN_SECONDS)
    return [line.split() for line in done.stdout.splitlines()]


def argument_parser(description: str, rounds: int, bits: Sequence[int]) -> argparse.ArgumentParser:
    """Return a parser of what the scripts have in common; the last two are defaults."""
    parser = argparse.ArgumentParser(description=description)
    sets = instruction_sets()
    parser.add_argument("--sets", nargs="+", choices=sets, default=sets, help="default: all")
    parser.add_argument("--bits", nargs="+", type=int, choices=(32, 64), default=list(bits))
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="runs of each program (default: %(default)s)"
    )
    parser.add_argument("--cpu", type=int, help="the processor to measure on, where it can be set")
    return parser


def engines(arguments: argparse.Namespace) -> Iterator[build_native.Unit]:
    """Bind this process to the processor that was asked for, and yield the engines asked for."""
    if arguments.cpu is not None:
        os.sched_setaffinity(0, {arguments.cpu})
    family = build_native.compiler_family(compiler())
    units = {unit.name: unit for unit in build_native.units(family=family)}
    for name in arguments.sets:
        for bits in arguments.bits:
            yield units[f"engine_f{bits}_{name}"]
