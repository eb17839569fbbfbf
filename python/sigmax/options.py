"""The options of training: defaults, checks and help, once for every place that takes them."""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar

from sigmax import _option_checks as checks

# (network, epoch from 0, history) -> True to stop; or an object with such an `on_epoch_end`
Callback: TypeAlias = Callable[[Any, int, Any], object] | object
Schedule: TypeAlias = (
    Literal["constant", "step", "exponential", "cosine", "plateau"] | Callable[[int], float]
)
ClassWeight: TypeAlias = Literal["balanced"] | Mapping[int, float] | Sequence[float] | None
Path: TypeAlias = str | os.PathLike[str]

OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "lbfgs")
SCHEDULES = ("constant", "step", "exponential", "cosine", "plateau")

_LEARNING_RATES = {  # what learning_rate=None stands for
    "sgd": 0.5,
    "momentum": 0.1,
    "nesterov": 0.1,
    "rmsprop": 0.001,
    "adam": 0.001,
    "adamw": 0.001,
    "lbfgs": 1.0,  # its line search finds the steps
}
_LBFGS_CHECKPOINT_EVERY = 10  # it loses its memory at each, see sigmax.lbfgs.train
_SCHEDULE_FACTORS = {"step": 0.1, "exponential": 0.95, "plateau": 0.1}
_ADAMW_WEIGHT_DECAY = 0.01

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _option(
    default: Any,
    kind: type,
    text: str,
    choices: tuple[str, ...] | None = None,
    *,
    resume: str = "same",
) -> Any:
    """Describe an option.

    resume says what a resumed run does with it: "same", "again" (passed anew, as callables are),
    or "free" (it may differ, for it does not touch the result).
    """
    metadata = {"type": kind, "help": text, "choices": choices, "resume": resume}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How `fit` trains. Every field is checked, and so is whether they make sense together.

    `metadata` of a field holds its `type`, `help`, `choices` (of a string, or None) and `resume`:
    "same" where a resumed run must have the stored value, "again" where it is passed anew (so is a
    schedule that is a function), "free" where it may differ.

    Raises
    ------
    TypeError, ValueError
        Naming the option, its value and what was expected.

    Examples
    --------
    >>> FitOptions(optimizer="adam").rate
    0.001
    >>> [(f.name, f.default, f.metadata["help"]) for f in dataclasses.fields(FitOptions)]
    """

    epochs: int = _option(30, int, "passes over the data; 0 does nothing")
    batch_size: int = _option(
        10, int, "rows per update; the last batch of an epoch holds what is left"
    )
    learning_rate: float | None = _option(
        None,
        float,
        "step size along the gradient of the mean over a batch; by default 0.5 for sgd, 0.1 for "
        "momentum and nesterov, 0.001 for rmsprop, adam and adamw",
    )
    optimizer: str = _option(
        "sgd", str, "what is done with the gradient; lbfgs takes all rows at once", OPTIMIZERS
    )
    momentum: float = _option(0.9, float, "of momentum and nesterov: the share of v that stays")
    beta1: float = _option(0.9, float, "of adam and adamw: the share of the mean that stays")
    beta2: float = _option(0.999, float, "of adam and adamw: the share of the square that stays")
    rho: float = _option(0.99, float, "of rmsprop: the share of the square that stays")
    epsilon: float = _option(
        1e-8, float, "of rmsprop, adam and adamw: added to the root of the square"
    )
    gtol: float = _option(1e-5, float, "of lbfgs: the largest entry of the gradient at the end")
    max_evaluations: int | None = _option(
        None, int, "of lbfgs: evaluations of the cost at most, counted anew after each checkpoint"
    )
    weight_decay: float | None = _option(
        None,
        float,
        "of adamw: weights shrink by this times the learning rate in each update; by default "
        f"{_ADAMW_WEIGHT_DECAY}",
    )
    l2: float = _option(0.0, float, "adds l2/2 times the sum of the squared weights to the cost")
    l1: float = _option(0.0, float, "adds l1 times the sum of the weights' sizes to the cost")
    clip_norm: float | None = _option(
        None, float, "the longest gradient; a longer one is shortened to it"
    )
    dropout: float = _option(
        0.0, float, "the share of hidden neurons that is left out of each update, from 0 to below 1"
    )
    label_smoothing: float = _option(
        0.0, float, "the share of each label that is spread over all classes, from 0 to below 1"
    )
    shuffle: bool = _option(True, bool, "take the rows in a new random order in each epoch")
    class_weight: ClassWeight = _option(  # noqa: RUF009
        None,
        str,
        "weights of the classes: balanced gives each class the same weight in all",
        ("balanced",),
    )
    validation_fraction: float = _option(
        0.0, float, "hold out this share of every class and measure on it, from 0 to below 1"
    )
    early_stopping: str | None = _option(
        None,
        str,
        "stop when this has not become better on the validation data for `patience` epochs, and "
        "go back to the best parameters",
        ("cost", "accuracy"),
    )
    patience: int = _option(10, int, "of early stopping: epochs without a better value")
    min_delta: float = _option(0.0, float, "of early stopping: what a better value is better by")
    schedule: Schedule = _option(  # noqa: RUF009
        "constant", str, "how the learning rate changes over the epochs", SCHEDULES
    )
    schedule_factor: float | None = _option(
        None,
        float,
        "what the rate is multiplied by: step 0.1 every `schedule_epochs`, exponential 0.95 every "
        "epoch, plateau 0.1 when the cost has not fallen for `schedule_epochs`",
    )
    schedule_epochs: int = _option(10, int, "of the schedules step and plateau")
    warmup_epochs: int = _option(
        0, int, "epochs at the beginning in which the rate climbs linearly to its full size"
    )
    min_learning_rate: float = _option(0.0, float, "the lowest rate that a schedule goes down to")
    standardize: bool = _option(
        False, bool, "shift and scale the columns of X to mean 0 and deviation 1, in the model"
    )
    nan: str = _option(
        "error", str, "NaN in X: an error, or the mean of its column", ("error", "mean")
    )
    callbacks: Sequence[Callback] = _option(
        (), tuple, "called after each epoch with network, epoch, history", resume="again"
    )
    checkpoint: Path | None = _option(  # noqa: RUF009
        None, str, "a file to go on from after an interruption", resume="free"
    )
    checkpoint_every: int | None = _option(
        None,
        int,
        f"epochs between checkpoints; by default 1, and {_LBFGS_CHECKPOINT_EVERY} for lbfgs, which "
        "begins at each of them without its memory of the last steps",
    )
    progress: bool = _option(False, bool, "draw a progress bar", resume="free")

    def __post_init__(self) -> None:
        """Check every option and turn NumPy scalars into Python numbers."""
        for name, value in checks.checked(self).items():
            object.__setattr__(self, name, value)
        checks.require_sense(self, {f.name: f.default for f in dataclasses.fields(self)})

    @property
    def rate(self) -> float:
        """The learning rate in use, before any schedule: `learning_rate`, or its default."""
        if self.learning_rate is None:
            return _LEARNING_RATES[self.optimizer]
        return self.learning_rate

    @property
    def decay(self) -> float:
        """AdamW's weight decay in use; 0 for the other optimisers."""
        if self.optimizer != "adamw":
            return 0.0
        return _ADAMW_WEIGHT_DECAY if self.weight_decay is None else self.weight_decay

    @property
    def factor(self) -> float:
        """The schedule's factor in use; 1 for a schedule without one."""
        if self.schedule_factor is None:
            return _SCHEDULE_FACTORS.get(str(self.schedule), 1.0)
        return self.schedule_factor

    @property
    def epochs_per_checkpoint(self) -> int:
        """`checkpoint_every`, or what its None stands for."""
        if self.checkpoint_every is None:
            return _LBFGS_CHECKPOINT_EVERY if self.optimizer == "lbfgs" else 1
        return self.checkpoint_every


class FitKeywords(TypedDict, total=False):
    """The fields of `FitOptions` as keyword arguments, for type checkers."""

    epochs: int
    batch_size: int
    learning_rate: float | None
    optimizer: str
    momentum: float
    beta1: float
    beta2: float
    rho: float
    epsilon: float
    gtol: float
    max_evaluations: int | None
    weight_decay: float | None
    l2: float
    l1: float
    clip_norm: float | None
    dropout: float
    label_smoothing: float
    shuffle: bool
    class_weight: ClassWeight
    validation_fraction: float
    early_stopping: str | None
    patience: int
    min_delta: float
    schedule: Schedule
    schedule_factor: float | None
    schedule_epochs: int
    warmup_epochs: int
    min_learning_rate: float
    standardize: bool
    nan: str
    callbacks: Sequence[Callback]
    checkpoint: Path | None
    checkpoint_every: int | None
    progress: bool


OPTION_NAMES = tuple(f.name for f in dataclasses.fields(FitOptions))
PARTIAL_OPTIONS = (
    *("batch_size", "learning_rate", "optimizer", "momentum", "beta1", "beta2", "rho", "epsilon"),
    *("weight_decay", "l2", "l1", "clip_norm", "dropout", "label_smoothing", "shuffle"),
    "class_weight",
)

NAMES_ELSEWHERE = {  # of scikit-learn, Keras and PyTorch, where no spelling leads to ours
    "lr": "learning_rate",
    "alpha": "l2",
    "solver": "optimizer",
    "max_iter": "epochs",
    "verbose": "progress",
    "eps": "epsilon",
    "betas": "beta1 and beta2",
    "max_norm": "clip_norm",
    "validation_data": "X_val and y_val",
    "nesterovs_momentum": "optimizer='nesterov'",
    "nesterov": "optimizer='nesterov'",
    "n_iter_no_change": "patience",
    "tol": "min_delta",
}


def chosen(given: Mapping[str, Any], function: str, allowed: Sequence[str]) -> FitOptions:
    """Return the options that somebody has written down, as keywords of that function.

    Beyond what `FitOptions` refuses, momentum and patience have to be of use even at their
    defaults: who writes momentum=0.9 beside optimizer="sgd" wants another optimiser.

    Raises
    ------
    TypeError
        When one is no option of the function.
    TypeError, ValueError
        As `FitOptions` does.

    Examples
    --------
    >>> chosen({"momentum": 0.9}, "fit", OPTION_NAMES)
    ValueError: momentum is 0.9, but optimizer is 'sgd', which does not use it; expected ...
    """
    require_known(given, function, allowed)
    options = FitOptions(**given)
    checks.require_used(given, options)
    return options


def require_known(given: Mapping[str, object], function: str, allowed: Sequence[str]) -> None:
    """Refuse a keyword that is no option of the function, and suggest the one that was meant.

    Examples
    --------
    >>> require_known({"learning_rte": 0.5}, "fit", OPTION_NAMES)
    TypeError: fit has no option 'learning_rte'; did you mean 'learning_rate'?
    """
    for name in given:
        if name in allowed:
            continue
        import difflib  # only for an error

        close = difflib.get_close_matches(name, allowed, 1)
        meant = NAMES_ELSEWHERE.get(name)
        if meant is not None:
            hint = f"did you mean {meant}?"
        elif name in OPTION_NAMES:
            hint = f"it takes {', '.join(allowed)}"
        else:
            hint = f"did you mean {close[0]!r}?" if close else f"it takes {', '.join(allowed)}"
        raise TypeError(f"{function} has no option {name!r}; {hint}")


def with_options(names: Sequence[str]) -> Callable[[_Function], _Function]:
    """Return a decorator: the signature that help() shows has these options with their defaults.

    The function takes them as `**options`.
    """

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function)
        fields = {f.name: f for f in dataclasses.fields(FitOptions)}
        plain = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=fields[name].default,
                annotation=fields[name].type,
            )
            for name in names
        ]
        function.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*plain, *options]
        )
        return function

    return decorate
