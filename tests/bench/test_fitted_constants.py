"""Constants in C that were fitted, and the scripts of bench/ that fit them.

Those of the exponential are derived to the last bit. Those of the forward product's cost model are
measured; here it is tested that the script fits the model that the C computes with.
"""

import os
import shutil
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest
from source_tree import ROOT

BENCH = ROOT / "bench"
SOURCE = ROOT / "csrc" / "engine" / "activation.h"

pytestmark = pytest.mark.skipif(not BENCH.is_dir(), reason="bench/ is not beside the tests")


@pytest.fixture
def remez(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import remez

    return remez


@pytest.fixture
def cost(monkeypatch):
    """bench/fit_forward_cost.py."""
    monkeypatch.syspath_prepend(str(BENCH))
    import fit_forward_cost

    return fit_forward_cost


def check(*arguments):
    """The exit status of `bench/remez.py --check`, and what it prints."""
    done = subprocess.run(
        [sys.executable, str(BENCH / "remez.py"), "--check", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_the_source_holds_the_constants_that_are_derived():
    assert check() == (0, "")


@pytest.mark.thorough
def test_constants_that_differ_in_the_last_place_are_found(tmp_path):
    text = SOURCE.read_text(encoding="utf-8")
    for old, new in [
        ("0x1.fffffcp-2", "0x1.fffffap-2"),
        ("0x1.ad7f6f0799ee2p-26", "0x1.ad7f6f0799ee3p-26"),
        ("0x1.62e42fefa38p-1", "0x1.62e42fefa3p-1"),
    ]:
        assert text.count(old) == 1
        text = text.replace(old, new)
    changed = tmp_path / "activation.h"
    changed.write_text(text, encoding="utf-8")
    status, printed = check("--source", changed)
    assert status == 1
    assert printed.splitlines() == [
        "activation.h, float32: q_0 is 0x1.fffffap-2, expected 0x1.fffffcp-2, which is 1 ulp away",
        "activation.h, float64: LN2_HIGH is 0x1.62e42fefa3p-1, expected 0x1.62e42fefa38p-1,"
        " which is 2.05e+03 ulp away",
        "activation.h, float64: q_9 is 0x1.ad7f6f0799ee3p-26, expected 0x1.ad7f6f0799ee2p-26,"
        " which is 1 ulp away",
    ]


def test_constants_that_are_missing_or_not_derived_are_found(remez):
    lines = remez.differences({"q_0": 0.5, "q_1": 0.25}, {"q_0": 0.5, "q_2": 0.125}, 24)
    assert lines == ["q_1 is missing; expected 0x1p-2", "q_2 = 0x1p-3 is not derived here"]


def test_the_best_constant_by_hand(remez):
    """Degree 0: two errors of equal size and opposite sign, at the ends, where weights differ."""
    q = remez.minimax(0)
    ends = remez.points()[0], remez.points()[-1]
    errors = [remez.weight(r) * (q.coefficients[0] - remez.remainder(r)) for r in ends]
    assert abs(errors[0] + errors[1]) < Decimal("1e-25")
    assert abs(q.error - abs(errors[0])) < Decimal("1e-25")


SHAPES = ((1, 784, 30), (2, 8, 3), (10, 784, 100), (10, 30, 10), (33, 100, 26), (96, 4, 300))


def as_modelled(cost, constants, lanes, unit):
    """An engine whose times are exactly those of the model."""
    ones = np.ones(len(SHAPES))
    measured = cost.Measured("modelled", lanes, np.array(SHAPES, float), ones, ones, ones)
    dots, panels = cost.costs(measured, constants)
    return measured._replace(dots=unit * dots, panels=unit * panels)


def test_the_model_by_hand(cost):
    constants = cost.Constants(multiply=2, sum=3, transpose=5, store=7)
    measured = cost.Measured("", 4, np.array([[6.0, 9.0, 11.0]]), *np.ones((3, 1)))
    dots, panels = cost.costs(measured, constants)
    assert dots.tolist() == [2 * 6 * 11 * 3 + 3 * 6 * 11]
    assert panels.tolist() == [2 * 11 * 9 + 5 * 6 * 9 + 7 * 6 * 11]


def test_the_fit_finds_the_constants_of_times_that_follow_the_model(cost):
    constants = cost.Constants(1.3, 9.0, 0.7, 2.5)
    engines = [as_modelled(cost, constants, 4, 1e-9), as_modelled(cost, constants, 16, 3e-10)]
    assert cost.fit(engines) == pytest.approx(constants, rel=1e-3)
    assert cost.fit(engines[:1]) == pytest.approx(constants, rel=1e-3)


def test_losses_by_hand(cost):
    constants = cost.Constants(3, 1, 1, 1)  # dots for the first shape, panels for the second
    shapes = np.array([[1.0, 16.0, 1.0], [16.0, 16.0, 16.0]])
    measured = cost.Measured("", 16, shapes, np.array([2.0, 1.0]), np.array([1.0, 2.0]), None)
    assert cost.chosen(measured, constants).tolist() == [2.0, 2.0]
    row = cost.line("both", [measured], constants)
    assert row.split()[5:] == ["100.0%", "100.0%", "100.0%", "100%", "at", "1x16->1"]


@pytest.mark.thorough
def test_the_model_chooses_as_the_source_does(cost):
    """The C program, compiled in little time, says what forward_uses_dots chooses."""
    compiler = cost.compiler()[0]
    if os.name == "nt" or shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} for the C program")
    source = cost.constants_of_source(cost.SOURCE.read_text(encoding="utf-8"))
    units = {unit.name: unit for unit in cost.build_native.units()}
    unit = units["engine_f32_baseline"]._replace(flags=["-std=c99", "-O0"])
    [measured] = cost.measure([unit], SHAPES, rounds=1)
    dots, panels = cost.costs(measured, source)
    assert measured.shapes.tolist() == [list(shape) for shape in SHAPES]
    assert measured.dots.min() > 0 and measured.panels.min() > 0
    assert measured.uses_dots.tolist() == (dots < panels).tolist()
    assert set(measured.uses_dots) == {True, False}
