"""Compiles the engine once per precision and instruction set, then the cffi module around it.

Everything else is said in pyproject.toml; the sources, sets and flags are in csrc/build_native.py.
"""

import os
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

sys.path.insert(0, str(Path(__file__).resolve().parent / "csrc"))
import build_native

# One binary serves CPython 3.11 and later; free-threaded builds have no limited API.
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
LIMITED_API = None if FREE_THREADED else "cp311"


def target_machine() -> str:
    """Return the machine compiled for; _PYTHON_HOST_PLATFORM or ARCHFLAGS may name another one."""
    archflags = os.environ.get("ARCHFLAGS", "")
    if "arm64" in archflags and "x86_64" not in archflags:
        return "arm64"
    if "x86_64" in archflags and "arm64" not in archflags:
        return "x86_64"
    return sysconfig.get_platform().rsplit("-", 1)[-1]


class BuildEngines(build_ext):
    """Gives each unit of the library flags of its own, which setuptools cannot."""

    def build_extension(self, ext):
        msvc = self.compiler.compiler_type == "msvc"
        warnings = [] if msvc else build_native.WARNING_FLAGS
        if os.environ.get("SIGMAX_WERROR") and not msvc:
            warnings = [*warnings, "-Werror"]
        depends = [str(p) for p in Path(build_native.CSRC).rglob("*.[ch]")]

        def compile_unit(unit):
            return self.compiler.compile(
                [os.path.relpath(unit.source)],
                output_dir=os.path.join(self.build_temp, unit.name),
                macros=unit.macros,
                include_dirs=[str(build_native.CSRC)],
                extra_postargs=[*unit.flags, *warnings],
                depends=depends,
            )

        units = build_native.units(target_machine(), msvc=msvc)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = [o for result in pool.map(compile_unit, units) for o in result]
        ext.extra_objects = [*ext.extra_objects, *objects]
        ext.depends = [*ext.depends, *depends]
        super().build_extension(ext)


class Abi3Wheel(bdist_wheel):
    """Tags the wheel for the limited API."""

    def finalize_options(self):
        if LIMITED_API is not None:
            self.py_limited_api = LIMITED_API
        super().finalize_options()


setup(
    cffi_modules=["csrc/build_native.py:ffi_builder"],
    cmdclass={"build_ext": BuildEngines, "bdist_wheel": Abi3Wheel},
)
