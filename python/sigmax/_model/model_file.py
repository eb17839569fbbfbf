"""Model files: a `Model` and the names of its classes as arrays, and back. See `sigmax.files`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from sigmax._boundary.arrays import Array
from sigmax._formats import archive
from sigmax._model.model import Model
from sigmax.errors import FileFormatError, InstructionSetError

FORMAT_VERSION = 2  # the newest; a file has 1 where nothing in it is of version 2

_PREPARATION = ("mean", "scale", "fill")

# The arrays that make a model; a checkpoint holds them too.
MODEL_REQUIRED = ("sizes", "dtype", "parameters", "seed", "epochs_trained")
MODEL_OPTIONAL = (
    "temperature",
    *(f"preparation_{part}" for part in _PREPARATION),
    "column_names",
)
_OF_VERSION_2 = {"column_names"}
# Who does not know one of these gets other probabilities for an array. The names of classes and
# columns can be ignored, and what a training needs.
_CHANGE_ANSWERS = {"sizes", "dtype", "parameters", *MODEL_OPTIONAL} - {"column_names"}

# How to turn a class name back into the original label; str() does the reverse.
CLASS_KINDS: Mapping[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": {"False": False, "True": True}.__getitem__,
}

_LITTLE_ENDIAN = {"float32": "<f4", "float64": "<f8"}

_FORM = archive.Form(
    what="model",
    version="format_version",
    newest=FORMAT_VERSION,
    required=MODEL_REQUIRED,
    optional=("class_names", "class_kind", *MODEL_OPTIONAL),
    others={
        "checkpoint_version": "it is a checkpoint of a training that may go on, and no model: "
        "fit(X, y, resume=path) goes on with it",
        "bag_version": "it is a checkpoint of a bag: sigmax.bag(X, y, resume=path) goes on with it",
    },
)


class ModelFile(NamedTuple):
    """What a model file holds: the model, and the names and the kind of its classes, if any."""

    model: Model
    class_names: tuple[str, ...] | None
    class_kind: str | None


def save(
    path: archive.Path,
    model: Model,
    class_names: Iterable[str] | None = None,
    class_kind: str | None = None,
) -> None:
    """Write a model file; see `sigmax.files.save`.

    Examples
    --------
    >>> save("irises.npz", model, ["setosa", "versicolor", "virginica"], "str")
    """
    arrays = model_arrays(model)
    if class_names is not None:
        names = _checked_names(class_names, model.layout.n_out)
        arrays["class_names"] = archive.as_text(names)
        if class_kind is not None:
            _require_kind(names, class_kind)
            arrays["class_kind"] = archive.as_text(class_kind)
    archive.write(path, versioned("format_version", arrays))


def load(path: archive.Path) -> ModelFile:
    """Read a model file that `save` wrote; see `sigmax.files.load`.

    Examples
    --------
    >>> load("irises.npz").class_names
    ('setosa', 'versicolor', 'virginica')
    """
    arrays = archive.read(path, _FORM)
    try:
        model = as_model(arrays)
        return ModelFile(model, *_classes(arrays, model.layout.n_out))
    except FileFormatError as error:
        raise FileFormatError(f"{os.fsdecode(path)}: {error}") from error.__cause__


def versioned(name: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return arrays with the version that they need, and in version 2 the list of required ones.

    Version 1 is written wherever it is enough, since every release reads it. name is that of the
    array with the version.

    Examples
    --------
    >>> versioned("format_version", model_arrays(model))["format_version"]
    array(1)
    """
    if not _OF_VERSION_2 & set(arrays):
        return {name: np.asarray(1, "<i8"), **arrays}
    required = [array for array in arrays if array in _CHANGE_ANSWERS]
    return {
        name: np.asarray(2, "<i8"),
        archive.REQUIRED_FIELDS: archive.as_json(required),
        **arrays,
    }


def model_arrays(model: Model) -> dict[str, Any]:
    """Return all of a model as arrays; `as_model` does the reverse.

    Raises ValueError when a parameter is not finite.

    Examples
    --------
    >>> model_arrays(Model.initialized([2, 2], "float32", 0, "lecun"))["sizes"]
    array([2, 2])
    """
    state = model.to_dict()
    arrays = {
        "sizes": np.asarray(state["sizes"], "<i8"),
        "dtype": archive.as_text(state["dtype"]),
        "parameters": np.asarray(state["parameters"]),
        "seed": np.asarray(state["seed"], "<u8"),
        "epochs_trained": np.asarray(state["epochs_trained"], "<u8"),
    }
    if state["temperature"] != 1.0:
        arrays["temperature"] = np.asarray(state["temperature"], "<f8")
    if "column_names" in state:
        names: Any = state["column_names"]
        arrays["column_names"] = archive.as_json(names)
    preparation: Any = state["preparation"] or (None,) * len(_PREPARATION)
    for part, values in zip(_PREPARATION, preparation, strict=True):
        if values is not None:
            arrays[f"preparation_{part}"] = np.asarray(values, "<f8")
    return arrays


def as_model(arrays: Mapping[str, Array]) -> Model:
    """Return the model that `model_arrays` described, after checking all of it.

    Raises FileFormatError, naming what is wrong, its value and what was expected.

    Examples
    --------
    >>> as_model(model_arrays(model)).layout.sizes
    (2, 2)
    """
    sizes = archive.vector(arrays, "sizes", "<i8")
    dtype = archive.texts(arrays["dtype"], "dtype", ())[0]
    if dtype not in _LITTLE_ENDIAN:
        raise FileFormatError(f"dtype is {dtype!r}; expected 'float32' or 'float64'")
    state: dict[str, object] = {
        "sizes": sizes.tolist(),
        "dtype": dtype,
        "parameters": archive.vector(arrays, "parameters", _LITTLE_ENDIAN[dtype]),
        "seed": archive.scalar(arrays, "seed", "<u8"),
        "epochs_trained": archive.scalar(arrays, "epochs_trained", "<u8"),
    }
    if "temperature" in arrays:
        state["temperature"] = archive.scalar(arrays, "temperature", "<f8")
    if "column_names" in arrays:
        state["column_names"] = archive.from_json(arrays, "column_names", list)
    names = [f"preparation_{part}" for part in _PREPARATION]
    if any(name in arrays for name in names):
        state["preparation"] = tuple(
            archive.vector(arrays, name, "<f8") if name in arrays else None for name in names
        )
    try:
        return Model.from_dict(state)
    except InstructionSetError:  # not the file's fault
        raise
    except (TypeError, ValueError) as error:
        raise FileFormatError(str(error)) from error


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
    """Return the names of the classes and the type of their labels."""
    kind = (
        archive.texts(arrays["class_kind"], "class_kind", ())[0] if "class_kind" in arrays else None
    )
    if "class_names" not in arrays:
        if kind is not None:
            raise FileFormatError("class_kind is present, but class_names is missing")
        return None, None
    names = archive.texts(arrays["class_names"], "class_names", (n_classes,))
    try:
        checked = tuple(_checked_names(names, n_classes))
        if kind is not None:
            _require_kind(checked, kind)
    except ValueError as error:
        raise FileFormatError(str(error)) from error
    return checked, kind
