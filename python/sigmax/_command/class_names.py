"""Labels of a file to class numbers, by the names of the classes, and the names themselves."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigmax._formats.csv_file import is_number

_WHOLE_NUMBER = re.compile(r"([+-]?[0-9]+)(?:\.0*)?")


def learn_classes(labels: NDArray[Any]) -> tuple[NDArray[np.int64], tuple[str, ...] | None]:
    """Assign numbers from 0 to the distinct labels; return y (n,) and their names.

    Whole numbers are sorted as numbers, and named so, "1" for "01"; all else is text. The names are
    None when the labels are 0, 1, ..., K-1 as they stand.

    Raises
    ------
    ValueError
        There is only one class, or the labels are fractional numbers, which are no classes.

    Examples
    --------
    >>> learn_classes(np.array(["no", "yes", "no"]))
    (array([0, 1, 0]), ('no', 'yes'))
    >>> learn_classes(np.array([2, 0, 1]))
    (array([2, 0, 1]), None)
    """
    distinct, y = np.unique(labels, return_inverse=True)
    texts = [_text(value) for value in distinct.tolist()]
    whole = [number for text in texts if (number := _whole(text)) is not None]
    if len(whole) == len(texts):
        texts = [str(number) for number in whole]
        names = [str(number) for number in sorted(set(whole))]
    elif all(is_number(text) for text in texts):
        fraction = next(text for text in texts if _whole(text) is None)
        raise ValueError(
            f"the label {fraction} is a number, and not a whole one: a class is expected, named by "
            "a text or a whole number"
        )
    else:
        names = sorted(set(texts))
    if len(names) < 2:
        raise ValueError(
            f"all {len(labels)} labels are {names[0]!r}: at least two classes are expected (is the "
            "label in another column?)"
        )
    numbers = {name: number for number, name in enumerate(names)}
    mapping = np.array([numbers[text] for text in texts], dtype=np.int64)
    plain = names == [str(number) for number in range(len(names))]
    return mapping[y], None if plain else tuple(names)


def number_labels(labels: NDArray[Any], classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Return a model's class numbers for labels (n,), the inverse of naming predictions.

    A label that is no name by its letters is compared as a number; see `class_of`.

    Raises
    ------
    ValueError
        A label is none of the classes; its row, counted from 1, is named.

    Examples
    --------
    >>> number_labels(np.array(["yes", "no"]), ("no", "yes"))
    array([1, 0])
    """
    by_name = {name: number for number, name in enumerate(classes)}
    by_number = _by_number(classes)
    distinct, y = np.unique(labels, return_inverse=True)
    mapping = np.empty(len(distinct), dtype=np.int64)
    for position, value in enumerate(distinct.tolist()):
        text = _text(value)
        number = by_name[text] if text in by_name else _class_of_number(text, by_number)
        if number is None:
            row = int(np.argmax(y == position)) + 1
            known = ", ".join(classes[:12]) + (", ..." if len(classes) > 12 else "")
            raise ValueError(f"row {row}: the label {text!r} is none of the classes: {known}")
        mapping[position] = number
    return mapping[y]


def class_of(text: str, classes: Sequence[str]) -> int | None:
    """Return the number of the class that a text names, or None.

    It is the class of the same letters, else the only one that is the same number: 1, 1.0, 1e0 and
    True are one number, 0 and False another.

    Examples
    --------
    >>> class_of("1", ["0.0", "1.0"]), class_of("0", ["False", "True"])
    (1, 0)
    >>> class_of("1.0", ["01", "1"])
    """
    return classes.index(text) if text in classes else _class_of_number(text, _by_number(classes))


def _by_number(classes: Sequence[str]) -> dict[float, int | None]:
    """Return the class of each number that is the name of a class; None where it is of several."""
    found: dict[float, int | None] = {}
    for i, name in enumerate(classes):
        number = _number(name)
        if number is not None:
            found[number] = None if number in found else i
    return found


def _class_of_number(text: str, by_number: Mapping[float, int | None]) -> int | None:
    number = _number(text)
    return None if number is None else by_number.get(number)


def _text(label: Any) -> str:
    """Write a label as text; False and True are the classes 0 and 1."""
    return str(int(label)) if isinstance(label, bool) else str(label).strip()


def _number(text: str) -> float | None:
    """Return the number that a text stands for; False and True are 0 and 1."""
    text = text.strip().lower()
    if text in ("false", "true"):
        return int(text == "true")
    number = _whole(text)  # exact, however long it is
    if number is not None:
        return number
    return float(text) if is_number(text) and math.isfinite(float(text)) else None


def _whole(text: str) -> int | None:
    """Return the whole number that a text stands for, so that 3, "3" and "3.0" are one class."""
    match = _WHOLE_NUMBER.fullmatch(text)
    return int(match[1]) if match else None
