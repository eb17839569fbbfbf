"""The instruction sets of this build, and which of them this machine can run."""

from __future__ import annotations

from sigmax._sigmax import ffi, lib


def built_instruction_sets() -> dict[str, bool]:
    """Names of this build's sets, from least to most capable, and whether this machine has them."""
    sets: dict[str, bool] = {}
    while (name := lib.sigmax_instruction_set_name(len(sets))) != ffi.NULL:
        sets[ffi.string(name).decode()] = bool(lib.sigmax_instruction_set_available(len(sets)))
    return sets


def instruction_sets() -> tuple[str, ...]:
    """Return the instruction sets that can be used here, from least to most capable.

    A network takes the last one, unless the environment variable `SIGMAX_ISA` names another when
    the network is made.

    Examples
    --------
    >>> sigmax.instruction_sets()
    ('baseline', 'v3', 'v4')
    """
    return tuple(name for name, available in built_instruction_sets().items() if available)
