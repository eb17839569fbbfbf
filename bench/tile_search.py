"""Which tile sizes are fastest on this machine, with this compiler: a search, printed as a table.

``python bench/tile_search.py`` compiles the engine with each choice of ROWS and VECTORS, and then
of SHALLOW_ROWS, that csrc/engine/sizes.h could make for an instruction set, times the three
products on shapes from 1x784->30 to 256x1024->1024, and marks with ``*`` the choice that sizes.h
makes. ``CC=clang-14`` searches for another compiler.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "csrc"))
import build_native
from sigmax import instruction_sets

DRIVER = Path(__file__).resolve().with_suffix(".c")

PRODUCTS = ("forward", "delta", "gradient")
HEIGHTS = (2, 4, 8)  # of tiles: what the transposed store of the forward product can take
SHALLOW_HEIGHTS = (1, 2, 4, 8)
MOST_VECTORS = 3
COMPILE_SECONDS, RUN_SECONDS = 600, 120


class Tile(NamedTuple):
    """One choice of sizes, named as in sizes.h."""

    rows: int
    vectors: int
    shallow_rows: int

    def macros(self) -> list[str]:
        names = ("ROWS", "VECTORS", "SHALLOW_ROWS")
        return [f"-DSIGMAX_TILE_{n}={v}" for n, v in zip(names, self, strict=True)]

    def registers(self) -> int:
        """Return how many vector registers a tile needs: sums, vectors of b, and one of a."""
        return self.rows * self.vectors + self.vectors + 1

    def __str__(self) -> str:
        return f"{self.rows}x{self.vectors}, shallow {self.shallow_rows}"


Times = dict[tuple[str, str], float]  # (shape, product): seconds


def registers_of(instruction_set: str, machine: str) -> int:
    return 32 if instruction_set == "v4" or machine.lower() in ("arm64", "aarch64") else 16


def compile_driver(compiler: Sequence[str], unit: build_native.Unit, tile: Tile | None, to: Path):
    """Compile the engine and the driver with these sizes; with those of sizes.h for None."""
    macros = [f"-D{name}={value}" for name, value in unit.macros]
    values = dict(unit.macros)
    engine = f"sigmax_engine_f{values['SIGMAX_REAL_BITS']}_{values['SIGMAX_ISA_NAME']}"
    sizes = tile.macros() if tile else []
    sources = [str(unit.source), str(build_native.CSRC / "random.c"), str(DRIVER)]
    driver = [f"-DSEARCHED_ENGINE={engine}", f"-I{build_native.CSRC}", *sources, "-lm"]
    command = [*compiler, *unit.flags, *macros, *sizes, *driver, "-o", str(to)]
    subprocess.run(command, check=True, timeout=COMPILE_SECONDS)


def run_driver(program: Path) -> tuple[Tile, Times]:
    """Return the sizes that a driver was compiled with, and what it measured."""
    done = subprocess.run(
        [str(program)], check=True, capture_output=True, text=True, timeout=RUN_SECONDS
    )
    first, *lines = done.stdout.splitlines()
    times = {}
    for line in lines:
        rows, n_in, n_out, *seconds = line.split()
        for product, value in zip(PRODUCTS, seconds, strict=True):
            times[f"{rows}x{n_in}->{n_out}", product] = float(value)
    return Tile(*map(int, first.split())), times


def measure(
    compiler: Sequence[str], unit: build_native.Unit, tiles: Iterable[Tile | None], rounds: int
) -> dict[Tile, Times]:
    """Return the median times of every choice; the choices run in turn, round by round."""
    with tempfile.TemporaryDirectory() as folder:
        programs = {tile: Path(folder) / f"driver{i}" for i, tile in enumerate(tiles)}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [
                pool.submit(compile_driver, compiler, unit, tile, to)
                for tile, to in programs.items()
            ]
            for job in jobs:
                job.result()
        samples: dict[Tile, list[Times]] = {}
        for _ in range(rounds):
            for program in programs.values():
                tile, times = run_driver(program)
                samples.setdefault(tile, []).append(times)
    return {
        tile: {key: statistics.median(t[key] for t in runs) for key in runs[0]}
        for tile, runs in samples.items()
    }


def slowdowns(measured: dict[Tile, Times]) -> dict[Tile, dict[str, float]]:
    """Return how many times the best time each choice takes, by product and for "all".

    The mean over shapes is geometric: twice as slow on one costs what twice as fast on another
    brings.
    """
    best = {key: min(t[key] for t in measured.values()) for key in next(iter(measured.values()))}
    result = {}
    for tile, times in measured.items():
        ratios = {key: math.log(times[key] / best[key]) for key in best}
        groups = {p: [r for key, r in ratios.items() if key[1] == p] for p in PRODUCTS}
        means = {p: math.exp(statistics.fmean(r)) for p, r in groups.items()}
        result[tile] = means | {"all": math.exp(statistics.fmean(ratios.values()))}
    return result


def table(measured: dict[Tile, Times], committed: Tile) -> str:
    """Return the choices, the best first, the committed one marked; rates are in GFLOP/s."""
    shapes = ("10x784->100", "128x784->800")
    heads = [f"{shape} {product}" for shape in shapes for product in PRODUCTS]
    lines = [
        "  tile                   x best: all " + " ".join(f"{p:>9}" for p in PRODUCTS),
    ]
    lines[0] += "   GFLOP/s: " + "; ".join(f"{s} (f d g)" for s in shapes)
    means = slowdowns(measured)
    for tile in sorted(means, key=lambda t: means[t]["all"]):
        rates = []
        for head in heads:
            shape, product = head.split(" ")
            rows, n_in, n_out = map(int, shape.replace("->", "x").split("x"))
            rates.append(2e-9 * rows * n_in * n_out / measured[tile][shape, product])
        mark = "*" if tile == committed else " "
        parts = " ".join(f"{means[tile][p]:9.2f}" for p in PRODUCTS)
        lines.append(
            f"{mark} {tile!s:<22} {means[tile]['all']:11.2f} {parts}   "
            + " ".join(f"{rate:6.1f}" for rate in rates)
        )
    return "\n".join(lines)


def search(compiler: Sequence[str], unit: build_native.Unit, registers: int, rounds: int) -> None:
    """Print two tables: of tiles, and of the gradient's shallow tiles beside the committed size."""
    committed = next(iter(measure(compiler, unit, [None], 1)))
    tiles = [
        Tile(rows, vectors, min(committed.shallow_rows, rows))
        for vectors in range(1, MOST_VECTORS + 1)
        for rows in HEIGHTS
    ]
    tiles = [tile for tile in tiles if tile.registers() <= registers and tile != committed]
    shallow = [
        committed._replace(shallow_rows=rows)
        for rows in SHALLOW_HEIGHTS
        if rows <= committed.rows and rows != committed.shallow_rows
    ]
    for choices in (tiles, shallow):
        measured = measure(compiler, unit, [committed, *choices], rounds)
        print(f"\n{unit.name}, {shlex.join(compiler)}; * is the choice of sizes.h")
        print(table(measured, committed), flush=True)


def arguments_of(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sets = instruction_sets()
    parser.add_argument("--sets", nargs="+", choices=sets, default=sets, help="default: all")
    parser.add_argument("--bits", nargs="+", type=int, choices=(32, 64), default=[32])
    parser.add_argument("--rounds", type=int, default=3, help="runs of each choice (default: 3)")
    parser.add_argument("--cpu", type=int, help="the processor to measure on, where it can be set")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = arguments_of(argv)
    compiler = shlex.split(os.environ.get("CC", "cc"))
    units = {unit.name: unit for unit in build_native.units()}
    if arguments.cpu is not None:
        os.sched_setaffinity(0, {arguments.cpu})
    for name in arguments.sets:
        for bits in arguments.bits:
            registers = registers_of(name, platform.machine())
            search(compiler, units[f"engine_f{bits}_{name}"], registers, arguments.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
