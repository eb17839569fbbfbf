"""Full-batch training: L-BFGS chooses the points, C computes cost and gradient over all rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sigmax._boundary.arrays import FLOAT64, Array, pointer
from sigmax._boundary.status import check
from sigmax._data.examples import Examples
from sigmax._data.rows import OPERATIONS
from sigmax._sigmax import ffi, lib
from sigmax._training.lbfgs import Lbfgs, LbfgsState, dot
from sigmax.errors import Change, DivergedError, Mention

if TYPE_CHECKING:
    from sigmax._boundary.layout import Layout
    from sigmax._training.progress_bar import Bar
    from sigmax._training.run import Run

_BLOCK_BYTES = 1 << 24  # bytes of activations and errors of the rows in one call of C
_REMEDY = (Mention("standardize", True), ", or ", Change("a smaller", "l2"))


class _Evaluation(NamedTuple):
    """What is minimised, its gradient (n,) in float64, and sums over n_rows rows."""

    value: float
    gradient: Array
    cost: float
    n_correct: float
    n_rows: int


def train(run: Run, bar: Bar | None) -> None:
    """Run the epochs that are left by L-BFGS, one iteration each.

    The search is in float64; after each iteration the network gets its point, rounded. The state of
    the run has the point itself and the memory of the last steps, so that a resumed training equals
    an uninterrupted one.

    Raises
    ------
    DivergedError
        When the cost or its gradient becomes infinite or NaN.
    """
    if run.over:
        return
    arena = run.model.arena
    method = Lbfgs(run.state.search or LbfgsState(arena.astype(FLOAT64)), gtol=run.options.gtol)
    run.state = replace(run.state, search=method.state)
    objective = _Objective(run, bar)
    at_x = objective(method.point)
    method.tell(at_x.value, at_x.gradient)
    while not run.over:
        if method.state.converged:
            run.history.stopped = "converged"
            return
        # of all iterations, but not of a line search that has begun
        if method.state.evaluations > (run.options.max_evaluations or np.inf):
            run.history.stopped = "max_evaluations"
            return
        trial = objective(method.point)
        if not method.tell(trial.value, trial.gradient):
            continue
        before, at_x = at_x, trial
        run.model.guard.write(np.copyto, arena, method.state.x, "same_kind")
        if bar is not None:
            bar.update(before.n_rows)
        run.close_epoch(
            before.cost,
            before.n_correct,
            before.n_rows,
            run.options.rate,
            run.state.updates + 1,
            bar,
            search=method.state,
        )


class _Objective:
    """C + (l2/2) sum w^2 of a run's training data, as a function of the parameters."""

    def __init__(self, run: Run, bar: Bar | None = None) -> None:
        self._run, self._bar = run, bar
        layout = run.model.layout
        self._trial = layout.new_arena()  # so that the network only ever has accepted parameters
        self._gradient = layout.new_arena()
        self._n_weights = lib.sigmax_weight_count(layout.handle)
        per_row = 2 * layout.n_units * layout.dtype.itemsize
        by_time = OPERATIONS // (3 * layout.n_parameters)
        self._block_rows = max(64, min(_BLOCK_BYTES // per_row, by_time))

    def __call__(self, x: Array) -> _Evaluation:
        """Return its value and gradient at the parameters x, in float64."""
        self._trial[:] = x
        gradient = np.zeros(x.size)
        cost, n_correct, n_rows = 0.0, 0.0, 0
        for block in self._run.data.training.blocks(self._block_rows):
            if self._bar is not None:
                self._bar.update(0)  # that of a bag raises KeyboardInterrupt when all are to end
            of_block, correct = self._backprop(block)
            cost += of_block * len(block)
            n_correct += correct
            n_rows += len(block)
            gradient += np.multiply(self._gradient, len(block), dtype=FLOAT64)
        gradient /= n_rows
        weights, l2 = x[: self._n_weights], self._run.options.l2
        gradient[: self._n_weights] += l2 * weights
        value = cost / n_rows + 0.5 * l2 * dot(weights, weights)
        # a finite norm, too, which the search divides by
        if not (np.isfinite(value) and np.isfinite(dot(gradient, gradient))):
            raise DivergedError(self._run.state.epoch, 0, _REMEDY)
        return _Evaluation(value, gradient, cost, n_correct, n_rows)

    def _backprop(self, block: Examples) -> tuple[float, float]:
        """Return cost and n_correct of a block; its gradient is left in the buffer."""
        layout = self._run.model.layout
        classes = block.labels
        if classes is None:
            assert block.targets is not None
            classes = block.targets.argmax(axis=1)
        smoothing = self._run.options.label_smoothing
        if smoothing:
            block = _smoothed(block, smoothing, layout)
        units: Array = np.empty((2, len(block) * layout.n_units), layout.dtype)
        cost = ffi.new("double *")
        status = lib.sigmax_backprop(
            layout.handle,
            pointer(self._trial),
            block.struct,
            cost,
            pointer(units[0]),
            pointer(units[1]),
            pointer(self._gradient),
        )
        if status == lib.SIGMAX_NOT_A_NUMBER:
            raise DivergedError(self._run.state.epoch, 0, _REMEDY)
        check(status)
        a_L: Any = layout.units(units[0], len(block))[-1]
        correct = a_L.argmax(axis=1) == classes
        weights = block.weights
        return float(cost[0]), float(correct.sum() if weights is None else weights[correct].sum())


def _smoothed(block: Examples, smoothing: float, layout: Layout) -> Examples:
    """Return the rows with the smoothed targets that sigmax_train would use."""
    targets: Array = np.empty((len(block), layout.n_out), layout.dtype)
    labels, y = block.labels, block.targets
    check(
        lib.sigmax_smooth_labels(
            layout.dtype.itemsize,
            ffi.NULL if labels is None else pointer("int64_t[]", labels),
            ffi.NULL if y is None else pointer(y),
            smoothing,
            pointer(targets),
            *targets.shape,
        )
    )
    return Examples(block.rows, None, targets, block.weights)
