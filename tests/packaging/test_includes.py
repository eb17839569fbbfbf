"""The includes of csrc/: the calls know machine and engine, and neither of these the calls."""

import re

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
    "engine.h": {"sigmax.h"},
    "random.c": {"random.h", "sigmax.h"},
    "random.h": set(),
    "sigmax.h": {"sigmax_api.h"},
    "sigmax_api.h": set(),
}


def wrong_includes(csrc):
    """Return "file includes file" for every include below `csrc` that `ARROWS` does not have."""
    wrong = []
    files = [p for p in sorted(csrc.rglob("*.[ch]")) if p.name != "_sigmax.c"]
    assert files, f"no C under {csrc}"
    for path in files:
        home = path.relative_to(csrc).parts[0]
        for name in INCLUDE.findall(path.read_text(encoding="utf-8")):
            target = (path.parent / name).resolve()
            assert target.is_file(), f"{path} includes {name}, which does not lie there"
            to = target.relative_to(csrc.resolve()).parts[0]
            if to != home and to not in ARROWS[home]:
                wrong.append(f"{path.relative_to(csrc).as_posix()} includes {name}")
    return wrong


@pytest.fixture
def csrc():
    if not (CSRC / "build_native.py").is_file():
        pytest.skip("no csrc/ beside the tests")
    return CSRC


def test_the_arrows_of_the_includes(csrc):
    assert wrong_includes(csrc) == []


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
    for path in csrc.rglob("*.[ch]"):
        copy = tmp_path / path.relative_to(csrc)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    with (tmp_path / file).open("a", encoding="utf-8") as changed:
        changed.write(f'#  include "{include}"\n')
    assert wrong_includes(tmp_path) == [f"{file} includes {include}"]
