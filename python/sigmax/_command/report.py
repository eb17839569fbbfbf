"""Results as text: tables, confusion matrices and pictures of digits that fit the terminal."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

_SHADES = " ░▒▓█"
_ASCII_SHADES = " .+#@"
_LONGEST_NAME = 14
_CONFUSIONS_SHOWN = 10


@dataclass(frozen=True)
class Terminal:
    """The abilities of a stream.

    Attributes
    ----------
    width : int
        Columns of a line.
    blocks : bool
        Whether its encoding has block characters.
    color : bool
        Whether colours are wanted: a terminal, and no NO_COLOR (https://no-color.org) set.
    """

    width: int
    blocks: bool
    color: bool

    @classmethod
    def of(cls, stream: TextIO) -> Terminal:
        """Return the abilities of a stream, from it and the environment.

        Examples
        --------
        >>> import io
        >>> Terminal.of(io.StringIO()).color
        False
        """
        try:
            _SHADES.encode(stream.encoding or "ascii")
            blocks = True
        except (UnicodeEncodeError, LookupError):
            blocks = False
        dumb = os.environ.get("TERM") == "dumb"
        color = stream.isatty() and not dumb and not os.environ.get("NO_COLOR")
        return cls(shutil.get_terminal_size((80, 24)).columns, blocks, color)

    def good(self, text: str) -> str:
        """Return text in green."""
        return self._painted(text, 32)

    def bad(self, text: str) -> str:
        """Return text in red."""
        return self._painted(text, 31)

    def faint(self, text: str) -> str:
        """Return text in faint letters."""
        return self._painted(text, 2)

    def _painted(self, text: str, code: int) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and text.strip() else text


def confusion_counts(
    truth: NDArray[Any], predicted: NDArray[Any], n_classes: int
) -> NDArray[np.int64]:
    """Count (n_classes, n_classes): entry (i, j) is how many rows of class i were called j.

    Examples
    --------
    >>> confusion_counts(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    counts = np.bincount(truth * n_classes + predicted, minlength=n_classes * n_classes)
    return counts.reshape(n_classes, n_classes).astype(np.int64)


def confusion_text(counts: NDArray[np.int64], names: Sequence[str], terminal: Terminal) -> str:
    """Draw a confusion matrix, or where it is too wide list its most frequent mistakes.

    Examples
    --------
    >>> print(confusion_text(np.array([[1, 1], [0, 1]]), ["no", "yes"], Terminal(80, True, False)))
    confusion matrix (a row per true class, a column per predicted class)
           no  yes
      no    1    1
      yes   .    1
    """
    short = [_shortened(name) for name in names]
    left = max(len(name) for name in short)
    cell = 2 + max([len(name) for name in short] + [len(str(int(counts.max())))])
    if 2 + left + cell * len(short) > terminal.width:
        return _frequent_mistakes(counts, short)
    lines = ["confusion matrix (a row per true class, a column per predicted class)"]
    lines.append(" " * (2 + left) + "".join(f"{name:>{cell}}" for name in short))
    for i, name in enumerate(short):
        line = f"  {name:<{left}}"
        for j, count in enumerate(counts[i].tolist()):
            text = f"{count or '.':>{cell}}"
            if count == 0:
                line += terminal.faint(text)
            else:
                line += terminal.good(text) if i == j else terminal.bad(text)
        lines.append(line)
    return "\n".join(lines)


def _frequent_mistakes(counts: NDArray[np.int64], names: Sequence[str]) -> str:
    """List the largest entries off the diagonal."""
    mistakes = counts - np.diag(np.diag(counts))
    n_kinds = int(np.count_nonzero(mistakes))
    if n_kinds == 0:
        return "no mistakes"
    order = np.argsort(-mistakes, axis=None, kind="stable")[: min(n_kinds, _CONFUSIONS_SHOWN)]
    lines = ["most frequent mistakes (true class, predicted class)"]
    for i, j in zip(*np.unravel_index(order, counts.shape), strict=True):
        lines.append(f"{counts[i, j]:8}  {names[i]}, {names[j]}")
    if n_kinds > len(order):
        lines.append(f"          and {n_kinds - len(order)} kinds more")
    return "\n".join(lines)


def picture_lines(image: NDArray[Any], terminal: Terminal) -> list[str]:
    """Draw an image (height, width) of values in 0..1, two characters to a pixel.

    Examples
    --------
    >>> picture_lines(np.array([[0.0, 1.0], [0.5, 0.0]]), Terminal(80, False, False))
    ['  @@', '++  ']
    """
    shades = _SHADES if terminal.blocks else _ASCII_SHADES
    levels = np.rint(np.clip(image, 0, 1) * (len(shades) - 1)).astype(int)
    return ["".join(2 * shades[level] for level in row) for row in levels.tolist()]


def side_by_side(blocks: Sequence[Sequence[tuple[str, str]]], width: int, gap: str = "   ") -> str:
    """Join blocks of equally many lines; a line is its plain text and its painted text.

    Examples
    --------
    >>> print(side_by_side([[("a", "a"), ("bc", "bc")], [("d", "d"), ("e", "e")]], width=3))
    a     d
    bc    e
    """
    lines = []
    for row in zip(*blocks, strict=True):
        cells = [painted + " " * (width - len(plain)) for plain, painted in row]
        lines.append(gap.join(cells).rstrip())
    return "\n".join(lines)


def percent(share: float) -> str:
    """Write a share as a percentage.

    Examples
    --------
    >>> percent(0.975)
    '97.50 %'
    """
    return f"{100 * share:.2f} %"


def file_size(n_bytes: int) -> str:
    """Write a number of bytes.

    Examples
    --------
    >>> file_size(45_394)
    '45.4 kB'
    """
    if n_bytes < 1000:
        return f"{n_bytes} bytes"
    size = float(n_bytes)
    for unit in ("kB", "MB"):
        size /= 1000
        if size < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} GB"


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 2] + ".."
