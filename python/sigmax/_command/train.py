"""`sigmax train`: from a data file, or a checkpoint, to a model file."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sigmax import files
from sigmax._command import several
from sigmax._command.class_names import class_of
from sigmax._command.going_on import fills_missing, going_on, trained_model, where_it_resumes
from sigmax._command.report import file_size, percent
from sigmax._command.shared import (
    UserError,
    check_output,
    class_names,
    learn_targets,
    read,
    targets,
)
from sigmax._data.columns import NamedArray
from sigmax._data.examples import Examples
from sigmax._data.weighting import as_weights
from sigmax._ensemble.bagging import Bagged
from sigmax._formats import archive
from sigmax._formats.dataset import has_test_part
from sigmax._model.calibration import Calibration
from sigmax._model.inference import score
from sigmax._training.checkpoint_file import Checkpoint
from sigmax._training.history import History
from sigmax._training.options import DEFAULTS, OPTION_NAMES, chosen
from sigmax._training.training_data import divide
from sigmax.errors import Change, Mention, Part, TrainingWarning, joined
from sigmax.network import Network

NETWORK_DEFAULTS: Mapping[str, Any] = {
    "hidden": (30,),
    "dtype": "float32",
    "init": "lecun",
    "seed": 0,
}


class _Data(NamedTuple):
    """The contents of a file: X, y for fit, and weights of the rows if any."""

    X: NDArray[Any]
    y: NDArray[Any]
    weights: NDArray[Any] | None = None


@dataclass(frozen=True)
class _Plan:
    """All that is known before the training.

    Attributes
    ----------
    arguments : argparse.Namespace
    given : dict of str to object
        The options of fit that were written down.
    resumed : Checkpoint or None
        What to go on from.
    column_names : tuple of str, or None
        Of all X's, which are in this order.
    network : Network
        A new one, or that of --from.
    training : _Data
    validation : _Data or None
        From a file of its own; training looks at it.
    testing : _Data or None
        The test part of an .npz file; it is measured on after the training only.
    class_names : tuple of str, or None
        The names that the model file keeps.
    class_kind : str or None
        What they name, likewise; known with --from alone.
    divisor : float or None
        Of --divide.
    several : bool
        Train several networks: `network` is to become their fold.
    bagged : Bagged or None
        What came of them.
    """

    arguments: argparse.Namespace
    given: dict[str, Any]
    resumed: Checkpoint | None
    column_names: tuple[str, ...] | None
    network: Network
    training: _Data
    validation: _Data | None
    testing: _Data | None
    class_names: tuple[str, ...] | None
    class_kind: str | None
    divisor: float | None
    several: bool = False
    bagged: Bagged | None = None

    @property
    def in_use(self) -> dict[str, Any]:
        """Every option of fit, as it was given or stored, or its default."""
        return _options_in_use(self.given, self.resumed)

    def say(self, text: str) -> None:
        """Print a line, unless --quiet."""
        _say(self.arguments, text)


class _Result(NamedTuple):
    """What was trained on, and what else to measure on: "validation" or "test", with its data."""

    fitted_on: Examples
    purpose: str
    beside: _Data | None


def train(arguments: argparse.Namespace) -> None:
    """Run `sigmax train`: read, fit, save, report.

    Training with `--divide c` uses x/c. Afterwards the first layer absorbs c, since
    W (x/c) + b = (W/c) x + b: the model takes the data as they are in the file, and later uses do
    not need c. With `--from` it is first taken out of there. The printed figures are those of the
    final network on undivided data.
    """
    plan = _plan(arguments)
    checkpoint = plan.given.get("checkpoint", arguments.resume)
    started = time.perf_counter()
    with going_on(arguments, checkpoint):
        if plan.several:
            plan, trained = _fit_several(plan)
        else:
            trained = f"{_fit(plan).epochs} epochs"
        seconds = time.perf_counter() - started
        result = _finish(plan)
    _report(plan, result, trained, seconds)


def _plan(arguments: argparse.Namespace) -> _Plan:
    """Read and check everything; say what was found."""
    given = {name: value for name, value in vars(arguments).items() if name in OPTION_NAMES}
    _check_arguments(arguments, given)
    resumed, whole = (None, None) if arguments.resume is None else several.stored(arguments.resume)
    wants_several = several.wanted(arguments, whole)
    if whole is not None and arguments.from_model is not None:
        raise UserError(
            f"--from with --resume: the networks of {arguments.resume} began with weights of their "
            "own; expected --resume alone"
        )
    began = None if arguments.from_model is None else trained_model(arguments, resumed)
    in_use = _options_in_use(given, resumed)
    wanted = {"dtype": _dtype(arguments, resumed), "missing": in_use["nan"] == "mean"}
    if began is not None:
        wanted["dtype"] = str(began.network.dtype)
        wanted["missing"] |= fills_missing(began.network)
    if resumed is not None:
        wanted["missing"] |= fills_missing(resumed.model)
    n_features = None if began is None else began.network.sizes[0]
    stored_columns = None
    if resumed is not None:
        stored_columns = resumed.model.column_names
    elif began is not None:
        stored_columns = began.network.column_names
    found = read(
        arguments,
        arguments.data,
        arguments.labels,
        n_features=n_features,
        column_names=stored_columns,
        **wanted,
    )
    columns = stored_columns or found.column_names
    assert found.labels is not None  # read() has seen to it
    source = arguments.labels or arguments.data
    if began is None:
        y, stored_names = learn_targets(found.labels, source)
        n_classes = y.shape[1] if y.ndim == 2 else int(y.max()) + 1
        names = class_names(stored_names, n_classes)
    else:
        stored_names, n_classes = began.class_names, began.network.sizes[-1]
        names = class_names(stored_names, n_classes)
        y = targets(found.labels, names, f"{source}, for {arguments.from_model}")
    _say(arguments, f"{arguments.data}: {found.found}: {_described(found.X, names)}")
    if "class_weight" in given:
        given["class_weight"] = _class_weight(given["class_weight"], names)
    training = _Data(found.X, y, found.weights)
    validation, testing = _second_data(
        arguments,
        names,
        in_use,
        wants_several,
        n_features=training.X.shape[1],
        column_names=columns,
        **wanted,
    )
    divisor = _divisor(arguments, in_use)
    if began is None or resumed is not None:
        network = _network(arguments, training.X.shape[1], n_classes, resumed)
    else:
        network = began.network
        if divisor is not None:
            _multiply_first_layer(network, divisor)
    plan = _Plan(
        arguments,
        given,
        resumed,
        columns,
        network,
        training,
        validation,
        testing,
        stored_names,
        None if began is None else began.class_kind,
        divisor,
        wants_several,
    )
    plan.say(f"network {_shape(network)}: {network.n_parameters} parameters, {network.dtype}")
    if began is not None and resumed is None:
        epochs = network.epochs_trained
        plan.say(f"going on from {arguments.from_model}, trained for {epochs} epochs")
    if whole is not None:
        plan.say(f"resuming {whole.path}, of {whole.n_networks} networks")
    elif resumed is not None:
        plan.say(where_it_resumes(resumed, plan.given))
    return plan


def _fit(plan: _Plan) -> History:
    arguments, network = plan.arguments, plan.network
    training, validation = plan.training, plan.validation
    divided = partial(_quotient, dtype=network.dtype, divisor=plan.divisor)
    return network.fit(
        _with_names(divided(training.X), plan.column_names),
        training.y,
        X_val=None if validation is None else divided(validation.X),
        y_val=None if validation is None else validation.y,
        sample_weight=training.weights,
        sample_weight_val=None if validation is None else validation.weights,
        resume=arguments.resume,
        progress=sys.stderr.isatty() and not arguments.quiet,
        **plan.given,
    )


def _fit_several(plan: _Plan) -> tuple[_Plan, str]:
    """Return the plan with the fold for its network, and how long its members trained."""
    arguments, training = plan.arguments, plan.training
    bagged = several.train(
        arguments,
        plan.given,
        plan.network,
        _with_names(_quotient(training.X, plan.network.dtype, plan.divisor), plan.column_names),
        training.y,
        training.weights,
        progress=sys.stderr.isatty() and not arguments.quiet,
    )
    plan = replace(plan, network=bagged.network, bagged=bagged)
    plan.say(f"folded into {_shape(plan.network)}: {plan.network.n_parameters} parameters")
    return plan, several.epochs(bagged.histories)


def _finish(plan: _Plan) -> _Result:
    """Make the network what the file is to hold, and write it."""
    network, training = plan.network, plan.training
    fitted_on = network._model.examples(training.X, training.y)
    purpose, beside = "validation", plan.validation
    if plan.testing is not None:
        purpose, beside = "test", plan.testing
    fraction = plan.in_use["validation_fraction"]
    if fraction:
        weights = training.weights
        if weights is not None:
            weights = as_weights(weights, len(fitted_on), "sample_weight")
        of_classes = chosen(
            {"class_weight": plan.in_use["class_weight"]}, "train", OPTION_NAMES
        ).class_weight
        rows, held = divide(network._model, fitted_on, fraction, weights, of_classes)
        fitted_on = fitted_on.take(rows)
        purpose, beside = "validation", _Data(training.X[held], training.y[held])
        plan.say(f"held out for validation: {len(held)} of the rows")
    if plan.divisor is not None:
        _divide_first_layer(network, plan.divisor)
        plan.say(f"the division by {plan.divisor:g} is now part of the first layer's weights")
    if plan.bagged is not None and plan.bagged.calibration is not None:
        _say_temperature(plan, plan.bagged.calibration)
    elif plan.arguments.calibrate and purpose == "validation" and beside is not None:
        _calibrate(plan, beside)
    names, kind = plan.class_names, plan.class_kind
    files.save(plan.arguments.output, network, class_names=names, class_kind=kind)
    return _Result(fitted_on, purpose, beside)


def _report(plan: _Plan, result: _Result, trained: str, seconds: float) -> None:
    """Print how long it took and what the network is worth."""
    network, output = plan.network, plan.arguments.output
    plan.say(f"\n{trained} in {seconds:.3g} s")
    plan.say("                cost  accuracy")
    cost, figures = _measured(network, result.fitted_on)
    plan.say(f"training    {figures}")
    if plan.bagged is not None:
        figures = _figures(plan.bagged.oof_cost, plan.bagged.oof_accuracy)
        plan.say(f"out of fold {figures}  of each row by those that did not train on it")
    if result.beside is not None:
        examples = network._model.examples(result.beside.X, result.beside.y)
        plan.say(f"{result.purpose:<10}  {_measured(network, examples)[1]}")
    _warn_if_useless(cost, plan.training.y, network.sizes[-1], plan.in_use)
    plan.say(f"\nmodel: {output} ({file_size(os.path.getsize(output))})")


# ---- before the training -------------------------------------------------------------------------


def _check_arguments(arguments: argparse.Namespace, given: Mapping[str, Any]) -> None:
    """Raise UserError for contradicting arguments, and for paths that cannot be written."""
    if arguments.resume is None:  # class_weight takes the names of the classes
        chosen({k: v for k, v in given.items() if k != "class_weight"}, "train", OPTION_NAMES)
    elif arguments.init is not None:
        raise UserError("--init with --resume: the weights are those of the checkpoint")
    if arguments.from_model is not None and arguments.init is not None:
        raise UserError("--init with --from: the weights are those of the model")
    inputs = [arguments.data, arguments.labels, arguments.validation, arguments.validation_labels]
    check_output(arguments.output, *inputs, arguments.resume)
    archive.require_writable(arguments.output)
    checkpoint = given.get("checkpoint")
    if checkpoint is not None:
        check_output(checkpoint, *inputs, arguments.from_model)
        if os.path.realpath(checkpoint) == os.path.realpath(arguments.output):
            raise UserError(f"{checkpoint}: model and checkpoint cannot be the same file")
    if arguments.validation_labels and not arguments.validation:
        raise UserError("--validation-labels needs --validation, the data that they belong to")
    if arguments.validation and given.get("validation_fraction"):
        raise UserError("--validation with --validation-fraction: expected only one of them")
    held_out = arguments.validation or given.get("validation_fraction") or arguments.resume
    held_out = held_out or (arguments.networks or 1) > 1
    for flag, name in (("--calibrate", "calibrate"), ("--early-stopping", "early_stopping")):
        if not held_out and (getattr(arguments, name, None) or given.get(name)):
            raise UserError(f"{flag} needs --validation or --validation-fraction")


def _options_in_use(given: Mapping[str, Any], resumed: Checkpoint | None) -> dict[str, Any]:
    """Return every option by name: as given, as stored, or its default."""
    return {**DEFAULTS, **({} if resumed is None else resumed.options), **given}


def _divisor(arguments: argparse.Namespace, in_use: Mapping[str, Any]) -> float | None:
    for flag, other in (("--standardize", in_use["standardize"]), ("--nan mean", in_use["nan"])):
        if arguments.divide is not None and other in (True, "mean"):
            raise UserError(
                f"--divide with {flag}: one of them is expected (--standardize scales every column)"
            )
    return None if arguments.divide is None else float(arguments.divide)


def _dtype(arguments: argparse.Namespace, resumed: Checkpoint | None) -> str:
    if arguments.dtype is None and resumed is not None:
        return str(resumed.model.layout.dtype.name)
    return str(arguments.dtype or NETWORK_DEFAULTS["dtype"])


def _second_data(
    arguments: argparse.Namespace,
    names: Sequence[str],
    in_use: Mapping[str, Any],
    several_networks: bool,
    **wanted: Any,
) -> tuple[_Data | None, _Data | None]:
    """Return data for validation and data for testing: of a file, or the test part of an .npz."""
    source, purpose = arguments.validation, "validation"
    has_validation = source is not None or in_use["validation_fraction"]
    if arguments.calibrate and not has_validation and not several_networks:  # a resumed training
        raise UserError("--calibrate needs --validation or --validation-fraction")
    if not has_validation and has_test_part(arguments.data):
        source, purpose = arguments.data, "testing"
    if source is None:
        return None, None
    found = read(arguments, source, arguments.validation_labels, part="test", **wanted)
    assert found.labels is not None
    _say(arguments, f"{source}: {found.found}: {len(found.X)} rows for {purpose}")
    second = _Data(found.X, targets(found.labels, names, source), found.weights)
    return (second, None) if purpose == "validation" else (None, second)


def _class_weight(text: str, names: Sequence[str]) -> str | dict[int, float]:
    """Return what fit takes for "balanced" or "rose=2,tulip=0.5"."""
    if text == "balanced":
        return text
    weights = {}
    for pair in text.split(","):
        name, separator, factor = pair.rpartition("=")
        try:
            weight = float(factor)
        except ValueError:
            weight = math.nan
        if not separator or not weight >= 0:
            raise UserError(f"--class-weight {pair!r}: balanced or CLASS=WEIGHT,... is expected")
        number = class_of(name, names)
        if number is None:
            known = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
            raise UserError(f"--class-weight: {name!r} is none of the classes: {known}")
        weights[number] = weight
    return weights


def _network(
    arguments: argparse.Namespace,
    n_features: int,
    n_classes: int,
    resumed: Checkpoint | None,
) -> Network:
    """Return a new network; that of a checkpoint, where its shape was not given."""
    wanted = {
        name: default if getattr(arguments, name) is None else getattr(arguments, name)
        for name, default in NETWORK_DEFAULTS.items()
    }
    wanted["dtype"] = _dtype(arguments, resumed)
    if resumed is not None:
        stored = resumed.model
        if arguments.hidden is None:
            wanted["hidden"] = stored.layout.sizes[1:-1]
        if arguments.seed is not None and arguments.seed != stored.seed:
            raise UserError(f"--seed {arguments.seed}: {resumed.path} has {stored.seed}")
    sizes = [n_features, *wanted["hidden"], n_classes]
    return Network(sizes, dtype=wanted["dtype"], seed=wanted["seed"], init=wanted["init"])


def _described(X: NDArray[Any], names: Sequence[str]) -> str:
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return f"{len(X)} rows of {X.shape[1]} features, {len(names)} classes ({shown})"


# ---- after the training --------------------------------------------------------------------------


def _calibrate(plan: _Plan, validation: _Data) -> None:
    try:
        found = plan.network.calibrate(validation.X, validation.y)
    except ValueError as error:  # every row is right, say: the model is worth keeping as it is
        warnings.warn(TrainingWarning(f"not calibrated: {error}"), stacklevel=2)
        return
    _say_temperature(plan, found)


def _say_temperature(plan: _Plan, found: Calibration) -> None:
    plan.say(
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


def _with_names(X: NDArray[Any], names: tuple[str, ...] | None) -> Any:
    return X if names is None else NamedArray(X, names)


def _divide_first_layer(network: Network, divisor: float) -> None:
    """Replace W by W/c, so that the network takes x instead of x/c."""
    with np.errstate(over="ignore"):
        network.weights[0][...] /= divisor
    if not np.isfinite(network.weights[0]).all():
        raise UserError(f"--divide {divisor:g}: too small for weights of {network.dtype}")


def _multiply_first_layer(network: Network, divisor: float) -> None:
    """Replace W by W c, so that the network takes x/c instead of x."""
    with np.errstate(over="ignore"):
        network.weights[0][...] *= divisor
    if not np.isfinite(network.weights[0]).all():
        raise UserError(f"--divide {divisor:g}: too large for weights of {network.dtype}")


def _measured(network: Network, examples: Examples) -> tuple[float, str]:
    """Return the cost, and cost and accuracy as text."""
    prepared = examples.prepared(network.preparation)
    cost, accuracy = score(network._model, prepared, network.temperature)
    return cost, _figures(cost, accuracy)


def _figures(cost: float, accuracy: float) -> str:
    return f"{cost:{'8.4f' if cost < 1e6 else '8.2g'}}  {percent(accuracy):>8}"


def _warn_if_useless(
    cost: float, y: NDArray[Any], n_classes: int, in_use: Mapping[str, Any]
) -> None:
    """Warn about a model that is worse than one that ignores its input."""
    counts = y.sum(axis=0) if y.ndim == 2 else np.bincount(y, minlength=n_classes)
    shares = counts[counts > 0] / counts.sum()
    guessing = float(-(shares * np.log(shares)).sum())
    if cost > guessing:
        remedies: list[Part] = []
        if in_use["optimizer"] != "lbfgs":
            remedies.append(Change("a smaller", "learning_rate"))
        remedies.append(Change("more", "epochs"))
        if not in_use["standardize"]:
            remedies.append(Mention("standardize", True))
        if in_use["optimizer"] in ("sgd", "momentum", "nesterov"):
            remedies.append(Mention("optimizer", "adam"))
        warning = TrainingWarning(
            f"this model is worse than guessing: its cost on the training data is {cost:.4g}, and "
            f"always giving the shares of the classes costs {guessing:.4g}; try ",
            *joined(remedies, last=" or "),
        )
        warnings.warn(warning, stacklevel=2)


def _shape(network: Network) -> str:
    return "-".join(map(str, network.sizes))


def _say(arguments: argparse.Namespace, text: str) -> None:
    if not arguments.quiet:
        print(text)
