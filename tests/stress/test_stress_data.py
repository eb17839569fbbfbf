"""Damaged and hostile data files, of every kind that the command reads: a clear error, or numbers.

`test_data.py` has what one can think of; here is what nobody thinks of.
"""

import gzip
import io
import random
import struct
import tracemalloc

import file_cases
import numpy as np
import pytest
from sigmax._formats import dataset as data

pytestmark = pytest.mark.filterwarnings("ignore:Reading `.npy` or `.npz` file required")

ROWS, WIDTH = 7, 3
X = np.arange(ROWS * WIDTH, dtype=np.uint8).reshape(ROWS, WIDTH)
LABELS = np.arange(ROWS) % 2


def npz(save):
    stream = io.BytesIO()
    save(stream, X=X / 4, y=LABELS)
    return stream.getvalue()


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


CSV = "a;b;kind\n1.5;-2;cat\n3;4e-3;dog\n\n5;0;cat\n" + '"6";7;"dog, or so"\n' * 3

# {name: (content, whether it has labels)}
SOUND = {
    "table.csv": (CSV.encode(), True),
    "table.tsv": (CSV.replace(";", "\t").encode("utf-8-sig"), True),
    "plain.npz": (npz(np.savez), True),
    "packed.npz": (npz(np.savez_compressed), True),
    "X.npy": (file_cases.npy((X / 4).tobytes(), "'<f8'", f"{X.shape}"), False),
    "X-ubyte": (idx(X), False),
    "X-ubyte.gz": (gzip.compress(idx(X), mtime=0), False),
}
LIMIT = 64 << 20  # bytes: a small multiple of what a sound reader takes at once


def read(path, labelled):
    """Whether it was taken; anything but a ValueError is raised."""
    try:
        found = data.read(path, labelled=labelled)
    except ValueError as error:  # FileFormatError is one
        assert str(error), "an error that says nothing"
        return False
    assert len(found.X) and found.X.dtype.kind in "biuf"
    return True


@pytest.mark.parametrize("name", SOUND)
def test_fuzzed_data_files(name, tmp_path, rounds, tried):
    content, labelled = SOUND[name]
    path, n, taken = tmp_path / name, rounds(150, 10_000), 0
    path.write_bytes(content)
    assert read(path, labelled), "not even the sound file is taken"
    tracemalloc.start()
    try:
        for number in range(n):
            path.write_bytes(file_cases._damaged(random.Random(number), content))
            try:
                taken += read(path, labelled)
            except Exception as error:
                raise AssertionError(f"case {number} of {name}: {error!r}") from error
        assert tracemalloc.get_traced_memory()[1] < LIMIT
    finally:
        tracemalloc.stop()
    assert taken < n
    tried(f"fuzzed data files: {name}", n)


@pytest.mark.parametrize("name", SOUND)
def test_every_length_and_every_byte_of_a_data_file(name, tmp_path, tried):
    content, labelled = SOUND[name]
    path = tmp_path / name
    for length in range(len(content)):
        path.write_bytes(content[:length])
        taken = read(path, labelled)
        assert not taken or name.endswith("sv"), f"the first {length} bytes were taken"
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        read(path, labelled)
    tried(f"lengths and bytes of data files: {name}", 2 * len(content))


def test_a_bomb_in_an_archive_of_data(tmp_path):
    path = tmp_path / "bomb.npz"
    zeros = file_cases.npy(bytes(64_000_000), "'|u1'", "(1000000, 64)")
    lie = file_cases.npy(bytes(64_000_000), "'|u1'", "(3, 4)")
    for member, taken in ((zeros, True), (lie, False)):
        members = [("X.npy", member), ("y.npy", file_cases.npy(bytes(3), "'|u1'", "(3,)"))]
        path.write_bytes(file_cases.archive_of(members, {"X.npy"}))
        assert path.stat().st_size < 100_000
        tracemalloc.start()
        try:
            assert not read(path, True)  # a million rows have no three labels
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        # what is asked for by a sound archive is had; what its header does not promise is not
        assert peak < (2 * 64_000_000 if taken else 4_000_000), peak
