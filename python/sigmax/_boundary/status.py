"""From a status of C to an exception."""

from __future__ import annotations

from sigmax._boundary.build import why_none_was_chosen
from sigmax._sigmax import ffi, lib
from sigmax.errors import InstructionSetError

_OK = lib.SIGMAX_OK  # looked up once: every call passes here


def check(status: int) -> None:
    """Raise the exception for a C status; return on SIGMAX_OK.

    Not for SIGMAX_DIVERGED, which training raises itself because it knows the epoch.
    """
    if status == _OK:
        return
    text = ffi.string(lib.sigmax_status_text(status)).decode()
    if status == lib.SIGMAX_OUT_OF_MEMORY:
        raise MemoryError(text)
    if status == lib.SIGMAX_BAD_INSTRUCTION_SET:
        raise InstructionSetError(why_none_was_chosen())
    raise ValueError(text)
