"""Reading a table of numbers, with a column of labels and one of weights, from a .csv file.

The csv module splits the lines, so quoting is its business; numbers go straight into one growing
block of the wanted precision, so a file of n rows and d columns takes little more than n*d numbers.
"""

from __future__ import annotations

import array
import csv
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

# What may part two fields, the likeliest last: a comma also occurs inside numbers and names.
DELIMITERS = ("\t", ";", "|", ",")
_SAMPLE_CHARACTERS = 1 << 18
_REMEMBERED = 4096
_ROW_NUMBERS = ("", "id", "index", "unnamed: 0")  # what columns are called that number the rows
# What stands for a missing value, in small letters, where missing values are allowed.
_MISSING = ("", "?", "-", "na", "n/a", "nan", "null", "none")


@dataclass(frozen=True)
class CsvOptions:
    """How to read a .csv file; None means: detect it from the file.

    Attributes
    ----------
    label_column : str or None
        The name of a column, or its position from 0 (negative: from the end). None: no labels.
    header : bool or None
        Whether the first row holds the names of the columns.
    delimiter : str or None
        The one character between two fields.
    weight_column : str or None
        How much each row counts, as label_column. None: no weights.
    ignore : tuple of str
        Columns that are left unread, each as label_column.
    missing : bool
        Read empty fields, "?", "NA" and the like as NaN, instead of refusing them.
    expected : tuple of str or None
        Names of the features that are wanted, which an error about their number compares.
    """

    label_column: str | None = "-1"
    header: bool | None = None
    delimiter: str | None = None
    weight_column: str | None = None
    ignore: tuple[str, ...] = ()
    missing: bool = False
    expected: tuple[str, ...] | None = None


class Table(NamedTuple):
    """The contents of a .csv file.

    Attributes
    ----------
    X : ndarray (n, d)
    labels : ndarray (n,) of text, or None
    weights : ndarray (n,) of float64, or None
    found : str
        What was found out about the file, for the reader's eye.
    names : tuple of str, or None
        Of the features. None without a header, and where it only counts the columns.
    """

    X: NDArray[Any]
    labels: NDArray[Any] | None
    weights: NDArray[np.float64] | None
    found: str
    names: tuple[str, ...] | None


@dataclass(frozen=True)
class _Layout:
    """What the first rows of a file say about all of them."""

    delimiter: str
    names: list[str] | None
    width: int
    label: int | None
    weight: int | None
    ignored: frozenset[int]

    @property
    def special(self) -> list[int]:
        """The columns that are no features, the last one first."""
        named = {i for i in (self.label, self.weight) if i is not None}
        return sorted(named | self.ignored, reverse=True)

    @property
    def features(self) -> tuple[str, ...] | None:
        """The names of the features, or None; those that count the columns are no names."""
        if self.names is None:
            return None
        special = set(self.special)
        features = [name for i, name in enumerate(self.names) if i not in special]
        return None if _are_positions(features, self.names) else tuple(features)

    def column(self, position: int) -> str:
        """Return what to call a column in an error: its name, or its position from 0."""
        return f"column {self.names[position]!r}" if self.names else f"column {position}"


def read_csv(
    path: str | os.PathLike[str],
    options: CsvOptions,
    dtype: np.dtype[Any],
    n_features: int | None = None,
) -> Table:
    """Read a .csv file, its features as numbers of `dtype`.

    Parameters
    ----------
    path : path
        A UTF-8 text file, with or without a byte order mark. Empty lines are skipped. A number is
        what Python's float() reads: 1_000 is one.
    options : CsvOptions
        The columns, the header, the delimiter.
    dtype : dtype
        float32 or float64.
    n_features : int, optional
        How many features are wanted; a file with more or fewer raises an error before it is parsed.

    Raises
    ------
    ValueError
        Naming the file, the line (from 1) and the column: a field that is no finite number, an
        empty label, a row with more or fewer fields than the first, no such column, a file without
        rows, text that is not UTF-8. Whether weights are >= 0 is not looked at.

    Examples
    --------
    >>> table = read_csv("iris.csv", CsvOptions("species"), np.dtype("float32"))
    ... # doctest: +SKIP
    """
    name = os.fspath(path)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            layout = _layout(file, name, options)
            if n_features is not None:
                _check_width(name, layout, n_features, options.expected)
            file.seek(0)
            return _read_rows(file, name, layout, dtype, options.missing)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}: not UTF-8 text (byte 0x{error.object[error.start]:02x}: {error.reason})"
        ) from None
    except csv.Error as error:
        raise ValueError(f"{name}: not a csv file: {error}") from None


class _Numbers(dict[str, float]):
    """The numbers of the texts seen so far: pixels and grades repeat, and float() is slow."""

    def __init__(self, parse: Callable[[str], float]) -> None:
        self.parse = parse

    def __missing__(self, text: str) -> float:
        self[text] = number = self.parse(text)
        return number


def _number_or_missing(text: str) -> float:
    return math.nan if text.strip().lower() in _MISSING else float(text)


def _read_rows(
    file: TextIO, name: str, layout: _Layout, dtype: np.dtype[Any], missing: bool
) -> Table:
    """Parse all rows; the twin of `_layout`, which has looked at the first ones."""
    values = array.array("f" if dtype.itemsize == 4 else "d")
    special: dict[int, list[str]] = {column: [] for column in layout.special}
    lines = array.array("q")
    reader = csv.reader(file, delimiter=layout.delimiter, skipinitialspace=True)
    rows = (row for row in reader if row)
    if layout.names is not None:
        next(rows)
    width = layout.width
    parse = _number_or_missing if missing else float
    numbers = _Numbers(parse)
    for row in rows:
        if len(row) != width:
            raise ValueError(
                f"{name}: line {reader.line_num}: {_count(len(row), 'field')}, "
                f"where the first row has {width}"
            )
        for position, texts in special.items():  # the last column first, so that none moves
            text = row.pop(position)
            if position not in layout.ignored:
                texts.append(text.strip())
        try:
            values.extend(map(numbers.__getitem__ if len(numbers) < _REMEMBERED else parse, row))
        except ValueError:
            raise ValueError(_number_error(name, reader.line_num, row, layout, parse)) from None
        lines.append(reader.line_num)
    if not lines:
        raise ValueError(f"{name}: no rows of data")
    X = np.frombuffer(values, dtype=dtype).reshape(len(lines), -1)
    _check_finite(X, name, lines, layout, missing)
    found = "header" if layout.names is not None else "no header"
    labels = weights = None
    if layout.label is not None:
        texts, column = special[layout.label], layout.column(layout.label)
        if "" in texts:
            raise ValueError(f"{name}: line {lines[texts.index('')]}, {column}: the label is empty")
        labels = np.array(texts)
        found += f", labels in {column}"
    if layout.weight is not None:
        weights = _weights(special[layout.weight], name, lines, layout)
        found += f", weights in {layout.column(layout.weight)}"
    for position, heading in enumerate(layout.names or ()):
        if heading.lower() in _ROW_NUMBERS and position not in layout.special:
            found += f", column {heading!r} is a feature (unless --ignore-column {position})"
    return Table(X, labels, weights, found, layout.features)


def _weights(
    texts: list[str], name: str, lines: array.array[int], layout: _Layout
) -> NDArray[np.float64]:
    assert layout.weight is not None
    for line, text in zip(lines, texts, strict=True):
        if not is_number(text) or not math.isfinite(float(text)):
            raise ValueError(
                f"{name}: line {line}, {layout.column(layout.weight)}: the weight {text!r} is no "
                "finite number"
            )
    return np.array(texts, dtype=np.float64)


def _layout(file: TextIO, name: str, options: CsvOptions) -> _Layout:
    """Find the delimiter, the header and the label column in the first lines of the file."""
    lines = list(_first_lines(file))
    delimiter = options.delimiter or _sniff_delimiter(lines)
    rows = _rows(lines, delimiter)
    first = next(rows, None)
    if first is None:
        raise ValueError(f"{name}: the file is empty")
    first = [field.strip() for field in first]
    weight, weight_named = _column(name, first, options, options.weight_column)
    label, label_named = _column(name, first, options, options.label_column)
    ignored = [_column(name, first, options, wanted) for wanted in options.ignore]
    taken = {column for column, _ in ignored if column is not None}
    if weight is not None:
        if weight in taken:
            raise ValueError(f"{name}: column {weight} holds the weights, and is to be ignored")
        taken.add(weight)
    while label is not None and label in taken:
        if options.label_column != "-1":
            if label == weight:
                raise ValueError(f"{name}: labels and weights in the same column, {label}")
            raise ValueError(f"{name}: the labels are in a column that is to be ignored, {label}")
        label = label - 1 if label else None  # the last column but for those
    n_special = (label is not None) + len(taken)
    if n_special and len(first) <= n_special:
        columns = "one column only" if len(first) == 1 else f"{len(first)} columns only"
        raise ValueError(
            f"{name}: {columns} ({first[0]!r} in its first row), where features and a "
            "label are expected: give the right --delimiter if it is another character"
        )
    header = options.header
    if header is None:
        named = weight_named or label_named or any(named for _, named in ignored)
        header = named or _is_header(first, list(rows), label, taken)
    taken.discard(-1 if weight is None else weight)
    names = first if header else None
    return _Layout(delimiter, names, len(first), label, weight, frozenset(taken))


def _first_lines(file: TextIO) -> Iterator[str]:
    """Yield whole lines, at least one, until there is enough to recognise the format."""
    n_characters = 0
    for line in file:
        yield line
        n_characters += len(line)
        if n_characters > _SAMPLE_CHARACTERS:
            return


def _rows(lines: list[str], delimiter: str) -> Iterator[list[str]]:
    return (row for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if row)


def _sniff_delimiter(lines: list[str]) -> str:
    """Return the character that splits all lines into the same number of fields, at least 2."""
    n_parted = {}
    for delimiter in DELIMITERS:
        try:
            widths = [len(row) for row in _rows(lines, delimiter)]
        except csv.Error:  # a field of a whole long line
            continue
        if len(set(widths)) == 1 and widths[0] > 1:
            return delimiter
        n_parted[delimiter] = sum(width > 1 for width in widths)
    # No character does, so some row is ragged. The one that parts most rows is meant; the error
    # that follows then names the ragged row.
    return max(reversed(DELIMITERS), key=lambda delimiter: n_parted.get(delimiter, 0))


def _column(
    name: str, first: list[str], options: CsvOptions, wanted: str | None
) -> tuple[int | None, bool]:
    """Return the position of a column, None where none is wanted, and whether it was named."""
    if wanted is None:
        return None, False
    try:
        position = int(wanted)
    except ValueError:
        return _position_of_name(name, first, options, wanted), True
    if not -len(first) <= position < len(first):
        raise ValueError(
            f"{name}: no column {position}: positions go from 0 to {len(first) - 1}, or from "
            f"{-len(first)} to -1 counted from the end"
        )
    return position % len(first), False


def _position_of_name(name: str, first: list[str], options: CsvOptions, wanted: str) -> int:
    """Return a column that was given by name, or say which columns there are."""
    if options.header is False:
        raise ValueError(f"{name}: without a header there is no column {wanted!r}")
    if wanted not in first:
        shown = ", ".join(first[:12]) + (", ..." if len(first) > 12 else "")
        raise ValueError(f"{name}: no column {wanted!r} in its first row: {shown}")
    return first.index(wanted)


def _is_header(
    first: list[str], rest: list[list[str]], label: int | None, others: set[int]
) -> bool:
    """Return whether the first row holds names rather than data; rest are those that follow.

    It is a header when none of its features is a number (one number among text is rather a row of
    data with a mistake, which the parser will name), when these are 0, 1, 2, ..., the names that
    pandas gives to columns without one, or when it has text over a label that is a number. When
    they are 1, 2, 3, ..., it is one if no other row has its label, while other labels repeat.
    """
    no_features = others | {label}
    features = [field for position, field in enumerate(first) if position not in no_features]
    if not any(is_number(field) for field in features) or _are_positions(features, first):
        return True
    if label is None or not rest or len(rest[0]) != len(first) or is_number(first[label]):
        return False
    if is_number(rest[0][label]):
        return True
    labels = [row[label].strip() for row in rest if len(row) == len(first)]
    is_alone = first[label] not in labels and len(set(labels)) < len(labels)
    return is_alone and _are_positions(features, first, begin=(1,))


def _are_positions(features: list[str], first: list[str], begin: tuple[int, ...] = (0, -1)) -> bool:
    """Return whether the numbers of a row count its columns from 0, perhaps after an index.

    begin are the numbers that the first column may have.
    """
    offsets = {int(text) - position for position, text in enumerate(first) if text.isdecimal()}
    named = [field for field in features if field]
    counts = len(offsets) == 1 and offsets <= set(begin)
    return len(named) > 2 and all(map(str.isdecimal, named)) and counts


def is_number(field: str, parse: Callable[[str], float] = float) -> bool:
    """Return whether a text is a number, or anything else that `parse` accepts."""
    try:
        parse(field)
    except ValueError:
        return False
    return True


def _check_width(
    name: str, layout: _Layout, n_features: int, expected: tuple[str, ...] | None
) -> None:
    """Raise ValueError if the number of features is not the model's."""
    found = layout.width - len(layout.special)
    if found == n_features:
        return
    roles = {layout.label: "label in", layout.weight: "weight in"}
    others = [
        f"the {roles.get(column, 'ignored')} {layout.column(column)}"
        for column in reversed(layout.special)
    ]
    columns = _count(found, "feature" if others else "column")
    if others:
        columns += f" besides {' and '.join(others)}"
    hint = ""
    if found == n_features + 1 and layout.label is None:
        hint = "; if one of them is the label, name it by --label-column (-1 is the last)"
    elif found > n_features:
        hint = "; --ignore-column leaves one out"
    if layout.features is not None and expected is not None:
        lacking = [repr(column) for column in expected if column not in layout.features]
        surplus = [repr(column) for column in layout.features if column not in expected]
        for word, names in (("lacking", lacking), ("besides", surplus)):
            hint = f"; {word}: {', '.join(names[:12])}{hint}" if names else hint
    raise ValueError(f"{name}: {columns}, where the model takes {n_features}{hint}")


def _check_finite(
    X: NDArray[Any], name: str, lines: array.array[int], layout: _Layout, missing: bool
) -> None:
    """Refuse infinity and, but where values may be missing, NaN: float() reads both from text."""
    # One pass without a copy of X: NaN and infinity survive a sum. An overflow makes one too, and
    # the closer look at its row then finds nothing.
    with np.errstate(invalid="ignore", over="ignore"):
        suspects = np.flatnonzero(~np.isfinite(X.sum(axis=1, dtype=np.float64)))
    for row in suspects:
        finite = ~np.isinf(X[row]) if missing else np.isfinite(X[row])
        if not finite.all():
            feature = int(np.argmin(finite))
            raise ValueError(
                f"{name}: line {lines[row]}, {layout.column(_file_column(feature, layout))}: "
                f"{X[row, feature]} where a finite {X.dtype} number is expected"
            )


def _number_error(
    name: str, line: int, features: list[str], layout: _Layout, parse: Callable[[str], float]
) -> str:
    """Return the error for a field that is no number; `features` excludes label and weight."""
    feature = next(i for i, field in enumerate(features) if not is_number(field, parse))
    column = layout.column(_file_column(feature, layout))
    text = features[feature].strip()
    if line == 1:
        hint = "if this row holds names, give --header"
    elif text.lower() in _MISSING:
        hint = "a model trained with --nan mean fills missing values"
    elif is_number(text.replace(",", "")):
        hint = "a decimal point is expected, and no comma between thousands"
    else:
        hint = "if it is the label, give --label-column; --ignore-column leaves a column out"
    return f"{name}: line {line}, {column}: {features[feature]!r} is not a number ({hint})"


def _file_column(feature: int, layout: _Layout) -> int:
    """Return the position in the file of a feature, which other columns may stand before."""
    for column in reversed(layout.special):
        feature += feature >= column
    return feature


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"
