"""`sigmax train`: from a data file to a model file, or on from a checkpoint."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sigmax import archive, checkpoints, data, files
from sigmax._command.report import file_size, percent
from sigmax._command.shared import (
    UserError,
    check_output,
    class_names,
    learn_targets,
    read,
    targets,
)
from sigmax._errors import TrainingWarning
from sigmax._examples import Examples
from sigmax.history import History
from sigmax.network import Network
from sigmax.options import OPTION_NAMES, chosen
from sigmax.scoring import score
from sigmax.splitting import held_out

NETWORK_DEFAULTS: Mapping[str, Any] = {
    "hidden": (30,),
    "dtype": "float32",
    "init": "lecun",
    "seed": 0,
}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a training whose checkpoint is there; the text is the command that goes on."""


class _Data(NamedTuple):
    """What a file gives: X, what fit takes as y, and weights of the rows if any."""

    X: NDArray[Any]
    y: NDArray[Any]
    weights: NDArray[Any] | None = None


def train(arguments: argparse.Namespace) -> None:
    """Run `sigmax train`: read, fit, report, save.

    Training with `--divide c` sees x/c. Afterwards c goes into the first layer, since
    W (x/c) + b = (W/c) x + b: the model takes the data as they are in the file, and no later use
    has to know c. The figures printed are those of that final network on undivided data.
    """
    say = _say_nothing if arguments.quiet else print
    given = {name: value for name, value in vars(arguments).items() if name in OPTION_NAMES}
    _check_arguments(arguments, given)
    resumed = None if arguments.resume is None else checkpoints.load(arguments.resume)

    def option(name: str) -> Any:
        """Return an option in use: as given, as stored, or its default."""
        stored = {} if resumed is None else resumed.options
        return given.get(name, stored.get(name, checkpoints.default(name)))

    wanted = {"dtype": _dtype(arguments, resumed), "missing": option("nan") == "mean"}
    dataset = read(arguments, arguments.data, arguments.labels, **wanted)
    assert dataset.labels is not None  # read() has seen to it
    y, stored_names = learn_targets(dataset.labels, arguments.labels or arguments.data)
    n_classes = y.shape[1] if y.ndim == 2 else int(y.max()) + 1
    names = class_names(stored_names, n_classes)
    say(f"{arguments.data}: {dataset.found}: {_described(dataset.X, names)}")
    if "class_weight" in given:
        given["class_weight"] = _class_weight(given["class_weight"], names)
    training = _Data(dataset.X, y, dataset.weights)
    validation, is_validation = _second_data(
        arguments, names, option, say, n_features=training.X.shape[1], **wanted
    )
    divide = _divisor(arguments, option)

    network = _network(arguments, training.X.shape[1], n_classes, resumed)
    say(f"network {_shape(network)}: {network.n_parameters} parameters, {network.dtype}")
    if resumed is not None and resumed.state.finished:
        say(f"{resumed.path}: this training is over already")
    elif resumed is not None:
        say(f"going on from {resumed.path}, in epoch {resumed.state.epoch + 1}")
    checkpoint = given.get("checkpoint", arguments.resume)
    started = time.perf_counter()
    with _going_on(arguments, checkpoint):
        history = _fit(
            network, training, validation if is_validation else None, divide, given, arguments
        )
        seconds = time.perf_counter() - started
        fitted_on = network._open(training.X, training.y)
        if option("validation_fraction"):
            rows, held = held_out(fitted_on, option("validation_fraction"), network.seed)
            fitted_on, is_validation = fitted_on.take(rows), True
            validation = _Data(training.X[held], training.y[held])
            say(f"held out for validation: {len(held)} of the rows")
        if divide is not None:
            _put_into_first_layer(network, divide)
            say(f"the division by {divide:g} is now part of the first layer's weights")
        if arguments.calibrate:
            assert validation is not None
            _calibrate(network, validation, say)
        files.save(arguments.output, network, class_names=stored_names)

    say(f"\n{history.epochs} epochs in {seconds:.3g} s")
    say("                cost  accuracy")
    cost, figures = _measured(network, fitted_on)
    say(f"training    {figures}")
    if validation is not None:
        what = "validation" if is_validation else "test"
        say(f"{what:<10}  {_measured(network, network._open(validation.X, validation.y))[1]}")
    _warn_if_useless(cost, y=training.y, n_classes=n_classes)
    say(f"\nmodel: {arguments.output} ({file_size(os.path.getsize(arguments.output))})")


def _fit(
    network: Network,
    training: _Data,
    validation: _Data | None,
    divide: float | None,
    given: dict[str, Any],
    arguments: argparse.Namespace,
) -> History:
    return network.fit(
        _quotient(training.X, network.dtype, divide),
        training.y,
        X_val=None if validation is None else _quotient(validation.X, network.dtype, divide),
        y_val=None if validation is None else validation.y,
        sample_weight=training.weights,
        sample_weight_val=None if validation is None else validation.weights,
        resume=arguments.resume,
        progress=sys.stderr.isatty() and not arguments.quiet,
        **given,
    )


@contextlib.contextmanager
def _going_on(arguments: argparse.Namespace, checkpoint: str | None) -> Iterator[None]:
    """Let Ctrl-C say how to go on, where there is a checkpoint of this training."""
    before = _changed_at(checkpoint)
    try:
        yield
    except KeyboardInterrupt:
        there = checkpoint == arguments.resume or _changed_at(checkpoint) != before
        if checkpoint is None or not there:
            raise
        raise Interrupted(_command_that_goes_on(arguments.command_line, checkpoint)) from None


def _command_that_goes_on(command_line: Sequence[str], checkpoint: str) -> str:
    """Return the command that goes on from a checkpoint: the same one, but for where it begins."""
    kept, skip = [], False
    for word in command_line:
        if skip:
            skip = False
        elif word in ("--resume", "--checkpoint"):
            skip = True
        elif not word.startswith(("--resume=", "--checkpoint=")):
            kept.append(word)
    return shlex.join(["sigmax", *kept, "--resume", checkpoint])


def _changed_at(path: str | None) -> int | None:
    try:
        return None if path is None else os.stat(path).st_mtime_ns
    except OSError:
        return None


# ---- before the training -------------------------------------------------------------------------


def _check_arguments(arguments: argparse.Namespace, given: Mapping[str, Any]) -> None:
    """Refuse what makes no sense together, and what could not be written in the end."""
    if arguments.resume is None:  # class_weight takes the names of the classes
        chosen({k: v for k, v in given.items() if k != "class_weight"}, "train", OPTION_NAMES)
    elif arguments.init is not None:
        raise UserError("--init with --resume: the weights are those of the checkpoint")
    inputs = [arguments.data, arguments.labels, arguments.validation, arguments.validation_labels]
    check_output(arguments.output, *inputs, arguments.resume)
    archive.require_writable(arguments.output)
    checkpoint = given.get("checkpoint")
    if checkpoint is not None:
        check_output(checkpoint, *inputs)
        if os.path.realpath(checkpoint) == os.path.realpath(arguments.output):
            raise UserError(f"{checkpoint}: model and checkpoint cannot be the same file")
    if arguments.validation_labels and not arguments.validation:
        raise UserError("--validation-labels without --validation: which data do they belong to?")
    if arguments.validation and given.get("validation_fraction"):
        raise UserError("--validation with --validation-fraction: one of them is expected")
    held_out = arguments.validation or given.get("validation_fraction") or arguments.resume
    for flag, name in (("--calibrate", "calibrate"), ("--early-stopping", "early_stopping")):
        if not held_out and (getattr(arguments, name, None) or given.get(name)):
            raise UserError(f"{flag} needs --validation or --validation-fraction")


def _divisor(arguments: argparse.Namespace, option: Callable[[str], Any]) -> float | None:
    for flag, other in (("--standardize", option("standardize")), ("--nan mean", option("nan"))):
        if arguments.divide is not None and other in (True, "mean"):
            raise UserError(
                f"--divide with {flag}: one of them is expected (--standardize scales every column)"
            )
    return None if arguments.divide is None else float(arguments.divide)


def _dtype(arguments: argparse.Namespace, resumed: checkpoints.Checkpoint | None) -> str:
    if arguments.dtype is None and resumed is not None:
        return resumed.network.dtype.name
    return str(arguments.dtype or NETWORK_DEFAULTS["dtype"])


def _second_data(
    arguments: argparse.Namespace,
    names: Sequence[str],
    option: Callable[[str], Any],
    say: Callable[[str], None],
    **wanted: Any,
) -> tuple[_Data | None, bool]:
    """Return data to measure on, from a file, and whether training may look at them as well.

    The test part of an .npz file is measured on after the training only.
    """
    source, is_validation = arguments.validation, True
    has_validation = source is not None or option("validation_fraction")
    if arguments.calibrate and not has_validation:  # of a resumed training
        raise UserError("--calibrate needs --validation or --validation-fraction")
    if not has_validation and data.has_test_part(arguments.data):
        source, is_validation = arguments.data, False
    if source is None:
        return None, False
    found = read(arguments, source, arguments.validation_labels, part="test", **wanted)
    assert found.labels is not None
    purpose = "validation" if is_validation else "testing"
    say(f"{source}: {found.found}: {len(found.X)} rows for {purpose}")
    return _Data(found.X, targets(found.labels, names, source), found.weights), is_validation


def _class_weight(text: str, names: Sequence[str]) -> str | dict[int, float]:
    """Return what fit takes for "balanced" or "rose=2,tulip=0.5"."""
    if text == "balanced":
        return text
    weights = {}
    for pair in text.split(","):
        name, separator, number = pair.rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not separator or not weight >= 0:
            raise UserError(f"--class-weight {pair!r}: balanced or CLASS=WEIGHT,... is expected")
        if name not in names:
            known = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
            raise UserError(f"--class-weight: {name!r} is none of the classes: {known}")
        weights[names.index(name)] = weight
    return weights


def _network(
    arguments: argparse.Namespace,
    n_features: int,
    n_classes: int,
    resumed: checkpoints.Checkpoint | None,
) -> Network:
    """Return a new network; that of a checkpoint, where its shape was not asked for."""
    wanted = {
        name: default if getattr(arguments, name) is None else getattr(arguments, name)
        for name, default in NETWORK_DEFAULTS.items()
    }
    wanted["dtype"] = _dtype(arguments, resumed)
    if resumed is not None:
        stored = resumed.network
        if arguments.hidden is None:
            wanted["hidden"] = stored.sizes[1:-1]
        if arguments.seed is not None and arguments.seed != stored.seed:
            raise UserError(f"--seed {arguments.seed}: {resumed.path} has {stored.seed}")
    sizes = [n_features, *wanted["hidden"], n_classes]
    return Network(sizes, dtype=wanted["dtype"], seed=wanted["seed"], init=wanted["init"])


def _described(X: NDArray[Any], names: Sequence[str]) -> str:
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return f"{len(X)} rows of {X.shape[1]} features, {len(names)} classes ({shown})"


# ---- after the training --------------------------------------------------------------------------


def _calibrate(network: Network, validation: _Data, say: Callable[[str], None]) -> None:
    try:
        found = network.calibrate(validation.X, validation.y)
    except ValueError as error:  # every row is right, say: the model is worth keeping as it is
        warnings.warn(f"not calibrated: {error}", TrainingWarning, stacklevel=2)
        return
    say(
        f"temperature {found.temperature:.4g}: expected calibration error "
        f"{found.ece_before:.4f} before, {found.ece_after:.4f} after"
    )


def _quotient(X: NDArray[Any], dtype: np.dtype[Any], divisor: float | None) -> NDArray[Any]:
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


def _measured(network: Network, examples: Examples) -> tuple[float, str]:
    """Return the cost, and cost and accuracy as text."""
    prepared = examples.prepared(network.preparation)
    cost, accuracy = score(network, prepared, network.temperature)
    return cost, f"{cost:{'8.4f' if cost < 1e6 else '8.2g'}}  {percent(accuracy):>8}"


def _warn_if_useless(cost: float, y: NDArray[Any], n_classes: int) -> None:
    """Warn of a model that is worse than one which ignores its input."""
    counts = y.sum(axis=0) if y.ndim == 2 else np.bincount(y, minlength=n_classes)
    shares = counts[counts > 0] / counts.sum()
    guessing = float(-(shares * np.log(shares)).sum())
    if cost > guessing:
        warnings.warn(
            f"this model is worse than guessing: its cost on the training data is {cost:.4g}, and "
            f"always giving the shares of the classes costs {guessing:.4g}; try a smaller "
            "learning_rate, more epochs, standardize=True or optimizer='adam'",
            TrainingWarning,
            stacklevel=2,
        )


def _shape(network: Network) -> str:
    return "-".join(map(str, network.sizes))


def _say_nothing(*_: object) -> None:
    """Print nothing."""
