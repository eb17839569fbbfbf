"""Sparse rows: to the bit what the dense array gives, and never more than a batch made dense."""

import json
import sys

import numpy as np
import processes
import pytest
import sigmax
from bad_input import refused
from helpers import randomize
from hypothesis import given
from hypothesis import strategies as st
from sigmax._data.sparse import as_csr

sparse = pytest.importorskip("scipy.sparse")

SIZES = (9, 5, 3)
ROWS = 40
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def network(dtype, rng):
    return randomize(sigmax.Network(SIZES, dtype=dtype, seed=2), rng)


@pytest.fixture
def dense(rng, dtype):
    """Mostly zeros, with rows and a column of nothing else."""
    X = rng.normal(0.0, 1.0, (ROWS, 9)) * (rng.random((ROWS, 9)) < 0.3)
    X[[0, 7, 8, ROWS - 1]] = 0
    X[:, 4] = 0
    return X.astype(dtype)


@pytest.fixture
def y(rng):
    return rng.integers(0, 3, ROWS)


def unsorted(X):
    """The same matrix with the entries of each row backwards."""
    csr = sparse.csr_array(X)
    for start, stop in zip(csr.indptr[:-1], csr.indptr[1:], strict=True):
        csr.indices[start:stop] = csr.indices[start:stop][::-1].copy()
        csr.data[start:stop] = csr.data[start:stop][::-1].copy()
    csr.has_sorted_indices = False
    return csr


def with_duplicates(X):
    """Every entry x given as three that add up to it, the rows' order mixed."""
    csr = sparse.csr_array(X)
    parts = np.stack([csr.data * 0.5, csr.data * 0.25, csr.data * 0.25])
    values, columns = [], []
    for start, stop in zip(csr.indptr[:-1], csr.indptr[1:], strict=True):
        for part in (1, 0, 2):
            values.append(parts[part, start:stop])
            columns.append(csr.indices[start:stop])
    arrays = np.concatenate(values), np.concatenate(columns), csr.indptr * 3
    made = sparse.csr_array(arrays, shape=X.shape)
    assert made.nnz == 3 * csr.nnz > 0
    return made


def long_indices(X):
    csr = sparse.csr_matrix(X)
    csr.indices, csr.indptr = csr.indices.astype(np.int64), csr.indptr.astype(np.int64)
    return csr


def with_written_zeros(X):
    csr = sparse.csr_array(np.where(X == 0, 7, X))
    csr.data[csr.data == 7] = 0
    assert csr.nnz == X.size
    return csr


FORMS = {
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "coo": sparse.coo_matrix,
    "lil": sparse.lil_matrix,
    "dok": sparse.dok_array,
    "bsr": sparse.bsr_array,
    "dia": sparse.dia_array,
    "int64 indices": long_indices,
    "unsorted": unsorted,
    "duplicates": with_duplicates,
    "written zeros": with_written_zeros,
    "other dtype": lambda X: sparse.csr_array(X.astype(np.longdouble)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_call_gives_the_bits_of_the_dense_array(network, dense, y, form):
    X = FORMS[form](dense)
    assert (X.toarray() == dense).all()
    assert network.predict_proba(X).tobytes() == network.predict_proba(dense).tobytes()
    np.testing.assert_array_equal(network.predict(X), network.predict(dense))
    assert network.cost(X, y) == network.cost(dense, y)
    assert network.accuracy(X, y) == network.accuracy(dense, y)
    assert network.gradient_check(X, y) == network.gradient_check(dense, y)
    for a, b in zip(network.activations(X), network.activations(dense), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(network.weighted_inputs(X), network.weighted_inputs(dense), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(
        network.backprop(X, y).nabla_w, network.backprop(dense, y).nabla_w, strict=True
    ):
        assert np.abs(a).max() > 0
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("batch_size", [1, 7, ROWS])
def test_training_gives_the_bits_of_the_dense_array(network, dense, y, form, batch_size):
    other, untrained = network.copy(), network.parameters.copy()
    X = FORMS[form](dense)
    options = {"epochs": 3, "batch_size": batch_size, "optimizer": "momentum", "dropout": 0.2}
    history = network.fit(X, y, X_val=X, y_val=y, **options)
    expected = other.fit(dense, y, X_val=dense, y_val=y, **options)
    assert network.parameters.tobytes() == other.parameters.tobytes() != untrained.tobytes()
    assert history.cost == expected.cost and history.val_cost == expected.val_cost


def test_weights_soft_labels_and_held_out_rows(network, dense, y, rng):
    other = network.copy()
    soft = np.eye(3)[y] * 0.7 + 0.1
    options = {"epochs": 2, "batch_size": 8, "sample_weight": rng.random(ROWS)}
    options |= {"validation_fraction": 0.25}
    history = network.fit(sparse.csr_array(dense), soft, **options)
    assert history.val_cost == other.fit(dense, soft, **options).val_cost
    assert network.parameters.tobytes() == other.parameters.tobytes()


def test_the_matrix_is_not_changed(network, dense, y):
    for make in (unsorted, with_duplicates, with_written_zeros):
        X = make(dense)
        before = [array.copy() for array in (X.indptr, X.indices, X.data)]
        network.fit(X, y, epochs=1, standardize=True)
        for now, then in zip((X.indptr, X.indices, X.data), before, strict=True):
            assert now.dtype == then.dtype
            np.testing.assert_array_equal(now, then)


def test_csr_is_not_copied(dense):
    X = sparse.csr_array(dense)
    made = as_csr(X, 9, "X")
    assert np.shares_memory(made.columns, X.indices) and np.shares_memory(made.values, X.data)


def test_sums_of_duplicates_are_those_of_toarray(rng):
    # float32 additions depend on their order: 1e8 + 1 - 1e8 is 0, 1e8 - 1e8 + 1 is 1
    values = np.array([1e8, 1, -1e8, 1e8, -1e8, 1], np.float32)
    X = sparse.csr_array((values, [2, 2, 2, 0, 0, 0], [0, 3, 6]), shape=(2, 3))
    np.testing.assert_array_equal(X.toarray(), [[0, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(as_csr(X, 3, "X").toarray(3), X.toarray())


@given(data=st.data())
def test_any_csr_is_its_toarray(data):
    width = data.draw(st.integers(1, 6))
    entry = st.tuples(st.integers(0, width - 1), st.sampled_from([1e8, -1e8, 1.0, 0.25, 0.0, -3.0]))
    rows = data.draw(st.lists(st.lists(entry, max_size=9), max_size=6))
    entries = [entry for row in rows for entry in row]
    columns = np.array([column for column, _ in entries], data.draw(st.sampled_from(["i4", "i8"])))
    values = np.array([value for _, value in entries], data.draw(st.sampled_from(["f4", "f8"])))
    row_start = np.cumsum([0, *map(len, rows)])
    X = sparse.csr_matrix((values, columns, row_start), shape=(len(rows), width))
    made = as_csr(X, width, "X")
    assert made.toarray(width).tobytes() == (X.toarray() + 0.0).tobytes()  # -0 becomes 0
    for row in range(len(rows)):
        assert (np.diff(made.take(slice(row, row + 1)).columns) > 0).all()
    chosen = data.draw(st.lists(st.integers(0, max(0, len(rows) - 1)), max_size=5 * len(rows)))
    taken = made.take(np.array(chosen, np.uintp)).toarray(width)
    np.testing.assert_array_equal(taken, X.toarray()[chosen])


@pytest.mark.parametrize("index", [slice(3, 11), slice(5, 5), [4, 0, 39, 4], []], ids=str)
def test_rows_taken_from_csr(dense, index):
    csr = as_csr(sparse.csr_array(dense), 9, "X")
    index = index if isinstance(index, slice) else np.array(index, np.uintp)
    np.testing.assert_array_equal(csr.take(index).toarray(9), dense[index])


def test_all_empty(network, y):
    nothing = np.zeros((ROWS, 9), network.dtype)
    other = network.copy()
    network.fit(sparse.csr_array(nothing), y, epochs=1)
    other.fit(nothing, y, epochs=1)
    assert network.parameters.tobytes() == other.parameters.tobytes()
    no_rows = sparse.csr_array((0, 9))
    assert network.predict_proba(no_rows).shape == (0, 3)
    assert network.predict(no_rows).shape == (0,)


# ---- what is refused -----------------------------------------------------------------------------


def calls_with_X(network, X, y):
    return {
        "predict": lambda: network.predict(X),
        "predict_proba": lambda: network.predict_proba(X),
        "activations": lambda: network.activations(X),
        "weighted_inputs": lambda: network.weighted_inputs(X),
        "cost": lambda: network.cost(X, y),
        "backprop": lambda: network.backprop(X, y),
        "fit": lambda: network.fit(X, y, epochs=1),
        "X_val": lambda: network.fit(np.zeros((2, 9)), [0, 1], X_val=X, y_val=y),
        "partial_fit": lambda: network.partial_fit(X, y),
    }


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_matrix, unsorted])
def test_values_that_are_not_finite(network, dense, y, value, make):
    dense[11, 6] = value
    calls = calls_with_X(network, make(dense), y)
    refused(network, calls, ValueError, "X", "row 11", "column 6", str(value))


def test_values_too_large_for_float32(dense, y):
    network = sigmax.Network(SIZES, dtype="float32", seed=0)
    X = dense.astype(np.float64)
    X[11, 6] = 1e39
    calls = calls_with_X(network, sparse.csr_array(X), y)
    refused(network, calls, ValueError, "X", "row 11", "column 6", "1e+39", "float32")


def test_a_held_out_row_keeps_its_number(network, dense, y):
    dense[:, 2] = 1
    for row in (0, 13, ROWS - 1):
        X = dense.copy()
        X[row, 2] = NAN
        for made in (X, sparse.csr_array(X)):
            with pytest.raises(ValueError, match=f"row {row}, column 2: nan"):
                network.fit(made, y, epochs=1, validation_fraction=0.5)


@pytest.mark.parametrize("columns", [8, 10, 0])
def test_wrong_width(network, y, columns):
    calls = calls_with_X(network, sparse.csr_array((ROWS, columns)), y)
    refused(network, calls, ValueError, "X", f"{columns} columns", "9")


def test_wrong_length(network, dense, y):
    X = sparse.csr_array(dense[:-1])
    refused(network, {"fit": lambda: network.fit(X, y)}, ValueError, "X", "y", "39", "40")


@pytest.mark.parametrize("kind", [complex, object])
def test_wrong_dtype(network, dense, y, kind):
    X = sparse.csr_array(dense)
    X.data = X.data.astype(kind)
    refused(network, calls_with_X(network, X, y), TypeError, "X", np.dtype(kind).name)


def spoilt(dense, spoil):
    X = sparse.csr_array(dense)
    spoil(X)
    return X


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda X: X.indices.__setitem__(X.indptr[20], 9), ("indices", "column 9", "0 to 8")),
        (lambda X: X.indices.__setitem__(X.indptr[20], -1), ("indices", "column -1", "0 to 8")),
        (lambda X: X.indptr.__setitem__(20, X.nnz + 5), ("indptr", "row 20")),
        (lambda X: X.indptr.__setitem__(-1, X.nnz + 5), ("indptr", "entries")),
        (lambda X: X.indptr.__setitem__(0, 1), ("indptr", "first")),
        (lambda X: X.indptr.__setitem__(0, -1), ("indptr", "first")),
    ],
)
def test_broken_matrices(network, dense, y, spoil, words):
    dense[20, 3] = 1
    refused(network, calls_with_X(network, spoilt(dense, spoil), y), ValueError, "X", *words)


def test_a_broken_column_is_named_with_its_row(network, dense, y):
    dense[20, 3] = 1
    X = sparse.csr_array(dense)
    X.indices[X.indptr[21] - 1] = 2**31 - 1
    with pytest.raises(ValueError, match=r"X\.indices, row 20: column 2147483647"):
        network.fit(X, y)


def test_scipy_is_not_imported_by_itself():
    assert "scipy" not in processes.run("programs/extras_of_a_fit.py").split()


# ---- memory --------------------------------------------------------------------------------------


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    "options", [{}, {"standardize": True}, {"nan": "mean", "standardize": True}], ids=str
)
def test_no_more_than_a_batch_is_made_dense(options):
    grown = int(processes.run("programs/memory_of_sparse_rows.py", json.dumps(options)))
    assert grown < 100 << 10, f"{grown >> 10} MiB more"
