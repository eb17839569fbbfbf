"""Bad data: a clear error that names the argument, row and value, and nothing half-changed.

And data that only looks bad (other orders, strides, byte orders, dtypes): the right answer.
"""

import numpy as np
import pytest
import sigmax
from bad_input import LOOKS, refused
from helpers import random_data, randomize

SIZES = (4, 5, 3)
ROWS = 12
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def network(dtype, rng):
    return randomize(sigmax.Network(SIZES, dtype=dtype, seed=2), rng)


@pytest.fixture
def data(dtype, rng):
    X, labels, soft = random_data(rng, ROWS, SIZES)
    return X.astype(dtype), labels, soft.astype(dtype)


def calls_with_X(network, X, y):
    """Everything that takes X, by name."""
    return {
        "predict": lambda: network.predict(X),
        "predict_proba": lambda: network.predict_proba(X),
        "activations": lambda: network.activations(X),
        "weighted_inputs": lambda: network.weighted_inputs(X),
        **calls_with_y(network, X, y),
    }


def calls_with_y(network, X, y):
    """Everything that takes X and y, by name."""
    return {
        "cost": lambda: network.cost(X, y),
        "accuracy": lambda: network.accuracy(X, y),
        "backprop": lambda: network.backprop(X, y),
        "gradient_check": lambda: network.gradient_check(X, y),
        "fit": lambda: network.fit(X, y, epochs=1),
    }


# ---- X -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((ROWS, 3), ("X", "3", "4")),
        ((ROWS, 5), ("X", "5", "4")),
        ((ROWS, 0), ("X", "0", "4")),
        ((4,), ("X", "reshape(1, -1)")),
        ((7,), ("X", "(7,)", "4")),
        ((ROWS, 2, 2), ("X", "(12, 2, 2)", "4", "X.reshape(len(X), -1)")),
        ((), ("X", "()", "4")),
    ],
    ids=str,
)
def test_X_of_the_wrong_shape(network, data, shape, words):
    refused(network, calls_with_X(network, np.zeros(shape), data[1]), ValueError, *words)


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((ROWS, 4), complex),
        np.zeros((ROWS, 4), "U3"),
        np.zeros((ROWS, 4), "S3"),
        np.zeros((ROWS, 4), object),
        np.zeros((ROWS, 4), "M8[s]"),
        np.zeros((ROWS, 4), [("a", float)]),
        [["1", "2", "3", "x"]] * ROWS,
        None,
        "data.csv",
        {"a": 1},
        [None] * ROWS,
    ],
    ids=lambda X: str(getattr(X, "dtype", X))[:20],
)
def test_X_that_is_no_array_of_real_numbers(network, data, X):
    refused(network, calls_with_X(network, X, data[1]), (TypeError, ValueError), "X")


def test_X_that_is_ragged(network, data):
    X = [[1.0, 2.0, 3.0, 4.0], [1.0, 2.0]]
    refused(network, calls_with_X(network, X, data[1]), (TypeError, ValueError), "X")


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (7, 2), (ROWS - 1, 3)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_X_that_is_not_finite(network, data, value, row, column, order):
    X = np.array(data[0], order=order)
    X[row, column] = value
    calls = calls_with_X(network, X, data[1])
    refused(network, calls, ValueError, "X", f"row {row}", f"column {column}", str(value))


def test_X_that_is_not_finite_far_down(rng, dtype):
    network = sigmax.Network([3, 2], dtype=dtype, seed=0)
    X = rng.normal(0.0, 1.0, (30_001, 3)).astype(dtype)
    X[30_000, 1] = NAN
    calls = calls_with_X(network, X, np.zeros(len(X), int))
    refused(network, calls, ValueError, "X", "row 30000", "column 1", "nan")


def test_X_too_large_for_float32(data):
    network = sigmax.Network(SIZES, dtype="float32", seed=0)
    X = data[0].astype(np.float64)
    X[5, 1] = 1e39
    calls = calls_with_X(network, X, data[1])
    del calls["gradient_check"]  # computes in float64, where it is not too large
    refused(network, calls, ValueError, "X", "row 5", "1e+39")


def test_X_with_masked_entries(network, data):
    X = np.ma.masked_greater(data[0], 0.5)
    refused(network, calls_with_X(network, X, data[1]), (TypeError, ValueError), "X", "mask")


def test_y_that_is_sparse(network, data):
    sparse = pytest.importorskip("scipy.sparse")
    y = sparse.csr_matrix(np.eye(3)[data[1]])
    refused(network, calls_with_y(network, data[0], y), TypeError, "y", "sparse", "toarray")


@pytest.mark.parametrize("look", LOOKS)
def test_X_that_only_looks_unusual(network, data, look):
    X, labels, _ = data
    if look == "broadcast":
        X = np.repeat(X[:1], len(X), axis=0)
    unusual = LOOKS[look](X)
    other = network.copy()
    np.testing.assert_array_equal(network.predict_proba(unusual), network.predict_proba(X))
    for a, b in zip(network.activations(unusual), network.activations(X), strict=True):
        np.testing.assert_array_equal(a, b)
    assert network.cost(unusual, labels) == network.cost(X, labels)
    network.fit(unusual, labels, epochs=2, batch_size=5)
    other.fit(X, labels, epochs=2, batch_size=5)
    np.testing.assert_array_equal(network.parameters, other.parameters)


@pytest.mark.parametrize("kinds", ["fb", "Ff", "Bi"], ids=str)
def test_data_frames_of_numbers(network, kinds):
    pandas = pytest.importorskip("pandas")
    types = {"f": "float32", "b": "bool", "i": "int64", "F": "Float64", "B": "boolean"}
    X = np.arange(8).reshape(4, 2) % 2
    X = np.hstack([X, X])
    columns = {name: X[:, i] for i, name in enumerate("abcd")}
    frame = pandas.DataFrame(columns).astype(
        dict(zip("abcd", map(types.get, kinds * 2), strict=True))
    )
    np.testing.assert_array_equal(network.predict_proba(frame), network.predict_proba(X))
    network.fit(frame, [0, 1, 2, 0], epochs=1)
    if kinds[0].isupper():
        frame.loc[2, "a"] = pandas.NA
        with pytest.raises(ValueError, match="X, row 2, column 0: nan"):
            network.predict(frame)
    with pytest.raises(TypeError, match="X has dtype object"):
        network.predict(frame.assign(a="text"))


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "u1", "i1", "i2", "u4", "i8", "?"])
def test_X_of_any_real_dtype(network, rng, kind):
    X = rng.integers(0, 2 if kind == "?" else 100, (9, 4)).astype(kind)
    expected = network.predict_proba(X.astype(network.dtype))
    np.testing.assert_array_equal(network.predict_proba(X), expected)


# ---- y -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [3, 17, -1, -3, 2**31, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("row", [0, 5, ROWS - 1])
def test_label_out_of_range(network, data, value, row):
    y = data[1].astype(np.int64)
    y[row] = value
    calls = calls_with_y(network, data[0], y)
    refused(network, calls, ValueError, "y", f"row {row}", str(value), "0", "2")


def test_label_beyond_int64(network, data):
    y = data[1].astype(np.uint64)
    y[4] = 2**64 - 1
    calls = calls_with_y(network, data[0], y)
    refused(network, calls, ValueError, "y", "row 4", str(2**64 - 1))


@pytest.mark.parametrize("value", [0.5, 1.0000001, -0.25, NAN, INF])
def test_label_that_is_no_integer(network, data, value):
    y = data[1].astype(np.float64)
    y[6] = value
    refused(network, calls_with_y(network, data[0], y), ValueError, "y", "row 6", str(value))


def test_one_hot_of_the_wrong_width(network, data):
    for width in (2, 4):
        y = np.eye(width)[data[1] % width]
        refused(network, calls_with_y(network, data[0], y), ValueError, "y", f"{width})", "3)")


def test_labels_as_a_column(network, data):
    calls = calls_with_y(network, data[0], data[1].reshape(-1, 1))
    refused(network, calls, ValueError, "y", "ravel")


@pytest.mark.parametrize("shape", [(), (ROWS, 3, 1), (1, ROWS, 3)], ids=str)
def test_y_of_the_wrong_shape(network, data, shape):
    refused(network, calls_with_y(network, data[0], np.zeros(shape)), ValueError, "y", str(shape))


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("rows", [0, 1, ROWS - 1, ROWS + 1])
def test_y_of_the_wrong_length(network, data, soft, rows):
    y = np.tile(data[2] if soft else data[1], (2, 1) if soft else 2)[:rows]
    words = ("X", "y", str(ROWS), str(rows))
    refused(network, calls_with_y(network, data[0], y), ValueError, *words)


@pytest.mark.parametrize("total", [0.0, 0.99, 1.01, 2.0, 100.0])
def test_soft_labels_that_do_not_sum_to_one(network, data, total):
    y = data[2].copy()
    y[9] *= total
    refused(network, calls_with_y(network, data[0], y), ValueError, "y", "row 9", f"{total:g}", "1")


def test_soft_labels_that_nearly_sum_to_one(network, data):
    y = data[2].copy()
    y[9] *= 1.0009
    for name, call in calls_with_y(network, data[0], y).items():
        assert call() is not None, name


@pytest.mark.parametrize("value", [-0.25, -(2.0**-10), NAN, INF, -INF])
def test_soft_label_that_is_no_probability(network, data, value):
    y = data[2].copy()
    y[8] = [value, 0.5, 0.5 - value] if np.isfinite(value) else [value, 0.5, 0.5]
    refused(network, calls_with_y(network, data[0], y), ValueError, "y", "row 8", str(value))


@pytest.mark.parametrize(
    "y",
    [
        ["cat", "dog", "cow"] * 4,
        np.array(["a"] * ROWS, object),
        np.zeros(ROWS, complex),
        [None] * ROWS,
        None,
        np.zeros(ROWS, "M8[D]"),
    ],
    ids=lambda y: str(getattr(y, "dtype", y))[:20],
)
def test_y_that_is_no_array_of_numbers(network, data, y):
    refused(network, calls_with_y(network, data[0], y), (TypeError, ValueError), "y")


@pytest.mark.parametrize("look", [name for name in LOOKS if name != "broadcast"])
@pytest.mark.parametrize("soft", [False, True])
def test_y_that_only_looks_unusual(network, data, look, soft):
    X, y = data[0], data[2] if soft else data[1]
    other = network.copy()
    unusual = LOOKS[look](y)
    assert network.cost(X, unusual) == network.cost(X, y)
    assert network.accuracy(X, unusual) == network.accuracy(X, y)
    network.fit(X, unusual, epochs=2, batch_size=5)
    other.fit(X, y, epochs=2, batch_size=5)
    np.testing.assert_array_equal(network.parameters, other.parameters)


@pytest.mark.parametrize("kind", ["i1", "u1", "i4", "u8", "f4", "f8"])
def test_labels_of_any_dtype(network, data, kind):
    X, y, _ = data
    assert network.cost(X, y.astype(kind)) == network.cost(X, y)


def test_bool_labels_of_two_classes(dtype, rng):
    network = sigmax.Network([4, 2], dtype=dtype, seed=0)
    X, y = rng.normal(0.0, 1.0, (9, 4)), rng.integers(0, 2, 9)
    assert network.cost(X, y.astype(bool)) == network.cost(X, y)


# ---- no rows -------------------------------------------------------------------------------------


def test_no_rows_cannot_be_learnt(network, dtype):
    X = np.empty((0, 4), dtype)
    for y in (np.empty(0, int), np.empty((0, 3), dtype), []):
        refused(network, calls_with_y(network, X, y), ValueError, "rows")


# ---- validation data -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y_val": None}, ("X_val", "y_val")),
        ({"X_val": None}, ("X_val", "y_val")),
        ({"X_val": np.zeros((ROWS, 9))}, ("X_val", "9", "4")),
        ({"y_val": np.full(ROWS, 3)}, ("y_val", "row 0", "3")),
        ({"y_val": np.zeros(2, int)}, ("X_val", "y_val", "12", "2")),
        ({"X_val": np.full((ROWS, 4), NAN)}, ("X_val", "row 0", "nan")),
        ({"X_val": np.empty((0, 4)), "y_val": np.empty(0, int)}, ("X_val",)),
    ],
    ids=lambda change: ", ".join(change)[:30],
)
def test_validation_data(network, data, change, words):
    X, y, _ = data
    options = {"X_val": X, "y_val": y, **change}
    calls = {"fit": lambda: network.fit(X, y, epochs=1, **options)}
    refused(network, calls, ValueError, *words)
