"""Rehearses cibuildwheel with this project's own configuration, in a container made here.

``python wheels/rehearse.py [--machine aarch64] [--whole] [--skip-controls]``

Builds, repairs, audits and tests the wheels of the committed tree, for each interpreter that the
image of `stand_in_image.py` has. Then it runs controls that show what a success means: a failing
test and a too-new symbol must each be rejected, and nothing from a stale build/ may reach the
wheel. Needs what `stand_in_image.py` names, and requirements.txt beside it.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from stand_in_image import NAMES, STAND_INS, interpreters, make_image, network_options, run
from test_installed import QUICK_TESTS

ROOT = Path(__file__).resolve().parents[1]
# The equations, the activations and their neighbours: emulated, a test takes ten times as long.
EMULATED_TESTS = ("test_equations", "test_activation", "test_network")


class Rehearsal:
    """One machine's wheels, built in its image from copies of the committed tree."""

    def __init__(self, machine: str, folder: Path) -> None:
        self.machine = machine
        self.folder = folder
        self.stand_in = STAND_INS[machine]
        self.emulated = machine != NAMES.get(platform.machine(), platform.machine())
        self.image = make_image(machine, folder)
        self.interpreters = interpreters(self.image)
        head = ["git", "-C", ROOT, "rev-parse", "HEAD"]
        self.commit = subprocess.run(head, stdout=subprocess.PIPE, text=True, check=True).stdout

    def export(self, name: str) -> Path:
        """What is committed and nothing else: cibuildwheel copies the folder it is started in."""
        tree = self.folder / f"tree-{name}"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        archive = subprocess.run(
            ["git", "-C", ROOT, "archive", self.commit.strip()], stdout=subprocess.PIPE, check=True
        ).stdout
        subprocess.run(["tar", "x", "-C", tree], input=archive, check=True)
        return tree

    def cibuildwheel(
        self,
        tree: Path,
        chosen: list[str],
        tests: tuple[str, ...] = (),
        plat: str | None = None,
        **settings: str,
    ) -> tuple[bool, str, list[Path]]:
        """Run cibuildwheel in the tree: whether it succeeded, what it printed, and its wheels."""
        output = tree.with_name(tree.name.replace("tree-", "dist-"))
        shutil.rmtree(output, ignore_errors=True)
        options = [*network_options(), f"--env=AUDITWHEEL_PLAT={plat or self.stand_in.plat}"]
        builds = " ".join(f"{name.split('-')[1]}-manylinux_*" for name in chosen)
        environment = {
            **os.environ,
            "CIBW_BUILD": builds,
            "CIBW_CONTAINER_ENGINE": f"podman; create_args: {' '.join(options)};"
            " disable_host_mount: true",
            f"CIBW_MANYLINUX_{self.machine.upper()}_IMAGE": self.image,
            "CIBW_DEPENDENCY_VERSIONS": "latest",
            "CIBW_AUDIT_COMMAND": "",  # it fetches from where this machine may not reach: see below
            **settings,
        }
        if tests:
            files = " ".join(f"tests/{name}.py" for name in tests)
            environment["CIBW_TEST_ENVIRONMENT"] = f"PYTEST_ADDOPTS='{files}'"
        command = [sys.executable, "-m", "cibuildwheel", "--platform", "linux", "--archs"]
        command += [self.machine, "--output-dir", str(output)]
        begin = time.monotonic()
        log = output.with_suffix(".log")
        with log.open("w") as file:
            process = subprocess.run(
                command, cwd=tree, env=environment, stdout=file, stderr=subprocess.STDOUT
            )
        printed = log.read_text(errors="replace")
        done = process.returncode == 0
        seconds = time.monotonic() - begin
        print(f"{output.name}: status {process.returncode}, {seconds:.0f} s, {log}", flush=True)
        return done, printed, sorted(output.glob("*.whl"))

    def build(self, whole: bool) -> Path:
        """Build and test, with all tests or the quick ones; return the abi3 wheel."""
        tests = () if whole else EMULATED_TESTS if self.emulated else QUICK_TESTS
        tree = self.export(f"good-{self.machine}")
        done, printed, wheels = self.cibuildwheel(tree, self.interpreters, tests)
        passed = re.findall(r"^.*\b\d+ passed.*$", printed, re.MULTILINE)
        print(*(f"  {line.strip()}" for line in passed), sep="\n")
        if not done or len(passed) != len(self.interpreters):
            print(printed[-5000:])
            raise SystemExit(f"{len(passed)} of {self.interpreters} passed the tests")
        abi3 = [wheel for wheel in wheels if "-abi3-" in wheel.name]
        if len(abi3) != 1:
            raise SystemExit(f"one abi3 wheel is expected, found {[w.name for w in wheels]}")
        run(sys.executable, "-m", "abi3audit", "--strict", *abi3)
        run(sys.executable, ROOT / "wheels" / "check_wheel.py", *wheels)
        return abi3[0]

    def control_failing_test(self) -> None:
        """A wheel whose tests fail must not come out."""
        tree = self.export(f"failing-test-{self.machine}")
        (tree / "tests" / "test_control.py").write_text("def test_control():\n    assert False\n")
        done, printed, wheels = self.cibuildwheel(tree, self.interpreters[:1], ("test_control",))
        self.refused("a failing test", done or bool(wheels), "1 failed" in printed)

    def control_new_symbol(self) -> None:
        """A wheel that needs glibc 2.30 must not be called manylinux_2_28."""
        tree = self.export(f"new-symbol-{self.machine}")
        with (tree / "csrc" / "calls" / "status.c").open("a") as file:
            file.write("int gettid(void);\nint sigmax_control(void);\n")
            file.write("int sigmax_control(void)\n{\n    return gettid();\n}\n")
        done, printed, wheels = self.cibuildwheel(
            *(tree, self.interpreters[:1]),
            plat=f"manylinux_2_28_{self.machine}",
            CIBW_TEST_COMMAND="",
        )
        self.refused("a symbol too new", done or bool(wheels), "too-recent" in printed)

    def control_stale_build(self, good: Path) -> None:
        """The contents of build/ must have no effect: the module is the same to the last bit."""
        tree = self.export(f"stale-build-{self.machine}")
        tag = self.interpreters[0].split("-")[1].removeprefix("cp")
        stale = f"linux-{self.machine}-cpython-{tag}"
        package = tree / "build" / f"lib.{stale}" / "sigmax"
        package.mkdir(parents=True)
        (package / "forgotten.py").write_text("left there\n")
        (package / "_sigmax.abi3.so").write_bytes(b"of another compiler")
        for name in ("status", "network", "engine_f32_baseline"):
            source = "csrc/engine/engine.o" if name.startswith("engine") else f"csrc/calls/{name}.o"
            target = tree / "build" / f"temp.{stale}" / name / source
            target.parent.mkdir(parents=True)
            target.write_bytes(b"of another compiler")
            os.utime(target, (time.time() + 3600,) * 2)  # newer than every source
        done, printed, wheels = self.cibuildwheel(tree, self.interpreters[:1], CIBW_TEST_COMMAND="")
        if not done:
            print(printed[-3000:])
            raise SystemExit("with a stale build/ nothing was built")
        clean, built = contents(good), contents(wheels[0])
        differing = {n for n in clean.keys() | built.keys() if clean.get(n) != built.get(n)}
        self.refused("a stale build/", bool(differing), "forgotten" not in str(sorted(built)))

    def refused(self, what: str, accepted: bool, expected: bool) -> None:
        """Print that a control was rejected, and check that it was for the intended reason."""
        if accepted or not expected:
            reason = "it was accepted" if accepted else "another error came first"
            raise SystemExit(f"control: {what} must be rejected, but {reason}")
        print(f"control: {what} is rejected", flush=True)


def contents(wheel: Path) -> dict[str, int]:
    """The checksums of a wheel's files by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {info.filename: info.CRC for info in archive.infolist()}


def main() -> None:
    """Rehearse for one machine, this one's kind by default."""
    here = NAMES.get(platform.machine(), platform.machine())
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--machine", choices=STAND_INS, default=here)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "rehearsal")
    parser.add_argument("--whole", action="store_true", help="all tests, hours under emulation")
    parser.add_argument("--skip-controls", action="store_true")
    arguments = parser.parse_args()
    rehearsal = Rehearsal(arguments.machine, arguments.folder.resolve())
    good = rehearsal.build(arguments.whole)
    if not arguments.skip_controls:
        rehearsal.control_failing_test()
        rehearsal.control_new_symbol()
        rehearsal.control_stale_build(good)
    print(f"rehearsed: {good}")


if __name__ == "__main__":
    main()
