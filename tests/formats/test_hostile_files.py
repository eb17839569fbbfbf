"""Damaged and hostile files, and such pickles: refused, with nothing believed or executed."""

import builtins
import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import sigmax
from helpers import randomize, saved_bytes, what_it_holds

SIZES = (4, 3, 2)


@pytest.fixture
def network(dtype, rng):
    return randomize(sigmax.Network(SIZES, dtype=dtype, seed=2**64 - 1), rng)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


# ---- files that are no model ---------------------------------------------------------------------


def test_a_file_that_is_absent(path):
    with pytest.raises(FileNotFoundError):
        sigmax.Network.load(path)


def test_a_folder_instead_of_a_file(tmp_path):
    with pytest.raises(IsADirectoryError, match=f"{tmp_path.name} is a folder; expected a model"):
        sigmax.Network.load(tmp_path)
    network = sigmax.Network([2, 2], seed=0)
    with pytest.raises(IsADirectoryError, match="is a folder; expected a checkpoint file"):
        network.fit(np.eye(2), [0, 1], resume=tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"PK", b"PK\x05\x06" + bytes(18), b"hello, world\n" * 100, bytes(5000)],
    ids=["empty", "zero", "PK", "empty zip", "text", "zeros"],
)
def test_other_files(path, content):
    path.write_bytes(content)
    with pytest.raises(sigmax.FileFormatError) as caught:
        sigmax.Network.load(path)
    assert path.name in str(caught.value)


def test_a_plain_numpy_file(path):
    with open(path, "wb") as file:
        np.save(file, np.zeros(20))
    with pytest.raises(sigmax.FileFormatError):
        sigmax.Network.load(path)


# ---- damaged files -------------------------------------------------------------------------------


@pytest.mark.thorough
def test_truncated_at_every_byte(path, tmp_path):
    network = sigmax.Network((2, 2), seed=1)
    whole = saved_bytes(network, path)
    damaged = tmp_path / "damaged"
    for length in range(len(whole)):
        damaged.write_bytes(whole[:length])
        with pytest.raises(sigmax.FileFormatError):
            sigmax.Network.load(damaged)


def check_damage(content, path, expected):
    """The damaged file is refused, or the damage lies where it changes nothing."""
    path.write_bytes(content)
    try:
        loaded = sigmax.Network.load(path)
    except sigmax.FileFormatError:
        return True
    assert what_it_holds(loaded) == expected, "damage changed the network and was not noticed"
    return False


@pytest.mark.thorough
@pytest.mark.parametrize("mask", [0xFF, 0x01])
def test_every_byte_flipped(path, tmp_path, mask):
    network = sigmax.Network((2, 2), seed=1)
    whole = saved_bytes(network, path)
    expected = what_it_holds(network)
    refused = 0
    for position in range(len(whole)):
        content = bytearray(whole)
        content[position] ^= mask
        refused += check_damage(content, tmp_path / "damaged", expected)
    assert refused > len(whole) / 2


@pytest.mark.thorough
@pytest.mark.parametrize("mask", [0xFF, 0x01])
def test_every_byte_flipped_in_version_2(path, tmp_path, mask):
    network = sigmax.Network((2, 2), seed=1)
    network._model.column_names = ("length", "width")
    whole = saved_bytes(network, path)
    damaged = tmp_path / "damaged"
    for position in range(len(whole)):
        content = bytearray(whole)
        content[position] ^= mask
        if not check_damage(content, damaged, what_it_holds(network)):
            assert sigmax.Network.load(damaged).column_names == ("length", "width")


@pytest.mark.slow
def test_every_bit_flipped(network, path, tmp_path):
    whole = saved_bytes(network, path)
    for position in range(8 * len(whole)):
        content = bytearray(whole)
        content[position // 8] ^= 1 << position % 8
        check_damage(content, tmp_path / "damaged", what_it_holds(network))


@pytest.mark.thorough
def test_random_damage(path, tmp_path, rng):
    network = sigmax.Network((2, 2), seed=1)
    whole = saved_bytes(network, path)
    expected = what_it_holds(network)
    for _ in range(1500):
        content = bytearray(whole)
        start, length = rng.integers(0, len(whole)), rng.integers(1, 40)
        kind = rng.integers(0, 3)
        if kind == 0:
            content[start : start + length] = rng.bytes(length)
        elif kind == 1:
            del content[start : start + length]
        else:
            content[start:start] = rng.bytes(length)
        check_damage(content, tmp_path / "damaged", expected)


# ---- hostile files -------------------------------------------------------------------------------


def arrays_of(path):
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def refused(path):
    """Loading raises FileFormatError; gives its text. At most 8 MiB are allocated on the way."""
    tracemalloc.start()
    try:
        with pytest.raises(sigmax.FileFormatError) as caught:
            sigmax.Network.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20, f"{peak} bytes were allocated for a file of {path.stat().st_size}"
    return str(caught.value)


def test_an_archive_behind_another_one(network, path):
    # Who looks from the end sees the second, who looks from the front the first.
    network.save(path)
    first = path.read_bytes()
    sigmax.Network(SIZES, seed=3).save(path)
    path.write_bytes(first + path.read_bytes())
    assert "it declares" in refused(path)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_wrong_number_of_members(network, path, change):
    network.save(path)
    content = bytearray(path.read_bytes())
    content[-12] += change
    path.write_bytes(content)
    assert "it declares" in refused(path)


def test_encrypted(network, path):
    network.save(path)
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\1\2")
    content[directory + 8] |= 1  # of the first entry
    path.write_bytes(content)
    assert "encrypted" in refused(path)


class Bomb:
    """Unpickling this calls a function."""

    exploded = False

    def __reduce__(self):
        return setattr, (Bomb, "exploded", True)


def arrays_of_saved(network, path):
    """The arrays of the network's own file."""
    network.save(path)
    return arrays_of(path)


def rewrite(path, network, change, writer=np.savez):
    """Writes the network's arrays with some changed; None takes one away."""
    arrays = {**arrays_of_saved(network, path), **change}
    with path.open("wb") as file:
        writer(file, **{name: value for name, value in arrays.items() if value is not None})


def test_pickled_payloads_are_refused(network, path):
    network.save(path)
    for name in arrays_of(path):
        rewrite(path, network, {name: np.array([Bomb()])})
        refused(path)
    path.write_bytes(pickle.dumps(Bomb()))
    refused(path)
    assert not Bomb.exploded


def test_the_arrays_rewritten_by_numpy_are_still_a_model(network, path):
    # Shows that the tests below fail for what they change, and not for how they write.
    rewrite(path, network, {})
    assert what_it_holds(sigmax.Network.load(path)) == what_it_holds(network)


def test_missing_and_unknown_arrays(network, path):
    for name in arrays_of_saved(network, path):
        rewrite(path, network, {name: None})
        assert name in refused(path)
    rewrite(path, network, {"surprise": np.zeros(3)})
    assert "surprise" in refused(path)


LIES = [
    ("sizes", [4, 3, 3]),
    ("sizes", [4, 3]),
    ("sizes", [4]),
    ("sizes", []),
    ("sizes", [4, 0, 2]),
    ("sizes", [4, -3, 2]),
    ("sizes", [17, 1]),
    ("sizes", [2**40, 2**40]),
    ("sizes", [2**62, 4, 2]),
    ("sizes", [4.0, 3.0, 2.0]),
    ("sizes", ["4", "3", "2"]),
    ("sizes", [[4, 3, 2]]),
    ("sizes", 4),
    ("parameters", np.zeros(22)),
    ("parameters", np.zeros(24)),
    ("parameters", np.zeros(0)),
    ("parameters", np.zeros((23, 1))),
    ("parameters", np.zeros(23, np.float16)),
    ("parameters", np.zeros(23, np.int64)),
    ("parameters", np.zeros(23, complex)),
    ("parameters", np.full(23, np.nan)),
    ("parameters", np.full(23, -np.inf)),
    ("seed", -1),
    ("seed", 1.5),
    ("seed", [1, 2]),
    ("seed", "1"),
    ("epochs_trained", -1),
    ("epochs_trained", 0.5),
    ("epochs_trained", [[0]]),
]


@pytest.mark.parametrize(("name", "value"), LIES, ids=lambda x: str(x)[:24].replace("\n", ""))
def test_lies_in_the_arrays(network, path, name, value):
    assert name in arrays_of_saved(network, path), "the file has no such array"
    value = np.asarray(value)
    if name == "parameters" and value.dtype == np.float64:
        value = value.astype(network.dtype)
    rewrite(path, network, {name: value})
    message = refused(path)
    # Possible sizes that the number of parameters belies may be blamed on either.
    assert name in message or (name == "sizes" and "parameters" in message)


def json_of(value):
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


NAMES = json_of(["a", "b", "c"])
ONES = np.ones(4)
NOT_FINITE = np.array([1.0, np.nan, 1.0, 1.0])
ADDED_LIES = [
    ({"temperature": np.float64(0)}, "temperature"),
    ({"temperature": np.float64(-1)}, "temperature"),
    ({"temperature": np.float64("nan")}, "temperature"),
    ({"temperature": np.float64("inf")}, "temperature"),
    ({"temperature": np.float32(1)}, "temperature"),
    ({"temperature": np.ones(1)}, "temperature"),
    ({"preparation_mean": ONES}, "mean and scale"),
    ({"preparation_scale": ONES}, "mean and scale"),
    ({"preparation_mean": ONES, "preparation_scale": ONES[:3]}, "lengths"),
    ({"preparation_mean": ONES, "preparation_scale": 0 * ONES}, "scale"),
    ({"preparation_mean": ONES, "preparation_scale": -ONES}, "scale"),
    ({"preparation_mean": ONES, "preparation_scale": NOT_FINITE}, "scale"),
    ({"preparation_mean": NOT_FINITE, "preparation_scale": ONES}, "mean"),
    ({"preparation_fill": NOT_FINITE}, "fill"),
    ({"preparation_fill": np.ones(5)}, "5 columns"),
    ({"preparation_fill": np.ones(0)}, "preparation"),
    ({"preparation_fill": np.ones((4, 1))}, "preparation_fill"),
    ({"preparation_fill": np.ones(4, np.float32)}, "preparation_fill"),
    ({"preparation_fill": np.array(["1", "2", "3", "4"])}, "preparation_fill"),
    ({"preparation": ONES}, "preparation"),
    ({"column_names": NAMES}, "column_names has 3 entries; expected 4"),
    ({"column_names": json_of({"a": 1})}, "column_names is JSON, but no array"),
    ({"column_names": json_of(["a", "b", "c", 4])}, "column_names[3] is 4; expected a string"),
    ({"column_names": json_of(["a", "b", "c", ["d"]])}, "column_names[3]"),
    ({"column_names": json_of(["a", "b", "c", None])}, "column_names[3]"),
    ({"column_names": np.frombuffer(b"[" * 100_000, np.uint8)}, "column_names is not valid JSON"),
    ({"column_names": np.frombuffer(b'["a", "b', np.uint8)}, "column_names is not valid JSON"),
    ({"column_names": np.frombuffer(b'["\xff"]', np.uint8)}, "column_names is not valid JSON"),
    ({"column_names": np.zeros(0, np.uint8)}, "column_names is not valid JSON"),
    ({"column_names": np.array(list("abcd"))}, "column_names is <U1 (4,); expected uint8"),
    ({"column_names": NAMES.reshape(1, -1)}, "column_names is uint8"),
    ({"format_version": np.int64(2)}, "format_version is 2, but 'required_fields' is missing"),
    ({"format_version": np.int64(0)}, "format_version is 0; expected 1 to 2"),
    ({"format_version": np.int64(-1)}, "format_version is -1"),
    ({"format_version": np.int64(2**62)}, "of a later release"),
    ({"format_version": np.float64(1)}, "format_version is float64"),
    ({"format_version": np.ones(1, np.int64)}, "format_version is int64 (1,)"),
    *(
        ({"format_version": np.int64(2), "required_fields": fields}, words)
        for fields, words in [
            (json_of(["sizes", "surprise"]), "has 'surprise', which is missing"),
            (json_of({}), "required_fields is JSON, but no array"),
            (json_of([1]), "required_fields has 1; expected names of arrays"),
            (json_of([["sizes"]]), "required_fields has ['sizes']"),
            (json_of(["../sizes"]), "required_fields has '../sizes'"),
            (json_of(["a" * 10_000]), "which is missing"),
            (np.frombuffer(b"[" * 100_000, np.uint8), "required_fields is not valid JSON"),
            (np.array(["sizes"]), "required_fields is <U5"),
        ]
    ),
    ({"required_fields": json_of(["surprise"])}, "has 'surprise', which is missing"),
    ({"required_fields": np.array(["sizes"])}, "required_fields is <U5"),
    ({"format_version": np.int64(2), "required_fields": json_of([]), "Odd": ONES}, "'Odd.npy'"),
]


@pytest.mark.parametrize(("change", "word"), ADDED_LIES, ids=lambda x: str(x)[:40])
def test_lies_in_the_arrays_that_need_not_be_there(network, path, change, word):
    rewrite(path, network, change)
    message = refused(path)
    assert word in message
    assert path.name in message


def test_parameters_of_the_other_precision(network, path):
    other = {"float32": np.float64, "float64": np.float32}[network.dtype.name]
    rewrite(path, network, {"parameters": network.parameters.astype(other)})
    try:
        loaded = sigmax.Network.load(path)
    except sigmax.FileFormatError:
        return
    assert loaded.dtype == other  # where the parameters alone say the precision


@pytest.mark.thorough
def test_zip_bomb(path, dtype):
    # 64 MB of zeros that compress to 64 KB.
    network = sigmax.Network((4_000, 4_000 if dtype == "float32" else 2_000, 2), dtype=dtype)
    network.parameters[:] = 0
    small = sigmax.Network(SIZES, dtype=dtype, seed=0)
    change = {"sizes": np.array(network.sizes), "parameters": network.parameters}
    rewrite(path, small, change, np.savez_compressed)
    assert path.stat().st_size < 1 << 20
    refused(path)


def npy_header(shape, descr="<f4"):
    """The beginning of a .npy file that promises an array of that shape."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    text = text + " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    "header",
    [
        npy_header((10**9,)),
        npy_header((2**62,)),
        npy_header((2**40, 2**40)),
        npy_header((-1,)),
        npy_header((23,), "|O"),
        npy_header((23,), "<f4" * 1000),
        npy_header(("x",)),
        npy_header((23,)) * 2,
        b"\x93NUMPY\x01\x00\xff\xff{",
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
        b"\x93NUMPY\x09\x09" + npy_header((23,))[8:],
        b"",
        # What CPython's parser answers with MemoryError, within the bound of the header's length.
        b"\x93NUMPY\x01\x00" + struct.pack("<H", 801) + b"[-" * 400 + b"\n",
        b"\x93NUMPY\x01\x00" + struct.pack("<H", 801) + b"{-" * 400 + b"\n",
    ],
    ids=range(14),
)
def test_lies_in_the_header_of_an_array(path, header):
    network = sigmax.Network(SIZES, dtype="float32", seed=0)
    network.save(path)
    with zipfile.ZipFile(path) as archive:
        contents = {info.filename: archive.read(info) for info in archive.infolist()}
    contents["parameters.npy"] = header + bytes(4 * 23)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    refused(path)


def test_lies_in_the_directory_of_the_archive(path, tmp_path):
    # Both sizes of every member, as the central directory states them, become 2 GB and 3.
    whole = saved_bytes(sigmax.Network(SIZES, seed=0), path)
    start = whole.index(b"PK\x01\x02")
    damaged = tmp_path / "damaged"
    while start != -1:
        for size in (2_000_000_000, 0xFFFFFFFE, 3, 0):
            content = bytearray(whole)
            content[start + 20 : start + 28] = struct.pack("<II", size, size)
            damaged.write_bytes(content)
            refused(damaged)
        start = whole.find(b"PK\x01\x02", start + 1)


def test_the_same_array_twice(path):
    network = sigmax.Network(SIZES, dtype="float32", seed=0)
    network.save(path)
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(23, np.float32))
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile(path, "a") as archive,
    ):
        archive.writestr("parameters.npy", buffer.getvalue())
    refused(path)


def test_loading_opens_no_other_file(network, path, monkeypatch):
    # Names of members are never used as paths.
    network.save(path)
    with zipfile.ZipFile(path) as archive:
        contents = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(f"../{name}", content)
    opened = []
    real_open = builtins.open

    def watched(file, *arguments, **options):
        opened.append(os.fspath(file))
        return real_open(file, *arguments, **options)

    monkeypatch.setattr(builtins, "open", watched)
    refused(path)
    assert set(opened) <= {str(path)}
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


# ---- pickles -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": (4, 3, 3)},
        {"sizes": (2**40, 2**40)},
        {"sizes": (4, -3, 2)},
        {"dtype": "float16"},
        {"dtype": "float64"},
        {"parameters": np.zeros(22, np.float32)},
        {"parameters": np.zeros((23, 1), np.float32)},
        {"parameters": np.full(23, np.nan, np.float32)},
        {"parameters": [0.0] * 23},
        {"seed": -1},
        {"seed": None},
        {"epochs_trained": -1},
        {"surprise": 1},
        {"kept_optimizer": None},
        {"kept_optimizer": ("adam", np.zeros(46, np.float32), 3)},
        {"kept_optimizer": ("lbfgs", np.zeros(0, np.float32), 3, 0)},
        {"kept_optimizer": (["adam"], np.zeros(46, np.float32), 3, 0)},
        {"kept_optimizer": ("adam", np.zeros(45, np.float32), 3, 0)},
        {"kept_optimizer": ("adam", np.zeros(46), 3, 0)},
        {"kept_optimizer": ("adam", [0.0] * 46, 3, 0)},
        {"kept_optimizer": ("adam", np.full(46, np.inf, np.float32), 3, 0)},
        {"kept_optimizer": ("adam", np.zeros(46, np.float32), -1, 0)},
        {"kept_optimizer": ("adam", np.zeros(46, np.float32), 3, 2**64)},
    ],
    ids=str,
)
def test_pickles_are_checked_like_files(change):
    network = sigmax.Network(SIZES, dtype="float32", seed=0)
    state = {**network.__getstate__(), **change}
    good = {"kept_optimizer": ("adam", np.zeros(46, np.float32), 3, 0)}
    sigmax.Network.__new__(sigmax.Network).__setstate__({**network.__getstate__(), **good})
    with pytest.raises((TypeError, ValueError, MemoryError)):
        sigmax.Network.__new__(sigmax.Network).__setstate__(state)
