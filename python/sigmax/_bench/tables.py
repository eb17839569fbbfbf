"""What reports of measurements share: tables, times in microseconds, the machine."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from collections.abc import Sequence

from sigmax._boundary.build import version
from sigmax._sigmax import ffi, lib
from sigmax.network import Network


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an aligned text table, the first column to the left and the others to the right.

    Examples
    --------
    >>> print(table(["name", "us"], [["tiny", "1.5"]]))
    name   us
    tiny  1.5
    """
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    lines = []
    for row in [headings, *rows]:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(n) for cell, n in zip(row[1:], widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def microseconds(seconds: float) -> str:
    """Return a time in microseconds with three digits, as in ``4.42`` or ``44,074``."""
    value = seconds * 1e6
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def processor() -> str:
    """Return the processor's name as the system reports it."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine() -> dict[str, str]:
    """Return machine, instruction set, compiler and versions, on which a figure depends."""
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "sigmax": version(),
        "numpy": importlib.metadata.version("numpy"),
        "instruction set": Network([1, 2]).instruction_set,
        "compiler": ffi.string(lib.sigmax_compiler()).decode(),
    }
