"""The readers of the command line, with good files and with damaged and hostile ones."""

import gzip
import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from sigmax._command.class_names import learn_classes, number_labels
from sigmax._command.digits import load_digits
from sigmax._formats import dataset as data
from sigmax._formats.dataset import read

IRIS = "length,width,species\n5.1,3.5,setosa\n4.9,3.0,setosa\n6.2,2.9,virginica\n"


@pytest.fixture
def write(tmp_path):
    """Write bytes or text into a file of that name; return its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def idx_bytes(array, code=0x08):
    big_endian = array.astype(array.dtype.newbyteorder(">"))
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + big_endian.tobytes()


def npy_bytes(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


# ---- npz, npy, idx -----------------------------------------------------------------------------


def test_npz_names_and_parts(tmp_path, rng):
    path = tmp_path / "m.npz"
    images = rng.integers(0, 256, (6, 4, 4), dtype=np.uint8)
    labels = np.arange(6) % 2
    np.savez_compressed(
        path, x_train=images, y_train=labels, x_test=images[:2], y_test=labels[:2], other=1
    )
    train, test = read(path), read(path, part="test")
    np.testing.assert_array_equal(train.X, images.reshape(6, 16))
    assert train.X.dtype == np.uint8
    assert train.labels.tolist() == labels.tolist()
    assert len(test.X) == len(test.labels) == 2
    assert data.has_test_part(path)
    np.savez(path, X=images, y=labels)
    assert read(path, part="test").found == "arrays x, y"
    assert not data.has_test_part(path)


def test_npz_without_labels(tmp_path):
    path = tmp_path / "m.npz"
    np.savez(path, X=np.ones((3, 2)))
    assert read(path, labelled=False).labels is None
    with pytest.raises(ValueError, match="no arrays x_train, y_train or x, y"):
        read(path)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f8", "u1", "?", "<i2"])
def test_npy_pair(write, order, kind, rng):
    X = np.asarray(rng.integers(0, 2, (5, 3)), dtype=kind, order=order)
    dataset = read(write("X.npy", npy_bytes(X)), write("y.npy", npy_bytes(np.array(list("ababa")))))
    np.testing.assert_array_equal(dataset.X, X)
    assert dataset.labels.tolist() == list("ababa")


@pytest.mark.parametrize("packed", [False, True])
def test_idx_pair(write, packed, rng):
    pack = gzip.compress if packed else bytes
    ending = ".gz" if packed else ""
    images = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
    labels = np.array([3, 1, 2, 1, 3], dtype=np.uint8)
    dataset = read(
        write(f"train-images-idx3-ubyte{ending}", pack(idx_bytes(images))),
        write(f"train-labels-idx1-ubyte{ending}", pack(idx_bytes(labels))),
    )
    np.testing.assert_array_equal(dataset.X, images.reshape(5, 12))
    assert dataset.labels.tolist() == labels.tolist()


def test_idx_types(write, rng):
    codes = {"i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
    for kind, code in codes.items():
        X = rng.normal(0, 50, (4, 3)).astype(kind)
        path = write("images.idx", idx_bytes(X, code))
        np.testing.assert_array_equal(read(path, labelled=False).X, X)


def test_kind_is_told_by_the_first_bytes(write):
    X = np.ones((2, 3), dtype=np.uint8)
    for content in (npy_bytes(X), idx_bytes(X), gzip.compress(idx_bytes(X))):
        assert read(write("noname", content), labelled=False).X.shape == (2, 3)
    with pytest.raises(ValueError, match="neither its name nor its first bytes"):
        read(write("noname", b"hello"))


@pytest.mark.thorough
@pytest.mark.parametrize("packed", [False, True])
def test_npz_cut_at_every_byte_or_with_a_byte_changed(write, packed):
    stream = io.BytesIO()
    save = np.savez_compressed if packed else np.savez
    X, y = np.arange(12.0).reshape(4, 3), np.array([0, 1, 0, 1])
    save(stream, X=X, y=y)
    whole = stream.getvalue()
    for n in range(len(whole)):
        with pytest.raises((data.FileFormatError, ValueError)):
            read(write("a.npz", whole[:n]))
    unharmed = 0
    for n in range(len(whole)):
        damaged = bytearray(whole)
        damaged[n] ^= 0x20
        try:
            dataset = read(write("a.npz", bytes(damaged)))
        except ValueError:
            continue
        # A byte that only says when or by which system the file was made.
        np.testing.assert_array_equal(dataset.X, X)
        np.testing.assert_array_equal(dataset.labels, y)
        unharmed += 1
    assert unharmed < len(whole) / 2


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_cut_at_every_byte(write, pack):
    whole = pack(idx_bytes(np.arange(12, dtype=np.uint8).reshape(4, 3)))
    for n in range(len(whole)):
        with pytest.raises(data.FileFormatError):
            read(write("a-ubyte", whole[:n]), labelled=False)
    with pytest.raises(data.FileFormatError, match="more data than the 12 bytes"):
        longer = pack(idx_bytes(np.arange(12, dtype=np.uint8).reshape(4, 3)) + b"x")
        read(write("a-ubyte", longer), labelled=False)


def test_npy_cut_at_every_byte(write):
    whole = npy_bytes(np.arange(12.0).reshape(4, 3))
    for n in range(len(whole)):
        with pytest.raises(data.FileFormatError):
            read(write("a.npy", whole[:n]), labelled=False)


def test_pickled_objects_are_refused(write):
    harm = npy_bytes(np.array([[print]], dtype=object), allow_pickle=True)
    with pytest.raises(data.FileFormatError, match="array of object"):
        read(write("a.npy", harm), labelled=False)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("X.npy", harm)
    with pytest.raises(data.FileFormatError, match="array of object"):
        read(write("a.npz", stream.getvalue()), labelled=False)


@pytest.mark.parametrize("text", ["[-" * 400, "{-" * 400, "(" * 800])
def test_npy_with_a_header_that_the_parser_cannot_take(write, text):
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()
    with pytest.raises(ValueError, match=r"a.npy.*: not a sound .npy array: \S"):
        read(write("a.npy", content), labelled=False)


def npy_that_claims(shape):
    npy, said = npy_bytes(np.zeros((4, 3))), b"(4, 3), }"
    claim = f"{shape}, }}".encode()
    padding = b" " * (len(claim) - len(said))
    assert said + padding in npy
    return npy.replace(said + padding, claim)


def test_promises_that_the_file_does_not_keep_take_no_memory(write):
    hostile = [
        ("a-ubyte", struct.pack(">BBBB3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1)),
        ("a.gz", gzip.compress(struct.pack(">BBBB2I", 0, 0, 8, 2, 2**31, 2**31) + bytes(1000))),
        # Zeros that unpack to far more than the header promises.
        ("b.gz", gzip.compress(struct.pack(">BBBB2I", 0, 0, 8, 2, 2, 2) + bytes(1 << 26))),
        ("a.npy", npy_that_claims("(4000000, 3)")),
        ("b.npy", npy_that_claims("(4000000000, 3000000000)")),
        ("c.npy", npy_that_claims("(-4, -3)")),
    ]
    for name, content in hostile:
        path = write(name, content)
        tracemalloc.start()
        with pytest.raises(data.FileFormatError):
            read(path, labelled=False)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4_000_000, name


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.ones((3, 2)), np.ones(4), "4 labels for 3 examples"),
        (np.ones(3), np.ones((3, 2)), "wrong order"),
        (np.ones((0, 2)), np.ones(0), "expected at least one"),
        (np.ones((2, 0)), np.ones(2), "expected at least one"),
        (np.ones((2, 2), complex), np.ones(2), "examples of complex128"),
        (np.array([["a"]]), np.ones(1), "examples of <U1"),
        (np.ones((2, 2)), np.ones(2, complex), "labels of complex128"),
        (np.ones((2, 2)), np.ones((2, 2, 2)), r"labels of shape \(2, 2, 2\)"),
    ],
)
def test_arrays_that_are_no_examples_or_labels(write, X, y, message):
    with pytest.raises(ValueError, match=message):
        read(write("X.npy", npy_bytes(X)), write("y.npy", npy_bytes(y)))


def test_number_and_kind_of_files(write):
    X = write("X.npy", npy_bytes(np.ones((2, 3))))
    with pytest.raises(ValueError, match="this file has no labels"):
        read(X)
    with pytest.raises(ValueError, match="3 values per example, where the model takes 4"):
        read(X, labelled=False, n_features=4)
    with pytest.raises(ValueError, match="holds its labels itself"):
        read(write("a.csv", IRIS), X)
    with pytest.raises(FileNotFoundError):
        read("no such file.csv")


# ---- labels ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "y", "names"),
    [
        (["b", "a", "b"], [1, 0, 1], ("a", "b")),
        (["10", "9", "9"], [1, 0, 0], ("9", "10")),
        (["1.0", "0", "2.0"], [1, 0, 2], None),
        (["1.0", "1", "-2"], [1, 1, 0], ("-2", "1")),
        ([0, 1, 1], [0, 1, 1], None),
        ([1.0, 2.0, 1.0], [0, 1, 0], ("1", "2")),
        ([True, False, True], [1, 0, 1], None),
        (["1", "a", "1.0"], [0, 2, 1], ("1", "1.0", "a")),
    ],
)
def test_classes_are_learnt_and_found_again(labels, y, names):
    labels = np.array(labels)
    learnt, class_names = learn_classes(labels)
    assert learnt.tolist() == y
    assert learnt.dtype == np.int64
    assert class_names == names
    again = names or tuple(str(i) for i in range(max(y) + 1))
    assert number_labels(labels, again).tolist() == y


def test_labels_that_are_no_classes():
    with pytest.raises(ValueError, match=r"the label 0\.5 is a number, and not a whole one"):
        learn_classes(np.array([0.5, 1, 2]))
    with pytest.raises(ValueError, match="all 3 labels are 'a'"):
        learn_classes(np.array(["a", "a", "a"]))
    with pytest.raises(ValueError, match="row 3: the label 'c' is none of the classes: a, b"):
        number_labels(np.array(["a", "b", "c", "c"]), ("a", "b"))


# ---- digits ------------------------------------------------------------------------------------


def test_digits_of_the_package():
    X, y = load_digits()
    assert X.shape == (1797, 64)
    assert X.dtype == np.float32
    assert (X.min(), X.max()) == (0, 1)
    assert y.dtype == np.int64
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_digits_equal_those_of_scikit_learn():
    theirs = pytest.importorskip("sklearn.datasets").load_digits()
    X, y = load_digits()
    np.testing.assert_array_equal(X * 16, theirs.data)
    np.testing.assert_array_equal(y, theirs.target)
