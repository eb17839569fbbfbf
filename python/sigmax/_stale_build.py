"""In a checkout: whether the compiled module was made from the C sources as they are now."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

from sigmax._sigmax import lib

_PACKAGE = Path(__file__).resolve().parent


def warn_if_stale(package: Path = _PACKAGE) -> None:
    """Warn when the sources beside the package have another hash than the one compiled in.

    An installed package has no sources beside it, and is not checked. A checkout has them in
    csrc/, and csrc/source_hash.py says what counts; reading them takes about a millisecond.

    Warns
    -----
    RuntimeWarning
        Saying how to build the module again.
    """
    script = package.parents[1] / "csrc" / "source_hash.py"
    if package.parent.name != "python" or not script.is_file():
        return
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
            f"sigmax was compiled from other C sources than those in {script.parent}"
            f" (their hash is {current:#010x}, that of the build {was}):"
            f" run `pip install -e .` or `python setup.py build_ext --inplace` in"
            f" {script.parents[1]}",
            RuntimeWarning,
            stacklevel=2,
        )
