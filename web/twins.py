"""Cuts the lines that the page shows out of the sources, word for word, with their line number.

Nothing here knows line numbers beforehand: a piece of C is found by its file, its function and,
within that, by the exact text of its lines; a function of the reference by its name. What is not
found, or found twice, raises `TwinError`, so a page whose twins have moved away cannot be built.
"""

import ast
import re
import textwrap
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TABLE = Path(__file__).resolve().parent / "page" / "twins.toml"
REFERENCE = "tests/reference.py"


class TwinError(ValueError):
    """A piece of source that the page shows is not where the table says."""


class Twin(NamedTuple):
    """Lines of a source: path below the root, function, number of the first line, text."""

    file: str
    function: str
    line: int
    text: str
    says: str = ""


def _function_lines(lines: list[str], file: str, function: str) -> tuple[int, int]:
    """Return (begin, end) of a C function as indices, without its comment, end exclusive."""
    head = re.compile(rf"[A-Za-z_].*\b{re.escape(function)}\(")
    heads = [i for i, line in enumerate(lines) if head.match(line) and not line.startswith("#")]
    heads = [i for i in heads if _opens_a_body(lines, i)]
    if len(heads) != 1:
        raise TwinError(f"{file} should define {function}() once, but does so {len(heads)} times")
    begin, end = heads[0], heads[0]
    while lines[end] != "}":
        end += 1
    return begin, end + 1


def _opens_a_body(lines: list[str], head: int) -> bool:
    """Whether the first line after a head's own that begins in column 0 is the brace of a body."""
    for line in lines[head + 1 :]:
        if line and not line.startswith(" "):
            return line == "{"
    return False


def cut_c(
    file: str, function: str, first: str = "", last: str = "", says: str = "", root: Path = ROOT
) -> Twin:
    """Return a function of a C file, or its lines from `first` to `last`.

    Raises
    ------
    TwinError
        The function is not defined once, or `first` or `last` is not one whole line of it.

    Examples
    --------
    >>> cut_c("csrc/engine/activation.h", "sigmoid_prime_of", "return a * ((real)1 - a);").text
    'return a * ((real)1 - a);'
    """
    lines = (root / file).read_text(encoding="utf-8").splitlines()
    begin, end = _function_lines(lines, file, function)
    if first:
        bounds = []
        for wanted in (first, last or first):
            found = [i for i in range(begin, end) if lines[i].strip() == wanted]
            if wanted == last:
                found = [i for i in found if not bounds or i > bounds[0]][:1]
            if len(found) != 1:
                raise TwinError(
                    f"{function}() of {file} should hold this line once, but does so "
                    f"{len(found)} times: {wanted}"
                )
            bounds += found
        begin, end = bounds[0], bounds[1] + 1
    text = textwrap.dedent("\n".join(lines[begin:end]))
    return Twin(file, function, begin + 1, text, says)


def cut_reference(function: str, root: Path = ROOT) -> Twin:
    """Return a function of tests/reference.py without its docstring.

    Raises
    ------
    TwinError
        There is no such function.

    Examples
    --------
    >>> print(cut_reference("bp3").text)
    def bp3(delta):
        return delta.mean(axis=0)
    """
    source = (root / REFERENCE).read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            lines = source.splitlines()
            doc = node.body[0]
            kept = lines[node.lineno - 1 : doc.lineno - 1] + lines[doc.end_lineno : node.end_lineno]
            return Twin(REFERENCE, function, node.lineno, "\n".join(kept))
    raise TwinError(f"{REFERENCE} defines no function {function}()")


def all_twins(table: Path = TABLE, root: Path = ROOT) -> dict[str, Twin]:
    """Return every piece of C that twins.toml names, by its name there."""
    rows = tomllib.loads(table.read_text(encoding="utf-8"))
    return {name: cut_c(**row, root=root) for name, row in rows.items()}
