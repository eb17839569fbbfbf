"""Derive the constants of the exponential in csrc/engine/activation.h, by the Remez algorithm.

``python bench/remez.py`` prints them as they stand in C, with the error of the polynomial, and
compares them with the source; ``--check`` prints differences only, and returns 1 if there are any.

e^r = 1 + r + r^2 q(r) for |r| <= (ln 2) / 2. q is the polynomial of its degree for which the
largest relative error of e^r,

    max over r of r^2 |q(r) - (e^r - 1 - r) / r^2| / e^r,

is smallest. Three choices determine its coefficients to the last place:

- the interval is 1.0001 times as wide as (ln 2) / 2, because n = round(z / ln 2) is made from a
  rounded quotient, so that r may lie just outside;
- the error is computed in 4001 equally spaced points;
- the coefficients are found in 50 digits, and then each is rounded to the nearest float or double.

With these choices every constant in the source is reproduced to the last bit, in both precisions.
The points matter: in float64, with ten times as many, the coefficient of r^9 differs in its seventh
digit, and the largest error over the whole interval is smaller by 0.005 % of itself.

Source of the algorithm: E. Remez 1934; N. Trefethen, Approximation Theory and Approximation
Practice, chapter 10. Only the standard library is needed.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).resolve().parent.parent / "csrc" / "engine" / "activation.h"

DIGITS = 50
GUARD_DIGITS = 20  # for the linear system, whose rows are almost the same for neighbouring points
WIDENING = Decimal("1.0001")
INTERVALS = 4000  # between neighbouring points
MOST_EXCHANGES = 50


class Precision(NamedTuple):
    """What activation.h asks for in one precision."""

    bits: int  # SIGMAX_REAL_BITS
    mantissa: int  # bits, the leading one included
    degree: int  # of q
    head: int  # bits of LN2_HIGH: n times it is exact for every n that occurs


PRECISIONS = (Precision(32, 24, 4, 15), Precision(64, 53, 9, 42))


class Polynomial(NamedTuple):
    """The coefficients of q, of r^0 first, and the largest relative error of e^r."""

    coefficients: list[Decimal]
    error: Decimal


# ---- the Remez algorithm -------------------------------------------------------------------------


def ln2() -> Decimal:
    return Decimal(2).ln()


def points() -> list[Decimal]:
    """Return the points in which the error is computed, but for 0, where it is 0 for every q."""
    end = WIDENING * ln2() / 2
    middle = INTERVALS // 2
    return [end * (i - middle) / middle for i in range(INTERVALS + 1) if i != middle]


def remainder(r: Decimal) -> Decimal:
    """Return (e^r - 1 - r) / r^2, by its series: no digits cancel."""
    term, total, k = Decimal(1) / 2, Decimal(0), 2
    while total + term != total:
        total += term
        k += 1
        term = term * r / k
    return total


def weight(r: Decimal) -> Decimal:
    """Return what an error of q is worth as a relative error of e^r: r^2 / e^r."""
    return r * r * (-r).exp()


def value(coefficients: Sequence[Decimal], r: Decimal) -> Decimal:
    """Return the polynomial at r, by Horner's rule."""
    result = Decimal(0)
    for c in reversed(coefficients):
        result = result * r + c
    return result


def solve(matrix: list[list[Decimal]], right: list[Decimal]) -> list[Decimal]:
    """Return x with matrix x = right, by elimination with the largest pivot of each column."""
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    n = len(rows)
    for i in range(n):
        pivot = max(range(i, n), key=lambda j: abs(rows[j][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for j in range(i + 1, n):
            factor = rows[j][i] / rows[i][i]
            rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i], strict=True)]
    x: list[Decimal] = []
    for row in reversed(rows):
        known = sum((a * b for a, b in zip(row[n - len(x) : n], x, strict=True)), Decimal(0))
        x.insert(0, (row[n] - known) / row[n - len(x) - 1])
    return x


def alternation(errors: Sequence[Decimal], count: int) -> list[int]:
    """Return the indices of ``count`` largest errors whose signs alternate.

    Each run of one sign gives its largest error. Where there are too many runs, the smaller one of
    the two ends is left out.
    """
    found: list[int] = []
    for i, error in enumerate(errors):
        if found and (error > 0) == (errors[found[-1]] > 0):
            if abs(error) > abs(errors[found[-1]]):
                found[-1] = i
        else:
            found.append(i)
    while len(found) > count:
        found.pop(0 if abs(errors[found[0]]) < abs(errors[found[-1]]) else -1)
    if len(found) < count:
        raise ArithmeticError(f"the error has {len(found)} alternating extrema, expected {count}")
    return found


def minimax(degree: int) -> Polynomial:
    """Return the polynomial of least relative error: the Remez algorithm over ``points()``.

    On degree + 2 points the errors are made equal, with alternating signs. Then the extrema of the
    error replace these points. Once they are the same points, the error is nowhere larger, and that
    of every other polynomial is (theorem of de la Vallee Poussin).
    """
    count = degree + 2
    with localcontext() as context:
        context.prec = DIGITS + GUARD_DIGITS
        r = points()
        target = [remainder(x) for x in r]
        weights = [weight(x) for x in r]
        last = len(r) - 1
        chosen = [round(last * (1 - math.cos(math.pi * i / (count - 1))) / 2) for i in range(count)]
        for _ in range(MOST_EXCHANGES):
            matrix = [
                [*(weights[i] * r[i] ** k for k in range(degree + 1)), Decimal((-1) ** sign)]
                for sign, i in enumerate(chosen)
            ]
            *coefficients, _ = solve(matrix, [weights[i] * target[i] for i in chosen])
            errors = [
                w * (value(coefficients, x) - t) for x, w, t in zip(r, weights, target, strict=True)
            ]
            extrema = alternation(errors, count)
            if extrema == chosen:
                return Polynomial(coefficients, max(map(abs, errors)))
            chosen = extrema
    raise ArithmeticError(f"no optimum of degree {degree} after {MOST_EXCHANGES} exchanges")


def error_of(coefficients: Sequence[float]) -> Decimal:
    """Return the largest relative error of e^r with coefficients that are floats or doubles."""
    with localcontext() as context:
        context.prec = DIGITS
        exact = [Decimal(c) for c in coefficients]
        return max(weight(r) * abs(value(exact, r) - remainder(r)) for r in points())


# ---- as floats and doubles -----------------------------------------------------------------------


def significand(x: Decimal, mantissa: int) -> tuple[Fraction, int]:
    """Return (m, e) with x = m 2^e and 2^(mantissa - 1) <= |m| < 2^mantissa."""
    exponent = math.frexp(x)[1] - mantissa
    return Fraction(x) / Fraction(2) ** exponent, exponent


def rounded(x: Decimal, mantissa: int) -> float:
    """Return the number of ``mantissa`` bits that is nearest to x, ties to even."""
    m, exponent = significand(x, mantissa)
    return math.ldexp(round(m), exponent)


def truncated(x: Decimal, mantissa: int) -> float:
    """Return the first ``mantissa`` bits of x."""
    m, exponent = significand(x, mantissa)
    return math.ldexp(int(m), exponent)


def in_c(x: float) -> str:
    """Return x as C writes it, without zeros at the end: 0x1.62e4p-1."""
    return re.sub(r"\.?0*p", "p", x.hex())


def constants(precision: Precision, q: Polynomial) -> dict[str, float]:
    """Return what activation.h should hold: LOG2_E, LN2_HIGH, LN2_LOW, and q_0, q_1, ..."""
    with localcontext() as context:
        context.prec = DIGITS
        high = truncated(ln2(), precision.head)
        result = {
            "LOG2_E": rounded(1 / ln2(), precision.mantissa),
            "LN2_HIGH": high,
            "LN2_LOW": rounded(ln2() - Decimal(high), precision.mantissa),
        }
    for k, c in enumerate(q.coefficients):
        result[f"q_{k}"] = rounded(c, precision.mantissa)
    return result


# ---- the source ----------------------------------------------------------------------------------


def branch(text: str, bits: int) -> str:
    """Return the text that is compiled for SIGMAX_REAL_BITS == bits."""
    kept, keeps = [], True
    for line in text.splitlines():
        if line.startswith("#if SIGMAX_REAL_BITS == 32"):
            keeps = bits == 32
        elif line.startswith("#else"):
            keeps = not keeps
        elif line.startswith("#endif"):
            keeps = True
        elif keeps:
            kept.append(line)
    return "\n".join(kept)


def stored(text: str, bits: int) -> dict[str, float]:
    """Return the same constants as ``constants``, as activation.h has them."""
    text = branch(text, bits)
    number = r"\(real\)(0x[0-9a-f.]+p[-+]\d+)"
    result = {
        name: float.fromhex(digits)
        for name, digits in re.findall(rf"^#define (\w+) \({number}\)", text, re.MULTILINE)
    }
    body = re.search(r"^static inline real exponential_remainder.*?^}", text, re.MULTILINE | re.S)
    if body is None:
        raise SystemExit(f"{SOURCE} has no exponential_remainder")
    for k, digits in enumerate(reversed(re.findall(number, body[0]))):
        result[f"q_{k}"] = float.fromhex(digits)
    return result


def differences(expected: dict[str, float], found: dict[str, float], mantissa: int) -> list[str]:
    """Return a line for each constant that is missing, not expected, or has another value."""
    lines = []
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            lines.append(f"{name} is missing; expected {in_c(expected[name])}")
        elif name not in expected:
            lines.append(f"{name} = {in_c(found[name])} is not derived here")
        elif found[name] != expected[name]:
            ulp = math.ldexp(1, math.frexp(expected[name])[1] - mantissa)
            lines.append(
                f"{name} is {in_c(found[name])}, expected {in_c(expected[name])}, which is"
                f" {abs(found[name] - expected[name]) / ulp:.3g} ulp away"
            )
    return lines


def listing(names: dict[str, float]) -> str:
    """Return the constants as C source."""
    lines = [f"#define {k} ((real){in_c(v)})" for k, v in names.items() if not k.startswith("q_")]
    first, *others = [in_c(v) for k, v in names.items() if k.startswith("q_")][::-1]
    lines += [f"    real q = (real){first};", *(f"    q = q * r + (real){c};" for c in others)]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="print differences only")
    parser.add_argument("--source", type=Path, default=SOURCE, help="default: %(default)s")
    arguments = parser.parse_args(argv)
    text = arguments.source.read_text(encoding="utf-8")
    differ = 0
    for precision in PRECISIONS:
        bits, mantissa, degree, _ = precision
        q = minimax(degree)
        expected = constants(precision, q)
        if not arguments.check:
            after = error_of([expected[f"q_{k}"] for k in range(degree + 1)])
            ulp = math.ldexp(1, 1 - mantissa)
            print(f"/* float{bits}: q of degree {degree}, for |r| <= {WIDENING} (ln 2) / 2.")
            print(f"   Relative error of e^r: {q.error:.2e}; with the coefficients rounded")
            print(f"   {after:.2e}, which is {float(after) / ulp:.2f} ulp of 1. */")
            print(listing(expected))
        lines = differences(expected, stored(text, bits), mantissa)
        differ += len(lines)
        for line in lines:
            print(f"{arguments.source.name}, float{bits}: {line}")
        if not lines and not arguments.check:
            print(f"{arguments.source.name} has the same, bit for bit.\n")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
