"""Which skips are expected where: tests/expected_skips.txt, read for pytest and for .ci/run.

In a run of pytest that has a name, in the environment variable SIGMAX_RUN, a skip that the list
does not expect is an error. `python tests/expected_skips.py REASON` asks for one reason, and ends
with status 1 when it is not expected.
"""

import os
import platform
import re
import shutil
import sys
from pathlib import Path

LIST = Path(__file__).with_name("expected_skips.txt")


def conditions():
    """The words that hold here, as the list uses them."""
    machine = platform.machine().lower()
    return {
        os.environ.get("SIGMAX_RUN", ""),
        {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine),
        f"python{sys.version_info.major}.{sys.version_info.minor}",
        "root" if getattr(os, "geteuid", lambda: 1)() == 0 else "user",
        *(["no-apt"] if shutil.which("apt-get") is None else []),
        *([] if os.environ.get("SIGMAX_MNIST") else ["no-mnist"]),
    }


def is_expected(reason, here=None):
    """Whether a line of the list is about this reason, under conditions that hold here."""
    here = conditions() if here is None else here
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            where, pattern = re.fullmatch(r"([\w. -]+): +(\S.*)", line).groups()
            if here.issuperset(where.split()) and re.fullmatch(pattern, reason):
                return True
    return False


def pytest_sessionfinish(session):
    """Let a run that has a name fail on skips that are not expected, and name them."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("SIGMAX_RUN") or reporter is None:  # None in a worker of pytest-xdist
        return
    found = {}
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not is_expected(reason):
            found.setdefault(reason, []).append(report.nodeid)
    for reason, names in found.items():
        reporter.write_line(
            f"\nnot expected by {LIST.name} in this run ({' '.join(sorted(conditions()))}):"
            f" {len(names)} skipped, {names[0]} for one: {reason}",
            red=True,
        )
    if found:
        session.exitstatus = 1


if __name__ == "__main__":
    if not is_expected(sys.argv[1]):
        sys.exit(f"not expected by {LIST} here ({' '.join(sorted(conditions()))}): {sys.argv[1]}")
