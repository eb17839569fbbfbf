"""The constants of the exponential are those that bench/remez.py derives, to the last bit."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
SOURCE = ROOT / "csrc" / "engine" / "activation.h"

pytestmark = pytest.mark.skipif(not BENCH.is_dir(), reason="bench/ is not beside the tests")


@pytest.fixture
def remez(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import remez

    return remez


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
