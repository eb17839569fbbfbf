"""The parameters of SigmaxClassifier: checks, and translation to options of `Network.fit`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from sigmax._boundary import scalars
from sigmax._boundary.arrays import Array, gathered
from sigmax._data.weighting import row_weights
from sigmax._estimator.convergence import Rules
from sigmax._training.options import PARTIAL_OPTIONS, FitOptions
from sigmax.errors import Change, Mention, Words, said_in


class EstimatorWords(Words):
    """How messages call the options of `fit` here: by the parameters that stand for them."""

    _NAMES: ClassVar[Mapping[str, str]] = {
        "optimizer": "solver",
        "learning_rate": "learning_rate_init",
        "l2": "alpha",
        "epochs": "max_iter",
        "beta1": "beta_1",
        "beta2": "beta_2",
    }

    def name(self, name: str) -> str:
        """Return what the parameter is called."""
        return self._NAMES.get(name, name)

    def mention(self, mention: Mention) -> str:
        """Return a parameter with its value; momentum and nesterov belong to the solver sgd."""
        if mention.name == "optimizer" and mention.value in ("momentum", "nesterov"):
            mention = mention._replace(value="sgd")
        return super().mention(mention)

    def change(self, change: Change) -> str:
        """Return a direction in which to change a parameter."""
        if change.how == "more":
            change = change._replace(how="a larger")
        return super().change(change)


WORDS = EstimatorWords()
SOLVERS = ("lbfgs", "sgd", "adam", "adamw", "rmsprop")
_RATES = ("constant", "invscaling", "adaptive")
_BOOLEANS = ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping")
_LARGEST_AUTO_BATCH = 200
# Beyond this penalty, alpha / (m mean weight), nothing is learnt. It is an error where weights with
# a mean below the other number make it so; a large alpha is the user's choice.
_LARGEST_PENALTY = 1.0
_SMALL_MEAN_WEIGHT = 1e-3
# what each solver passes on, as {option of fit: parameter}
_OF_SOLVER = {
    "sgd": {"momentum": "momentum"},
    "adam": {"beta1": "beta_1", "beta2": "beta_2", "epsilon": "epsilon"},
    "adamw": {"beta1": "beta_1", "beta2": "beta_2", "epsilon": "epsilon"},
    "rmsprop": {"epsilon": "epsilon"},
}
# parameters with the name, meaning and check of fit's option
_OF_FIT = (
    "dropout",
    "label_smoothing",
    "clip_norm",
    "l1",
    "rho",
    "weight_decay",
    "schedule",
    "schedule_factor",
    "schedule_epochs",
    "warmup_epochs",
    "min_learning_rate",
    "standardize",
    "nan",
    "callbacks",
)


def check(c: Mapping[str, Any]) -> None:
    """Check every parameter; `FitOptions` checks those that it shares.

    Here and below, c are the parameters of a classifier by name, as its `get_params` gives them.
    """
    if c["activation"] != "logistic":
        raise ValueError(
            f"activation is {c['activation']!r}; expected 'logistic': sigmax computes sigmoid "
            "hidden layers and no others"
        )
    scalars.choice(c["solver"], "solver", SOLVERS)
    scalars.choice(c["learning_rate"], "learning_rate", _RATES)
    hidden_layers(c["hidden_layer_sizes"])
    for name in _BOOLEANS:
        scalars.truth(c[name], name)
    for name in ("alpha", "power_t", "tol"):
        scalars.from_zero(c[name], name)
    for name in ("learning_rate_init", "epsilon"):
        scalars.above_zero(c[name], name)
    for name in ("momentum", "beta_1", "beta_2", "validation_fraction"):
        scalars.share(c[name], name)
    for name in ("max_iter", "max_fun", "n_networks"):
        scalars.as_integer(c[name], name, 1)
    if c["n_iter_no_change"] != math.inf:
        scalars.as_integer(c["n_iter_no_change"], "n_iter_no_change", 1)
    if isinstance(c["batch_size"], str) and c["batch_size"] != "auto":
        raise ValueError(f"batch_size is {c['batch_size']!r}; expected an integer >= 1, or 'auto'")
    if c["batch_size"] != "auto":
        scalars.as_integer(c["batch_size"], "batch_size", 1)
    if not isinstance(c["verbose"], bool | np.bool_):
        scalars.as_integer(c["verbose"], "verbose", 0)
    if c["warm_start"] and c["n_networks"] != 1:
        raise ValueError(
            f"warm_start is True, but n_networks is {c['n_networks']}; expected False, or "
            "n_networks=1: several networks are folded into one, which no longer holds them apart"
        )
    with said_in(WORDS):
        FitOptions(**fit_options(c, 1, 1.0))
    if c["solver"] == "sgd" and c["learning_rate"] != "constant":
        for name, default in (("schedule", "constant"), ("warmup_epochs", 0)):
            if c[name] != default:
                raise ValueError(
                    f"learning_rate is {c['learning_rate']!r} and {name} is {c[name]!r}; "
                    f"expected 'constant' or {default!r}, since both set the rate"
                )


def check_partial(c: Mapping[str, Any], *, prepared: bool) -> None:
    """Refuse what `partial_fit` cannot do, as it knows neither all rows nor all epochs.

    prepared says whether the network has a preparation already.
    """
    for name, default in {
        "early_stopping": False,
        "schedule": "constant",
        "warmup_epochs": 0,
        **({} if prepared else {"standardize": False, "nan": "error"}),
    }.items():
        value = c[name]
        if value != default:
            raise ValueError(
                f"{name} is {value!r}; expected {default!r}: partial_fit does not support "
                f"{name}={value!r}"
            )
    if isinstance(c["class_weight"], str):
        raise ValueError(
            f"class_weight is {c['class_weight']!r}; expected a dict or None for partial_fit"
        )


def hidden_layers(sizes: object) -> tuple[int, ...]:
    """Return hidden_layer_sizes, an integer or a sequence, as a tuple."""
    if isinstance(sizes, str | bytes) or sizes is None:
        raise TypeError(
            f"hidden_layer_sizes is {sizes!r}; expected an integer >= 1 or a sequence of them"
        )
    if not isinstance(sizes, Iterable):
        return (scalars.as_integer(sizes, "hidden_layer_sizes", 1),)
    return tuple(scalars.as_integer(n, f"hidden_layer_sizes[{i}]", 1) for i, n in enumerate(sizes))


def fit_options(c: Mapping[str, Any], n_rows: int, mean_weight: float) -> dict[str, Any]:
    """Return the keywords of `Network.fit` for this number and mean weight of rows.

    MLPClassifier adds (alpha/2) sum w^2 to the sum of a batch's costs and divides by the batch's
    weights in all. For a batch of m rows that is l2 = alpha / (m mean weight).
    """
    lbfgs = c["solver"] == "lbfgs"
    batch_size = n_rows if lbfgs else rows_per_batch(c, n_rows)
    l2 = c["alpha"] / (batch_size * mean_weight)
    if l2 > _LARGEST_PENALTY and mean_weight < _SMALL_MEAN_WEIGHT:
        raise ValueError(_too_small_beside_alpha(c, mean_weight))
    options: dict[str, Any] = {
        "epochs": c["max_iter"],
        "optimizer": c["solver"],
        "l2": l2,
        "shuffle": c["shuffle"],
        **{option: c[name] for option, name in _OF_SOLVER.get(c["solver"], {}).items()},
        **{name: c[name] for name in _OF_FIT},
    }
    if lbfgs:
        options |= {"gtol": c["tol"], "max_evaluations": c["max_fun"]}
    else:
        options["batch_size"] = batch_size
        if not callable(c["schedule"]):  # which would give the rate by itself
            options["learning_rate"] = c["learning_rate_init"]
    if c["solver"] == "sgd":
        if c["momentum"] == 0:
            del options["momentum"]
        else:
            options["optimizer"] = "nesterov" if c["nesterovs_momentum"] else "momentum"
    return options


def _too_small_beside_alpha(c: Mapping[str, Any], mean_weight: float) -> str:
    """Return the text for weights that let the penalty prevail, naming the small factor."""
    name, largest = "sample_weight", "numpy.max(sample_weight)"
    if isinstance(c["class_weight"], Mapping):
        of_classes = max(c["class_weight"].values(), default=1.0)
        if of_classes < _SMALL_MEAN_WEIGHT:
            name, largest, mean_weight = "class_weight", f"{of_classes:g}", of_classes
    what = "has a mean of" if name == "sample_weight" else "is at most"
    return (
        f"{name} {what} {mean_weight:.3g}, beside which alpha={c['alpha']:g} leaves nothing to "
        f"learn; expected weights around 1, {name} / {largest}, or alpha=0"
    )


def of_one_epoch(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of `fit_options` that `Network.partial_fit` accepts."""
    return {name: value for name, value in options.items() if name in PARTIAL_OPTIONS}


def rows_per_batch(c: Mapping[str, Any], n_rows: int) -> int:
    """Return batch_size, at most n_rows."""
    wanted = c["batch_size"]
    return min(n_rows, _LARGEST_AUTO_BATCH if wanted == "auto" else int(wanted))


def rules(c: Mapping[str, Any], options: Mapping[str, Any], n_rows: int) -> Rules:
    """Return the stopping rules; options are those of `fit_options`."""
    return Rules(
        n_rows=n_rows,
        learning_rate=c["learning_rate"] if c["solver"] == "sgd" else "constant",
        learning_rate_init=c["learning_rate_init"],
        power_t=c["power_t"],
        tol=c["tol"],
        n_iter_no_change=math.inf if c["solver"] == "lbfgs" else c["n_iter_no_change"],
        l2=options["l2"],
        l1=options["l1"],
        verbose=bool(c["verbose"]),
    )


def weights(
    class_weight: object, sample_weight: Any, classes: Array, labels: Array
) -> Array | None:
    """Return the weight of each row, (n,) of float64 as given, or None where all are 1."""
    if sample_weight is not None:
        sample_weight = per_row(sample_weight, len(labels))
        given = np.asarray(sample_weight)
        # scikit-learn's checks want the word "zero"
        if given.size and given.dtype.kind in "biuf" and not given.any():
            raise ValueError("sample_weight is zero in all rows; expected at least one weight > 0")
    of_classes: Any = class_weights(class_weight, classes)
    return row_weights(sample_weight, of_classes, labels, None, len(classes), mean_one=False)


def per_row(weight: Any, n_rows: int) -> Any:
    """Return weights as they are, masks included, but one weight, as one for each row (n_rows,)."""
    weight = gathered(weight)
    return np.full(n_rows, weight) if np.asarray(weight).ndim == 0 else weight


def mean_of(weights: Array | None) -> float:
    """Return the mean of the rows' weights, 1 where there are none."""
    if weights is None:
        return 1.0
    with np.errstate(over="ignore"):
        mean = float(weights.mean())
    if math.isinf(mean):  # the sum is too large for float64, the mean is not
        largest = weights.max()
        mean = float(largest * (weights / largest).mean())
    return mean


def class_weights(class_weight: object, classes: Array) -> str | tuple[float, ...] | None:
    """Return class_weight with its dict, if it is one, as a weight per entry of classes.

    A dict gives 1 to classes that it lacks. It may have others, since a part of the data may lack a
    class, as in cross-validation; but a name that could not be a class of this y is an error.
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, str):
        return scalars.choice(class_weight, "class_weight", ("balanced",), ", a dict or None")
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            f"class_weight is {class_weight!r}; expected 'balanced', a dict {{class: weight}} or "
            "None"
        )
    index = {name: i for i, name in enumerate(classes.tolist())}
    are_text = isinstance(next(iter(index)), str)
    per_class = [1.0] * len(classes)
    for name, weight in class_weight.items():
        if isinstance(name, str) != are_text:
            raise ValueError(
                f"class_weight has {name!r}; expected {'text' if are_text else 'numbers'}, as the "
                f"classes are: {list(index)}"
            )
        checked = scalars.from_zero(weight, f"class_weight[{name!r}]")
        if name in index:
            per_class[index[name]] = checked
    return tuple(per_class)
