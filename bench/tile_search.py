"""Which tile sizes are fastest on this machine, with this compiler: a search, printed as a table.

``python bench/tile_search.py`` compiles the engine with each choice of ROWS and VECTORS, and then
of SHALLOW_ROWS, that csrc/engine/sizes.h could make for an instruction set, times the three
products on shapes from 1x784->30 to 256x1024->1024, and marks with ``*`` the choice that sizes.h
makes. ``CC=clang-14`` searches for another compiler.
"""

from __future__ import annotations

import math
import platform
import shlex
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from native_driver import (
    Program,
    argument_parser,
    build_native,
    compile_all,
    compiler,
    engine_name,
    engines,
    lines_of,
)

DRIVER = Path(__file__).resolve().with_suffix(".c")

PRODUCTS = ("forward", "delta", "gradient")
HEIGHTS = (2, 4, 8)  # of tiles: what the transposed store of the forward product can take
SHALLOW_HEIGHTS = (1, 2, 4, 8)
MOST_VECTORS = 3


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


def program_of(unit: build_native.Unit, tile: Tile | None) -> Program:
    """Return the driver and the engine with these sizes; with those of sizes.h for None."""
    macros = [f"-DSEARCHED_ENGINE={engine_name(unit)}", *(tile.macros() if tile else [])]
    return Program([unit.source, DRIVER], unit, macros)


def run_driver(program: Path) -> tuple[Tile, Times]:
    """Return the sizes that a driver was compiled with, and what it measured."""
    sizes, *lines = lines_of(program)
    times = {}
    for rows, n_in, n_out, *seconds in lines:
        for product, value in zip(PRODUCTS, seconds, strict=True):
            times[f"{rows}x{n_in}->{n_out}", product] = float(value)
    return Tile(*map(int, sizes)), times


def measure(
    unit: build_native.Unit, tiles: Iterable[Tile | None], rounds: int
) -> dict[Tile, Times]:
    """Return the median times of every choice; the choices run in turn, round by round."""
    samples: dict[Tile, list[Times]] = {}
    with tempfile.TemporaryDirectory() as folder:
        programs = {
            Path(folder) / f"driver{i}": program_of(unit, tile) for i, tile in enumerate(tiles)
        }
        compile_all(programs)
        for _ in range(rounds):
            for program in programs:
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


def search(unit: build_native.Unit, registers: int, rounds: int) -> None:
    """Print two tables: of tiles, and of the gradient's shallow tiles beside the committed size."""
    committed = next(iter(measure(unit, [None], 1)))
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
        measured = measure(unit, [committed, *choices], rounds)
        print(f"\n{unit.name}, {shlex.join(compiler())}; * is the choice of sizes.h")
        print(table(measured, committed), flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = argument_parser(__doc__.splitlines()[0], rounds=3, bits=[32]).parse_args(argv)
    for unit in engines(arguments):
        registers = registers_of(dict(unit.macros)["SIGMAX_ISA_NAME"], platform.machine())
        search(unit, registers, arguments.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
