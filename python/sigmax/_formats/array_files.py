"""Reading arrays from .npy, .npz and MNIST's idx(.gz) files, which may be damaged or hostile.

Three rules: nothing is unpickled; the size in a header is checked against the file before it is
used; compressed data are read in steps, never beyond the size in the header, so memory stays in
proportion to the file.

Formats: numpy.lib.format for .npy and .npz; http://yann.lecun.com/exdb/mnist for idx: two zero
bytes, a type, the number of dimensions, the dimensions and the values, all big-endian.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zipfile
import zlib
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from sigmax._formats.npy import Header, read_header, shaped
from sigmax.errors import FileFormatError

_STEP = 1 << 20
# What zipfile raises: OSError for an offset before the start, the last two for a compression or an
# encryption that it has not.
_DAMAGED_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)
_GZIP_MAGIC = b"\x1f\x8b"
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_npy(path: str | os.PathLike[str], mapped_from: int | None = None) -> NDArray[Any]:
    """Read the one array of a .npy file.

    Parameters
    ----------
    path : path
    mapped_from : int, optional
        From this number of bytes on, the array is mapped instead of read into memory.

    Raises
    ------
    FileFormatError
        The file is no .npy file, holds Python objects, or is shorter or longer than it says.

    Examples
    --------
    >>> X = read_npy("X.npy")  # doctest: +SKIP
    """
    name = os.fspath(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if mapped_from is None or size < mapped_from:
            return _npy_array(file, size, name)
        dtype, shape, order = read_header(file, size, name)
        try:
            return np.memmap(file, dtype, "r", file.tell(), shape, order)
        except (ValueError, TypeError) as error:  # a shape of 100 dimensions
            raise FileFormatError(f"{name}: the shape {shape} of {dtype}: {error}") from None


def read_npz(path: str | os.PathLike[str], wanted: set[str]) -> dict[str, NDArray[Any]]:
    """Read those arrays of a .npz file whose names in small letters are wanted, under these names.

    Raises
    ------
    FileFormatError
        The file is no zip archive, a checksum is wrong, or as for `read_npy`.

    Examples
    --------
    >>> read_npz("mnist.npz", {"x_train", "y_train"}).keys()  # doctest: +SKIP
    dict_keys(['x_train', 'y_train'])
    """
    name = os.fspath(path)
    arrays = {}
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    key = info.filename.removesuffix(".npy")
                    if key.lower() not in wanted:
                        continue
                    with archive.open(info) as member:
                        arrays[key.lower()] = _npy_array(member, info.file_size, f"{name}: {key}")
        except _DAMAGED_ZIP as error:
            raise FileFormatError(f"{name}: not a sound .npz file: {error}") from None
    return arrays


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an idx file as MNIST has them, packed by gzip or not.

    Raises
    ------
    FileFormatError
        The file is no idx file, or shorter or longer than its header says.

    Examples
    --------
    >>> read_idx("train-images-idx3-ubyte.gz").shape  # doctest: +SKIP
    (60000, 28, 28)
    """
    name = os.fspath(path)
    with open(path, "rb") as file:
        packed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if not packed:
            return _idx_array(file, name)
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _idx_array(unpacked, name)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise FileFormatError(f"{name}: not a sound gzip file: {error}") from None


def _npy_array(file: IO[bytes], size: int, name: str) -> NDArray[Any]:
    """Read one .npy array from a stream of `size` bytes."""
    header = read_header(file, size, name)
    return shaped(_read_exactly(file, header.n_bytes, name), header, name)


def _idx_array(file: IO[bytes] | gzip.GzipFile, name: str) -> NDArray[Any]:
    """Read an idx array from a stream of unpacked bytes."""
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _IDX_TYPES or head[3] == 0:
        raise FileFormatError(
            f"{name}: not an idx file: it begins with {head.hex(' ') or 'nothing'}, where 00 00, a "
            "type from 08 to 0e and the number of dimensions are expected"
        )
    dtype, n_dimensions = np.dtype(_IDX_TYPES[head[2]]), head[3]
    dimensions = file.read(4 * n_dimensions)
    if len(dimensions) < 4 * n_dimensions:
        raise FileFormatError(f"{name}: the idx header is cut short")
    shape = struct.unpack(f">{n_dimensions}I", dimensions)
    promised = math.prod(shape) * dtype.itemsize
    data = _read_exactly(file, promised, name)
    if file.read(1):
        raise FileFormatError(
            f"{name}: more data than the {promised} bytes that its header promises for {shape}"
        )
    return shaped(data, Header(dtype, shape, "C"), name)


def _read_exactly(file: IO[bytes] | gzip.GzipFile, promised: int, name: str) -> bytearray:
    """Read `promised` bytes in steps: a hostile header may promise more than memory holds."""
    data = bytearray()
    while len(data) < promised:
        step = file.read(min(_STEP, promised - len(data)))
        if not step:
            raise FileFormatError(
                f"{name}: cut short: {len(data)} of the {promised} bytes of values are there"
            )
        data += step
    return data
