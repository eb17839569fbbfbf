"""What the subcommands of `sigmax` do; each takes the parsed arguments and prints or writes."""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from . import data, files
from . import demo as demonstration
from ._report import Terminal, confusion_counts, confusion_text, file_size, percent
from .network import Network
from .options import FitOptions

# Sigmoids saturate where |W x + b| is large, and with it the gradient vanishes.
_LARGE_VALUE = 10.0


class UserError(Exception):
    """A mistake in what the user asked for; its text is one line."""


def demo(arguments: argparse.Namespace) -> None:
    """Run `sigmax demo`."""
    if arguments.plot is not None:
        _check_output(arguments.plot)
    demonstration.run(seed=arguments.seed, epochs=arguments.epochs, plot=arguments.plot)


def train(arguments: argparse.Namespace) -> None:
    """Run `sigmax train`: read, split, fit, report, save.

    Training with `--divide c` sees x/c. Afterwards c goes into the first layer, since
    W (x/c) + b = (W/c) x + b: the model takes the data as they are in the file, and no later use
    has to know c. The figures printed are those of that final network on undivided data.
    """
    options = _fit_options(arguments)
    given = [arguments.data, arguments.labels, arguments.validation, arguments.validation_labels]
    _check_output(arguments.output, *given)
    if arguments.validation_labels and not arguments.validation:
        raise UserError("--validation-labels without --validation: which data do they belong to?")
    say = _say_nothing if arguments.quiet else print

    dataset = _read(arguments, arguments.data, arguments.labels)
    assert dataset.labels is not None  # read() has seen to it
    y, class_names = _learn_targets(dataset.labels, arguments.labels or arguments.data)
    n_classes = y.shape[1] if y.ndim == 2 else int(y.max()) + 1
    sizes = [dataset.X.shape[1], *arguments.hidden, n_classes]
    names = _class_names(class_names, n_classes)
    say(f"{arguments.data}: {dataset.found}: {_described(dataset.X, names)}")
    X = dataset.X
    X_val, y_val = None, None
    if arguments.validation_fraction is not None:
        held_out = data.held_out_rows(_classes(y), arguments.validation_fraction, arguments.seed)
        X_val, y_val, X, y = X[held_out], y[held_out], X[~held_out], y[~held_out]
        say(f"held out for validation: {len(X_val)} of them")
    else:
        source = arguments.validation
        if source is None and data.has_test_part(arguments.data):
            source = arguments.data
        if source is not None:
            validation = _read(
                arguments, source, arguments.validation_labels, part="test", n_features=sizes[0]
            )
            assert validation.labels is not None
            X_val, y_val = validation.X, _targets(validation.labels, names, source)
            say(f"{source}: {validation.found}: {len(X_val)} rows for validation")
    if arguments.divide is None and not arguments.quiet:
        _hint_at_range(X)

    network = Network(sizes, dtype=arguments.dtype, seed=arguments.seed, init=arguments.init)
    say(f"network {_shape(network)}: {network.n_parameters} parameters, {network.dtype}")
    started = time.perf_counter()
    network.fit(
        _divided(X, network.dtype, arguments.divide),
        y,
        X_val=None if X_val is None else _divided(X_val, network.dtype, arguments.divide),
        y_val=y_val,
        **dataclasses.asdict(options),
    )
    seconds = time.perf_counter() - started
    if arguments.divide is not None:
        _put_into_first_layer(network, arguments.divide)
        say(f"the division by {arguments.divide:g} is now part of the first layer's weights")
    files.save(arguments.output, network, class_names=class_names)

    say(f"\n{options.epochs} epochs in {seconds:.3g} s")
    say("                cost  accuracy")
    say(f"training    {_figures(network, X, y)}")
    if X_val is not None:
        say(f"validation  {_figures(network, X_val, y_val)}")
    say(f"\nmodel: {arguments.output} ({file_size(os.path.getsize(arguments.output))})")


def predict(arguments: argparse.Namespace) -> None:
    """Run `sigmax predict`: a row of csv for every row of data, under a header."""
    if arguments.output is not None:
        _check_output(arguments.output, arguments.model, arguments.data)
    stored = files.load(arguments.model)
    network = stored.network
    dataset = _read(
        arguments,
        arguments.data,
        None,
        part="test",
        dtype=str(network.dtype),
        n_features=network.sizes[0],
        labelled=False,
    )
    names = _class_names(stored.class_names, network.sizes[-1])
    if not arguments.proba:
        chosen = network.predict(dataset.X).tolist()
        rows: Iterator[Sequence[str]] = ((names[label],) for label in chosen)
        header = ["label"]
    else:
        probabilities = network.predict_proba(dataset.X)
        rows = _with_probabilities(probabilities, names)
        header = ["label", *(f"p_{name}" for name in names)]
    with _output(arguments.output) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def evaluate(arguments: argparse.Namespace) -> None:
    """Run `sigmax evaluate`: cost, accuracy and the confusion matrix on labelled data."""
    stored = files.load(arguments.model)
    network = stored.network
    dataset = _read(
        arguments,
        arguments.data,
        arguments.labels,
        part="test",
        dtype=str(network.dtype),
        n_features=network.sizes[0],
    )
    assert dataset.labels is not None
    names = _class_names(stored.class_names, network.sizes[-1])
    y = _targets(dataset.labels, names, arguments.labels or arguments.data)
    predicted = network.predict(dataset.X)
    truth = _classes(y)
    n_right = int((predicted == truth).sum())
    print(f"{arguments.data}: {dataset.found}: {len(y)} rows")
    print(f"cost {network.cost(dataset.X, y):.4f} nats")
    print(f"accuracy {percent(n_right / len(y))} ({n_right} of {len(y)})\n")
    counts = confusion_counts(truth, predicted, len(names))
    print(confusion_text(counts, names, Terminal.of(sys.stdout)))


def info(arguments: argparse.Namespace) -> None:
    """Run `sigmax info`: what a model file holds."""
    stored = files.load(arguments.model)
    network = stored.network
    print(arguments.model)
    print(f"  sizes       {_shape(network)}")
    print(f"  parameters  {network.n_parameters}")
    print(f"  dtype       {network.dtype}")
    print(f"  classes     {', '.join(_class_names(stored.class_names, network.sizes[-1]))}")
    print(f"  trained     {network.epochs_trained} epochs")
    print(f"  file size   {file_size(os.path.getsize(arguments.model))}")


def _fit_options(arguments: argparse.Namespace) -> FitOptions:
    """Collect the options of fit, which checks them; the bar is for a terminal only."""
    names = {field.name for field in dataclasses.fields(FitOptions)}
    given = {name: value for name, value in vars(arguments).items() if name in names}
    given["progress"] = sys.stderr.isatty() and not arguments.quiet
    return FitOptions(**given)


def _read(
    arguments: argparse.Namespace, path: str, labels_path: str | None, **wanted: Any
) -> data.Dataset:
    """Read a file by the options that all commands share."""
    options = data.CsvOptions(arguments.label_column, arguments.header, arguments.delimiter)
    wanted.setdefault("dtype", getattr(arguments, "dtype", None))
    return data.read(path, labels_path, csv=options, **wanted)


def _learn_targets(
    labels: NDArray[Any], source: str
) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    """Return what fit takes, and the names of the classes where they have any."""
    if labels.ndim == 2:
        return labels, None
    try:
        return data.learn_classes(labels)
    except ValueError as error:
        raise UserError(f"{source}: {error}") from None


def _targets(labels: NDArray[Any], names: Sequence[str], source: str) -> NDArray[Any]:
    """Return what the network takes for labels of a file, by the classes it has learnt."""
    if labels.ndim == 2:
        return labels
    try:
        return data.number_labels(labels, tuple(names))
    except ValueError as error:
        raise UserError(f"{source}: {error}") from None


def _classes(y: NDArray[Any]) -> NDArray[np.int64]:
    """Return class numbers (n,) of labels or of rows of probabilities."""
    return y.argmax(axis=1) if y.ndim == 2 else y


def _class_names(names: tuple[str, ...] | None, n_classes: int) -> tuple[str, ...]:
    return tuple(str(i) for i in range(n_classes)) if names is None else names


def _divided(X: NDArray[Any], dtype: np.dtype[Any], divisor: float | None) -> NDArray[Any]:
    """Return x/c in the network's dtype, or X itself."""
    if divisor is None:
        return X
    with np.errstate(over="ignore"):  # fit refuses infinity and names its row
        quotient: NDArray[Any] = np.divide(X, divisor, dtype=dtype, casting="unsafe")
    return quotient


def _put_into_first_layer(network: Network, divisor: float) -> None:
    """Make W/c of W, so that the network takes x where it took x/c."""
    with np.errstate(over="ignore"):
        network.weights[0][...] /= divisor
    if not np.isfinite(network.weights[0]).all():
        raise UserError(f"--divide {divisor:g}: too small for weights of {network.dtype}")


def _figures(network: Network, X: NDArray[Any], y: Any) -> str:
    cost = network.cost(X, y)
    return f"{cost:{'8.4f' if cost < 1e6 else '8.2g'}}  {percent(network.accuracy(X, y)):>8}"


def _shape(network: Network) -> str:
    return "-".join(map(str, network.sizes))


def _described(X: NDArray[Any], names: Sequence[str]) -> str:
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return f"{len(X)} rows of {X.shape[1]} features, {len(names)} classes ({shown})"


def _hint_at_range(X: NDArray[Any]) -> None:
    """Suggest --divide where the values are too large for sigmoids to learn from."""
    largest = max(abs(float(X.max())), abs(float(X.min())))
    if largest > _LARGE_VALUE:
        print(
            f"sigmax: hint: the features go up to {largest:g}; sigmoids learn best from values "
            f"around 0 to 1: consider --divide {largest:g}, or scale each column beforehand",
            file=sys.stderr,
        )


def _with_probabilities(probabilities: NDArray[Any], names: Sequence[str]) -> Iterator[list[str]]:
    """Yield label and probabilities, with the digits that tell any two numbers apart."""
    digits = 9 if probabilities.dtype.itemsize == 4 else 17
    chosen = probabilities.argmax(axis=1).tolist()
    for label, row in zip(chosen, probabilities.tolist(), strict=True):
        yield [names[label], *(f"{p:.{digits}g}" for p in row)]


def _check_output(path: str, *inputs: str | None) -> None:
    """Refuse before the work what could not be written, or would overwrite what is read."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise UserError(f"{path}: cannot be written: there is no folder {folder}")
    if os.path.isdir(path):
        raise UserError(f"{path}: cannot be written: it is a folder")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise UserError(f"{path}: cannot be written: permission denied")
    present = [given for given in inputs if given and os.path.exists(given)]
    for given in present:
        if os.path.exists(path) and os.path.samefile(given, path):
            raise UserError(f"{path}: would be overwritten, but it is also read")


@contextlib.contextmanager
def _output(path: str | None) -> Iterator[TextIO]:
    """Open stdout, or a file that takes its name only when it is whole."""
    if path is None:
        yield sys.stdout
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


def _say_nothing(*_: object) -> None:
    """Print nothing."""
