"""What README, CONTRIBUTING, the pages of docs/ and the reports name exists: links, files, tests,
commands and their options."""

import ast
import fnmatch
import functools
import inspect
import re
import shlex

import pytest
import sigmax
from sigmax import cli
from source_tree import ROOT

FOLDERS = ("csrc", "python", "tests", "bench", "wheels", "docs", "web", ".github")
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "tests" / "EVIDENCE.md",
    ROOT / "web" / "README.md",
    *sorted((ROOT / "bench").glob("*.md")),
]
if not (ROOT / "README.md").is_file():
    pytest.skip("the tests stand alone", allow_module_level=True)

GENERATED = {"build/"}  # named, but not of the tree
of_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


# ---- what there is to be named -------------------------------------------------------------------


@functools.cache
def files():
    """Every file of the tree, relative to its root; also the folders, with a slash at the end."""
    found = {path.name for path in ROOT.iterdir() if path.is_file()}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            if "__pycache__" not in name:
                found.add(f"{name}/" if path.is_dir() else name)
    return found | {f"{folder}/" for folder in FOLDERS if (ROOT / folder).is_dir()}


@functools.cache
def known_tests():
    """The names of test functions, in Python and C, and of the files that hold them."""
    found = set()
    for path in (ROOT / "tests").rglob("test_*"):
        if path.suffix in (".py", ".c"):
            text = path.read_text(encoding="utf-8")
            form = r"^\s*def (test_\w+)" if path.suffix == ".py" else r"^\w[\w ]* (test_\w+)\("
            found |= {path.stem, *re.findall(form, text, re.M)}
    return found


@functools.cache
def targets(folder):
    """The targets of a Makefile."""
    return re.findall(r"^([\w-]+):", (ROOT / folder / "Makefile").read_text("utf-8"), re.M)


@functools.cache
def options(command):
    """The options that `sigmax COMMAND --help` lists, without a process of its own."""
    import contextlib
    import io

    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        cli.main([command, "--help"])
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", text.getvalue()))


# ---- what a page names ---------------------------------------------------------------------------


def anchors(text):
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


def broken_links(page, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.is_file() or (
            anchor and anchor not in anchors(file.read_text(encoding="utf-8"))
        ):
            yield target


def code(text):
    """The text between backticks and the lines of blocks that are no Python."""
    blocks = re.findall(r"```(\w*)\n(.*?)```", text, re.S)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    return inline + [block for language, block in blocks if language != "python"]


FILE = re.compile(r"(?<![\w./<>{}-])[\w*./-]+\.(?:pyi?|[ch]|md|toml|yml|in|txt)(?![\w(])")
FOLDER = re.compile(r"(?<![\w./<>{}=-])(?:[\w.-]+/)+(?![\w.*<-])")
TEST = re.compile(r"(?<![\w/.-])test_\w+(?![\w.*])")


def exists(name):
    """Whether a file or folder ends so; one of .github need not be there, as in an sdist."""
    if name.startswith(".github") and not (ROOT / ".github").is_dir():
        return True
    return any(fnmatch.fnmatchcase(file, form) for file in files() for form in (name, f"*/{name}"))


def missing_files(pieces):
    for piece in pieces:
        for name in FILE.findall(piece) + FOLDER.findall(piece):
            if name not in GENERATED and not exists(name):
                yield name


def missing_tests(pieces):
    return (name for piece in pieces for name in TEST.findall(piece) if name not in known_tests())


def wrong_commands(text):
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        for line in block.replace("&&", "\n").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["sigmax"]:
                given = {word for word in words[2:] if word.startswith("-")}
                yield from (f"{line}: {word}" for word in given - options(words[1]))
            elif words[:2] == ["make", "-C"]:
                known, goals = targets(words[2]), [w for w in words[3:] if "=" not in w]
                yield from (f"{line}: {goal}" for goal in goals if goal not in known)


# ---- the tests -----------------------------------------------------------------------------------


@of_each_page
def test_links_lead_somewhere(page):
    assert list(broken_links(page, page.read_text(encoding="utf-8"))) == []


@of_each_page
def test_files_and_folders_exist(page):
    missing = set(missing_files(code(page.read_text(encoding="utf-8"))))
    assert sorted(missing) == []


@of_each_page
def test_named_tests_exist(page):
    assert list(missing_tests(code(page.read_text(encoding="utf-8")))) == []


@of_each_page
def test_commands_and_their_options_exist(page):
    assert list(wrong_commands(page.read_text(encoding="utf-8"))) == []


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages == set(re.findall(r"\((\w+\.md)\)", index))


def test_the_table_of_options_is_that_of_fit():
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    section = text.split("## The options of fit")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", section, re.M)
    data = {"self", "X", "y", "X_val", "y_val", "sample_weight", "sample_weight_val", "resume"}
    parameters = inspect.signature(sigmax.Network.fit).parameters.values()
    expected = {p.name: p.default for p in parameters if p.name not in data}
    assert {name: ast.literal_eval(default) for name, default in rows} == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](docs/no_such_page.md)", "docs/no_such_page.md"),
        ("[a](README.md#no-such-heading)", "README.md#no-such-heading"),
        ("[a](docs/training.md#no-such-heading)", "docs/training.md#no-such-heading"),
        ("`csrc/engine/no_such_file.h`", "csrc/engine/no_such_file.h"),
        ("`no_such_*.py`", "no_such_*.py"),
        ("`csrc/no_such_folder/`", "csrc/no_such_folder/"),
        ("```sh\npython bench/no_such_file.py\n```", "bench/no_such_file.py"),
        ("`test_no_such_test`", "test_no_such_test"),
        ("```sh\nsigmax train a.csv --no-such-option 3\n```", "--no-such-option"),
        ("```sh\nmake -C tests/c no-such-target\n```", "no-such-target"),
    ],
)
def test_what_does_not_exist_is_found(text, found):
    faults = [
        *broken_links(ROOT / "README.md", text),
        *missing_files(code(text)),
        *missing_tests(code(text)),
        *wrong_commands(text),
    ]
    assert len(faults) == 1
    assert found in faults[0]
