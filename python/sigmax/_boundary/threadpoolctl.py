"""Registers the worker pool with threadpoolctl, so that it sees and limits it."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from sigmax._boundary.build import version
from sigmax._boundary.threads import get_num_threads, set_num_threads

_NAME = "threadpoolctl"


def register_threadpoolctl() -> None:
    """Let threadpoolctl see and limit the worker pool, under the user_api "sigmax".

    `import sigmax` does this where threadpoolctl was imported before. Where it is imported later,
    call this once. A second call changes nothing.

    Raises
    ------
    ImportError
        When threadpoolctl is not installed, or is older than 3.2, which has no `register`.

    Examples
    --------
    >>> import threadpoolctl
    >>> sigmax.register_threadpoolctl()
    >>> with threadpoolctl.threadpool_limits(1, user_api="sigmax"):
    ...     sigmax.get_num_threads()
    1
    """
    try:
        module = importlib.import_module(_NAME)
    except ImportError as error:
        raise ImportError(
            "register_threadpoolctl needs threadpoolctl: pip install threadpoolctl"
        ) from error
    if not hasattr(module, "register"):
        raise ImportError(
            f"threadpoolctl is {module.__version__}, which has no register; expected 3.2 or later: "
            "pip install -U threadpoolctl"
        )
    _register(module)


def register_if_loaded() -> None:
    """Register the pool where threadpoolctl is imported already and can take it."""
    module = sys.modules.get(_NAME)
    if hasattr(module, "register"):  # a module that is being imported has none yet, nor has None
        _register(module)


def _register(threadpoolctl: Any) -> None:
    if hasattr(threadpoolctl, "_has_sigmax"):
        return

    class SigmaxController(threadpoolctl.LibController):  # type: ignore[misc]
        """The pool of sigmax, found by the name of its compiled module."""

        user_api = "sigmax"
        internal_api = "sigmax"
        filename_prefixes = ("_sigmax",)

        def get_num_threads(self) -> int:
            return get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            set_num_threads(num_threads)

        def get_version(self) -> str:
            return version()

    threadpoolctl.register(SigmaxController)
    threadpoolctl._has_sigmax = True  # on that module, which may be loaded anew
