"""L-BFGS: the limited-memory BFGS method, for a caller that evaluates cost and gradient itself.

With s_i = x_{i+1} - x_i and y_i = g_{i+1} - g_i of the last m = 10 iterations, and
rho_i = 1/(s_i . y_i), the direction is d = -H g, computed by the two-loop recursion (Nocedal 1980,
"Updating quasi-Newton matrices with limited storage"):

    q = g
    for i from the newest to the oldest:    alpha_i = rho_i s_i . q;    q -= alpha_i y_i
    q *= s . y / y . y                      of the newest
    for i from the oldest to the newest:    q += (alpha_i - rho_i y_i . q) s_i
    d = -q

Steps, tests and constants are those of L-BFGS-B without bounds (Byrd, Lu, Nocedal & Zhu 1995, "A
limited memory algorithm for bound constrained optimization"; Zhu et al. 1997, algorithm 778). Every
dot product is `sigmax_dot`, and everything else is elementwise: the same costs and gradients give
the same bits, with any BLAS and on every platform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sigmax._boundary.arrays import pointer
from sigmax._sigmax import lib
from sigmax._training.line_search import MAX_TRIALS, LineSearch

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array

MEMORY = 10  # m
FTOL = 1e7 * 2.0**-52  # L-BFGS-B's factr, and the precision of a float64


def dot(x: Array, y: Array) -> float:
    """Return x . y of arrays (n,) of float64, with the same bits on every platform.

    Examples
    --------
    >>> dot(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    11.0
    """
    return lib.sigmax_dot(pointer("double[]", x), pointer("double[]", y), x.size)


class Pair(NamedTuple):
    """One iteration's change of the point, s (n,), and of the gradient, y (n,), with s . y > 0."""

    s: Array
    y: Array
    curvature: float


@dataclass(frozen=True)
class LbfgsState:
    """Where a minimisation stands between two iterations: all that is needed to go on from it.

    Its arrays are never changed in place.

    Attributes
    ----------
    x : numpy.ndarray
        The point, (n,) of float64.
    memory : tuple of Pair
        Of the last iterations, at most `MEMORY`, the oldest first.
    iterations, evaluations : int
        So far.
    converged : bool
        Whether it is over.

    Examples
    --------
    >>> LbfgsState(np.zeros(3)).iterations
    0
    """

    x: Array
    memory: tuple[Pair, ...] = ()
    iterations: int = 0
    evaluations: int = 0
    converged: bool = False


class Lbfgs:
    """A minimisation; the caller passes value and gradient at `point` to `tell`.

    Parameters
    ----------
    state : LbfgsState
        Where to begin. Its point is evaluated first, again where there were iterations before.
    gtol : float
        Converged when no entry of the gradient is larger.
    ftol : float
        Converged when an iteration lowers the value by no more than ftol max(|f|, 1).

    Attributes
    ----------
    state : LbfgsState
        After the last iteration.
    point : numpy.ndarray
        Where value and gradient are wanted next, (n,) of float64; not to be changed.
    evaluations : int
        So far, including those since the last iteration.

    Examples
    --------
    >>> method = Lbfgs(LbfgsState(np.array([3.0, -4.0])))
    >>> while not method.state.converged:
    ...     _ = method.tell(float((method.point**2).sum()), 2 * method.point)
    >>> bool(np.abs(method.state.x).max() < 1e-5)
    True
    """

    def __init__(self, state: LbfgsState, *, gtol: float = 1e-5, ftol: float = FTOL) -> None:
        self.state, self.point = state, state.x
        self.evaluations = state.evaluations - (state.iterations > 0)  # its point was counted then
        self._gtol, self._ftol = gtol, ftol
        self._value, self._gradient = math.nan, state.x  # at state.x, once it is evaluated
        self._direction = state.x
        self._search: LineSearch | None = None

    def tell(self, value: float, gradient: Array) -> bool:
        """Take value and gradient at `point`; return whether this completes an iteration.

        Then `state` is a new one, which says whether it was the last. Without an iteration, too, it
        may have converged: when the first gradient is small, or when no lower point can be found.

        Parameters
        ----------
        value : float
        gradient : numpy.ndarray
            (n,) of float64; it is kept. Both must be finite.
        """
        self.evaluations += 1
        search = self._search
        if search is None:
            self._value, self._gradient = value, gradient
            if self._is_flat(gradient):
                self._end()
            else:
                self._begin_iteration()
            return False
        slope = dot(gradient, self._direction)
        if search.tell(value, slope):
            self._accept(value, gradient, slope)
            return True
        if search.trials < MAX_TRIALS and search.step > 0:
            self._try(search)
        elif self.state.memory:
            self._forget()
        else:
            self._end()
        return False

    def _begin_iteration(self) -> None:
        direction = -self._two_loops(self._gradient)
        slope = dot(self._gradient, direction)
        if not slope < 0:  # by rounding errors
            if self.state.memory:
                self._forget()
            else:
                self._end()
            return
        step = 1.0 if self.state.iterations else 1 / math.sqrt(dot(direction, direction))
        self._direction, self._slope = direction, slope
        self._search = LineSearch(self._value, slope, step)
        self._try(self._search)

    def _two_loops(self, gradient: Array) -> Array:
        """Return H g."""
        q, memory = gradient.copy(), self.state.memory
        alphas = []
        for s, y, curvature in reversed(memory):
            alpha = dot(s, q) / curvature
            q -= alpha * y
            alphas.append(alpha)
        if memory:
            newest = memory[-1]
            q *= newest.curvature / dot(newest.y, newest.y)
        for (s, y, curvature), alpha in zip(memory, reversed(alphas), strict=True):
            q += (alpha - dot(y, q) / curvature) * s
        return q

    def _try(self, search: LineSearch) -> None:
        self.point = self.state.x + search.step * self._direction

    def _accept(self, value: float, gradient: Array, slope: float) -> None:
        """Make the point the next x."""
        assert self._search is not None
        step, before = self._search.step, self._value
        s, y = step * self._direction, gradient - self._gradient
        curvature, memory = dot(s, y), self.state.memory
        if curvature > -np.finfo(np.float64).eps * step * self._slope:
            memory = (*memory[-(MEMORY - 1) :], Pair(s, y, curvature))
        progress = before - value > self._ftol * max(abs(before), abs(value), 1.0)
        self._value, self._gradient = value, gradient
        self.state = LbfgsState(
            self.point,
            memory,
            self.state.iterations + 1,
            self.evaluations,
            converged=not progress or self._is_flat(gradient),
        )
        if not self.state.converged:
            self._begin_iteration()

    def _forget(self) -> None:
        """Begin the iteration anew, along the gradient."""
        old = self.state
        self.state = LbfgsState(old.x, (), old.iterations, old.evaluations)
        self._begin_iteration()

    def _end(self) -> None:
        old = self.state
        self.state = LbfgsState(old.x, old.memory, old.iterations, old.evaluations, converged=True)
        self.point = old.x

    def _is_flat(self, gradient: Array) -> bool:
        return float(np.abs(gradient).max()) <= self._gtol
