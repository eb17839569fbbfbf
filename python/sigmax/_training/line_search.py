"""A line search for the strong Wolfe conditions (More & Thuente 1994), one trial at a time.

Along a direction d from x, with phi(a) = f(x + a d), phi'(0) < 0, mu = 0.001 and eta = 0.9, it
looks for a step a with

    phi(a) <= phi(0) + mu a phi'(0)         sufficient decrease
    |phi'(a)| <= eta |phi'(0)|              curvature

as J. J. More and D. J. Thuente do in "Line search algorithms with guaranteed sufficient decrease",
ACM Transactions on Mathematical Software 20 (1994), 286-307. The constants are those of L-BFGS-B.
All numbers are float64, and the order of operations is fixed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

MAX_TRIALS = 20

_MU = 1e-3
_ETA = 0.9
_MAX_STEP = 1e10
_NARROW = 0.1  # an interval ends the search when its length is at most this share of its end
_SHRINKAGE = 0.66  # what two trials must make of the length of an interval
_NEAREST, _FARTHEST = 1.1, 4.0  # how far a trial extrapolates, as multiples of the last stride


class Trial(NamedTuple):
    """A step with phi and phi' there."""

    step: float
    value: float
    slope: float

    def tilted(self, slope: float) -> Trial:
        """Return the values of phi(a) - slope a."""
        return Trial(self.step, self.value - slope * self.step, self.slope - slope)


class LineSearch:
    """The search along one direction.

    Parameters
    ----------
    value, slope : float
        phi(0), and phi'(0), which must be below 0.
    step : float
        The first trial, > 0.

    Attributes
    ----------
    step : float
        Where `tell` expects phi and phi' next; at the end, the step to take. 0 where no step lowers
        phi.
    trials : int
        How often `tell` was called.

    Examples
    --------
    >>> search = LineSearch(value=1.0, slope=-2.0, step=4.0)  # phi(a) = (1 - a)^2
    >>> while not search.tell((1 - search.step) ** 2, -2 * (1 - search.step)):
    ...     pass
    >>> search.step
    1.0
    """

    def __init__(self, value: float, slope: float, step: float) -> None:
        self.step, self.trials = step, 0
        self._start = self._best = self._other = Trial(0.0, value, slope)
        self._bracketed = False  # whether there is a minimiser between best and other
        self._least, self._most = 0.0, (1 + _FARTHEST) * step
        self._width, self._width_before = _MAX_STEP, 2 * _MAX_STEP

    def tell(self, value: float, slope: float) -> bool:
        """Record phi and phi' at `step`, and return whether the search is over.

        It is, too, when rounding errors or a short interval leave no better step to look for.
        """
        self.trials += 1
        trial, tilt = Trial(self.step, value, slope), _MU * self._start.slope
        enough = self._start.value + tilt * trial.step
        if value <= enough and abs(slope) <= -_ETA * self._start.slope:
            return True
        if self._is_stuck(trial) or (trial.step == _MAX_STEP and value <= enough and slope <= tilt):
            return True
        # Here the paper's auxiliary function phi(a) - mu a phi'(0) stands in for phi. It drops it
        # for good at a sufficient decrease with a slope >= 0, from which on no trial is in this
        # range: all are at smaller steps than one with a sufficient decrease and no better value.
        if not enough < value <= self._best.value:
            tilt = 0.0
        self._narrow(trial, tilt)
        return False

    def _is_stuck(self, trial: Trial) -> bool:
        """Return whether rounding errors, or a short interval, leave nothing to look for."""
        if not self._bracketed:
            return trial.step == self._best.step
        inside = self._least < trial.step < self._most
        return not inside or self._most - self._least <= _NARROW * self._most

    def _narrow(self, trial: Trial, tilt: float) -> None:
        """Update the interval with a trial, and choose the next one."""
        best, other = self._best.tilted(tilt), self._other.tilted(tilt)
        here = trial.tilted(tilt)
        step, bracketed = _next_step(best, other, here, self._bracketed, self._least, self._most)
        if here.value > best.value:
            self._other = trial
        else:
            if _opposite(here, best):
                self._other = self._best
            self._best = trial
        self._bracketed = bracketed
        a, b = self._best.step, self._other.step
        if bracketed:
            if abs(b - a) >= _SHRINKAGE * self._width_before:
                step = a + 0.5 * (b - a)
            self._width_before, self._width = self._width, abs(b - a)
            self._least, self._most = min(a, b), max(a, b)
        else:
            self._least = step + _NEAREST * (step - a)
            self._most = step + _FARTHEST * (step - a)
        self.step = min(max(step, 0.0), _MAX_STEP)
        if bracketed and self._is_stuck(trial._replace(step=self.step)):
            self.step = a


def _opposite(a: Trial, b: Trial) -> bool:
    return a.slope * math.copysign(1.0, b.slope) < 0


def _next_step(
    best: Trial, other: Trial, trial: Trial, bracketed: bool, least: float, most: float
) -> tuple[float, bool]:
    """Return the next trial, and whether the interval holds a minimiser: section 4 of the paper.

    best has the least value so far, and other is the other end of the interval.
    """
    ahead = trial.step > best.step
    if trial.value > best.value:
        cubic, _ = _minimum_of_cubic(best, trial)
        length = trial.step - best.step
        chord = (best.value - trial.value) / length
        quadratic = best.step + best.slope / (chord + best.slope) / 2 * length
        if abs(cubic - best.step) < abs(quadratic - best.step):
            return cubic, True
        return cubic + (quadratic - cubic) / 2, True
    if _opposite(trial, best):
        cubic, _ = _minimum_of_cubic(trial, best)
        secant = _secant(trial, best)
        farther = abs(cubic - trial.step) > abs(secant - trial.step)
        return (cubic if farther else secant), True
    if abs(trial.slope) < abs(best.slope):
        cubic, beyond = _minimum_of_cubic(trial, best)
        if not beyond:
            cubic = most if ahead else least
        secant = _secant(trial, best)
        nearer = abs(cubic - trial.step) < abs(secant - trial.step)
        if not bracketed:
            return min(max(secant if nearer else cubic, least), most), False
        step = cubic if nearer else secant
        limit = trial.step + _SHRINKAGE * (other.step - trial.step)
        return (min(limit, step) if ahead else max(limit, step)), True
    if bracketed:
        return _minimum_of_cubic(trial, other)[0], True
    return most, False  # without an interval, every trial is ahead


def _secant(a: Trial, b: Trial) -> float:
    """Return where the line through the slopes of a and b is 0."""
    return a.step + a.slope / (a.slope - b.slope) * (b.step - a.step)


def _minimum_of_cubic(a: Trial, b: Trial) -> tuple[float, bool]:
    """Return the minimiser of the cubic with the values and slopes of a and b.

    Also whether there is one on the other side of a than b. Where there is none at all, the
    minimiser is the middle.
    """
    length = b.step - a.step
    theta = 3 * (a.value - b.value) / length + a.slope + b.slope
    scale = max(abs(theta), abs(a.slope), abs(b.slope))  # against overflow of the squares
    if scale == 0:
        return a.step + 0.5 * length, False
    share = theta / scale
    square = share * share - (a.slope / scale) * (b.slope / scale)
    gamma = math.copysign(scale * math.sqrt(max(0.0, square)), length)
    divisor = ((gamma - a.slope) + gamma) + b.slope
    if divisor == 0:
        return a.step + 0.5 * length, False
    ratio = ((gamma - a.slope) + theta) / divisor
    return a.step + ratio * length, ratio < 0 and gamma != 0
