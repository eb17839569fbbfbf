"""What this build is: its version, its instruction sets, and whether it is stale."""

from __future__ import annotations

import os
import re
import warnings

from sigmax._sigmax import ffi, lib

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def built_instruction_sets() -> dict[str, bool]:
    """Names of this build's sets, from least to most capable, and whether they can be used here."""
    sets: dict[str, bool] = {}
    while (name := lib.sigmax_instruction_set_name(len(sets))) != ffi.NULL:
        sets[ffi.string(name).decode()] = bool(lib.sigmax_instruction_set_available(len(sets)))
    return sets


def instruction_sets() -> tuple[str, ...]:
    """Return the instruction sets available here, from least to most capable.

    A network uses the last one, unless the environment variable `SIGMAX_ISA` names another when
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


def version() -> str:
    """Return the version of the installed package."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("sigmax")
    except PackageNotFoundError:  # run from a source tree
        return "unknown"


def warn_if_stale(package: str | os.PathLike[str] = _PACKAGE) -> None:
    """Warn when the hash of the sources beside the package differs from the one compiled in.

    An installed package has no sources beside it and is not checked. A checkout has them in
    csrc/; csrc/source_hash.py lists the files, and reading them takes about a millisecond.

    Warns
    -----
    RuntimeWarning
        With the command that builds the module again.
    """
    python, _ = os.path.split(os.fspath(package))
    checkout, name = os.path.split(python)
    script = os.path.join(checkout, "csrc", "source_hash.py")
    if name != "python" or not os.path.isfile(script):
        return
    import importlib.util  # only here, since it takes longer than all the rest

    spec = importlib.util.spec_from_file_location("_sigmax_source_hash", script)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    current = module.source_hash()
    compiled = getattr(lib, "SIGMAX_SOURCE_HASH", None)
    if compiled != current:
        was = "none" if compiled is None else f"{compiled:#010x}"
        warnings.warn(
            f"sigmax was compiled from other C sources than those in {os.path.dirname(script)}"
            f" (their hash is {current:#010x}, that of the build {was}):"
            f" run `pip install -e .` or `python setup.py build_ext --inplace` in"
            f" {checkout}",
            RuntimeWarning,
            stacklevel=2,
        )
