"""The memory of this process in KiB, as Linux counts it; for the programs beside."""

import re


def _status(name):
    with open("/proc/self/status") as file:
        return int(re.search(rf"{name}:\s+(\d+)", file.read())[1])


def resident():
    """What is in memory now."""
    return _status("VmRSS")


def peak():
    """The most that was in memory at any time."""
    return _status("VmHWM")
