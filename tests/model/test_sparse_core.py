"""Sparse rows in sigmax_train: the same bits as dense rows, and what is refused."""

import numpy as np
import pytest
from c_training import Core, Data, Sparse, to_sparse
from helpers import flatten, random_data, random_parameters
from reference_optimizers import OPTIMIZERS
from reference_training import Training
from sigmax._sigmax import ffi, lib

pytestmark = pytest.mark.usefixtures("instruction_set")

SIZES = (50, 19, 5)
ROWS = 37


@pytest.fixture
def problem(rng, dtype):
    """Start parameters, X of which a tenth is not 0 (some rows and columns wholly), labels."""
    weights, biases = random_parameters(rng, SIZES)
    X, labels, _ = random_data(rng, ROWS, SIZES)
    X[rng.uniform(size=X.shape) < 0.9] = 0.0
    X[[0, 11, ROWS - 1]] = 0.0
    X[:, [0, 23]] = 0.0
    X[7] = 1.0
    return flatten(weights, biases), X.astype(dtype), labels


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 8, 37])
@pytest.mark.parametrize("shuffled", [False, True])
def test_the_bits_of_dense_rows(problem, rng, dtype, name, batch_size, shuffled):
    start, X, labels = problem
    order = rng.permutation(ROWS) if shuffled else None
    s = rng.exponential(1.0, ROWS)
    numbers = Training(name, 0.01, l2=0.01, dropout=0.2, label_smoothing=0.1)
    dense = Core(SIZES, dtype, start, numbers)
    dense.train(Data(dtype, X, labels, s), batch_size, order, epochs=2)
    for first in (0, 3):
        data = Data(dtype, to_sparse(X, first), labels, s)
        for chunk in (1, 100):
            sparse = Core(SIZES, dtype, start, numbers)
            sparse.train(data, batch_size, order, epochs=2, chunk=chunk)
            assert sparse.snapshot() == dense.snapshot()


def test_entries_in_any_order_and_more_than_once(problem, dtype):
    start, X, labels = problem
    row_start, columns, values = to_sparse(X)
    backwards, doubled = [], []
    for row in range(ROWS):
        entries = slice(row_start[row], row_start[row + 1])
        backwards += [columns[entries][::-1], values[entries][::-1]]
        doubled += [columns[entries].repeat(2), (values[entries] / 2).repeat(2)]
    expected = Core(SIZES, dtype, start, Training()).train(Data(dtype, X, labels), 8)
    for starts, pieces in ((row_start, backwards), (2 * row_start, doubled)):
        rows = Sparse(starts, np.concatenate(pieces[::2]), np.concatenate(pieces[1::2]))
        core = Core(SIZES, dtype, start, Training()).train(Data(dtype, rows, labels), 8)
        assert core.snapshot() == expected.snapshot()


def test_no_entries_at_all(problem, dtype):
    start, X, labels = problem
    dense = Core(SIZES, dtype, start, Training()).train(Data(dtype, 0 * X, labels), 8)
    sparse = Core(SIZES, dtype, start, Training())
    sparse.train(Data(dtype, to_sparse(0 * X), labels), 8)
    assert sparse.snapshot() == dense.snapshot()


def test_a_batch_leaves_nothing_to_the_next(problem, dtype):
    # A row of ones, then empty rows, in the same place of their batches.
    start, _, _ = problem
    X = np.zeros((6, SIZES[0]), dtype)
    X[0] = 1.0
    labels = np.array([0, 1, 2, 3, 4, 0])
    dense = Core(SIZES, dtype, start, Training()).train(Data(dtype, X, labels), 2)
    sparse = Core(SIZES, dtype, start, Training()).train(Data(dtype, to_sparse(X), labels), 2)
    assert sparse.snapshot() == dense.snapshot()


# ---- refusals, which change nothing --------------------------------------------------------------

INT32, INT64 = np.iinfo(np.int32), np.iinfo(np.int64)


def assert_refused(core, data, expected, what):
    before = core.snapshot()
    assert core.call(data, 8) == expected, what
    assert core.snapshot() == before, what


@pytest.mark.parametrize("column", [-1, SIZES[0], INT32.min, INT32.max])
@pytest.mark.parametrize("place", [0, -1])
def test_columns_that_are_none(problem, dtype, column, place):
    start, X, labels = problem
    rows = to_sparse(X)
    rows.columns[place] = column
    core = Core(SIZES, dtype, start, Training())
    assert_refused(core, Data(dtype, rows, labels), lib.SIGMAX_BAD_SPARSE, column)


@pytest.mark.parametrize(
    ("row", "value"),
    [(0, -1), (0, INT64.min), (5, -1), (5, INT64.min), (3, INT64.max), (ROWS, 0), (ROWS, -1)],
)
def test_rows_that_start_or_end_where_they_cannot(problem, dtype, row, value):
    start, X, labels = problem
    rows = to_sparse(X)
    # A row whose end lies beyond the arrays ends here at a column that is none, not in a crash.
    columns = np.concatenate([rows.columns, np.array([-1], np.int32)])
    values = np.concatenate([rows.values, np.array([0], dtype)])
    rows.row_start[row] = value
    core = Core(SIZES, dtype, start, Training())
    data = Data(dtype, Sparse(rows.row_start, columns, values), labels)
    assert_refused(core, data, lib.SIGMAX_BAD_SPARSE, (row, value))


def test_rows_that_descend(problem, dtype):
    start, X, labels = problem
    rows = to_sparse(X)
    rows.row_start[8] = rows.row_start[7] - 1
    core = Core(SIZES, dtype, start, Training())
    assert_refused(core, Data(dtype, rows, labels), lib.SIGMAX_BAD_SPARSE, "descending")


def test_rows_that_are_not_taken_are_not_looked_at(problem, dtype):
    # Row 30 is bad; the first three batches of eight do not hold it.
    start, X, labels = problem
    X[30, 4] = 1.0
    rows = to_sparse(X)
    rows.columns[rows.row_start[30]] = -5
    core = Core(SIZES, dtype, start, Training())
    data = Data(dtype, rows, labels)
    assert core.call(data, 8, None, 3) == lib.SIGMAX_OK
    assert_refused(core, data, lib.SIGMAX_BAD_SPARSE, "row 30")


def test_null_arrays_and_both_kinds_of_rows(problem, dtype):
    start, X, labels = problem
    core = Core(SIZES, dtype, start, Training())
    for name in ("row_start", "columns", "values"):
        data = Data(dtype, to_sparse(X), labels)
        setattr(data.struct.sparse, name, ffi.NULL)
        assert_refused(core, data, lib.SIGMAX_BAD_ARGUMENT, name)
    data = Data(dtype, to_sparse(X), labels)
    data.struct.X = Data(dtype, X, labels).struct.X
    assert_refused(core, data, lib.SIGMAX_BAD_ARGUMENT, "X and sparse")
    data = Data(dtype, X, labels)
    data.struct.X = ffi.NULL
    assert_refused(core, data, lib.SIGMAX_BAD_ARGUMENT, "neither")


def test_cost_and_backprop_take_dense_rows_alone(problem, dtype):
    start, X, labels = problem
    core, data = Core(SIZES, dtype, start, Training()), Data(dtype, to_sparse(X), labels)
    address, cost = ffi.cast("void *", core.parameters.ctypes.data), ffi.new("double *", -1.0)
    memory = [np.zeros(ROWS * sum(SIZES) + start.size, dtype) for _ in range(3)]
    arrays = [ffi.cast("void *", array.ctypes.data) for array in memory]
    bad = lib.SIGMAX_BAD_ARGUMENT
    assert lib.sigmax_cost(core.handle, address, 1.0, data.struct, cost, ffi.NULL) == bad
    assert lib.sigmax_backprop(core.handle, address, data.struct, cost, *arrays) == bad
    assert cost[0] == -1.0 and not any(array.any() for array in memory)
