"""The instruction sets of this build, and which of them this machine can run."""

from __future__ import annotations

import os
import re

from sigmax._sigmax import ffi, lib


def built_instruction_sets() -> dict[str, bool]:
    """Names of this build's sets, from least to most capable, and whether they can be used here."""
    sets: dict[str, bool] = {}
    while (name := lib.sigmax_instruction_set_name(len(sets))) != ffi.NULL:
        sets[ffi.string(name).decode()] = bool(lib.sigmax_instruction_set_available(len(sets)))
    return sets


def instruction_sets() -> tuple[str, ...]:
    """Return the instruction sets that can be used here, from least to most capable.

    A network takes the last one, unless the environment variable `SIGMAX_ISA` names another when
    the network is made. Sets that the variable `SIGMAX_WITHOUT` names (``v4``, or ``v4,v3``) are
    left out, as if the machine did not have them; names that this build does not have mean
    nothing. The first one is on every machine, and cannot be left out. Both variables are read
    anew at each call.

    Examples
    --------
    >>> sigmax.instruction_sets()[0]
    'baseline'
    >>> sigmax.Network([2, 2]).instruction_set in sigmax.instruction_sets()
    True
    """
    return tuple(name for name, available in built_instruction_sets().items() if available)


def left_out() -> list[str]:
    """Return the names in `SIGMAX_WITHOUT`, those that mean nothing too, as C reads them."""
    return re.findall(r"[^, \t]+", os.environ.get("SIGMAX_WITHOUT", ""))


def why_none_was_chosen() -> str:
    """Return the sentence for SIGMAX_BAD_INSTRUCTION_SET: which variable is wrong, what helps."""
    least, *_ = built_instruction_sets()
    if least in left_out():
        return (
            f"the environment variable SIGMAX_WITHOUT is {os.environ['SIGMAX_WITHOUT']!r}; "
            f"{least} cannot be left out: take it off the list"
        )
    wanted, available = os.environ.get("SIGMAX_ISA"), ", ".join(instruction_sets())
    if wanted in left_out():
        return (
            f"the environment variable SIGMAX_ISA is {wanted!r}, which SIGMAX_WITHOUT="
            f"{os.environ['SIGMAX_WITHOUT']} leaves out; unset SIGMAX_ISA, or set it to one of: "
            f"{available}"
        )
    return (
        f"the environment variable SIGMAX_ISA is {wanted!r}; available on this machine: {available}"
    )
