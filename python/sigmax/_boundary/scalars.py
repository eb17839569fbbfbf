"""Numbers, truth values, choices and paths from outside, checked. Each check names its argument."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Sequence

import numpy as np

from sigmax.errors import OptionTypeError, OptionValueError


def as_integer(value: object, name: str, minimum: int = 0, maximum: int | None = None) -> int:
    """Return value as an int within minimum ... maximum; NumPy integers are accepted, bools not."""
    if isinstance(value, bool | np.bool_):
        raise OptionTypeError(name, value, "an integer, not a bool")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise OptionTypeError(name, value, "an integer") from None
    if number < minimum or (maximum is not None and number > maximum):
        limits = f">= {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        raise OptionValueError(name, number, f"an integer {limits}")
    return number


def count(value: object, name: str) -> int:
    """Return an int >= 0."""
    return as_integer(value, name, 0)


def positive(value: object, name: str) -> int:
    """Return an int >= 1."""
    return as_integer(value, name, 1)


def positive_int32(value: object, name: str) -> int:
    """Return an int from 1 to 2^31 - 1."""
    return as_integer(value, name, 1, 2**31 - 1)


def number(value: object, name: str, limits: str) -> float:
    """Return value as a finite float; limits is the range that the error names."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise OptionTypeError(name, value, f"a number {limits}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise OptionValueError(name, result, f"a finite number {limits}")
    return result


def above_zero(value: object, name: str) -> float:
    """Return a finite float > 0."""
    result = number(value, name, "> 0")
    if result <= 0:
        raise OptionValueError(name, result, "a finite number > 0")
    return result


def from_zero(value: object, name: str) -> float:
    """Return a finite float >= 0."""
    result = number(value, name, ">= 0")
    if result < 0:
        raise OptionValueError(name, result, "a finite number >= 0")
    return result


def share(value: object, name: str) -> float:
    """Return a float >= 0 and < 1."""
    result = number(value, name, "from 0 to below 1")
    if not 0 <= result < 1:
        raise OptionValueError(name, result, "a number from 0 to below 1")
    return result


def factor(value: object, name: str) -> float:
    """Return a float > 0 and <= 1."""
    result = number(value, name, "above 0 to 1")
    if not 0 < result <= 1:
        raise OptionValueError(name, result, "a number above 0, at most 1")
    return result


def truth(value: object, name: str) -> bool:
    """Return a bool; NumPy's are fine, numbers are not."""
    if not isinstance(value, bool | np.bool_):
        raise OptionTypeError(name, value, "True or False")
    return bool(value)


def choice(value: object, name: str, choices: Sequence[str], more: str = "") -> str:
    """Return value if it is one of choices; more names other accepted values in the error."""
    expected = f"one of {', '.join(map(repr, choices))}{more}"
    if not isinstance(value, str):
        raise OptionTypeError(name, value, expected)
    if value not in choices:
        raise OptionValueError(name, value, expected)
    return value


def path(value: object, name: str) -> str:
    """Return a path, not empty, as text."""
    if not isinstance(value, str | os.PathLike):
        raise OptionTypeError(name, value, "a path")
    text = os.fsdecode(value)
    if not text:
        raise OptionValueError(name, text, "a path that is not empty")
    return text
