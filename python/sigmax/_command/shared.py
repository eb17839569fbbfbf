"""What the subcommands share: reading data for a model, and checking where results will go."""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from sigmax import files
from sigmax._command.class_names import learn_classes, number_labels
from sigmax._data.columns import order
from sigmax._formats import dataset
from sigmax._formats.csv_file import CsvOptions


class UserError(Exception):
    """A mistake in the user's request; the message is one line."""


def read(
    arguments: argparse.Namespace, path: str, labels_path: str | None, **wanted: Any
) -> dataset.Dataset:
    """Read a file by the options for .csv files, which all commands have.

    Examples
    --------
    >>> read(arguments, arguments.data, arguments.labels, dtype="float32", missing=False)
    """
    weight_column = getattr(arguments, "weight_column", None)
    options = CsvOptions(
        arguments.label_column,
        arguments.header,
        arguments.delimiter,
        # other kinds of files have no columns that would have to be left out
        weight_column if dataset.is_csv(path) or wanted.get("labelled", True) else None,
        tuple(arguments.ignore_column) if dataset.is_csv(path) else (),
        wanted.pop("missing", False),
        wanted.get("column_names"),
    )
    names = wanted.pop("column_names", None)
    return in_order(dataset.read(path, labels_path, csv=options, **wanted), names, path)


def in_order(found: dataset.Dataset, names: Sequence[str] | None, path: str) -> dataset.Dataset:
    """Return a file's contents with its columns in the order of names, where both have names.

    Examples
    --------
    >>> in_order(found, ("length", "width"), "irises.csv").column_names
    ('length', 'width')
    """
    if names is None or found.column_names is None:
        return found
    try:
        positions = order(found.column_names, names, path, "the model")
    except ValueError as error:
        hint = " (--label-column says where the label is, --ignore-column leaves a column out)"
        raise UserError(f"{error}{hint}") from None
    if positions is None:
        return found
    X = np.take(found.X, positions, axis=1)
    return replace(found, X=X, column_names=tuple(names), found=f"{found.found}, put in order")


def read_for(
    stored: files.StoredModel,
    arguments: argparse.Namespace,
    path: str,
    labels_path: str | None = None,
    *,
    labelled: bool = True,
) -> dataset.Dataset:
    """Read a file that a model is to be used on.

    Examples
    --------
    >>> read_for(files.load("model.npz"), arguments, "new.csv", labelled=False).X
    """
    network = stored.network
    preparation = network.preparation
    return read(
        arguments,
        path,
        labels_path,
        part="test",
        dtype=str(network.dtype),
        n_features=network.sizes[0],
        column_names=network.column_names,
        labelled=labelled,
        missing=preparation is not None and preparation.fill is not None,
    )


def learn_targets(labels: NDArray[Any], source: str) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    """Return targets for fit, and the names of the classes, if any.

    Examples
    --------
    >>> learn_targets(np.array(["no", "yes"]), "answers.csv")
    (array([0, 1]), ('no', 'yes'))
    """
    if labels.ndim == 2:
        return labels, None
    try:
        return learn_classes(labels)
    except ValueError as error:
        raise UserError(f"{source}: {error}") from None


def targets(labels: NDArray[Any], names: Sequence[str], source: str) -> NDArray[Any]:
    """Return targets for the labels of a file, by the classes of the model.

    Examples
    --------
    >>> targets(np.array(["yes", "no"]), ("no", "yes"), "answers.csv")
    array([1, 0])
    """
    if labels.ndim == 2:
        return labels
    try:
        return number_labels(labels, tuple(names))
    except ValueError as error:
        raise UserError(f"{source}: {error}") from None


def classes(y: NDArray[Any]) -> NDArray[np.int64]:
    """Return class numbers (n,) of labels or of rows of probabilities.

    Examples
    --------
    >>> classes(np.array([[0.1, 0.9]]))
    array([1])
    """
    return y.argmax(axis=1) if y.ndim == 2 else y


def class_names(names: tuple[str, ...] | None, n_classes: int) -> tuple[str, ...]:
    """Return the names of the classes, or their numbers as text.

    Examples
    --------
    >>> class_names(None, 2)
    ('0', '1')
    """
    return tuple(str(i) for i in range(n_classes)) if names is None else names


def check_output(path: str, *inputs: str | None) -> None:
    """Raise UserError, before the work, for a path that is unwritable or also read.

    Examples
    --------
    >>> check_output("answers.csv", "model.npz", "new.csv")
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise UserError(f"{path}: cannot be written: there is no folder {folder}")
    if os.path.isdir(target):
        raise UserError(f"{path}: cannot be written: it is a folder")
    is_device = os.path.exists(target) and not os.path.isfile(target)
    if not os.access(target if is_device else folder, os.W_OK):  # a file is replaced, not opened
        raise UserError(f"{path}: cannot be written: permission denied")
    present = [given for given in inputs if given and os.path.exists(given)]
    for given in present:
        if os.path.exists(path) and os.path.samefile(given, path):
            raise UserError(f"{path}: would be overwritten, but it is also read")


@contextlib.contextmanager
def output(path: str | None, stdout: TextIO) -> Iterator[TextIO]:
    r"""Open stdout, or a file that is renamed to its path when complete.

    Examples
    --------
    >>> with output("answers.csv", sys.stdout) as file:
    ...     file.write("label\n")
    """
    if path is None:
        yield stdout
        stdout.flush()
        return
    if os.path.exists(path) and not os.path.isfile(path):  # a device or a pipe
        with open(path, "w", encoding="utf-8", newline="") as file:
            yield file
        return
    path = os.path.realpath(path)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "x", encoding="utf-8", newline="") as file:
            yield file
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def write_rows(file: TextIO, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows of csv under a header.

    Examples
    --------
    >>> write_rows(sys.stdout, ["label"], [["rose"]])
    label
    rose
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
