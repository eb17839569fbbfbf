"""Model files: written whole or not at all, and believed only after everything was checked.

A model file is an uncompressed .npz archive of these arrays, little-endian, without pickles:

| name           | dtype, shape                   | what                                          |
|----------------|--------------------------------|-----------------------------------------------|
| format_version | int64, ()                      | 1                                             |
| sizes          | int64, (L + 1,)                | n_0 ... n_L                                   |
| dtype          | str, ()                        | "float32" or "float64"                        |
| parameters     | as dtype says, (n_parameters,) | W_1 ... W_L, then b_1 ... b_L                 |
| seed           | uint64, ()                     | of initial weights and shuffles               |
| epochs_trained | uint64, ()                     | epochs completed by `fit`                     |
| class_names    | str, (n_L,)                    | optional: the names of the classes            |
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from sigmax._arrays import Array
from sigmax._errors import FileFormatError
from sigmax.network import Network

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

FORMAT_VERSION = 1

_REQUIRED = ("format_version", "sizes", "dtype", "parameters", "seed", "epochs_trained")
_OPTIONAL = ("class_names",)
_END_RECORD = 22  # bytes of the record that ends a zip archive without a comment


@dataclass(frozen=True)
class StoredModel:
    """What a model file holds.

    Attributes
    ----------
    network : Network
    class_names : tuple of str, or None
        The name of each class, where they were saved.
    """

    network: Network
    class_names: tuple[str, ...] | None = None


def save(
    path: str | os.PathLike[str], network: Network, *, class_names: Iterable[str] | None = None
) -> None:
    """Write a model file, at exactly this path.

    It is written beside its final place and renamed when it is complete and on the disk, so that an
    earlier file stays as it was if anything fails.

    Parameters
    ----------
    path : str or path-like
        An existing regular file is replaced, and its permissions are kept.
    network : Network
        Its parameters must be finite.
    class_names : iterable of str, optional
        One name per class, each once.

    Raises
    ------
    OSError
        When the file cannot be written.
    TypeError, ValueError
        When class_names is not as described, or a parameter is not finite.

    Examples
    --------
    >>> sigmax.files.save("irises.npz", network, class_names=["setosa", "versicolor", "virginica"])
    """
    state = network.__getstate__()
    arrays: dict[str, Any] = {
        "format_version": np.asarray(FORMAT_VERSION, "<i8"),
        "sizes": np.asarray(state["sizes"], "<i8"),
        "dtype": _as_text(state["dtype"]),
        "parameters": _little_endian(np.asarray(state["parameters"])),
        "seed": np.asarray(state["seed"], "<u8"),
        "epochs_trained": np.asarray(state["epochs_trained"], "<u8"),
    }
    if class_names is not None:
        arrays["class_names"] = _as_text(_checked_names(class_names, network.sizes[-1]))
    _write_whole(path, lambda file: np.savez(file, **arrays))


def load(path: str | os.PathLike[str], network_type: type[Network] = Network) -> StoredModel:
    """Read a model file that `save` wrote.

    Nothing in the file is executed, and no more memory is taken than a small multiple of its size.

    Parameters
    ----------
    path : str or path-like
    network_type : type
        `Network`, or a subclass of it to be made instead.

    Raises
    ------
    OSError
        When the file cannot be read, FileNotFoundError and PermissionError among them.
    FileFormatError
        When the file is damaged, incomplete, or no model file, saying in what way.

    Examples
    --------
    >>> model = sigmax.files.load("irises.npz")
    >>> model.class_names[model.network.predict(X)[0]]
    'setosa'
    """
    name = os.fsdecode(path)
    with open(name, "rb") as file:
        # one byte more than there should be: a device or a growing file must not fill the memory
        content = file.read(os.fstat(file.fileno()).st_size + 1)
    try:
        arrays = _read_archive(content)
        del content
        return _as_model(arrays, network_type)
    except FileFormatError as error:
        raise FileFormatError(f"{name}: {error}") from error.__cause__


# ---- writing -------------------------------------------------------------------------------------


def _write_whole(path: str | os.PathLike[str], write: Any) -> None:
    """Let write fill a new file, and give it the name path only when that has succeeded."""
    import secrets

    target = os.path.realpath(os.fsdecode(path))  # a link stays, what it points to is replaced
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        raise OSError(f"{target} exists and is no regular file; expected a file name")
    temporary = os.path.join(os.path.dirname(target), f".sigmax-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_directory(os.path.dirname(target))


def _sync_directory(directory: str) -> None:
    """Put the new name on the disk too, where the system can: the content is there already."""
    with suppress(OSError, AttributeError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _little_endian(array: Array) -> Array:
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _as_text(value: object) -> Array:
    return _little_endian(np.asarray(value, dtype=np.str_))


def _checked_names(class_names: Iterable[str], n_classes: int) -> list[str]:
    if isinstance(class_names, str):
        raise TypeError(f"class_names is {class_names!r}; expected a sequence of strings")
    names = list(class_names)
    for i, name in enumerate(names):
        if not isinstance(name, str):
            raise TypeError(f"class_names[{i}] is {name!r}; expected a string")
        if "\0" in name:  # NumPy drops it from the end of a string
            raise ValueError(f"class_names[{i}] is {name!r}; expected a string without NUL")
        if name in names[:i]:
            raise ValueError(f"class_names[{i}] is {name!r}, like class_names[{names.index(name)}]")
    if len(names) != n_classes:
        raise ValueError(f"class_names has {len(names)} entries; expected {n_classes}")
    return names


# ---- reading -------------------------------------------------------------------------------------


def _read_archive(content: bytes) -> dict[str, Array]:
    """Return the arrays of the archive, each checked against the bytes that are there."""
    import struct
    from zipfile import BadZipFile, ZipFile

    # the archive must be the whole file: nothing before it, nothing after it
    if not content.startswith(b"PK\3\4"):
        raise FileFormatError("not a model file: it does not begin as an .npz archive does")
    if content[-_END_RECORD:][:4] != b"PK\5\6":
        raise FileFormatError("truncated or damaged: the end of the archive is missing")
    try:
        with ZipFile(BytesIO(content)) as archive:
            return {
                member.filename.removesuffix(".npy"): _read_array(archive, member)
                for member in _checked_members(archive, content)
            }
    # what zipfile and NumPy raise for damaged headers, checksums included
    except (
        BadZipFile,
        EOFError,
        LookupError,
        NotImplementedError,
        OSError,
        OverflowError,
        RuntimeError,
        struct.error,
        SyntaxError,
        TypeError,
        ValueError,
    ) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"damaged: {error}") from error


def _checked_members(archive: ZipFile, content: bytes) -> list[ZipInfo]:
    """Return the archive's members when they are those of a model, stored as they are."""
    members = archive.infolist()
    declared = int.from_bytes(content[-12:-10], "little")  # in the end record
    # a damaged length could hide a member, and a second archive the first
    if declared != len(members) or min((m.header_offset for m in members), default=0) != 0:
        raise FileFormatError(f"damaged: it declares {declared} arrays, {len(members)} were found")
    names = [member.filename for member in members]
    allowed = {f"{name}.npy" for name in _REQUIRED + _OPTIONAL}
    for name in names:
        if name not in allowed:
            raise FileFormatError(f"it holds {name!r}, which is no part of a model")
        if names.count(name) > 1:
            raise FileFormatError(f"it holds {name!r} more than once")
    for required in _REQUIRED:
        if f"{required}.npy" not in names:
            raise FileFormatError(f"{required!r} is missing")
    for member in members:
        if member.compress_type != 0 or member.file_size != member.compress_size:
            raise FileFormatError(f"{member.filename!r} is compressed; a model is stored as it is")
    if sum(member.file_size for member in members) > len(content):
        raise FileFormatError("truncated or damaged: it declares more bytes than it has")
    return members


def _read_array(archive: ZipFile, member: ZipInfo) -> Array:
    """Read one .npy member; its shape must account for every byte of it."""
    file: BinaryIO = BytesIO(archive.read(member))  # checks the checksum
    if np.lib.format.read_magic(file) != (1, 0):
        raise FileFormatError(f"{member.filename!r} has an unknown version of the .npy format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject:
        raise FileFormatError(f"{member.filename!r} holds pickled objects, which are never read")
    count = 1
    for length in shape:  # Python integers, which do not overflow
        count *= length
    data = file.read()
    if min(shape, default=0) < 0 or len(data) != count * dtype.itemsize:
        raise FileFormatError(
            f"{member.filename!r} has {len(data)} bytes of data; "
            f"expected {count * dtype.itemsize} for shape {shape} of {dtype}"
        )
    return np.frombuffer(data, dtype).reshape(shape)


def _as_model(arrays: dict[str, Array], network_type: type[Network]) -> StoredModel:
    version = _scalar(arrays, "format_version", "<i8")
    if version != FORMAT_VERSION:
        raise FileFormatError(f"format_version is {version}; this release reads {FORMAT_VERSION}")
    sizes = arrays["sizes"]
    if sizes.dtype != "<i8" or sizes.ndim != 1:
        raise FileFormatError(f"sizes is {sizes.dtype} {sizes.shape}; expected int64 (L + 1,)")
    dtype = _texts(arrays["dtype"], "dtype", ())[0]
    if dtype not in ("float32", "float64"):
        raise FileFormatError(f"dtype is {dtype!r}; expected 'float32' or 'float64'")
    if arrays["parameters"].dtype != np.dtype(dtype).newbyteorder("<"):
        raise FileFormatError(f"parameters is {arrays['parameters'].dtype}; expected {dtype}")
    network = network_type.__new__(network_type)
    try:
        network.__setstate__(
            {
                "sizes": sizes.tolist(),
                "dtype": dtype,
                "parameters": arrays["parameters"],
                "seed": _scalar(arrays, "seed", "<u8"),
                "epochs_trained": _scalar(arrays, "epochs_trained", "<u8"),
            }
        )
    except (TypeError, ValueError) as error:
        if "SIGMAX_ISA" in str(error):  # not the file's fault
            raise
        raise FileFormatError(str(error)) from error
    return StoredModel(network, _class_names(arrays, network.sizes[-1]))


def _scalar(arrays: dict[str, Array], name: str, dtype: str) -> int:
    array = arrays[name]
    if array.dtype != dtype or array.shape != ():
        raise FileFormatError(
            f"{name} is {array.dtype} {array.shape}; expected {np.dtype(dtype)} ()"
        )
    return int(array)


def _texts(array: Array, name: str, shape: tuple[int, ...]) -> list[str]:
    if array.dtype.kind != "U" or array.dtype.byteorder == ">" or array.shape != shape:
        raise FileFormatError(f"{name} is {array.dtype} {array.shape}; expected str {shape}")
    code_points = np.frombuffer(array.tobytes(), "<u4")
    if code_points.max(initial=0) > sys.maxunicode:
        raise FileFormatError(f"{name} holds {code_points.max()}, which is no code point")
    return [str(text) for text in array.reshape(-1)]


def _class_names(arrays: dict[str, Array], n_classes: int) -> tuple[str, ...] | None:
    if "class_names" not in arrays:
        return None
    names = _texts(arrays["class_names"], "class_names", (n_classes,))
    try:
        return tuple(_checked_names(names, n_classes))
    except ValueError as error:
        raise FileFormatError(str(error)) from error
