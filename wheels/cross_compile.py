"""Compiles the C library for every platform with a wheel, by zig cc, with warnings as errors.

``python wheels/cross_compile.py [--targets ...] [--folder build/cross] [--run-arm64]``

zig comes from PyPI (the package ziglang) with the headers of all these systems. Its output
is not shipped: it shows that the sources compile cleanly for these systems. With
--run-arm64 the C tests are compiled by Debian's gcc for arm64 and run under qemu-user.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# The target of zig, and the machine whose instruction sets are compiled.
TARGETS = {
    "x86_64-linux-gnu.2.17": "x86_64",
    "x86_64-linux-musl": "x86_64",
    "aarch64-linux-gnu.2.17": "aarch64",
    "aarch64-linux-musl": "aarch64",
    "x86_64-windows-gnu": "x86_64",
    "aarch64-windows-gnu": "aarch64",
    "x86_64-macos": "x86_64",
    "aarch64-macos": "aarch64",
}
ARM64_GCC = "aarch64-linux-gnu-gcc"
QEMU = "qemu-aarch64-static"


def zig(*arguments: str) -> str:
    """A command of zig, for the shell."""
    return shlex.join([sys.executable, "-m", "ziglang", *arguments])


def compile_target(target: str, folder: Path) -> Path:
    """Compile the library for one target; return the archive."""
    archive = folder / target / "libsigmax.a"
    archive.parent.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "CC": zig("cc", "-target", target),
        "CFLAGS": "-Werror",
        "AR": zig("ar"),
    }
    command = [sys.executable, "csrc/build_native.py", str(archive), "--machine", TARGETS[target]]
    begin = time.monotonic()
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode != 0:
        raise SystemExit(f"{target}: the library does not compile cleanly")
    print(f"{target:24} {time.monotonic() - begin:6.1f} s", flush=True)
    return archive


def run_arm64(folder: Path) -> None:
    """Run the C tests, compiled by gcc for arm64 Linux, under qemu-user.

    The library is made with the compiler that makes the wheels. QEMU_CPU names a processor with
    nothing beyond ARMv8.0, so that an instruction of a later one is a fault.
    """
    for tool, package in ((ARM64_GCC, "gcc-aarch64-linux-gnu"), (QEMU, "qemu-user-static")):
        if shutil.which(tool) is None:
            raise SystemExit(f"there is no {tool}: install Debian's {package}")
    build = folder / "arm64-tests"
    build.mkdir(parents=True, exist_ok=True)
    archive = str(build / "libsigmax.a")
    environment = {**os.environ, "CC": ARM64_GCC, "CFLAGS": "-Werror"}
    command = [sys.executable, "csrc/build_native.py", archive, "--machine", "aarch64"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    # make finds the library newer than its sources, and only adds the tests
    command = [
        *("make", "-C", str(ROOT / "tests" / "c"), "test", f"PYTHON={sys.executable}"),
        *(f"CC={ARM64_GCC}", "CXX=no-c++", f"BUILD={build}"),
        f"LAUNCH={QEMU} -L /usr/aarch64-linux-gnu",
    ]
    begin = time.monotonic()
    environment = {**os.environ, "QEMU_CPU": "cortex-a57", "SIGMAX_QUICK": "1"}
    subprocess.run(command, env=environment, check=True)
    print(f"C tests for arm64 under {QEMU}: {time.monotonic() - begin:.1f} s")


def main() -> None:
    """Compile for the targets that are named, all of them by default."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", nargs="*", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "cross")
    parser.add_argument("--run-arm64", action="store_true", help=f"run the C tests under {QEMU}")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    for target in arguments.targets:
        compile_target(target, folder)
    if arguments.run_arm64:
        run_arm64(folder)


if __name__ == "__main__":
    main()
