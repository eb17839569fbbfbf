"""In-place builds: what was edited is compiled again, and no more; a stale build is noticed."""

import os
import shlex
import time

import processes
import pytest
from source_tree import append, copy_of_sources, replace_once, setup_py

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="the compiler is wrapped in a shell script"),
]


@pytest.fixture(scope="module")
def compiler(tmp_path_factory):
    """The C compiler without its optimisation: what it is told to compile matters here."""
    script = tmp_path_factory.mktemp("compiler") / "cc"
    real = os.environ.get("CC", "cc")
    script.write_text(f'#!/bin/sh\nexec {real} "$@" -O0 -fno-tree-vectorize -fno-peel-loops\n')
    script.chmod(0o755)
    return shlex.quote(str(script))


@pytest.fixture
def tree(tmp_path, compiler):
    """A copy of the sources, built in place."""
    copy_of_sources(tmp_path)
    build(tmp_path, compiler)
    return tmp_path


def build(tree, compiler):
    """Builds in place, and returns the names of the objects that were compiled."""
    begin = time.time_ns()
    setup_py(tree, "build_ext", "--inplace", CC=compiler, LDSHARED=f"{compiler} -shared")
    objects = list((tree / "build").glob("temp*/*/csrc/**/*.o"))
    made = {p.parts[p.parts.index("csrc") - 1]: p.stat().st_mtime_ns for p in objects}
    assert made.keys() >= {"status", "network", "engine_f32_baseline", "engine_f64_baseline"}
    return {name for name, when in made.items() if when >= begin}


def compiled_hash(tree):
    """The hash in the module, and what importing the package warns of."""
    folder = str(tree / "python")
    printed = processes.run("programs/compiled_hash.py", folder, env={"PYTHONPATH": folder})
    number, _, warning = printed.partition("\n")
    return int(number), warning.strip()


def test_nothing_is_compiled_twice(tree, compiler):
    assert build(tree, compiler) == set()


def test_an_edited_header_rebuilds_what_depends_on_it(tree, compiler):
    before, warning = compiled_hash(tree)
    assert warning == ""
    append(tree / "csrc" / "engine" / "peak.h", "/* edited */\n")
    stale, warning = compiled_hash(tree)
    assert stale == before
    assert "compiled from other C sources" in warning
    assert "pip install -e ." in warning
    compiled = build(tree, compiler)
    assert {name.partition("_")[0] for name in compiled} == {"engine"}
    after, warning = compiled_hash(tree)
    assert after != before
    assert warning == ""


def test_an_edited_common_header_rebuilds_everything(tree, compiler):
    append(tree / "csrc" / "calls" / "status.c", "/* edited */\n")
    assert build(tree, compiler) == {"status"}
    append(tree / "csrc" / "engine.h", "/* edited */\n")
    assert build(tree, compiler) >= {"status", "network", "engine_f32_baseline"}


def test_trap_missing_depends(tree, compiler):
    """Without the list of headers an edited one changes nothing, and the tests above would fail."""
    replace_once(tree / "setup.py", "[*unit.depends, *BUILD_FILES]", "[unit.source]")
    append(tree / "csrc" / "engine" / "peak.h", "/* edited */\n")
    assert build(tree, compiler) == set()
