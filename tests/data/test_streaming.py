"""Streams of blocks: the bits of one array in that order, whatever the blocks; and partial_fit."""

import gc
import sys

import numpy as np
import processes
import pytest
import sigmax
from bad_input import refused
from helpers import random_data, randomize
from hypothesis import given
from hypothesis import strategies as st
from sigmax._data.sources import open_data
from sigmax._sigmax import ffi

SIZES = (6, 5, 3)
ROWS = 53
NAN, INF = float("nan"), float("inf")

DIVISIONS = {
    "one block": [ROWS],
    "single rows": [1] * ROWS,
    "odd": [3, 1, 20, 2, 2, 2, 7, 1, 15],
    "with empty ones": [0, 0, 10, 0, 33, 10, 0],
    "a last single row": [ROWS - 1, 1],
    "a first single row": [1, ROWS - 1],
}


@pytest.fixture
def network(dtype, rng):
    return randomize(sigmax.Network(SIZES, dtype=dtype, seed=2), rng)


@pytest.fixture
def data(dtype, rng):
    X, labels, soft = random_data(rng, ROWS, SIZES)
    return X.astype(dtype), labels, soft.astype(dtype)


def divided(lengths, *arrays):
    """The arrays in blocks of so many rows."""
    assert sum(lengths) == len(arrays[0])
    ends = np.cumsum(lengths)
    return [tuple(a[end - n : end] for a in arrays) for n, end in zip(lengths, ends, strict=True)]


@pytest.mark.parametrize("division", DIVISIONS)
@pytest.mark.parametrize("batch_size", [1, 4, 10, 52, ROWS, 500])
@pytest.mark.parametrize("soft", [False, True])
def test_a_stream_gives_the_bits_of_the_array(network, data, division, batch_size, soft):
    X, y = data[0], data[2] if soft else data[1]
    blocks = divided(DIVISIONS[division], X, y)
    other, untrained = network.copy(), network.parameters.copy()
    options = {"epochs": 3, "batch_size": batch_size, "dropout": 0.3, "optimizer": "momentum"}
    options |= {"X_val": X, "y_val": y}
    history = network.fit(lambda: iter(blocks), **options)
    expected = other.fit(X, y, shuffle=False, **options)
    assert network.parameters.tobytes() == other.parameters.tobytes() != untrained.tobytes()
    assert history.cost == expected.cost and history.accuracy == expected.accuracy
    assert history.val_cost == expected.val_cost


@pytest.mark.parametrize("division", DIVISIONS)
@pytest.mark.parametrize("batch_size", [1, 4, 10, ROWS])
def test_an_interrupted_epoch_goes_on_after_the_rows_it_had(rng, division, batch_size):
    network = sigmax.Network(SIZES, dtype="float64", seed=0)
    X, y, _ = random_data(rng, ROWS, SIZES)
    stream = open_data(network._model.layout, lambda: divided(DIVISIONS[division], X, y), None)
    source = stream.prepared(None).source()
    assert source.n_rows is None
    for start in range(0, ROWS + 1, batch_size):
        seen = []
        for piece in source.pieces(None, batch_size, start):
            rows = np.frombuffer(ffi.buffer(piece.struct.X, piece.struct.rows * 6 * 8))
            assert piece.first == 0 and piece.order == ffi.NULL
            assert piece.rows % batch_size == 0 or start + len(seen) + piece.rows == ROWS
            seen += list(rows.reshape(-1, 6).copy())
        np.testing.assert_array_equal(np.reshape(seen, (-1, 6)), X[start:])
        assert source.n_rows == ROWS
    with pytest.raises(ValueError, match="returned 53 rows; the interrupted epoch used 54"):
        list(source.pieces(None, 1, ROWS + 1))


@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(sum),
    batch_size=st.integers(1, 20),
)
def test_any_division_gives_the_bits_of_the_array(lengths, batch_size):
    X, y, _ = random_data(np.random.default_rng(1), sum(lengths), SIZES)
    network, other = (sigmax.Network(SIZES, seed=3, init="large") for _ in range(2))
    network.fit(lambda: divided(lengths, X, y), epochs=1, batch_size=batch_size)
    other.fit(X, y, epochs=1, batch_size=batch_size, shuffle=False)
    assert network.parameters.tobytes() == other.parameters.tobytes()


@pytest.mark.parametrize("make", [list, tuple, iter, lambda blocks: (b for b in blocks)])
def test_any_iterable_of_any_pairs(network, data, make):
    X, y, _ = data
    blocks = [[a.tolist(), b] for a, b in divided(DIVISIONS["odd"], X, y)]
    other = network.copy()
    network.fit(lambda: make(blocks), epochs=2, shuffle=True)  # which has no meaning here
    other.fit(X, y, epochs=2, shuffle=False)
    assert network.parameters.tobytes() == other.parameters.tobytes()


def test_sparse_blocks_among_dense_ones(network, data):
    sparse = pytest.importorskip("scipy.sparse")
    X, y, _ = data
    X[np.abs(X) < 0.7] = 0
    blocks = [
        (sparse.csr_array(a) if i % 2 else a, b)
        for i, (a, b) in enumerate(divided(DIVISIONS["odd"], X, y))
    ]
    for options in ({}, {"standardize": True}):
        trained, other = network.copy(), network.copy()
        trained.fit(lambda: blocks, epochs=2, batch_size=4, **options)
        if options:  # a stream with sparse blocks is not shifted
            assert not trained.preparation.mean.any()
            X = sparse.csr_array(X)
        other.fit(X, y, epochs=2, batch_size=4, shuffle=False, **options)
        np.testing.assert_allclose(
            trained.parameters, other.parameters, rtol=1e-4, atol=1e-6 if options else 0
        )
        assert options or trained.parameters.tobytes() == other.parameters.tobytes()


def test_blocks_that_use_the_same_memory_again(network, data):
    X, y, _ = data
    buffer, labels = np.empty((7, 6), network.dtype), np.empty(7, np.int64)

    def stream():
        for start in range(0, ROWS, 7):
            n = len(X[start : start + 7])
            buffer[:n], labels[:n] = X[start : start + 7], y[start : start + 7]
            yield buffer[:n], labels[:n]
            buffer[:], labels[:] = NAN, -99

    other = network.copy()
    network.fit(stream, epochs=2, batch_size=5)
    other.fit(X, y, epochs=2, batch_size=5, shuffle=False)
    assert network.parameters.tobytes() == other.parameters.tobytes()


def test_an_epoch_may_have_other_rows_than_the_one_before(network, data):
    X, y, _ = data
    other = network.copy()
    lengths = [30, 7, ROWS]
    epochs = iter(lengths)

    def stream():
        n = next(epochs)
        yield X[:n], y[:n]

    history = network.fit(stream, epochs=3, batch_size=8)
    costs = []
    for n in lengths:
        costs += other.fit(X[:n], y[:n], epochs=1, batch_size=8, shuffle=False).cost
    assert network.parameters.tobytes() == other.parameters.tobytes()
    assert history.cost == costs


def test_preparation_of_a_stream(network, data):
    X, y, _ = data
    X[5, 2] = X[40, 0] = NAN
    other = network.copy()
    options = {"epochs": 2, "batch_size": 4, "standardize": True, "nan": "mean"}
    network.fit(lambda: divided(DIVISIONS["odd"], X, y), **options)
    other.fit(X, y, shuffle=False, **options)
    for name in ("mean", "scale", "fill"):
        ours, expected = getattr(network.preparation, name), getattr(other.preparation, name)
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-14)
    assert np.abs(network.parameters - other.parameters).max() < 1e-5
    assert np.isfinite(network.predict_proba(X)).all()


def test_the_stream_is_closed_whatever_happens(network, data):
    X, y, _ = data
    closed = []

    def stream():
        try:
            yield X, y
            yield X, y
        finally:
            closed.append(True)

    def stop(network, epoch, history):
        return True

    network.fit(stream, epochs=1)
    assert len(closed) == 1
    network.fit(stream, epochs=9, callbacks=[stop])
    assert len(closed) == 2
    network.biases[0][:] = 0
    with pytest.raises(ValueError, match="X of block 1"):
        network.fit(lambda: broken(stream()), epochs=1)
    gc.collect()
    assert len(closed) == 3


def broken(blocks):
    X, y = next(blocks)
    yield X, y
    X = X.copy()
    X[17, 4] = INF
    yield X, y


class OwnError(Exception):
    pass


def test_errors_of_the_stream_are_the_callers(network, data):
    X, y, _ = data

    def stream():
        yield X, y
        raise OwnError("the disk is gone")

    with pytest.raises(OwnError, match="the disk is gone"):
        network.fit(stream, epochs=2)
    assert np.isfinite(network.predict_proba(X)).all()
    network.fit(X, y, epochs=1)


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "kind", "words"),
    [
        (lambda X, y: None, TypeError, ("X()", "NoneType", "iterator")),
        (lambda X, y: 3, TypeError, ("X()", "int", "iterator")),
        (lambda X, y: [], ValueError, ("X()", "no rows")),
        (lambda X, y: [(X[:0], y[:0])], ValueError, ("X()", "no rows")),
        (lambda X, y: [X], TypeError, ("block 0", "ndarray", "pair")),
        (lambda X, y: [(X, y, y)], TypeError, ("block 0", "tuple", "pair")),
        (lambda X, y: [(X[:, :5], y)], ValueError, ("X of block 0", "5", "6")),
        (lambda X, y: [(X, y[:-1])], ValueError, ("X of block 0", "53", "y of block 0", "52")),
        (lambda X, y: [(X, y + 1)], ValueError, ("y of block 0", "row", "label 3", "0 to 2")),
        (lambda X, y: [(X, None)], TypeError, ("y of block 0",)),
    ],
)
def test_streams_that_are_refused_at_once(network, data, stream, kind, words):
    X, y, _ = data
    y[0] = 2
    calls = {"fit": lambda: network.fit(lambda: stream(X, y), epochs=1)}
    refused(network, calls, kind, *words)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (lambda X, y: (np.where(X[9, 3] == X, NAN, X), y), ("X of block 1", "row 9", "column 3")),
        (lambda X, y: (X, np.eye(3)[y]), ("y of block 1", "probabilities", "same kind")),
        (lambda X, y: (X, np.full(ROWS, 7)), ("y of block 1", "row 0", "7")),
    ],
)
def test_streams_that_are_refused_on_the_way(network, data, second, words):
    X, y, _ = data
    with pytest.raises(ValueError) as caught:
        network.fit(lambda: [(X, y), second(X, y)], epochs=1)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert np.isfinite(network.predict_proba(X)).all()


def test_a_stream_that_ends_after_one_epoch(network, data):
    X, y, _ = data
    once = iter([(X, y)])
    with pytest.raises(ValueError, match="returned no rows"):
        network.fit(lambda: once, epochs=2)


def test_calls_that_mix_up_streams_and_arrays(network, data):
    X, y, _ = data
    blocks = [(X, y)]
    for call, kind, words in [
        (lambda: network.fit(lambda: blocks, y), ValueError, ("y", "callable", "None")),
        (lambda: network.fit(iter(blocks), y), TypeError, ("X", "list_iterator", "callable")),
        (lambda: network.fit(b for b in blocks), TypeError, ("X", "generator", "callable")),
        (lambda: network.fit(X), TypeError, ("y", "missing")),
        (lambda: network.predict(lambda: blocks), TypeError, ("X",)),
        (lambda: network.cost(lambda: blocks, y), TypeError, ("X",)),
        (lambda: network.fit(lambda: blocks, sample_weight=y), ValueError, ("sample_weight",)),
        (
            lambda: network.fit(lambda: blocks, class_weight="balanced"),
            ValueError,
            ("class_weight", "callable"),
        ),
        (
            lambda: network.fit(lambda: blocks, validation_fraction=0.1),
            ValueError,
            ("validation_fraction", "callable"),
        ),
        (lambda: network.partial_fit(lambda: blocks, y), (TypeError, ValueError), ("X",)),
    ]:
        refused(network, {str(words): call}, kind, *words)


# ---- memory --------------------------------------------------------------------------------------


@pytest.mark.thorough
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_stream_holds_one_block():
    grown = int(processes.run("programs/memory_of_a_stream.py"))
    assert grown < 50 << 10, f"{grown >> 10} MiB more"
