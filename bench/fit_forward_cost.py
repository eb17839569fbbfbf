"""Fit the cost model by which the forward product chooses between dot products and panels.

``python bench/fit_forward_cost.py`` compiles bench/fit_forward_cost.c with each engine, measures
both ways on a grid of shapes, and fits the constants of ``forward_uses_dots`` in
csrc/engine/matmul_forward.h. For rows m, inputs k, outputs n and LANES lanes the model is

    dots   = u (multiply m n ceil(k / LANES) + sum m n)
    panels = u (ceil(m / LANES) n k + transpose m k + store m n)

u, the time of one vector operation of a tile, differs between engines and does not matter for the
choice. What is minimised is the sum of the squares of model / measured - 1. The constants are
fitted for each engine by itself, and for all of them together, since the source has one set.

Printed are the constants, and the time that the choice made with each set loses against the faster
way of every shape: the mean over the shapes, the loss of all shapes' times together, how many
shapes lose more than a tenth, and the worst shape.
``CC=clang-14`` measures another compiler.

How good the constants of the source are depends on machine and compiler. On an otherwise idle
machine ``python bench/fit_forward_cost.py`` prints it: for each engine the line "source" beside
the line "fit", and under "all engines" beside "fit to all".
"""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from native_driver import (
    Program,
    argument_parser,
    build_native,
    compile_all,
    compiler,
    engines,
    lines_of,
)

DRIVER = Path(__file__).resolve().with_suffix(".c")
SOURCE = build_native.CSRC / "engine" / "matmul_forward.h"

ROWS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96)
INPUTS = (4, 8, 16, 30, 64, 100, 200, 500, 784)
OUTPUTS = (3, 10, 26, 100, 300)
SHAPES = tuple(product(ROWS, INPUTS, OUTPUTS))

ALTERNATIONS = 200
NOTICEABLE = 0.1


class Constants(NamedTuple):
    """What the terms of the model cost, in vector operations of a tile."""

    multiply: float  # a vector of a dot product
    sum: float  # the lanes of a dot product, added up
    transpose: float  # a real on its way into a panel
    store: float  # an output of a panel's tile

    def __str__(self) -> str:
        return "  ".join(f"{value:9.2f}" for value in self)


class Measured(NamedTuple):
    """What one engine measured: arrays with an entry for each of the shapes."""

    name: str
    lanes: int
    shapes: np.ndarray  # (shapes, 3) of rows, inputs, outputs
    dots: np.ndarray  # seconds
    panels: np.ndarray  # seconds
    uses_dots: np.ndarray  # whether forward_uses_dots says so


# ---- measuring -----------------------------------------------------------------------------------


def measure(
    units: Sequence[build_native.Unit], shapes: Sequence[tuple[int, int, int]], rounds: int
) -> list[Measured]:
    """Return the median times of every engine; the engines run in turn, round by round."""
    arguments = [size for shape in shapes for size in shape]
    with tempfile.TemporaryDirectory() as folder:
        programs = {Path(folder) / unit.name: Program([DRIVER], unit, []) for unit in units}
        compile_all(programs)
        runs: dict[Path, list[list[list[str]]]] = {program: [] for program in programs}
        for _ in range(rounds):
            for program in programs:
                runs[program].append(lines_of(program, *arguments))
    result = []
    for program, printed in runs.items():
        tables = np.array([lines for _, *lines in printed], dtype=float)  # (rounds, shapes, 6)
        dots, panels = (np.median(tables[:, :, column], axis=0) for column in (3, 4))
        lanes = int(printed[0][0][0])
        uses_dots = tables[0, :, 5] == 1
        result.append(Measured(program.name, lanes, tables[0, :, :3], dots, panels, uses_dots))
    return result


# ---- the model -----------------------------------------------------------------------------------


def constants_of_source(text: str) -> Constants:
    """Return the constants of ``forward_uses_dots``; a term without a factor has 1."""
    dots = re.search(r"dots = m \* n \* \((\S+) \* \(double\)count_of.* \+ (\S+)\);", text)
    panels = re.search(r"panels = .* n \* k \+ (\S+) \* m \* k \+ (?:(\S+) \* )?m \* n;", text)
    if dots is None or panels is None:
        raise SystemExit(
            f"the formula of forward_uses_dots in {SOURCE} is not the model fitted here"
        )
    return Constants(*(float(c or 1) for c in (*dots.groups(), *panels.groups())))


def terms(measured: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Return how often the tile's operation occurs, and each constant's, as (2 shapes, 4).

    The first half of the rows is of dots, the second of panels.
    """
    m, k, n = measured.shapes.T
    zero = np.zeros_like(m)
    tile = np.concatenate([zero, np.ceil(m / measured.lanes) * n * k])
    dots = np.stack([m * n * np.ceil(k / measured.lanes), m * n, zero, zero], axis=1)
    panels = np.stack([zero, zero, m * k, m * n], axis=1)
    return tile, np.concatenate([dots, panels])


def costs(measured: Measured, constants: Constants) -> tuple[np.ndarray, np.ndarray]:
    """Return what the model says of dots and of panels, in operations of a tile."""
    tile, others = terms(measured)
    dots, panels = np.split(tile + others @ np.array(constants), 2)
    return dots, panels


def fit(engines_measured: Sequence[Measured]) -> Constants:
    """Return the constants of least squares of model / measured - 1.

    The model is linear in the constants for a given u of each engine, and in u for given
    constants: each is solved for in turn.
    """
    seconds = [np.concatenate([e.dots, e.panels]) for e in engines_measured]
    counts = [terms(e) for e in engines_measured]
    tiles = [tile / s for (tile, _), s in zip(counts, seconds, strict=True)]
    others = [other / s[:, None] for (_, other), s in zip(counts, seconds, strict=True)]
    constants = np.ones(len(Constants._fields))
    for _ in range(ALTERNATIONS):
        relative = [t + o @ constants for t, o in zip(tiles, others, strict=True)]
        units = [r.sum() / (r @ r) for r in relative]
        left = np.concatenate([u * o for u, o in zip(units, others, strict=True)])
        right = np.concatenate([1 - u * t for u, t in zip(units, tiles, strict=True)])
        constants, *_ = np.linalg.lstsq(left, right, rcond=None)
    return Constants(*map(float, constants))


def chosen(measured: Measured, constants: Constants) -> np.ndarray:
    """Return the seconds of each shape as the model chooses."""
    dots, panels = costs(measured, constants)
    return np.where(dots < panels, measured.dots, measured.panels)


# ---- the report ----------------------------------------------------------------------------------


def line(name: str, measured: Sequence[Measured], constants: Constants) -> str:
    seconds = np.concatenate([chosen(e, constants) for e in measured])
    best = np.concatenate([np.minimum(e.dots, e.panels) for e in measured])
    lost = seconds / best - 1
    worst = int(lost.argmax())
    rows, n_in, n_out = map(int, np.concatenate([e.shapes for e in measured])[worst])
    return (
        f"  {name:<12} {constants}   {lost.mean():7.1%} {seconds.sum() / best.sum() - 1:7.1%}"
        f" {(lost > NOTICEABLE).mean():7.1%} {lost[worst]:6.0%} at {rows}x{n_in}->{n_out}"
    )


def report(measured: Sequence[Measured], source: Constants) -> str:
    """Return a table for each engine and one for all of them."""
    together = fit(measured)
    head = f"  {'constants':<12} " + "  ".join(f"{name:>9}" for name in Constants._fields)
    head += f"   {'mean':>7} {'all':>7} {'> 10 %':>7}  worst"
    lines = []
    for engine in measured:
        own = fit([engine])
        lines += [f"{engine.name}, {engine.lanes} lanes, {shlex.join(compiler())}", head]
        lines += [
            line(name, [engine], constants)
            for name, constants in (("source", source), ("fit", own), ("fit to all", together))
        ]
    lines += ["all engines", head, line("source", measured, source)]
    lines += [line("fit to all", measured, together)]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__.splitlines()[0], rounds=5, bits=[32, 64])
    arguments = parser.parse_args(argv)
    source = constants_of_source(SOURCE.read_text(encoding="utf-8"))
    measured = measure(list(engines(arguments)), SHAPES, arguments.rounds)
    print(report(measured, source))
    return 0


if __name__ == "__main__":
    sys.exit(main())
