"""Examples and labels for the command line: files of several kinds, and the digits of the package.

`read` reads one file, or a file of examples and one of labels, into a `Dataset`. Labels become
numbers by `learn_classes` (training) or `number_labels` (a trained model).

"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sigmax._formats.array_files import read_idx, read_npy, read_npz
from sigmax._formats.csv_file import CsvOptions, read_csv
from sigmax.errors import FileFormatError

__all__ = [
    "CsvOptions",
    "Dataset",
    "has_test_part",
    "is_csv",
    "read",
]

Path = str | os.PathLike[str]

# The arrays of an .npz file, in the order of preference; the names are compared in small letters.
_TRAINING_NAMES = (("x_train", "y_train"), ("x", "y"))
_TESTING_NAMES = (("x_test", "y_test"), ("x", "y"), ("x_train", "y_train"))

_MAPPED_FROM = 1 << 28  # bytes: larger .npy files of examples are mapped


@dataclass(frozen=True)
class Dataset:
    """Examples, with their labels if any.

    Attributes
    ----------
    X : ndarray (n, d)
        One row per example, in the file's own dtype (.csv: in the requested dtype).
    labels : ndarray (n,) or (n, K), or None
        Text or numbers; two dimensions are rows of probabilities, one-hot or soft.
    weights : ndarray (n,), or None
        How much each row counts.
    found : str
        What was found out about the file, for the reader's eye.
    column_names : tuple of str, or None
        Of X, where the file has them.
    """

    X: NDArray[Any]
    labels: NDArray[Any] | None
    weights: NDArray[Any] | None
    found: str
    column_names: tuple[str, ...] | None = None


def read(
    path: Path,
    labels_path: Path | None = None,
    *,
    part: Literal["train", "test"] = "train",
    csv: CsvOptions | None = None,
    dtype: str = "float32",
    n_features: int | None = None,
    labelled: bool = True,
) -> Dataset:
    """Read examples from a file, with labels from the same file or from a second one.

    The name's ending determines the kind, else the first bytes: .csv .tsv .txt; .npz with x, y
    or x_train, y_train, x_test, y_test (small or capital); .npy; idx and idx.gz as MNIST has them.
    Images (more than two dimensions) are flattened. The examples of a large .npy file are mapped.

    Parameters
    ----------
    path, labels_path : path
        The file; for .npy and idx also the file of labels.
    part : {"train", "test"}
        Which arrays of an .npz file to prefer if it has both.
    csv : CsvOptions
        How to read a .csv file. Default: a label in the last column.
    dtype : str
        The dtype for the numbers of a .csv file.
    n_features : int, optional
        The expected number of features; None accepts any.
    labelled : bool
        Whether labels are required. If not, they are not read.

    Raises
    ------
    ValueError
        With the file's name and, where possible, row and column. FileFormatError is one.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> read("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz").X.shape
    ... # doctest: +SKIP
    (60000, 784)
    """
    name = os.fspath(path)
    kind = _kind(path)
    if labels_path is not None and kind in ("csv", "npz"):
        raise ValueError(
            f"{os.fspath(labels_path)}: a second file, but {name} holds its labels itself"
        )
    options = csv if csv is not None else CsvOptions()
    labels: NDArray[Any] | None = None
    weights: NDArray[Any] | None = None
    names: tuple[str, ...] | None = None
    if options.weight_column is not None and kind != "csv":
        raise ValueError(f"{name}: a column of weights is expected, which only .csv files have")
    if kind == "csv":
        X, labels, weights, found, names = read_csv(path, options, np.dtype(dtype), n_features)
    elif kind == "npz":
        X, labels, found = _read_npz(path, part, labelled)
    else:
        X, found = _read_array(path, _MAPPED_FROM), kind
        if labelled and labels_path is None:
            raise ValueError(f"{name}: this file has no labels: give the file of labels after it")
        if labelled and labels_path is not None:
            labels = _read_array(labels_path)
    if kind != "csv":
        X = _as_rows(X, name)
        if n_features is not None and X.shape[1] != n_features:
            raise ValueError(
                f"{name}: {X.shape[1]} values per example, where the model takes {n_features}"
            )
    if labelled and labels is not None:
        labels = _as_labels(labels, len(X), os.fspath(labels_path or path))
    return Dataset(X, labels if labelled else None, weights, found, names)


def _kind(path: Path) -> str:
    """Return the kind of a file by its name, else by its first bytes."""
    name = os.fspath(path).lower()
    endings = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".npz": "npz", ".npy": "npy"}
    endings |= {".gz": "idx", "-ubyte": "idx", ".idx": "idx"}
    for ending, kind in endings.items():
        if name.endswith(ending):
            return kind
    with open(path, "rb") as file:
        first = file.read(6)
    magics = {b"PK": "npz", b"\x93NUMPY": "npy", b"\x1f\x8b": "idx", b"\0\0": "idx"}
    for magic, kind in magics.items():
        if first.startswith(magic):
            return kind
    raise ValueError(
        f"{os.fspath(path)}: neither its name nor its first bytes tell what it is: .csv, .tsv, "
        ".txt, .npz, .npy, idx or idx.gz is expected"
    )


def _read_array(path: Path, mapped_from: int | None = None) -> NDArray[Any]:
    return read_npy(path, mapped_from) if _kind(path) == "npy" else read_idx(path)


def _read_npz(
    path: Path, part: Literal["train", "test"], labelled: bool
) -> tuple[NDArray[Any], NDArray[Any] | None, str]:
    """Read the pair of arrays that fits best."""
    pairs = _TRAINING_NAMES if part == "train" else _TESTING_NAMES
    with_labels = {name for pair in pairs for name in pair}
    arrays = read_npz(path, with_labels if labelled else {x for x, _ in pairs})
    for x, y in pairs:
        if x in arrays and (y in arrays or not labelled):
            return arrays[x], arrays.get(y), f"arrays {x}, {y}" if labelled else f"array {x}"
    expected = " or ".join(f"{x}, {y}" if labelled else x for x, y in pairs)
    raise FileFormatError(f"{os.fspath(path)}: no arrays {expected} in it")


def is_csv(path: Path) -> bool:
    """Return whether `read` takes a file for a .csv file.

    Examples
    --------
    >>> is_csv("iris.tsv")
    True
    """
    return _kind(path) == "csv"


def has_test_part(path: Path) -> bool:
    """Return whether a file is an .npz file with x_test and y_test.

    Examples
    --------
    >>> has_test_part("mnist.npz")  # doctest: +SKIP
    True
    """
    if _kind(path) != "npz":
        return False
    return set(read_npz(path, {"x_test", "y_test"})) == {"x_test", "y_test"}


def _as_rows(X: NDArray[Any], name: str) -> NDArray[Any]:
    """Flatten images (n, height, width) into rows (n, height * width)."""
    if X.dtype.kind not in "buif":
        raise ValueError(f"{name}: examples of {X.dtype}: numbers are expected")
    if X.ndim < 2:
        raise ValueError(
            f"{name}: examples of shape {X.shape}: a row per example is expected (are examples and "
            "labels in the wrong order?)"
        )
    if X.size == 0:
        raise ValueError(f"{name}: examples of shape {X.shape}: expected at least one")
    return X.reshape(len(X), -1)


def _as_labels(labels: NDArray[Any], n: int, name: str) -> NDArray[Any]:
    """Return labels (n,) of text or whole numbers, or (n, K) of probabilities."""
    if labels.dtype.kind not in "buifUS":
        raise ValueError(f"{name}: labels of {labels.dtype}: text or numbers are expected")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim not in (1, 2) or (labels.ndim == 2 and labels.dtype.kind in "US"):
        raise ValueError(f"{name}: labels of shape {labels.shape}: one per example is expected")
    if len(labels) != n:
        raise ValueError(f"{name}: {len(labels)} labels for {n} examples")
    return np.char.decode(labels, "utf-8") if labels.dtype.kind == "S" else labels
