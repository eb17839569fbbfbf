"""Model files: what they hold, and how it becomes a network again.

A model file is an archive (see `sigmax.archive`) of these arrays:

| name              | dtype, shape                   | what                                        |
|-------------------|--------------------------------|---------------------------------------------|
| format_version    | int64, ()                      | 1                                           |
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

The last six are there when they are needed. A program that takes a model's parameters must heed
temperature and preparation too; a model without them needs neither.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sigmax import archive
from sigmax._arrays import Array
from sigmax._errors import FileFormatError
from sigmax.network import Network

FORMAT_VERSION = 1

_PREPARATION = ("mean", "scale", "fill")

# The arrays that make a network; a checkpoint holds them too.
NETWORK_REQUIRED = ("sizes", "dtype", "parameters", "seed", "epochs_trained")
NETWORK_OPTIONAL = ("temperature", *(f"preparation_{part}" for part in _PREPARATION))

# How a class becomes what it was; str() is the way back.
CLASS_KINDS: Mapping[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": {"False": False, "True": True}.__getitem__,
}

_LITTLE_ENDIAN = {"float32": "<f4", "float64": "<f8"}

_FORM = archive.Form(
    what="model",
    required=("format_version", *NETWORK_REQUIRED),
    optional=("class_names", "class_kind", *NETWORK_OPTIONAL),
    others={
        "checkpoint_version": "it is a checkpoint of a training that may go on, and no model: "
        "fit(X, y, resume=path) goes on with it"
    },
)


@dataclass(frozen=True)
class StoredModel:
    """What a model file holds.

    Attributes
    ----------
    network : Network
    class_names : tuple of str, or None
        The name of each class, where they were saved.
    class_kind : str, or None
        The key in CLASS_KINDS of what the names stand for, where it was saved.
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
        A key in CLASS_KINDS: what the names stand for.

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
    arrays = {"format_version": np.asarray(FORMAT_VERSION, "<i8"), **network_arrays(network)}
    if class_names is not None:
        names = _checked_names(class_names, network.sizes[-1])
        arrays["class_names"] = archive.as_text(names)
        if class_kind is not None:
            _require_kind(names, class_kind)
            arrays["class_kind"] = archive.as_text(class_kind)
    archive.write(path, arrays)


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
    arrays = archive.read(path, _FORM)
    try:
        version = archive.scalar(arrays, "format_version", "<i8")
        if version != FORMAT_VERSION:
            raise FileFormatError(
                f"format_version is {version}; this release reads {FORMAT_VERSION}"
            )
        network = as_network(arrays, network_type)
        return StoredModel(network, *_classes(arrays, network.sizes[-1]))
    except FileFormatError as error:
        raise FileFormatError(f"{os.fsdecode(path)}: {error}") from error.__cause__


def network_arrays(network: Network) -> dict[str, Any]:
    """Return all of a network as arrays; `as_network` is the way back.

    Raises ValueError when a parameter is not finite.

    Examples
    --------
    >>> network_arrays(sigmax.Network([2, 2], seed=0))["sizes"]
    array([2, 2])
    """
    state = network.__getstate__()
    arrays = {
        "sizes": np.asarray(state["sizes"], "<i8"),
        "dtype": archive.as_text(state["dtype"]),
        "parameters": np.asarray(state["parameters"]),
        "seed": np.asarray(state["seed"], "<u8"),
        "epochs_trained": np.asarray(state["epochs_trained"], "<u8"),
    }
    if network.temperature != 1.0:
        arrays["temperature"] = np.asarray(network.temperature, "<f8")
    for part in _PREPARATION:
        values = getattr(network.preparation, part, None)
        if values is not None:
            arrays[f"preparation_{part}"] = np.asarray(values, "<f8")
    return arrays


def as_network(arrays: Mapping[str, Array], network_type: type[Network] = Network) -> Network:
    """Return the network that `network_arrays` gave, after checking all of it.

    Raises FileFormatError, naming what is wrong, its value and what was expected.

    Examples
    --------
    >>> as_network(network_arrays(sigmax.Network([2, 2], seed=0)))
    Network([2, 2], dtype='float32', seed=0)
    """
    sizes = archive.vector(arrays, "sizes", "<i8")
    dtype = archive.texts(arrays["dtype"], "dtype", ())[0]
    if dtype not in _LITTLE_ENDIAN:
        raise FileFormatError(f"dtype is {dtype!r}; expected 'float32' or 'float64'")
    network = network_type.__new__(network_type)
    state: dict[str, object] = {
        "sizes": sizes.tolist(),
        "dtype": dtype,
        "parameters": archive.vector(arrays, "parameters", _LITTLE_ENDIAN[dtype]),
        "seed": archive.scalar(arrays, "seed", "<u8"),
        "epochs_trained": archive.scalar(arrays, "epochs_trained", "<u8"),
    }
    if "temperature" in arrays:
        state["temperature"] = archive.scalar(arrays, "temperature", "<f8")
    names = [f"preparation_{part}" for part in _PREPARATION]
    if any(name in arrays for name in names):
        state["preparation"] = tuple(
            archive.vector(arrays, name, "<f8") if name in arrays else None for name in names
        )
    try:
        network.__setstate__(state)
    except (TypeError, ValueError) as error:
        if "environment variable SIGMAX_" in str(error):  # not the file's fault
            raise
        raise FileFormatError(str(error)) from error
    return network


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


def _require_kind(names: Iterable[str], kind: str) -> None:
    if kind not in CLASS_KINDS:
        raise ValueError(f"class_kind is {kind!r}; expected one of {', '.join(CLASS_KINDS)}")
    for i, name in enumerate(names):
        try:
            same = str(CLASS_KINDS[kind](name)) == name
        except (LookupError, ValueError):
            same = False
        if not same:
            raise ValueError(f"class_names[{i}] is {name!r}; expected {kind} as class_kind says")


def _classes(
    arrays: Mapping[str, Array], n_classes: int
) -> tuple[tuple[str, ...] | None, str | None]:
    """Return the names of the classes, and what they stand for."""
    kind = (
        archive.texts(arrays["class_kind"], "class_kind", ())[0] if "class_kind" in arrays else None
    )
    if "class_names" not in arrays:
        if kind is not None:
            raise FileFormatError("class_kind is there, but class_names is missing")
        return None, None
    names = archive.texts(arrays["class_names"], "class_names", (n_classes,))
    try:
        checked = tuple(_checked_names(names, n_classes))
        if kind is not None:
            _require_kind(checked, kind)
    except ValueError as error:
        raise FileFormatError(str(error)) from error
    return checked, kind
