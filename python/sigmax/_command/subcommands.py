"""The subcommands of `sigmax` except train; each takes the parsed arguments."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from sigmax import files
from sigmax._command import demo as demonstration
from sigmax._command.report import Terminal, confusion_counts, confusion_text, file_size, percent
from sigmax._command.shared import (
    check_output,
    class_names,
    classes,
    output,
    read_for,
    targets,
    write_rows,
)
from sigmax._model.model import Model
from sigmax._training import checkpoint_file
from sigmax._training.options import DEFAULTS
from sigmax.errors import FileFormatError


def demo(arguments: argparse.Namespace) -> None:
    """Run `sigmax demo`."""
    if arguments.plot is not None:
        check_output(arguments.plot)
    demonstration.run(seed=arguments.seed, epochs=arguments.epochs, plot=arguments.plot)


def predict(arguments: argparse.Namespace) -> None:
    """Run `sigmax predict`: a row of csv for every row of data, under a header."""
    if arguments.output is not None:
        check_output(arguments.output, arguments.model, arguments.data)
    stored = files.load(arguments.model)
    network = stored.network
    dataset = read_for(stored, arguments, arguments.data, labelled=False)
    X = dataset.X
    names = class_names(stored.class_names, network.sizes[-1])
    if not arguments.proba:
        chosen = network.predict(X).tolist()
        rows: Iterator[Sequence[str]] = ((names[label],) for label in chosen)
        header = ["label"]
    else:
        rows = _with_probabilities(network.predict_proba(X), names)
        header = ["label", *(f"p_{name}" for name in names)]
    with output(arguments.output, sys.stdout) as file:
        write_rows(file, header, rows)
    print(f"{arguments.data}: {dataset.found}: {len(X)} rows", file=sys.stderr)


def evaluate(arguments: argparse.Namespace) -> None:
    """Run `sigmax evaluate`: cost, accuracy and the confusion matrix on labelled data."""
    stored = files.load(arguments.model)
    network = stored.network
    dataset = read_for(stored, arguments, arguments.data, arguments.labels)
    assert dataset.labels is not None
    names = class_names(stored.class_names, network.sizes[-1])
    y = targets(dataset.labels, names, arguments.labels or arguments.data)
    predicted = network.predict(dataset.X)
    truth = classes(y)
    n_right = int((predicted == truth).sum())
    print(f"{arguments.data}: {dataset.found}: {len(y)} rows")
    print(f"cost {network.cost(dataset.X, y):.4f} nats")
    print(f"accuracy {percent(n_right / len(y))} ({n_right} of {len(y)})\n")
    counts = confusion_counts(truth, predicted, len(names))
    print(confusion_text(counts, names, Terminal.of(sys.stdout)))


def info(arguments: argparse.Namespace) -> None:
    """Run `sigmax info`: print the contents of a model file or a checkpoint."""
    try:
        stored = files.load(arguments.model)
    except FileFormatError as error:
        try:
            checkpoint = checkpoint_file.load(arguments.model)
        except FileFormatError:
            raise error from None
        _print_checkpoint(checkpoint)
        return
    print(arguments.model)
    network = stored.network
    _print_model(network._model)
    names = ", ".join(class_names(stored.class_names, network.sizes[-1]))
    _print_line("classes", names)
    _print_line("file size", file_size(os.path.getsize(arguments.model)))


def _print_checkpoint(checkpoint: checkpoint_file.Checkpoint) -> None:
    state, options = checkpoint.state, checkpoint.options
    print(f"{checkpoint.path}: a checkpoint")
    _print_model(checkpoint.model)
    if state.finished:
        ended = f", by {state.history.stopped.replace('_', ' ')}" if state.history.stopped else ""
        best = state.history.best_epoch
        ended += "" if best is None else f", with the parameters after epoch {best + 1}"
        _print_line("training", f"over after {state.history.epochs} epochs{ended}")
    else:
        rows = f"{state.position} of {state.n_rows or '?'} rows of " if state.position else ""
        _print_line("training", f"at {rows}epoch {state.epoch + 1} of {options['epochs']}")
    changed = {
        name: value
        for name, value in options.items()
        if value != DEFAULTS[name] and name != "epochs"
    }
    changed |= dict.fromkeys(sorted(checkpoint.functions), "a function")
    _print_line("options", ", ".join(f"{k}={v}" for k, v in changed.items()) or "the defaults")
    last = ", ".join(f"{name} {value}" for name, value in state.history.last().items())
    _print_line("last epoch", last or "none is complete")
    _print_line("file size", file_size(os.path.getsize(checkpoint.path)))


def _print_model(model: Model) -> None:
    layout = model.layout
    _print_line("sizes", "-".join(map(str, layout.sizes)))
    _print_line("parameters", str(layout.n_parameters))
    _print_line("dtype", str(layout.dtype))
    if model.column_names is not None:
        _print_line("columns", _shortened(model.column_names))
    _print_line("trained", f"{model.epochs_trained} epochs")
    preparation = model.preparation
    if preparation is not None:
        steps = []
        if preparation.fill is not None:
            steps.append("missing values filled in by the means of the training data")
        if preparation.mean is not None:
            shifted = "shifted and scaled" if preparation.mean.any() else "scaled"
            steps.append(f"columns {shifted}")
        _print_line("preparation", ", ".join(steps))
    if model.temperature != 1.0:
        _print_line("temperature", f"{model.temperature:.6g} (calibrated)")


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")


def _print_line(what: str, text: str) -> None:
    print(f"  {what:<11} {text}")


def _with_probabilities(probabilities: NDArray[Any], names: Sequence[str]) -> Iterator[list[str]]:
    """Yield label and probabilities, with digits enough to distinguish any two numbers."""
    digits = 9 if probabilities.dtype.itemsize == 4 else 17
    chosen = probabilities.argmax(axis=1).tolist()
    for label, row in zip(chosen, probabilities.tolist(), strict=True):
        yield [names[label], *(f"{p:.{digits}g}" for p in row)]
