"""`show_config`: what this build and this machine offer."""

from __future__ import annotations

import os
import sys

from sigmax._boundary.arrays import FLOAT32
from sigmax._boundary.build import (
    built_instruction_sets,
    instruction_sets,
    left_out,
    version,
)
from sigmax._boundary.layout import Layout
from sigmax._boundary.threads import get_num_threads, thread_reason
from sigmax._sigmax import ffi, lib


def show_config() -> None:
    """Print version, compiler, instruction sets, and the number of threads with its reason.

    Beside the sets that can be used stands what `SIGMAX_WITHOUT` says, which may leave some out.
    It also prints the path of the compiled module and the versions of Python and NumPy. Include
    all of it in a bug report.
    """
    import platform

    import numpy

    lines = {
        "version": version(),
        "module": sys.modules["sigmax._sigmax"].__file__ or "?",
        "compiler": ffi.string(lib.sigmax_compiler()).decode(),
        "instruction sets built": ", ".join(built_instruction_sets()),
        "instruction sets available": _instruction_sets_available(),
        "instruction set in use": _instruction_set_in_use(),
        "threads": f"{get_num_threads()} ({thread_reason()})",
        "Python": f"{platform.python_version()} on {platform.platform()}",
        "NumPy": numpy.__version__,
    }
    width = max(map(len, lines))
    for name, value in lines.items():
        print(f"{name:{width}}  {value}")


def _instruction_sets_available() -> str:
    text = ", ".join(instruction_sets())
    if not left_out():
        return text
    text += f" (SIGMAX_WITHOUT={os.environ['SIGMAX_WITHOUT']}"
    if unknown := [name for name in left_out() if name not in built_instruction_sets()]:
        text += f"; {', '.join(unknown)}: not in this build, so ignored"
    return f"{text})"


def _instruction_set_in_use() -> str:
    try:
        name = Layout((1, 2), FLOAT32).instruction_set
    except ValueError as error:
        return f"none: {error}"
    forced = os.environ.get("SIGMAX_ISA")
    return f"{name} ({f'SIGMAX_ISA={forced}' if forced else 'the best available'})"
