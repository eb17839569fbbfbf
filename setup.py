"""Compiles the engine once per precision and instruction set, then the cffi module around it.

pyproject.toml holds everything else, csrc/build_native.py the sources, sets and flags.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

sys.path.insert(0, str(Path(__file__).resolve().parent / "csrc"))
import build_native
import source_hash

# One binary serves CPython 3.11 and later; free-threaded builds have no limited API.
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
LIMITED_API = None if FREE_THREADED else "cp311"

# Names of local functions and unwind tables make up a tenth of the wheel. A build in place keeps
# them for debuggers and profilers.
STRIP = {"linux": ["-Wl,--strip-all"], "darwin": ["-Wl,-x"]}
NO_UNWINDING = {"linux": ["-fno-asynchronous-unwind-tables"]}
# The functions that cffi writes only convert arguments and call. Their time does not count beside
# the call, but their size is a tenth of an engine's.
GLUE = ["-Os"]
# Explicit, because a clang-cl for x86-64 also runs on Windows for arm64, and compiles for x86-64.
CLANG_CL_TARGETS = {
    "win-amd64": ["--target=x86_64-pc-windows-msvc"],
    "win-arm64": ["--target=aarch64-pc-windows-msvc"],
}


def target_machine(plat_name: str) -> str:
    """Return the target machine, from the platform's name and ARCHFLAGS."""
    archflags = os.environ.get("ARCHFLAGS", "")
    if "arm64" in archflags and "x86_64" not in archflags:
        return "arm64"
    if "x86_64" in archflags and "arm64" not in archflags:
        return "x86_64"
    return plat_name.rsplit("-", 1)[-1]


class BuildFromNothing(build):
    """Deletes the library folder first, since everything in it goes into the wheel."""

    def run(self):
        if os.path.isdir(self.build_lib):
            shutil.rmtree(self.build_lib)
        super().run()


class BuildEngines(build_ext):
    """Compiles each unit with its own flags, which setuptools cannot do.

    In place it compiles what is older than its sources and headers. For a wheel it compiles
    everything: build/ may come from another compiler, or another machine.
    """

    def run(self):
        self.in_place = self.inplace or self.editable_mode  # setuptools resets the first of them
        super().run()

    def build_extension(self, ext):
        family = self.compiler_family()
        flags = build_native.FLAGS[family]
        strict = bool(os.environ.get("SIGMAX_WERROR"))
        warnings = flags.warnings + (flags.warnings_are_errors if strict else [])
        self.force = self.force or not self.in_place
        target_flags = CLANG_CL_TARGETS.get(self.plat_name, []) if family == "clang-cl" else []
        unwinding = [] if self.in_place else NO_UNWINDING.get(sys.platform, [])

        def compile_unit(unit):
            folder = os.path.join(self.build_temp, unit.name)
            source = os.path.relpath(unit.source)
            target = self.compiler.object_filenames([source], output_dir=folder)[0]
            if not self.force and newer_than_all(Path(target), [*unit.depends, *BUILD_FILES]):
                return [target]
            return self.compiler.compile(
                [source],
                output_dir=folder,
                macros=unit.macros,
                include_dirs=[str(build_native.CSRC)],
                extra_postargs=[*target_flags, *unit.flags, *unwinding, *warnings],
            )

        sets = build_native.instruction_sets(target_machine(self.plat_name))
        units = build_native.units(target_machine(self.plat_name), family)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = [o for result in pool.map(compile_unit, units) for o in result]
        ext.extra_objects = objects
        if family in ("gcc", "clang"):
            ext.extra_compile_args = [*GLUE, *unwinding]
        elif target_flags:
            ext.extra_compile_args = target_flags
        ext.depends = [str(path) for path in (*source_hash.source_files(), *BUILD_FILES)]
        ext.extra_link_args = [] if self.in_place else STRIP.get(sys.platform, [])
        if sys.platform == "linux" and links_with_gnu_ld(self.compiler.linker_so):
            script = Path(self.build_temp) / "engines.ld"
            script.write_text(build_native.section_script(sets))
            ext.extra_link_args = ["-T", str(script), *ext.extra_link_args]
        super().build_extension(ext)

    def compiler_family(self):
        """Return the key of build_native.FLAGS; SIGMAX_CLANG_CL=1 takes clang-cl for MSVC."""
        if self.compiler.compiler_type != "msvc":
            return build_native.compiler_family(self.compiler.compiler_so)
        if not self.compiler.initialized:  # before threads use it
            self.compiler.initialize(self.plat_name)
        if not os.environ.get("SIGMAX_CLANG_CL"):
            return "msvc"
        found = shutil.which("clang-cl")
        if found is None:
            raise SystemExit("SIGMAX_CLANG_CL is set, and there is no clang-cl on the path")
        self.compiler.cc = found
        return "clang-cl"


BUILD_FILES = [Path(__file__).resolve(), build_native.CSRC / "build_native.py"]


def links_with_gnu_ld(command: list[str]) -> bool:
    """Whether a compiler's linker reads build_native.section_script; others have other scripts."""
    process = subprocess.run(
        [*command, "-Wl,--version"], capture_output=True, text=True, check=False
    )
    return process.stdout.startswith("GNU ld")


def newer_than_all(target: Path, sources: list[Path]) -> bool:
    """Whether the target exists and no source was changed after it was made."""
    if not target.is_file():
        return False
    made = target.stat().st_mtime_ns
    return all(source.stat().st_mtime_ns < made for source in sources)


class Abi3Wheel(bdist_wheel):
    """Tags the wheel for the limited API."""

    def finalize_options(self):
        if LIMITED_API is not None:
            self.py_limited_api = LIMITED_API
        super().finalize_options()


setup(
    cffi_modules=["csrc/build_native.py:ffi_builder"],
    cmdclass={"build": BuildFromNothing, "build_ext": BuildEngines, "bdist_wheel": Abi3Wheel},
)
