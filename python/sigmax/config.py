"""What this build and this machine offer: instruction sets and threads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from sigmax._arrays import as_integer
from sigmax._errors import check
from sigmax._instruction_sets import built_instruction_sets, instruction_sets, left_out
from sigmax._sigmax import ffi, lib
from sigmax._stale_build import warn_if_stale
from sigmax._threadpoolctl import register_pool

_INT_MAX = 2**31 - 1

# what set_num_threads was last given; None: C goes by the environment, affinity and quotas
_chosen_threads: int | None = None


def get_num_threads() -> int:
    """Return how many threads a call may use, at least 1.

    In order: `set_num_threads`, else the environment variable `SIGMAX_NUM_THREADS`, else the first
    item of `OMP_NUM_THREADS`, else what affinity and quotas allow. Results do not depend on it.
    """
    return lib.sigmax_get_num_threads()


def set_num_threads(n: int | None) -> None:
    """Set how many threads the calls that follow may use; None goes back to the default.

    Parameters
    ----------
    n : int or None
        At least 1, and taken as given, even beyond the number of cores.

    Raises
    ------
    TypeError, ValueError
        When n is no integer, or below 1.

    Examples
    --------
    >>> sigmax.set_num_threads(1)
    """
    global _chosen_threads
    count = None if n is None else as_integer(n, "n", 1, _INT_MAX)
    check(lib.sigmax_set_num_threads(0 if count is None else count))
    _chosen_threads = count


@contextmanager
def num_threads(n: int | None) -> Iterator[None]:
    """Use n threads within a `with` block, and what was set before after it.

    The setting is the process's: other threads see it too.

    Examples
    --------
    >>> with sigmax.num_threads(2):
    ...     network.fit(X, y)
    """
    before = _chosen_threads
    set_num_threads(n)
    try:
        yield
    finally:
        set_num_threads(before)


def version() -> str:
    """Return the version of the installed package."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("sigmax")
    except PackageNotFoundError:  # run from a source tree
        return "unknown"


def show_config() -> None:
    """Print version, compiler, instruction sets, and the number of threads with its reason.

    Beside the sets that can be used stands what `SIGMAX_WITHOUT` says, which may leave some out.
    Also where the compiled module lies, and which Python and NumPy use it: what a report of a bug
    needs.
    """
    import platform

    import numpy

    from sigmax import _sigmax

    lines = {
        "version": version(),
        "module": _sigmax.__file__,
        "compiler": ffi.string(lib.sigmax_compiler()).decode(),
        "instruction sets built": ", ".join(built_instruction_sets()),
        "instruction sets available": _instruction_sets_available(),
        "instruction set in use": _instruction_set_in_use(),
        "threads": f"{get_num_threads()} ({_thread_reason()})",
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
    # imported here since a network's own imports lead back to this module
    from sigmax.network import Network

    try:
        name = Network([1, 2], seed=0).instruction_set
    except ValueError as error:
        return f"none: {error}"
    forced = os.environ.get("SIGMAX_ISA")
    return f"{name} ({f'SIGMAX_ISA={forced}' if forced else 'the best available'})"


def _thread_reason() -> str:
    if _chosen_threads is not None:
        return "set_num_threads"
    reason = "affinity and quotas"
    # the twin of number_of_variable in csrc/thread_count.c
    for name, end in (("OMP_NUM_THREADS", r"(,|\Z)"), ("SIGMAX_NUM_THREADS", r"\Z")):
        text = os.environ.get(name, "")
        if re.match(rf"\s*\+?\d*[1-9]\d*\s*{end}", text, re.ASCII):
            reason = f"{name}={text}"
        elif text:
            reason += f"; {name}={text} is ignored, an integer >= 1 is expected"
    return reason


warn_if_stale()
register_pool()  # at the end: where threadpoolctl is loaded already, it looks at this module now
