"""Builds the C library and runs its tests, the example in the header's opening comment included.

On a sample of the cases: `make -C tests/c test` takes all.
"""

import re

import pytest
from c_library import build, make
from source_tree import ROOT

PROGRAMS = sorted(p.stem[5:] for p in (ROOT / "tests" / "c").glob("test_*.c"))


LONG = ("edges", "guards")  # some seconds each, on a sample, too


@pytest.mark.parametrize(
    "name",
    [pytest.param(p, marks=[pytest.mark.thorough] if p in LONG else []) for p in PROGRAMS],
)
def test_c_program(name):
    build("programs", f"TESTS={name}")
    printed = make("test", f"TESTS={name}", SIGMAX_QUICK="1")
    # Before the verdict stands which instruction sets are not there, and whether test_training_hash
    # knows no hashes of this compiler's.
    verdict = re.search(rf"^{name} +(?:.*; )?(\d+) passed, 0 failed$", printed, re.MULTILINE)
    assert verdict is not None and int(verdict[1]) > 0, printed


def test_the_example_of_the_header():
    build("programs", "TESTS=")
    assert "success: 0 1 1 0" in make("test", "TESTS=")
