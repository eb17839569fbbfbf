"""Builds the C library and runs its tests, the example in the header's opening comment included."""

import re
from pathlib import Path

from c_library import make

PROGRAMS = sorted(p.stem for p in Path(__file__).with_name("c").glob("test_*.c"))


def test_c_programs():
    printed = make("test")
    # test_training_hash says beforehand when it knows no hashes of this compiler's.
    verdicts = dict(re.findall(r"^(\w+) +(?:.*; )?(\d+) passed, 0 failed$", printed, re.MULTILINE))
    assert sorted(f"test_{name}" for name in verdicts) == PROGRAMS
    assert all(int(passed) > 0 for passed in verdicts.values())
    assert "success: 0 1 1 0" in printed
