"""What a resumed run must have: the same network, the same data, and the options it began with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from sigmax._data.rows import Index, block_rows
from sigmax._training.option_rules import require_used
from sigmax._training.options import OPTIONS, FitOptions, checked
from sigmax.errors import OptionValueError

if TYPE_CHECKING:
    from sigmax._data.examples import Examples
    from sigmax._model.model import Model
    from sigmax._training.checkpoint_file import Checkpoint
    from sigmax._training.training_data import TrainingData
    from sigmax._training.training_state import TrainingState

_MARKED_WHOLE = 1 << 30  # bytes of X that a checksum covers: a second
_MARKED_ROWS = 64  # of a larger one
_MARKED_BYTES = 1 << 20


def require_same_network(checkpoint: Checkpoint, model: Model) -> None:
    """Raise ValueError for a network of other sizes or dtype; its seed may differ.

    Examples
    --------
    >>> require_same_network(load("run.npz"), model)
    ValueError: run.npz is of a network [4, 8, 2] of float32; this one is [4, 9, 2] of float32
    """
    stored, own = checkpoint.model.layout, model.layout
    if (stored.sizes, stored.dtype) != (own.sizes, own.dtype):
        raise ValueError(
            f"{checkpoint.path} is of a network {list(stored.sizes)} of {stored.dtype}; "
            f"this one is {list(own.sizes)} of {own.dtype}"
        )


def data_marks(data: TrainingData) -> dict[str, int]:
    """Return checksums of the data, by which a resumed run recognises them.

    They cover targets, weights and X as C gets them (of an X beyond 1 GiB, some rows), so an array,
    a sparse matrix and a mapped file with the same values have the same. A stream has none.

    Examples
    --------
    >>> data_marks(assemble(model, X, y, FitOptions()))
    {'training': 2767411932}
    """
    marks = {}
    known = {"training": data.training.examples, "validation": data.validation}
    for name, examples in known.items():
        if examples is not None:
            marks[name] = _mark(examples)
    return marks


def _mark(examples: Examples) -> int:
    mark = 0
    for array in (examples.labels, examples.targets, examples.weights):
        if array is not None:
            mark = crc32(np.ascontiguousarray(array).data, mark)
    rows = examples.rows
    row_bytes = rows.width * rows.dtype.itemsize
    chosen: Iterable[Index]
    if len(rows) * row_bytes <= _MARKED_WHOLE:
        step = block_rows(rows.width, rows.dtype)
        chosen = (slice(i, min(i + step, len(rows))) for i in range(0, len(rows), step))
    else:
        n_looked_at = max(1, min(_MARKED_ROWS, _MARKED_BYTES // row_bytes))
        chosen = [np.linspace(0, len(rows) - 1, n_looked_at).astype(np.intp)]
    for index in chosen:
        mark = crc32(np.ascontiguousarray(rows.block(index)).data, mark)
    return mark


def take_over(
    checkpoint: Checkpoint, state: TrainingState, model: Model, data: TrainingData
) -> None:
    """Put the model of a checkpoint into another one, whose arrays stay where they are.

    Parameters
    ----------
    checkpoint : Checkpoint
    state : TrainingState
        What `resumed_state` made of its state: the last parameters are put back where it goes on.
    model : Model
        One that `require_same_network` accepts.
    data : TrainingData
        The data of the resumed run.

    Raises
    ------
    ValueError
        When the data are not those of the checkpoint; nothing is changed then.

    Examples
    --------
    >>> checkpoint = load("run.npz")
    >>> take_over(checkpoint, checkpoint.state, model, assemble(model, X, y, FitOptions()))
    """
    stored, path = checkpoint.model, checkpoint.path
    expected = "expected the same, as a resumed training goes on with the same data"
    n_rows, n_stored = data.source.n_rows, checkpoint.state.n_rows
    if None not in (n_rows, n_stored) and n_rows != n_stored:
        raise ValueError(f"X has {n_rows} rows to train on, {path} has {n_stored}; {expected}")
    marks = data_marks(data)
    for name, arguments in (("training", "X, y or weights"), ("validation", "validation data")):
        now, then = marks.get(name), checkpoint.state.marks.get(name)
        if now is not None and then is not None and now != then:
            raise ValueError(f"{arguments} are not those of {path}; {expected}")
        if (now is None) != (then is None) and name == "validation":
            given, kept = ("given", "none") if then is None else ("missing", "some")
            raise ValueError(f"{arguments} are {given}, but {path} has {kept}; {expected}")
        if (now is None) != (then is None):
            given, kept = ("an array", "a stream") if then is None else ("a stream", "an array")
            raise ValueError(f"X is {given}, but {path} was made with {kept}; {expected}")
    last = None if state.finished else checkpoint.state.last
    model.arena[:] = stored.arena if last is None else last
    model.seed, model.epochs_trained = stored.seed, stored.epochs_trained
    model.preparation, model.temperature = stored.preparation, stored.temperature
    model.column_names = stored.column_names


def resumed_options(checkpoint: Checkpoint, given: Mapping[str, Any]) -> FitOptions:
    """Return the options of a resumed run: the stored ones, and those that are passed again.

    `epochs` may differ, where the epochs that are done would have been the same.

    Parameters
    ----------
    checkpoint : Checkpoint
    given : mapping of str to object
        Only the options that the caller gave.

    Raises
    ------
    TypeError, ValueError
        When one of them is wrong or differs from the stored one, or a function is missing.

    Examples
    --------
    >>> resumed_options(load("run.checkpoint"), {"epochs": 31}).epochs
    31
    >>> resumed_options(load("run.checkpoint"), {"batch_size": 5})
    sigmax.errors.OptionValueError: batch_size is 5, but run.checkpoint has 10; expected 10: ...
    """
    plain = checked(given)  # each by itself; together with the stored ones, see FitOptions below
    for name in given:
        if name in checkpoint.functions:
            if not (callable(plain[name]) or (name == "callbacks" and plain[name])):
                because = (f", but {checkpoint.path} was made with a function",)
                raise OptionValueError(name, given[name], "that function", because)
        elif name == "epochs":
            _require_possible_epochs(checkpoint, plain[name])
        elif OPTIONS[name].metadata["resume"] == "same" and plain[name] != checkpoint.options[name]:
            stored = checkpoint.options[name]
            expected = f"{stored!r}: a resumed training goes on as it began"
            because = (f", but {checkpoint.path} has {stored!r}",)
            raise OptionValueError(name, given[name], expected, because)
    for name in sorted(checkpoint.functions - set(given)):
        raise ValueError(
            f"{name} is missing: {checkpoint.path} was made with a function, which a file does not "
            "keep; expected it again"
        )
    fresh = {
        name: plain[name]
        for name in given
        if name in checkpoint.functions
        or name == "epochs"
        or OPTIONS[name].metadata["resume"] != "same"
    }
    if fresh.get("checkpoint") is None:
        fresh["checkpoint"] = checkpoint.path
    options = FitOptions(**{**checkpoint.options, **fresh})
    require_used(given, vars(options))
    return options


def _require_possible_epochs(checkpoint: Checkpoint, epochs: int) -> None:
    """Raise OptionValueError for epochs that would have made those that are done other ones."""
    path, state, stored = checkpoint.path, checkpoint.state, checkpoint.options["epochs"]
    if epochs == stored:
        return
    if checkpoint.options.get("schedule") == "cosine":
        because = (
            f", but {path} has {stored}, and by its schedule 'cosine' every learning rate depends "
            "on the number of epochs",
        )
        expected = f"{stored}, and afterwards a second training of the network that this gives"
        raise OptionValueError("epochs", epochs, expected, because)
    partly = state.position > 0
    if epochs < state.epoch + partly:
        more = f" and a part of epoch {state.epoch + 1}" if partly else ""
        because = (f", but {path} has done {state.epoch}{more}",)
        raise OptionValueError("epochs", epochs, f"at least {state.epoch + partly}", because)


def resumed_state(checkpoint: Checkpoint, options: FitOptions) -> TrainingState:
    """Return where a resumed run begins.

    A finished training goes on when `epochs` is larger than it was, unless early stopping or
    L-BFGS itself ended it, which with more epochs would have ended it, too.

    Parameters
    ----------
    checkpoint : Checkpoint
    options : FitOptions
        What `resumed_options` returned.

    Raises
    ------
    ValueError
        When the parameters from which to go on are not in the file.

    Examples
    --------
    >>> checkpoint = load("run.checkpoint")
    >>> options = resumed_options(checkpoint, {"epochs": 40})
    >>> checkpoint.state.finished, resumed_state(checkpoint, options).finished
    (True, False)
    """
    state, history = checkpoint.state, checkpoint.state.history
    if not state.finished:
        return replace(state, last=None)
    if options.epochs <= checkpoint.options["epochs"] or history.stopped not in (None, "callback"):
        return state
    if state.best is not None and state.last is None and history.best_epoch != state.epoch - 1:
        raise ValueError(
            f"epochs is {options.epochs}, but {checkpoint.path} has only the best parameters, from "
            "which its training cannot go on; expected a checkpoint of this release, or "
            f"{checkpoint.options['epochs']} epochs"
        )
    history = replace(history.first(state.epoch), best_epoch=None, stopped=None)
    return replace(state, history=history, last=None, finished=False)
