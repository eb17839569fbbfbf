"""The .npy format, every header checked: the one reader of it in this package.

Format: numpy.lib.format. The header's length is bounded. Python's parser answers nested headers,
which may be short, with RecursionError or MemoryError: that is the file's fault. Nothing is
unpickled, and the size that the header promises is compared with the bytes that are there before
anything is allocated for it.
"""

from __future__ import annotations

import math
import re
import struct
from io import BytesIO
from tokenize import TokenError
from typing import IO, Any, Literal, NamedTuple

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from sigmax.errors import FileFormatError

_LONGEST_HEADER = 1024  # NumPy's own for numbers and text has 118 bytes
# What NumPy raises for a damaged header.
_DAMAGED = (
    EOFError,
    LookupError,
    OverflowError,
    RecursionError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
    struct.error,
)
# As NumPy writes it for numbers and text; any program's header without nesting is much like it.
_PLAIN = re.compile(
    rb"\s*\{\s*'descr': *'[^'\\]*', *'fortran_order': *(True|False), *'shape': *\([\d, ]*\),? *\}"
    rb"\s*"
)
_READERS = {
    (1, 0): (2, npy_format.read_array_header_1_0),  # bytes of the length, and what reads the rest
    (2, 0): (4, npy_format.read_array_header_2_0),
}


class Header(NamedTuple):
    """What a .npy array says of itself."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: Literal["C", "F"]

    @property
    def n_bytes(self) -> int:
        """The bytes of its values."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(
    file: IO[bytes], size: int, name: str, versions: tuple[tuple[int, int], ...] = tuple(_READERS)
) -> Header:
    """Read the header of an array that takes size bytes in all; the values are next in file.

    Raises
    ------
    FileFormatError
        Naming the array by name: when the header is damaged, longer than 1,024 bytes or of another
        version, when the array holds Python objects or records, and when it does not take just as
        many bytes as it promises.

    Examples
    --------
    >>> with open("X.npy", "rb") as file:
    ...     read_header(file, os.path.getsize("X.npy"), "X.npy").shape
    (150, 4)
    """
    text = b""
    try:
        version = npy_format.read_magic(file)
        if version not in versions:
            expected = " or ".join(map(str, versions))
            raise FileFormatError(
                f"{name} has version {version} of the .npy format; expected {expected}"
            )
        n, read = _READERS[version]
        length = file.read(n)
        header_size = int.from_bytes(length, "little")
        if header_size > _LONGEST_HEADER:
            raise FileFormatError(
                f"{name}: its header has {header_size} bytes; expected {_LONGEST_HEADER} or less"
            )
        text = file.read(header_size)
        shape, fortran_order, dtype = read(BytesIO(length + text))
    except FileFormatError:
        raise
    except MemoryError as error:
        if not text or _PLAIN.fullmatch(text):  # there is too little memory
            raise
        raise FileFormatError(f"{name}: not a sound .npy array: its header is too deep") from error
    except _DAMAGED as error:
        problem = str(error) or type(error).__name__
        raise FileFormatError(f"{name}: not a sound .npy array: {problem}") from error
    if dtype.hasobject or dtype.names is not None:
        raise FileFormatError(
            f"{name}: an array of {dtype}, which is never read; expected numbers or text"
        )
    found = Header(dtype, shape, "F" if fortran_order else "C")
    present = size - npy_format.MAGIC_LEN - n - header_size
    if min(shape, default=0) < 0 or found.n_bytes != present:
        raise FileFormatError(
            f"{name}: its header promises {found.n_bytes} bytes of values, for shape {shape} of "
            f"{dtype}; {present} are there"
        )
    return found


def shaped(data: bytes | bytearray, header: Header, name: str) -> NDArray[Any]:
    """View the bytes of the values as the array; NumPy refuses shapes of 100 dimensions.

    Raises FileFormatError then.
    """
    try:
        return np.ndarray(header.shape, header.dtype, buffer=data, order=header.order)
    except (ValueError, TypeError) as error:
        raise FileFormatError(
            f"{name}: the shape {header.shape} of {header.dtype}: {error}"
        ) from error
