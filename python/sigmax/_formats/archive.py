"""Archives of arrays: written whole or not at all, and used only after every check.

An archive is an uncompressed .npz file of little-endian arrays in version 1.0 of the .npy format,
without pickles. Any program that can read a zip file can read it: the member "name.npy" of
the central directory is stored as it is, its header ends with a line feed, and the numbers follow
in C order. A `Form` lists the arrays of one kind of file.

From version 2 on, a file says which of its arrays a program must know to use it rightly: their
names are in "required_fields". Arrays that are neither known nor listed there are checked for
damage and left out, so that a later release can add some.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import stat
import struct
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO, TypeAlias, TypeVar
from zipfile import BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from sigmax._formats import npy
from sigmax.errors import FileFormatError

REQUIRED_FIELDS = "required_fields"
_FIELD = re.compile(r"[a-z][a-z0-9_]*\.npy")
_JSON_KINDS: Mapping[type, str] = {dict: "object", list: "array"}
_END_RECORD = 22  # bytes of the record that ends a zip archive without a comment

Path = str | os.PathLike[str]
Array: TypeAlias = NDArray[Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Form:
    """The arrays of one kind of file.

    Attributes
    ----------
    what : str
        The kind, as named in errors: "model".
    version : str
        The array that holds the version of the file's form.
    newest : int
        The last version that this release reads; the first is 1.
    required, optional : tuple of str
        Names of arrays. Any other is an error in version 1, and later where the file says so.
    others : mapping of str to str
        An array that identifies another kind of file, and the error text for it.
    """

    what: str
    version: str
    newest: int
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)


def write(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write an archive, at exactly this path.

    It is written beside its final place and renamed when it is complete and on the disk, so that an
    earlier file stays as it was if anything fails.

    Parameters
    ----------
    path : str or path-like
        An existing regular file is replaced, and its permissions are kept.
    arrays : mapping of str to array_like

    Raises
    ------
    OSError
        When the file cannot be written.

    Examples
    --------
    >>> write("numbers.npz", {"primes": [2, 3, 5]})
    """
    target, mode = _target(path)
    temporary = os.path.join(os.path.dirname(target), f".sigmax-{secrets.token_hex(8)}.tmp")
    contents = {name: little_endian(np.asarray(array)) for name, array in arrays.items()}
    try:
        with open(temporary, "xb") as file:
            _write_zip(file, contents)
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


def require_writable(path: Path) -> None:
    """Raise OSError for a path to which `write` cannot write, as far as this can be checked.

    FileNotFoundError and PermissionError are kinds of OSError.

    Examples
    --------
    >>> require_writable("absent/numbers.npz")
    FileNotFoundError: [Errno 2] No such file or directory: '.../absent'
    """
    target, _ = _target(path)
    folder = os.path.dirname(target)
    os.stat(folder)
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)


def read(path: Path, form: Form) -> dict[str, Array]:
    """Return the arrays of an archive of that form, each checked against the bytes that are there.

    Nothing in the file is executed. The memory taken is at most about 30 times the file's size,
    where it is JSON of empty lists, and else little more than twice. The arrays may be read-only.

    Raises
    ------
    OSError
        When the file cannot be read, FileNotFoundError and PermissionError among them.
    FileFormatError
        When the file is damaged, incomplete, or of another form, saying in what way.

    Examples
    --------
    >>> read("numbers.npz", Form("table", "table_version", 1, required=("primes",)))["primes"]
    array([2, 3, 5])
    """
    name = os.fsdecode(path)
    if os.path.isdir(name):  # which systems refuse in different words
        raise IsADirectoryError(f"{name} is a folder; expected a {form.what} file")
    with open(name, "rb") as file:
        # one byte more than expected: a device or a growing file must not fill the memory
        content = file.read(os.fstat(file.fileno()).st_size + 1)
    try:
        return _read(content, form)
    except FileFormatError as error:
        raise FileFormatError(f"{name}: {error}") from error.__cause__


def little_endian(array: Array) -> Array:
    """Return array itself, or a little-endian copy of it.

    Examples
    --------
    >>> little_endian(np.zeros(1, ">i4")).dtype.str
    '<i4'
    """
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def scalar(arrays: Mapping[str, Array], name: str, dtype: str) -> Any:
    """Return the one number of the array `name`, which must be of exactly this dtype.

    Raises FileFormatError otherwise.

    Examples
    --------
    >>> scalar({"seed": np.array(7, "<u8")}, "seed", "<u8")
    7
    """
    return vector(arrays, name, dtype, ()).item()


def vector(
    arrays: Mapping[str, Array], name: str, dtype: str, shape: tuple[int, ...] | None = None
) -> Array:
    """Return the array `name`, of exactly this dtype and shape; None: any one-dimensional one.

    Raises FileFormatError otherwise.

    Examples
    --------
    >>> vector({"sizes": np.array([2, 2], "<i8")}, "sizes", "<i8")
    array([2, 2])
    """
    array = arrays[name]
    fits = array.ndim == 1 if shape is None else array.shape == shape
    if array.dtype != dtype or not fits:
        expected = "(n,)" if shape is None else shape
        raise FileFormatError(
            f"{name} is {array.dtype} {array.shape}; expected {np.dtype(dtype)} {expected}"
        )
    return array


def as_text(value: object) -> Array:
    """Return a string, or strings, as the array that `texts` reads.

    Examples
    --------
    >>> as_text("float32").dtype
    dtype('<U7')
    """
    return np.asarray(value, dtype=np.str_)


def texts(array: Array, name: str, shape: tuple[int, ...]) -> list[str]:
    """Return the strings of an array of that shape; it must hold Unicode and nothing else.

    Raises FileFormatError otherwise.

    Examples
    --------
    >>> texts(as_text("float32"), "dtype", ())
    ['float32']
    """
    if array.dtype.kind != "U" or array.dtype.byteorder == ">" or array.shape != shape:
        raise FileFormatError(f"{name} is {array.dtype} {array.shape}; expected str {shape}")
    code_points = np.frombuffer(array.tobytes(), "<u4")
    if code_points.max(initial=0) > sys.maxunicode:
        raise FileFormatError(f"{name} holds {code_points.max()}, which is no code point")
    return [str(text) for text in array.reshape(-1)]


def as_json(value: Mapping[str, Any] | Sequence[str]) -> Array:
    """Return numbers, texts and truth values as JSON in UTF-8, which keeps all bits of a float.

    Examples
    --------
    >>> as_json({"a": 0.1}).tobytes()
    b'{"a": 0.1}'
    """
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def from_json(arrays: Mapping[str, Array], name: str, kind: type[T]) -> T:
    """Return the argument of `as_json`, a dict or a list, or raise FileFormatError.

    Examples
    --------
    >>> from_json({"numbers": as_json({"a": 0.1})}, "numbers", dict)
    {'a': 0.1}
    """
    try:
        value = json.loads(vector(arrays, name, "u1").tobytes())
    except (ValueError, RecursionError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{name} is not valid JSON: {error}") from error
    if not isinstance(value, kind):
        raise FileFormatError(f"{name} is JSON, but no {_JSON_KINDS[kind]}")
    return value


def _target(path: Path) -> tuple[str, int | None]:
    """Return the path to write and the mode of the file there, which must be a regular one."""
    target = os.path.realpath(os.fsdecode(path))  # a link stays; its target is replaced
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return target, None
    if not stat.S_ISREG(mode):
        raise OSError(f"{target} exists and is not a regular file; expected a file name")
    return target, mode


class _Zip(ZipFile):
    """A ZipFile whose destructor does not finalise a half-written archive.

    Ctrl-C may come between any two lines of zipfile. Closing the archive then would raise another
    exception in its place, and deleting it would print one more.
    """

    def __del__(self) -> None:
        """Leave an interrupted archive as it is: its writer deletes it."""


def _write_zip(file: BinaryIO, arrays: Mapping[str, Array]) -> None:
    """Write as numpy.savez does, but leave the archive unfinished when interrupted."""
    zip_file = _Zip(file, "w")
    for name, array in arrays.items():
        member = zip_file.open(f"{name}.npy", "w", force_zip64=True)
        np.lib.format.write_array(member, array, (1, 0), allow_pickle=False)
        member.close()
    zip_file.close()


def _sync_directory(directory: str) -> None:
    """Write the new name to the disk, where the system can; the content is there already."""
    with suppress(OSError, AttributeError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(content: bytes, form: Form) -> dict[str, Array]:
    # the archive must be the whole file: nothing before it, nothing after it
    if not content.startswith(b"PK\3\4"):
        raise FileFormatError(f"not a {form.what} file: it does not start like an .npz archive")
    if content[-_END_RECORD:][:4] != b"PK\5\6":
        raise FileFormatError("truncated or damaged: the end of the archive is missing")
    try:
        archive = _Zip(BytesIO(content))
        return _arrays(archive, _checked_members(archive, content, form), form)
    # What zipfile raises for what is damaged, checksums included. A MemoryError, or the
    # RuntimeError of a lock for which there is no memory, is not the file's fault.
    except (
        BadZipFile,
        EOFError,
        LookupError,
        NotImplementedError,
        OSError,
        OverflowError,
        struct.error,
        ValueError,
    ) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"damaged: {error}") from error


def _checked_members(archive: ZipFile, content: bytes, form: Form) -> list[ZipInfo]:
    """Return the archive's members after checking names, sizes and that they are uncompressed."""
    members = archive.infolist()
    declared = int.from_bytes(content[-12:-10], "little")  # in the end record
    # a damaged length could hide a member, and a second archive the first
    if declared != len(members) or min((m.header_offset for m in members), default=0) != 0:
        raise FileFormatError(f"damaged: it declares {declared} arrays, but has {len(members)}")
    _check_kind([member.filename for member in members], form)
    for member in members:
        if member.flag_bits & 1:
            raise FileFormatError(f"{member.filename!r} is encrypted; a {form.what} is not")
        if member.compress_type != 0 or member.file_size != member.compress_size:
            raise FileFormatError(
                f"{member.filename!r} is compressed; a {form.what} is stored as it is"
            )
    if sum(member.file_size for member in members) > len(content):
        raise FileFormatError("truncated or damaged: it declares more bytes than it has")
    return members


def _check_kind(found: Sequence[str], form: Form) -> None:
    """Raise FileFormatError for another kind of file, and for a name that occurs twice."""
    for name, text in form.others.items():
        if f"{name}.npy" in found:
            raise FileFormatError(text)
    seen = set()
    for name in found:
        if name in seen:
            raise FileFormatError(f"it holds {name!r} more than once")
        seen.add(name)
    if f"{form.version}.npy" not in found:
        unknown = [name for name in found if name not in _members(form)]
        if unknown:
            raise FileFormatError(_not_of(form, unknown[0]))
        raise FileFormatError(f"{form.version!r} is missing")


def _arrays(archive: ZipFile, members: Sequence[ZipInfo], form: Form) -> dict[str, Array]:
    """Read the arrays that this release knows, after making sure that it may ignore the others."""
    known, by_name = _members(form), {member.filename: member for member in members}
    arrays = {form.version: _read_array(archive, by_name[f"{form.version}.npy"])}
    version = _version(arrays, form)
    for name in form.required:
        if f"{name}.npy" not in by_name:
            raise FileFormatError(f"{name!r} is missing")
    if f"{REQUIRED_FIELDS}.npy" not in by_name:
        if version >= 2:
            raise FileFormatError(
                f"{form.version} is {version}, but {REQUIRED_FIELDS!r} is missing"
            )
    else:  # whatever the version
        arrays[REQUIRED_FIELDS] = _read_array(archive, by_name[f"{REQUIRED_FIELDS}.npy"])
        _check_required(_names(arrays, REQUIRED_FIELDS), by_name, form)
    for name, member in by_name.items():
        if name in known:
            arrays[name.removesuffix(".npy")] = _read_array(archive, member)
        elif version == 1 or not _FIELD.fullmatch(name):
            raise FileFormatError(_not_of(form, name))
        else:
            archive.read(member)  # its checksum: damage to a name must not make it one to ignore
    return arrays


def _version(arrays: Mapping[str, Array], form: Form) -> int:
    version: int = scalar(arrays, form.version, "<i8")
    if version < 1:
        raise FileFormatError(f"{form.version} is {version}; expected 1 to {form.newest}")
    if version > form.newest:
        raise FileFormatError(
            f"{form.version} is {version}, of a later release; this one reads 1 to {form.newest}: "
            "pip install --upgrade sigmax"
        )
    return version


def _check_required(names: Sequence[str], members: Mapping[str, ZipInfo], form: Form) -> None:
    """Raise FileFormatError where the file needs what it lacks, or what this release lacks."""
    for name in names:
        if f"{name}.npy" not in members:
            raise FileFormatError(f"{REQUIRED_FIELDS} has {name!r}, which is missing")
        if f"{name}.npy" not in _members(form):
            raise FileFormatError(
                f"it needs {name!r}, which this release does not know: pip install --upgrade sigmax"
            )


def _names(arrays: Mapping[str, Array], name: str) -> list[str]:
    names = from_json(arrays, name, list)
    for text in names:
        if not isinstance(text, str) or not _FIELD.fullmatch(f"{text}.npy"):
            raise FileFormatError(f"{name} has {text!r:.50}; expected names of arrays")
    return names


def _members(form: Form) -> set[str]:
    """Return the names of all members that this release knows."""
    names = (form.version, REQUIRED_FIELDS, *form.required, *form.optional)
    return {f"{name}.npy" for name in names}


def _not_of(form: Form, name: str) -> str:
    return f"it holds {name!r}, which does not belong in a {form.what}"


def _read_array(archive: ZipFile, member: ZipInfo) -> Array:
    """Read one .npy member; its shape must account for every byte of it."""
    content, name = archive.read(member), repr(member.filename)  # which checks the checksum
    file = BytesIO(content)
    header = npy.read_header(file, len(content), name, versions=((1, 0),))
    return npy.shaped(file.read(), header, name)
