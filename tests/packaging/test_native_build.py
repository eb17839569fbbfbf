"""What the compiler and the linker made of the C library, seen from outside."""

import os
import platform
import re
import shutil
import subprocess
import sys

import processes
import pytest
from c_library import ARCHIVE, ROOT, build
from sigmax import _sigmax


def run(*command, **options):
    """The output of a command, of the binary utilities for example, which may be missing."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} on the path")
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **options).stdout


# ---- instruction sets ----------------------------------------------------------------------------

# In objdump's listing: an instruction in VEX or EVEX encoding, which needs AVX. All of their names
# begin with v, or k for those on mask registers; verr and verw are old instructions.
AVX = re.compile(r"\t(?:v(?!er[rw]\b)|k(?:mov|or|and|xor|not|shift|test|add|unpck))\w*")
YMM = re.compile(r"%ymm\d")
ZMM = re.compile(r"%zmm\d|%[xy]mm(?:1[6-9]|2\d|3[01])|%k[0-7]\b")
FUSED = re.compile(r"\tvfn?m(?:add|sub)\w*p[sd]\s")


@pytest.fixture(scope="module")
def listings():
    """The disassembled objects of the library by name."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip(f"one instruction set only on {platform.machine()}")
    if shutil.which("objdump") is None:
        pytest.skip("no objdump on the path")
    build(str(ARCHIVE))
    parts = re.split(
        r"^(\S+)\.o: +file format .*$",
        run("objdump", "-d", "--no-show-raw-insn", str(ARCHIVE)),
        flags=re.MULTILINE,
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def objects_of(listings, instruction_set):
    """The engine's objects for one set, both precisions; for None everything that is not v3, v4."""
    if instruction_set is None:
        return {n: t for n, t in listings.items() if not n.endswith(("_v3", "_v4"))}
    return {
        f"engine_f{bits}_{instruction_set}": listings[f"engine_f{bits}_{instruction_set}"]
        for bits in (32, 64)
    }


def test_no_avx_outside_the_objects_made_for_it(listings):
    objects = objects_of(listings, None)
    assert {"engine_f32_baseline", "engine_f64_baseline", "network", "random"} <= objects.keys()
    for name, text in objects.items():
        assert "\tret" in text or "\tjmp" in text, f"{name}: no code was disassembled"
        for pattern in (AVX, YMM, ZMM):
            found = pattern.search(text)
            assert found is None, f"{name}: {found.group()!r}"


def test_v3_objects_need_no_avx512(listings):
    for name, text in objects_of(listings, "v3").items():
        found = ZMM.search(text)
        assert found is None, f"{name}: {found.group()!r}"
        assert YMM.search(text), f"{name}: no vectors of 256 bits"
        assert len(FUSED.findall(text)) > 100, f"{name}: hardly any fused multiply-adds on vectors"


def test_v4_objects_use_whole_vectors(listings):
    for name, text in objects_of(listings, "v4").items():
        fused = [line for line in text.splitlines() if FUSED.search(line)]
        assert sum("%zmm" in line for line in fused) > 100, f"{name}: hardly any on 512 bits"


# ---- the compiler --------------------------------------------------------------------------------


FAMILY = "import sys, build_native as b; print(b.compiler_family(sys.argv[1:]))"


@pytest.mark.parametrize("architectures", [(), ("arm64",), ("arm64", "x86_64")])
def test_the_family_of_a_compiler_for_several_architectures(architectures):
    if not (ROOT / "csrc" / "build_native.py").is_file():
        pytest.skip("no csrc/ beside the tests")
    compiler = os.environ.get("CC", "cc").split()
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"no {compiler[0]} on the path")
    command = [*compiler, "-O2", *(word for a in architectures for word in ("-arch", a))]
    family = run(
        *(sys.executable, "-c", FAMILY, *command),
        cwd=ROOT / "csrc",
    )
    assert family.strip() in ("gcc", "clang")


# ---- symbols -------------------------------------------------------------------------------------


def test_engines_export_their_table_alone(listings):
    printed = run("nm", "-g", "--defined-only", str(ARCHIVE))
    engines = re.findall(r"^(engine_\w+)\.o:\n((?:.+\n)*)", printed, re.MULTILINE)
    assert len(engines) == 6
    for name, symbols in engines:
        assert [line.split()[-1] for line in symbols.splitlines()] == [f"sigmax_{name}"]


def test_library_defines_only_names_of_its_own(listings):
    names = re.findall(
        r"^[0-9a-f]+ [A-Z] (\w+)$", run("nm", "-g", "--defined-only", str(ARCHIVE)), re.MULTILINE
    )
    assert len(names) > 30
    assert [name for name in names if not name.startswith("sigmax_")] == []


def test_module_exports_its_init_and_sigmax_names_alone():
    if sys.platform != "linux":
        pytest.skip(f"nm -D reads the modules of Linux, not of {sys.platform}")
    printed = run("nm", "-D", "--defined-only", _sigmax.__file__)
    names = [line.split()[-1] for line in printed.splitlines()]
    assert "PyInit__sigmax" in names
    strangers = [n for n in names if not re.match(r"_?sigmax_|PyInit__sigmax$|_init$|_fini$", n)]
    assert strangers == []


# ---- the floating-point environment --------------------------------------------------------------


def test_rounding_and_subnormals_stay_as_they_were():
    processes.run("programs/rounding_and_subnormals.py")
