"""Fixtures of the stress tests: how often to try, and a count of what was tried."""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

LONG = os.environ.get("SIGMAX_STRESS") == "long"
TRIED = pytest.StashKey[Counter]()


def pytest_collection_modifyitems(items):
    """Plain pytest leaves this folder out; see CONTRIBUTING.md."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.thorough)


@pytest.fixture
def rounds():
    """rounds(quick, long): how often, in the quick run and under SIGMAX_STRESS=long."""
    return lambda quick, long: long if LONG else quick


@pytest.fixture
def tried(request):
    """tried(what, n): count what was tried, for the summary that goes into EVIDENCE.md."""
    counter = request.config.stash.setdefault(TRIED, Counter())

    def count(what, n=1):
        counter[what] += n

    return count


def pytest_terminal_summary(terminalreporter, config):
    counter = config.stash.get(TRIED, None)
    if counter:
        terminalreporter.section("tried")
        for what, n in sorted(counter.items()):
            terminalreporter.write_line(f"{n:>9,}  {what}")
