"""Lets threadpoolctl see and limit the worker pool, without importing it.

Where threadpoolctl is imported already, the pool is registered at once, else as soon as somebody
imports it: until then a finder stands on ``sys.meta_path``, and removes itself afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, cast

_NAME = "threadpoolctl"


def register_pool() -> None:
    """Register the pool with threadpoolctl, now or when it is imported."""
    module = sys.modules.get(_NAME)
    if module is not None:
        _register(module)
    else:
        sys.meta_path.insert(0, _Finder())


def _register(threadpoolctl: Any) -> None:
    from sigmax.config import get_num_threads, set_num_threads, version

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

    # an older threadpoolctl has no register, and then does without the pool
    if hasattr(threadpoolctl, "register"):
        threadpoolctl.register(SigmaxController)


class _Finder:
    """Waits for the import of threadpoolctl, which the other finders then do."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _NAME:
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = cast(Any, _Loader(spec.loader, self))
                return spec
        return None


class _Loader:
    """The loader of threadpoolctl, with the registration behind it."""

    def __init__(self, loader: Any, finder: _Finder) -> None:
        self.loader = loader
        self.finder = finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        spec.loader = self.loader
        try:
            module: ModuleType | None = self.loader.create_module(spec)
        finally:
            spec.loader = cast(Any, self)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:  # from here on as if nobody had stepped in
            module.__spec__.loader = self.loader
        module.__loader__ = self.loader
        self.loader.exec_module(module)
        if self.finder in sys.meta_path:
            sys.meta_path.remove(self.finder)
        _register(module)
