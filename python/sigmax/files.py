"""Model files with the names of the classes: `save`, `load` and what a file holds.

A model file is a zip archive of .npy arrays, as numpy.savez writes them, with these names:

| name              | dtype, shape                   | what                                        |
|-------------------|--------------------------------|---------------------------------------------|
| format_version    | int64, ()                      | 1 or 2                                      |
| sizes             | int64, (L + 1,)                | n_0 ... n_L                                 |
| dtype             | str, ()                        | "float32" or "float64"                      |
| parameters        | as dtype says, (n_parameters,) | W_1 ... W_L, then b_1 ... b_L               |
| seed              | uint64, ()                     | of initial weights, shuffles, dropout       |
| epochs_trained    | uint64, ()                     | epochs completed by `fit`                   |
| temperature       | float64, ()                    | T in softmax(z_L / T)                       |
| preparation_mean  | float64, (n_0,)                | x becomes (x - mean) / scale ...            |
| preparation_scale | float64, (n_0,)                |                                             |
| preparation_fill  | float64, (n_0,)                | ... and before that, NaN becomes fill       |
| class_names       | str, (n_L,)                    | the names of the classes                    |
| class_kind        | str, ()                        | what they name: "str", "int", "float", ...  |
| column_names      | uint8, (bytes)                 | version 2: JSON in UTF-8, an array of n_0   |
|                   |                                | strings: the names of the columns of X      |
| required_fields   | uint8, (bytes)                 | version 2: JSON in UTF-8, an array of names |
|                   |                                | of arrays in this table                     |

The last eight are present when needed. A program that uses a model's parameters must also apply
temperature and preparation, if the file has them.

Version 2 begins with column_names. A file without them is written as version 1, which every release
reads. In version 2, required_fields lists the arrays without which the probabilities would be
wrong. A program must refuse a file that lists one it does not know, and may ignore any other array
that it does not know: so later releases can add arrays of both kinds without a new version. A file
with a later version raises an error that says so. `load` leaves out what it ignores, and so does
the next `save`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from sigmax._model import model_file
from sigmax._model.model_file import CLASS_KINDS
from sigmax.network import Network

__all__ = ["CLASS_KINDS", "StoredModel", "load", "save"]


@dataclass(frozen=True)
class StoredModel:
    """The contents of a model file.

    Attributes
    ----------
    network : Network
    class_names : tuple of str, or None
        The name of each class, if saved.
    class_kind : str, or None
        The key in CLASS_KINDS for the type of the labels, if saved.
    """

    network: Network
    class_names: tuple[str, ...] | None = None
    class_kind: str | None = None


def save(
    path: str | os.PathLike[str],
    network: Network,
    *,
    class_names: Iterable[str] | None = None,
    class_kind: str | None = None,
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
    class_kind : str, optional
        A key in CLASS_KINDS: the type of the original labels.

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
    model_file.save(path, network._model, class_names, class_kind)


def load(path: str | os.PathLike[str], network_type: type[Network] = Network) -> StoredModel:
    """Read a model file that `save` wrote.

    Nothing in the file is executed, and the memory taken is at most about 30 times its size.

    Parameters
    ----------
    path : str or path-like
    network_type : type
        `Network`, or a subclass to create instead.

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
    stored = model_file.load(path)
    return StoredModel(network_type._of(stored.model), stored.class_names, stored.class_kind)
