"""Labels of a file to class numbers, by the names of the classes, and the names themselves."""

from __future__ import annotations

import re
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

    Raises
    ------
    ValueError
        A label is none of the classes; its row, counted from 1, is named.

    Examples
    --------
    >>> number_labels(np.array(["yes", "no"]), ("no", "yes"))
    array([1, 0])
    """
    numbers = {name: number for number, name in enumerate(classes)}
    distinct, y = np.unique(labels, return_inverse=True)
    mapping = np.empty(len(distinct), dtype=np.int64)
    for position, value in enumerate(distinct.tolist()):
        text = _text(value)
        if text not in numbers and (number := _whole(text)) is not None:
            text = str(number)
        if text not in numbers:
            row = int(np.argmax(y == position)) + 1
            known = ", ".join(classes[:12]) + (", ..." if len(classes) > 12 else "")
            raise ValueError(f"row {row}: the label {text!r} is none of the classes: {known}")
        mapping[position] = numbers[text]
    return mapping[y]


def _text(label: Any) -> str:
    """Write a label as text; False and True are the classes 0 and 1."""
    return str(int(label)) if isinstance(label, bool) else str(label).strip()


def _whole(text: str) -> int | None:
    """Return the whole number that a text stands for, so that 3, "3" and "3.0" are one class."""
    match = _WHOLE_NUMBER.fullmatch(text)
    return int(match[1]) if match else None
