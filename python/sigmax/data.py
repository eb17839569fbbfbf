"""Examples and labels for the command line: files of several kinds, and the digits of the package.

`read` reads one file, or a file of examples and one of labels, into a `Dataset`. Labels become
numbers by `learn_classes` (training) or `number_labels` (a trained model).

The digits of `load_digits` are the 1,797 images of the test part of "Optical Recognition of
Handwritten Digits" (E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning Repository,
https://doi.org/10.24432/C50P49), which is licensed under CC BY 4.0; digits.txt says more.
"""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sigmax._errors import FileFormatError
from sigmax._readers.array_files import read_idx, read_npy, read_npz
from sigmax._readers.csv_file import CsvOptions, is_number, read_csv

__all__ = [
    "CsvOptions",
    "Dataset",
    "has_test_part",
    "is_csv",
    "learn_classes",
    "load_digits",
    "number_labels",
    "read",
]

Path = str | os.PathLike[str]

# The arrays of an .npz file, in the order of preference; the names are compared in small letters.
_TRAINING_NAMES = (("x_train", "y_train"), ("x", "y"))
_TESTING_NAMES = (("x_test", "y_test"), ("x", "y"), ("x_train", "y_train"))

_MAPPED_FROM = 1 << 28  # bytes of a .npy file of examples that are not read into memory at once

_WHOLE_NUMBER = re.compile(r"([+-]?[0-9]+)(?:\.0*)?")


@dataclass(frozen=True)
class Dataset:
    """Examples, and their labels where there are any.

    Attributes
    ----------
    X : ndarray (n, d)
        One row per example, numbers of the file's own dtype (.csv: of the dtype asked for).
    labels : ndarray (n,) or (n, K), or None
        Text or numbers; two dimensions are rows of probabilities, one-hot or soft.
    weights : ndarray (n,), or None
        How much each row counts.
    found : str
        What was found out about the file, for the reader's eye.
    """

    X: NDArray[Any]
    labels: NDArray[Any] | None
    weights: NDArray[Any] | None
    found: str


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

    The kind is told by the name's ending, else by the first bytes: .csv .tsv .txt; .npz with x, y
    or x_train, y_train, x_test, y_test (small or capital); .npy; idx and idx.gz as MNIST has them.
    Images (more than two dimensions) are flattened. The examples of a large .npy file are mapped.

    Parameters
    ----------
    path, labels_path : path
        The file; for .npy and idx also the file of labels.
    part : {"train", "test"}
        Which arrays of an .npz file that has both to prefer.
    csv : CsvOptions
        How to read a .csv file. Default: a label in the last column.
    dtype : str
        What the numbers of a .csv file become.
    n_features : int, optional
        How many features are expected, None: as many as there are.
    labelled : bool
        Whether labels must be there. If not, they are left unread.

    Raises
    ------
    ValueError
        Naming the file and, where there is one, the row and column. FileFormatError is one.
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
    if options.weight_column is not None and kind != "csv":
        raise ValueError(f"{name}: a column of weights is expected, which only .csv files have")
    if kind == "csv":
        X, labels, weights, found = read_csv(path, options, np.dtype(dtype), n_features)
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
    return Dataset(X, labels if labelled else None, weights, found)


def learn_classes(labels: NDArray[Any]) -> tuple[NDArray[np.int64], tuple[str, ...] | None]:
    """Give the distinct labels numbers from 0: return y (n,), and their names.

    Whole numbers are sorted as numbers, and named so, "1" for "01"; all else is text. The names are
    None when the labels are 0, 1, ..., K-1 as they stand.

    Raises
    ------
    ValueError
        There is one class only, or the labels are numbers with a fraction, which are no classes.

    Examples
    --------
    >>> learn_classes(np.array(["no", "yes", "no"]))
    (array([0, 1, 0]), ('no', 'yes'))
    >>> learn_classes(np.array([2, 0, 1]))
    (array([2, 0, 1]), None)
    """
    distinct, y = np.unique(labels, return_inverse=True)
    texts = [_text(value) for value in distinct.tolist()]
    whole = [number for text in texts if (number := _whole(text)) is not None]
    if len(whole) == len(texts):
        texts = [str(number) for number in whole]
        names = [str(number) for number in sorted(set(whole))]
    elif all(is_number(text) for text in texts):
        fraction = next(text for text in texts if _whole(text) is None)
        raise ValueError(
            f"the label {fraction} is a number, and not a whole one: a class is expected, named by "
            "a text or a whole number"
        )
    else:
        names = sorted(set(texts))
    if len(names) < 2:
        raise ValueError(
            f"all {len(labels)} labels are {names[0]!r}: at least two classes are expected (is the "
            "label in another column?)"
        )
    numbers = {name: number for number, name in enumerate(names)}
    mapping = np.array([numbers[text] for text in texts], dtype=np.int64)
    plain = names == [str(number) for number in range(len(names))]
    return mapping[y], None if plain else tuple(names)


def number_labels(labels: NDArray[Any], classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Turn labels (n,) into a model's class numbers; the inverse of naming its predictions.

    Raises
    ------
    ValueError
        A label is none of the classes; its row, counted from 1, is named.

    Examples
    --------
    >>> number_labels(np.array(["yes", "no"]), ("no", "yes"))
    array([1, 0])
    """
    numbers = {name: number for number, name in enumerate(classes)}
    distinct, y = np.unique(labels, return_inverse=True)
    mapping = np.empty(len(distinct), dtype=np.int64)
    for position, value in enumerate(distinct.tolist()):
        text = _text(value)
        if text not in numbers and (number := _whole(text)) is not None:
            text = str(number)
        if text not in numbers:
            row = int(np.argmax(y == position)) + 1
            known = ", ".join(classes[:12]) + (", ..." if len(classes) > 12 else "")
            raise ValueError(f"row {row}: the label {text!r} is none of the classes: {known}")
        mapping[position] = numbers[text]
    return mapping[y]


def load_digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the handwritten digits of the package: X (1797, 64) in 0..1, y (1797,) in 0..9.

    A row is an image of 8 by 8 pixels, its counts of 0 to 16 divided by 16. Source: "Optical
    Recognition of Handwritten Digits", UCI, CC BY 4.0, https://doi.org/10.24432/C50P49.

    Examples
    --------
    >>> X, y = load_digits()
    >>> X.shape, X.dtype, int(y[0])
    ((1797, 64), dtype('float32'), 0)
    """
    packed = resources.files(__package__).joinpath("digits.npz").read_bytes()
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        pixels, labels = arrays["pixels"], arrays["labels"]
    X = np.empty(pixels.T.shape, np.float32)
    X[np.argsort(labels, kind="stable")] = pixels.T  # like images lie together there: digits.txt
    X /= 16
    return X, labels.astype(np.int64)


def _kind(path: Path) -> str:
    """Tell the kind of a file by its name, else by its first bytes."""
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
    """Read the pair of arrays that serves best."""
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
        raise ValueError(f"{name}: examples of shape {X.shape}: there are none")
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


def _text(label: Any) -> str:
    """Write a label as text; False and True are the classes 0 and 1."""
    return str(int(label)) if isinstance(label, bool) else str(label).strip()


def _whole(text: str) -> int | None:
    """Return the whole number that a text stands for, so that 3, "3" and "3.0" are one class."""
    match = _WHOLE_NUMBER.fullmatch(text)
    return int(match[1]) if match else None
