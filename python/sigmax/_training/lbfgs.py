"""L-BFGS over all rows at once: SciPy chooses the steps, C computes cost and gradient."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sigmax._boundary.arrays import FLOAT64, Array, pointer
from sigmax._boundary.lazily import imports
from sigmax._boundary.status import check
from sigmax._data.examples import Examples
from sigmax._data.rows import OPERATIONS
from sigmax._sigmax import ffi, lib
from sigmax.errors import Change, DivergedError, Mention

if TYPE_CHECKING:
    from sigmax._boundary.layout import Layout
    from sigmax._training.progress_bar import Bar
    from sigmax._training.run import Run

_BLOCK_BYTES = 1 << 24  # bytes of activations and errors of the rows in one call of C
_LIMIT_REACHED = 1  # SciPy's status
_REMEDY = (Mention("standardize", True), ", or ", Change("a smaller", "l2"))


class _Point(NamedTuple):
    """Cost and gradient at some parameters; all but the objective are sums over n_rows rows."""

    parameters: Array
    objective: float
    cost: float
    n_correct: float
    n_rows: int


class _Enough(Exception):
    """Raised to end SciPy's loop when the epochs of this part are done."""


def train(run: Run, bar: Bar | None) -> None:
    """Run the remaining epochs by L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995), one iteration each.

    A file cannot store SciPy's memory of the last steps. It is therefore reset at each checkpoint,
    and no checkpoint is written in between, so that a resumed training equals an uninterrupted one.
    `checkpoint_every` is 10 by default; 1 would make it steepest descent.

    Raises
    ------
    ImportError
        Naming the extra, when SciPy is not installed.
    DivergedError
        When the cost or its gradient becomes infinite or NaN.
    """
    try:
        with imports:
            optimize = importlib.import_module("scipy.optimize")
    except ImportError as error:
        raise ImportError("optimizer 'lbfgs' needs SciPy: pip install 'sigmax[scipy]'") from error
    options = run.options
    while not run.over:
        start = run.state.epoch
        end = options.epochs
        if options.checkpoint:
            every = options.epochs_per_checkpoint
            end = min(end, (start // every + 1) * every)
        stretch = _Stretch(run, bar, end)
        limits = {
            "maxiter": end - start,
            "maxfun": options.max_evaluations or np.iinfo(np.int32).max,
            "gtol": options.gtol,
        }
        try:
            result = optimize.minimize(
                stretch.objective,
                run.model.arena.astype(FLOAT64),
                jac=True,
                method="L-BFGS-B",
                callback=stretch.accept,
                options=limits,
            )
        except _Enough:
            continue
        if run.state.epoch < end:
            limited = result.status == _LIMIT_REACHED
            run.history.stopped = "max_evaluations" if limited else "converged"


class _Stretch:
    """The epochs between two checkpoints."""

    def __init__(self, run: Run, bar: Bar | None, end: int) -> None:
        self._run, self._bar, self._end = run, bar, end
        layout = run.model.layout
        self._trial = layout.new_arena()  # so that the network only ever has accepted parameters
        self._gradient = layout.new_arena()
        self._n_weights = lib.sigmax_weight_count(layout.handle)
        per_row = 2 * layout.n_units * layout.dtype.itemsize
        by_time = OPERATIONS // (3 * layout.n_parameters)
        self._block_rows = max(64, min(_BLOCK_BYTES // per_row, by_time))
        self._before: _Point | None = None  # the start of the iteration
        self._last: _Point | None = None  # the last evaluated point

    def objective(self, x: Array) -> tuple[float, Array]:
        """Return C + (l2/2) sum w^2 and its gradient at the parameters x, in float64."""
        self._trial[:] = x
        gradient = np.zeros(x.size)
        cost, n_correct, n_rows = 0.0, 0.0, 0
        for block in self._run.data.training.blocks(self._block_rows):
            of_block, correct = self._backprop(block)
            cost += of_block * len(block)
            n_correct += correct
            n_rows += len(block)
            gradient += np.multiply(self._gradient, len(block), dtype=FLOAT64)
        gradient /= n_rows
        weights, l2 = x[: self._n_weights], self._run.options.l2
        gradient[: self._n_weights] += l2 * weights
        objective = cost / n_rows + 0.5 * l2 * float(weights @ weights)
        if not (np.isfinite(objective) and np.isfinite(gradient).all()):
            raise DivergedError(self._run.state.epoch, 0, _REMEDY)
        self._last = _Point(x.copy(), objective, cost, n_correct, n_rows)
        self._before = self._before or self._last
        return objective, gradient

    def accept(self, x: Array) -> None:
        """Close an epoch after SciPy accepted x."""
        begun = self._before
        assert begun is not None and self._last is not None
        if not np.array_equal(self._last.parameters, x):
            self.objective(x)
        self._before = self._last
        run = self._run
        run.model.guard.write(np.copyto, run.model.arena, x, "same_kind")
        if self._bar is not None:
            self._bar.update(begun.n_rows)
        updates = run.state.updates + 1
        rate = run.options.rate
        run.close_epoch(begun.cost, begun.n_correct, begun.n_rows, rate, updates, self._bar)
        if run.over or run.state.epoch == self._end:
            raise _Enough

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
