"""The includes of csrc/: calls know machine and engine, these know no calls; no circles."""

import re
from graphlib import CycleError, TopologicalSorter

import pytest
from source_tree import ROOT

CSRC = ROOT / "csrc"
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)

# From each folder, and from each file that lies in none, to those that it may include besides its
# own folder's.
ARROWS = {
    "calls": {"machine", "engine.h", "random.h", "sigmax.h"},
    "machine": {"sigmax.h"},
    "engine": {"engine.h", "random.h"},
    "dot.c": {"sigmax.h"},
    "engine.h": {"sigmax.h"},
    "random.c": {"random.h", "sigmax.h"},
    "random.h": set(),
    "sigmax.h": {"sigmax_api.h"},
    "sigmax_api.h": set(),
}


def includes_of(csrc):
    """Return for every file below `csrc` the files that it includes, as {path: {name: path}}."""
    csrc = csrc.resolve()
    files = [p for p in sorted(csrc.rglob("*.[ch]")) if p.name != "_sigmax.c"]
    assert files, f"no C under {csrc}"
    includes = {}
    for path in files:
        names = INCLUDE.findall(path.read_text(encoding="utf-8"))
        targets = {name: (path.parent / name).resolve() for name in names}
        for name, target in targets.items():
            assert target.is_file(), f"{path} includes {name}, which does not lie there"
        includes[path.relative_to(csrc)] = {n: t.relative_to(csrc) for n, t in targets.items()}
    return includes


def wrong_includes(csrc):
    """Return "file includes file" for every include below `csrc` that `ARROWS` does not have."""
    return [
        f"{path.as_posix()} includes {name}"
        for path, names in includes_of(csrc).items()
        for name, target in names.items()
        if target.parts[0] not in {path.parts[0], *ARROWS[path.parts[0]]}
    ]


def circle_of_includes(csrc):
    """Return the files of one circle, its first file again at the end; [] where there is none."""
    includes = {path: set(names.values()) for path, names in includes_of(csrc).items()}
    try:
        TopologicalSorter(includes).prepare()
    except CycleError as error:
        return [path.as_posix() for path in reversed(error.args[1])]
    return []


def copy_with_include(csrc, folder, file, include):
    """Copy the C below `csrc` to `folder`; there `file` includes `include` too."""
    for path in csrc.rglob("*.[ch]"):
        copy = folder / path.relative_to(csrc)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    with (folder / file).open("a", encoding="utf-8") as changed:
        changed.write(f'#  include "{include}"\n')


@pytest.fixture
def csrc():
    if not (CSRC / "build_native.py").is_file():
        pytest.skip("no csrc/ beside the tests")
    return CSRC


def test_the_arrows_of_the_includes(csrc):
    assert wrong_includes(csrc) == []


def test_no_circle_of_includes(csrc):
    assert circle_of_includes(csrc) == []


def test_every_folder_has_its_arrows(csrc):
    parts = {p.relative_to(csrc).parts[0] for p in csrc.rglob("*.[ch]")} - {"_sigmax.c"}
    assert parts == ARROWS.keys()


@pytest.mark.parametrize(
    ("file", "include"),
    [
        ("engine/forward.h", "../machine/pool.h"),
        ("engine/forward.h", "../calls/call.h"),
        ("engine/forward.h", "../sigmax.h"),
        ("machine/pool.c", "../engine.h"),
        ("machine/pool.c", "../calls/call.h"),
        ("calls/call.c", "../engine/forward.h"),
        ("engine.h", "engine/forward.h"),
        ("engine.h", "machine/pool.h"),
        ("random.c", "engine.h"),
    ],
)
def test_a_turned_arrow_is_found(csrc, tmp_path, file, include):
    copy_with_include(csrc, tmp_path, file, include)
    assert wrong_includes(tmp_path) == [f"{file} includes {include}"]


@pytest.mark.parametrize(
    ("file", "include", "circle"),
    [
        ("machine/os_posix.h", "os.h", {"machine/os.h", "machine/os_posix.h"}),
        ("machine/os_win32.h", "os.h", {"machine/os.h", "machine/os_win32.h"}),
        ("engine/real.h", "real.h", {"engine/real.h"}),
        ("sigmax.h", "engine.h", {"sigmax.h", "engine.h"}),
    ],
)
def test_a_circle_is_found(csrc, tmp_path, file, include, circle):
    copy_with_include(csrc, tmp_path, file, include)
    found = circle_of_includes(tmp_path)
    assert found[0] == found[-1]
    assert set(found) == circle
