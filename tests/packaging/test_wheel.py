"""The checks of wheels/check_wheel.py: a good wheel passes, and each trap makes one fail."""

import random
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest
from source_tree import ROOT, append, copy_of_sources, setup_py

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the traps are those of Linux"),
    pytest.mark.skipif(
        bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="no abi3 without the GIL"
    ),
]

MODULE = "sigmax/_sigmax.abi3.so"
NOISE = random.Random(0).randbytes(200_000)  # which nothing packs


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(tree, wheel): a copy of the sources, and the wheel made from it."""
    for module in ("elftools", "packaging", "zopfli"):
        pytest.importorskip(module)
    for tool in ("objdump", "strip"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} on the path")
    tree = copy_of_sources(tmp_path_factory.mktemp("tree"))
    earlier = f"lib.{sysconfig.get_platform()}-{sys.implementation.cache_tag}"
    (tree / "build" / earlier / "sigmax").mkdir(parents=True)
    (tree / "build" / earlier / "sigmax" / "forgotten.py").write_text("left there\n")
    setup_py(tree, "bdist_wheel", "-d", tree / "dist")
    (wheel,) = (tree / "dist").glob("*.whl")
    recompress = [sys.executable, ROOT / "wheels" / "recompress.py", wheel]
    subprocess.run(recompress, check=True, timeout=300)
    return tree, wheel


def check(wheel):
    """(status, output) of check_wheel.py."""
    process = subprocess.run(
        [sys.executable, ROOT / "wheels" / "check_wheel.py", wheel],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.stderr == ""
    return process.returncode, process.stdout


def refusals(wheel):
    status, printed = check(wheel)
    lines = [line.strip() for line in printed.splitlines() if "REFUSED" in line]
    assert status == (1 if lines else 0), printed
    return lines


def changed(wheel, folder, replaced, renamed=None):
    """A copy of the wheel with files replaced, added (bytes), or under another name."""
    copy = folder / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name not in replaced:
                new.writestr((renamed or {}).get(name, name), old.read(name))
        for name, content in replaced.items():
            new.writestr(name, content)
    return copy


def with_module_of(tree, wheel, folder, **environment):
    """The wheel with the module that the tree gives now; only what was changed is compiled."""
    setup_py(tree, "build_ext", "--inplace", **environment)
    module = folder / "module.so"
    subprocess.run(["strip", "-o", module, tree / "python" / MODULE], check=True)
    return changed(wheel, folder, {MODULE: module.read_bytes()})


@pytest.fixture
def status_c(built):
    """A source of the library that is put back after the test."""
    path = built[0] / "csrc" / "calls" / "status.c"
    kept = path.read_bytes()
    yield path
    path.write_bytes(kept)


# ---- a good wheel --------------------------------------------------------------------------------


def test_good_wheel_passes(built):
    status, printed = check(built[1])
    assert status == 0, printed
    for what in (
        "cp311-abi3",
        "size",
        "symbol versions",
        "GLIBC_2",
        "engines",
        "ms of processor time",
    ):
        assert what in printed


def test_wheel_holds_nothing_of_an_earlier_build(built):
    with zipfile.ZipFile(built[1]) as archive:
        assert MODULE in archive.namelist()
        assert not any("forgotten" in name for name in archive.namelist())


def test_recompression_changes_no_file(built):
    tree, wheel = built
    assert zipfile.ZipFile(wheel).testzip() is None
    again = tree / "again" / wheel.name
    again.parent.mkdir()
    setup_py(tree, "bdist_wheel", "-d", again.parent)
    assert wheel.stat().st_size < 0.98 * again.stat().st_size
    with zipfile.ZipFile(wheel) as new, zipfile.ZipFile(again) as old:
        assert new.namelist() == [name for name in old.namelist() if not name.endswith("/")]
        for name in new.namelist():
            assert new.read(name) == old.read(name), name
            assert new.getinfo(name).external_attr == old.getinfo(name).external_attr, name


def test_abi3audit_passes_it(built):
    pytest.importorskip("abi3audit")
    process = subprocess.run(
        [sys.executable, "-m", "abi3audit", "--strict", built[1]],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr


# ---- traps in the archive ------------------------------------------------------------------------


def test_trap_wrong_suffix(built, tmp_path):
    name = "sigmax/_sigmax.cpython-311-x86_64-linux-gnu.so"
    found = refusals(changed(built[1], tmp_path, {}, {MODULE: name}))
    assert any(f"not {name}" in line for line in found), found


def test_trap_tag_without_abi3(built, tmp_path):
    info = next(n for n in zipfile.ZipFile(built[1]).namelist() if n.endswith("/WHEEL"))
    text = zipfile.ZipFile(built[1]).read(info).replace(b"cp311-abi3", b"cp311-cp311")
    wheel = changed(built[1], tmp_path, {info: text})
    found = refusals(wheel)
    assert any("WHEEL says ['cp311-cp311" in line for line in found), found
    found = refusals(wheel.rename(wheel.with_name(wheel.name.replace("-abi3-", "-cp311-"))))
    assert any("abi3, or a free-threaded one, is expected" in line for line in found), found


def test_trap_grafted_library(built, tmp_path):
    name = "sigmax.libs/libgomp-a49a47f9.so.1.0.0"
    found = refusals(changed(built[1], tmp_path, {name: b"\x7fELF"}))
    assert any(name in line for line in found), found


def test_trap_library_beside_the_module(built, tmp_path):
    found = refusals(changed(built[1], tmp_path, {"sigmax/libopenblas.so.0": b"\x7fELF"}))
    assert any("sigmax/libopenblas.so.0 is a library" in line for line in found), found


@pytest.mark.parametrize(
    ("name", "more", "complaint"),
    [
        ("sigmax/more.bin", bytes(1_700_000), r"installed: [\d,]+ bytes, above 2,000,000"),
        ("sigmax/more.bin", NOISE[:170_000], r"the wheel: [\d,]+ bytes, above 520,000"),
        (MODULE, NOISE[:30_000], r"the compiled module, packed: [\d,]+ bytes, above 200,000"),
    ],
)
def test_trap_too_large(built, tmp_path, name, more, complaint):
    wheel = zipfile.ZipFile(built[1])
    before = wheel.read(name) if name in wheel.namelist() else b""
    found = refusals(changed(built[1], tmp_path, {name: before + more}))
    assert len(found) == 1 and re.fullmatch(f"REFUSED: {complaint}", found[0]), found


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("import os; os.putenv('SIGMAX_TRAP', '1')", "changes the environment: ['SIGMAX_TRAP=1']"),
        (
            "import threading, time; threading.Thread(target=time.sleep, args=(1,)).start()",
            "starts threads",
        ),
        ("sum(range(4_000_000))", "ms beyond NumPy"),  # a tenth of a second
        ("import tqdm", "imports tqdm"),
        ("import ctypes; ctypes.CDLL(None).fesetround(0x400)", "rounds down"),
    ],
)
def test_trap_at_import(built, tmp_path, code, complaint):
    name = "sigmax/__init__.py"
    text = zipfile.ZipFile(built[1]).read(name).decode()
    found = refusals(changed(built[1], tmp_path, {name: f"{text}\n{code}\n"}))
    assert any(complaint in line for line in found), found


# ---- traps in the compiled module ----------------------------------------------------------------


def test_trap_avx_outside_its_object(built, status_c, tmp_path):
    append(
        status_c,
        '__attribute__((target("avx"), used)) static double trap(const double *x)\n'
        "{\n    return x[0] * x[1];\n}\n",
    )
    found = refusals(with_module_of(*built, tmp_path))
    assert any("outside the engines of v3" in line for line in found), found


def test_trap_engines_not_in_sections_of_their_own(built, status_c, tmp_path):
    others = [name for name in ("gold", "lld") if shutil.which(f"ld.{name}")]
    if not others:
        pytest.skip("no other linker on the path than GNU ld")
    append(status_c, "\n")
    found = refusals(with_module_of(*built, tmp_path, LDFLAGS=f"-fuse-ld={others[0]}"))
    assert any("an engine for v3 lie outside its section" in line for line in found), found


def test_trap_subnormals_flushed_at_import(built, status_c, tmp_path):
    append(
        status_c,
        "__attribute__((constructor)) static void trap(void)\n"
        "{\n    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);\n}\n",
    )
    found = refusals(with_module_of(*built, tmp_path))
    changes = ("flushes float32", "flushes float64", "takes subnormals for zero")
    assert any(all(what in line for what in changes) for line in found), found


def test_trap_needs_another_library(built, status_c, tmp_path):
    append(status_c, "\n")
    flags = "-Wl,--no-as-needed -l:libgcc_s.so.1 -Wl,-rpath,/opt/trap"
    found = refusals(with_module_of(*built, tmp_path, LDFLAGS=flags))
    assert any("needs libgcc_s.so.1" in line for line in found), found
    assert any("looks for libraries in /opt/trap" in line for line in found), found
