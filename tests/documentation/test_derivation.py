"""The lines of source that docs/derivation.html shows stand where it says, and it is whole.

The page is read as it is committed, by the standard library alone; `web/test/page` tests what it
does.
"""

import html
import re
import textwrap

import pytest
from source_tree import ROOT

PAGE = ROOT / "docs" / "derivation.html"
if not PAGE.is_file():
    pytest.skip("the tests stand alone", allow_module_level=True)

FIGURE = re.compile(
    r"<figure class=(?:c|py)\b.*?<b>([\w./-]+):(\d+)</b>.*?<pre>(.*?)</pre></figure>", re.DOTALL
)
LARGEST = 200_000  # bytes
REBUILD = 'build it again: make -C web page, or CONTRIBUTING.md, "The web", without a compiler'


def shown_lines():
    """Return (file, number of the first line, text) of every piece of source in the page."""
    found = FIGURE.findall(PAGE.read_text(encoding="utf-8"))
    return [(file, int(line), html.unescape(text)) for file, line, text in found]


@pytest.mark.parametrize(("file", "line", "text"), shown_lines(), ids=lambda value: str(value)[:50])
def test_shown_lines_stand_in_their_file(file, line, text):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()[line - 1 :]
    source = "\n".join(lines)
    if file.endswith(".py"):  # shown without their docstrings
        source = re.sub(r'\n    """.*?"""', "", source, count=1, flags=re.DOTALL)
    count = text.count("\n") + 1
    there = textwrap.dedent("\n".join(source.split("\n")[:count]))
    assert there == text, f"{file}:{line} has other lines than {PAGE.name}; {REBUILD}"


def test_every_equation_has_its_lines():
    files = [file for file, _, _ in shown_lines()]
    assert files.count("tests/reference.py") == 11
    assert sum(file.startswith("csrc/engine/") for file in files) == 21
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("<figure class=") == len(files)  # the pattern above has missed none
    assert (
        "for (size_t j = 0; j < n; j++) out[j] = sum[j] * (a[j] * (1 - q * a[j]));"
        in html.unescape(text)
    )


def test_the_page_needs_nothing_else():
    text = PAGE.read_text(encoding="utf-8")
    assert len(text.encode()) <= LARGEST
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
