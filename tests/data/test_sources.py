"""Where rows come from: pieces of whole batches, and mapped files with the bits of the array."""

import mmap
import sys

import numpy as np
import processes
import pytest
import sigmax
from bad_input import refused
from helpers import random_data, randomize
from sigmax._boundary.layout import Layout
from sigmax._data import mapped as _mapped
from sigmax._data import rows as _rows
from sigmax._data import sources
from sigmax._data.examples import as_examples
from sigmax._sigmax import ffi

SIZES = (6, 5, 3)
ROWS = 53
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def network(dtype, rng):
    return randomize(sigmax.Network(SIZES, dtype=dtype, seed=2), rng)


@pytest.fixture
def data(dtype, rng):
    X, labels, soft = random_data(rng, ROWS, SIZES)
    return X.astype(dtype), labels, soft.astype(dtype)


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of a few rows, so that a small file is many of them, and treated as a large one."""
    monkeypatch.setattr(_rows, "_SMALL_FILE", 0)
    monkeypatch.setattr(sources, "_CHUNK_BYTES", 200)


def mapped(array, path, mode="r"):
    np.save(path, array)
    return np.load(path, mmap_mode=mode)


def rows_of(source, order, batch_size, start=0):
    """The rows of an epoch as C sees them, and the number of rows of each piece."""
    seen, lengths = [], []
    for piece in source.pieces(order, batch_size, start):
        width = SIZES[0] * 8
        X = np.frombuffer(ffi.buffer(piece.struct.X, piece.struct.rows * width), np.float64)
        X = X.reshape(-1, SIZES[0])
        take = range(piece.struct.rows) if piece.order == ffi.NULL else piece.order
        seen += [X[take[i]].copy() for i in range(piece.first, piece.rows)]
        lengths.append(piece.rows - piece.first)
    return np.array(seen), lengths


# ---- pieces --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "file"])
@pytest.mark.parametrize("batch_size", [1, 4, 10, ROWS, 1000])
@pytest.mark.parametrize("shuffled", [False, True])
def test_pieces_are_whole_batches_in_order(rng, tmp_path, small_chunks, kind, batch_size, shuffled):
    X = rng.normal(0.0, 1.0, (ROWS, 6))
    given = X if kind == "memory" else mapped(X, tmp_path / "X.npy")
    examples = as_examples(given, np.zeros(ROWS, int), Layout((6, 3), float)).prepared(None)
    source = sources.KnownExamples(examples).source()
    assert source.n_rows == ROWS
    order = rng.permutation(ROWS).astype(np.uintp) if shuffled else None
    expected = X if order is None else X[order]
    for start in range(0, ROWS + 1, batch_size):
        seen, lengths = rows_of(source, order, batch_size, start)
        np.testing.assert_array_equal(seen.reshape(-1, 6), expected[start:])
        assert all(length % batch_size == 0 for length in lengths[:-1])
        if kind == "memory":
            assert len(lengths) == (start < ROWS)
        elif batch_size <= 4:
            assert len(lengths) >= (ROWS - start) // 8


def test_arrays_in_memory_are_not_copied(data, dtype):
    X, labels, _ = data
    examples = as_examples(X, labels, Layout((6, 3), dtype)).prepared(None)
    (piece,) = sources.KnownExamples(examples).source().pieces(None, 10, 0)
    assert int(ffi.cast("uintptr_t", piece.struct.X)) == X.ctypes.data
    assert int(ffi.cast("uintptr_t", piece.struct.labels)) == labels.ctypes.data


# ---- mapped files --------------------------------------------------------------------------------


def other_layouts(X, path):
    """Mapped files of X in other clothes."""
    yield mapped(X, path / "a.npy")
    yield mapped(np.asfortranarray(X), path / "b.npy")
    yield mapped(X.astype(X.dtype.newbyteorder()), path / "c.npy", "r+")
    yield mapped(np.repeat(X, 2, axis=0), path / "d.npy")[::2]
    yield np.asarray(mapped(X, path / "e.npy"))
    (path / "f").write_bytes(bytes(1) + X.tobytes())
    with open(path / "f", "rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    yield np.ndarray(X.shape, X.dtype, memory, offset=1)  # unaligned


@pytest.mark.parametrize("soft", [False, True])
def test_a_mapped_file_gives_the_bits_of_the_array(network, data, tmp_path, small_chunks, soft):
    X, y = data[0], data[2] if soft else data[1]
    options = {"epochs": 3, "batch_size": 4, "dropout": 0.3, "optimizer": "adam"}
    expected = network.copy()
    history = expected.fit(X, y, X_val=X, y_val=y, **options)
    assert (expected.parameters != network.parameters).all()
    for given in other_layouts(X, tmp_path):
        trained = network.copy()
        again = trained.fit(given, y, X_val=given, y_val=y, **options)
        assert trained.parameters.tobytes() == expected.parameters.tobytes()
        assert again.val_cost == history.val_cost and again.cost == history.cost
        assert trained.predict_proba(given).tobytes() == expected.predict_proba(X).tobytes()
        np.testing.assert_array_equal(trained.predict(given), expected.predict(X))
        assert trained.backprop(given, y).cost == expected.backprop(X, y).cost


@pytest.mark.skipif(not hasattr(mmap, "MADV_RANDOM"), reason="no madvise")
@pytest.mark.parametrize("memory", [0, 1 << 40])
def test_only_a_file_larger_than_the_memory_is_said_to_be_read_in_no_order(
    network, data, tmp_path, small_chunks, monkeypatch, memory
):
    advices = []

    class Mapping(mmap.mmap):
        def madvise(self, advice, *range_of_bytes):
            advices.append(advice)
            super().madvise(advice, *range_of_bytes)

    monkeypatch.setattr(_mapped, "physical_memory", lambda: memory)
    X, labels, _ = data
    X.tofile(tmp_path / "X")
    with open(tmp_path / "X", "rb") as file:
        mapping = Mapping(file.fileno(), 0, access=mmap.ACCESS_READ)
    given = np.frombuffer(mapping, X.dtype).reshape(X.shape)
    expected = network.copy()
    expected.fit(X, labels, epochs=2)
    network.fit(given, labels, epochs=2)
    assert network.parameters.tobytes() == expected.parameters.tobytes()
    random_then_normal = [mmap.MADV_RANDOM, mmap.MADV_NORMAL]
    assert advices == ([] if memory else 2 * random_then_normal)
    network.fit(given, labels, epochs=2, shuffle=False)
    with pytest.raises(ZeroDivisionError):
        network.fit(given, labels, callbacks=[lambda *_: 1 / 0])
    assert advices == ([] if memory else 3 * random_then_normal)


@pytest.mark.parametrize("kind", ["u1", "f8", "f2", "?"])
def test_a_mapped_file_of_another_dtype(network, rng, tmp_path, small_chunks, kind):
    X = (rng.random((ROWS, 6)) * 2).astype(kind)
    y = mapped(rng.integers(0, 3, ROWS).astype("u1"), tmp_path / "y.npy")
    other = network.copy()
    for options in ({"standardize": True}, {}, {"validation_fraction": 0.3, "shuffle": False}):
        network.fit(mapped(X, tmp_path / "X.npy"), y, epochs=2, batch_size=4, **options)
        other.fit(X, y, epochs=2, batch_size=4, **options)
        assert network.parameters.tobytes() == other.parameters.tobytes()
        assert network.cost(mapped(X, tmp_path / "X.npy"), y) == other.cost(X, y)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("row", [0, 30, ROWS - 1])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("options", [{}, {"validation_fraction": 0.2}], ids=str)
def test_values_that_are_not_finite(
    network, data, tmp_path, small_chunks, value, row, shuffle, options
):
    X, y, _ = data
    X[row, 2] = value
    given = mapped(X, tmp_path / "X.npy")
    calls = {
        "predict": lambda: network.predict(given),
        "activations": lambda: network.activations(given),
        "weighted_inputs": lambda: network.weighted_inputs(given),
        "predict_proba": lambda: network.predict_proba(given),
        "cost": lambda: network.cost(given, y),
        "backprop": lambda: network.backprop(given, y),
    }
    refused(network, calls, ValueError, "X", f"row {row}", "column 2", str(value))
    with pytest.raises(ValueError, match=f"X, row {row}, column 2: {value}"):
        network.fit(given, y, epochs=1, batch_size=4, shuffle=shuffle, **options)
    assert np.isfinite(network.parameters).all()  # a refusal may come in the middle of a run
    assert np.isfinite(network.predict_proba(np.delete(X, row, axis=0))).all()


def test_a_small_mapped_file_is_checked_before_training(network, data, tmp_path):
    X, y, _ = data
    X[ROWS - 1, 5] = NAN
    given = mapped(X, tmp_path / "X.npy")
    refused(network, {"fit": lambda: network.fit(given, y)}, ValueError, "X", "row 52", "column 5")


def test_a_mapped_file_of_the_wrong_width(network, data, tmp_path):
    given = mapped(data[0][:, :5], tmp_path / "X.npy")
    refused(network, {"fit": lambda: network.fit(given, data[1])}, ValueError, "X", "5", "6")


@pytest.mark.thorough
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_DATA")
@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_a_file_larger_than_the_memory(tmp_path, kind):
    printed = processes.run("programs/larger_than_the_memory.py", kind, cwd=tmp_path)
    assert printed.split() == ["True", "True"]
