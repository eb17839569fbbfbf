"""The options of training: defaults, checks and help, once for every place that takes them."""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar

from sigmax._boundary.scalars import (
    above_zero,
    choice,
    count,
    factor,
    from_zero,
    path,
    positive,
    positive_int32,
    share,
    truth,
)
from sigmax._data.weighting import ClassWeight
from sigmax._training.option_rules import callbacks, class_weight, require_sense, require_used
from sigmax.errors import PYTHON, Mention, joined

# (network, epoch from 0, history) -> True to stop; or an object with such an `on_epoch_end`
Callback: TypeAlias = Callable[[Any, int, Any], object] | object
Schedule: TypeAlias = (
    Literal["constant", "step", "exponential", "cosine", "plateau"] | Callable[[int], float]
)
Path: TypeAlias = str | os.PathLike[str]

# (value, name) -> the value as a plain Python value
_Check: TypeAlias = Callable[[Any, str], Any]

OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "lbfgs")
SCHEDULES = ("constant", "step", "exponential", "cosine", "plateau")

_STOPPING = ("cost", "accuracy")
_LINE_SEARCH = "its line search finds the steps"

_LEARNING_RATES = {  # the meaning of learning_rate=None
    "sgd": 0.5,
    "momentum": 0.1,
    "nesterov": 0.1,
    "rmsprop": 0.001,
    "adam": 0.001,
    "adamw": 0.001,
    "lbfgs": 1.0,  # its line search finds the steps
}
_SCHEDULE_FACTORS = {"step": 0.1, "exponential": 0.95, "plateau": 0.1}
_ADAMW_WEIGHT_DECAY = 0.01

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _option(
    default: Any,
    kind: type,
    check: _Check,
    text: str,
    *,
    of: tuple[str, ...] = (),
    not_lbfgs: str = "",
    partial: bool = False,
    choices: tuple[str, ...] | None = None,
    resume: str = "same",
) -> Any:
    """Describe an option: all that is known of it, in one place.

    Parameters
    ----------
    default : object
    kind : type
        What a shell makes of its text: int, float, str, bool, or tuple where it cannot give any.
    check : callable (value, name) -> value
        Returns the value as a plain Python value, or raises `OptionError`.
    text : str
        The help.
    of : tuple of str
        The optimisers that use it; empty where all do. The others refuse it.
    not_lbfgs : str
        Why lbfgs cannot use it; empty where it can.
    partial : bool
        Whether `partial_fit` takes it.
    choices : tuple of str, optional
        Those that a shell offers.
    resume : {"same", "again", "free"}
        What a resumed run does with it: it has the stored value; it is passed anew, as callables
        are; or it may differ, for it does not touch the result.
    """
    metadata = {
        "type": kind,
        "check": check,
        "help": text,
        "of": of,
        "not_lbfgs": not_lbfgs,
        "partial": partial,
        "choices": choices,
        "resume": resume,
    }
    return field(default=default, metadata=metadata)


def _or_none(check: _Check) -> _Check:
    return lambda value, name: None if value is None else check(value, name)


def _one_of(choices: tuple[str, ...], more: str = "") -> _Check:
    return lambda value, name: choice(value, name, choices, more)


def _schedule(value: object, name: str) -> object:
    return (
        value if callable(value) else choice(value, name, SCHEDULES, " or a function of the epoch")
    )


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How `fit` trains. Every field is checked, alone and together with the others.

    `metadata` of a field holds what is known of the option: its `type`, `check`, `help`, the
    optimisers `of` which it is, `choices` (of a string, or None) and `resume`: "same" where a
    resumed run must have the stored value, "again" where it is passed anew (so is a schedule that
    is a function), "free" where it may differ.

    Raises
    ------
    OptionError
        An `OptionTypeError` or `OptionValueError`, with the option, its value and what was
        expected.

    Examples
    --------
    >>> FitOptions(optimizer="adam").rate
    0.001
    >>> [(f.name, f.default, f.metadata["help"]) for f in dataclasses.fields(FitOptions)]
    """

    epochs: int = _option(30, int, count, "passes over the data; 0 does nothing")
    batch_size: int = _option(
        10,
        int,
        positive,
        "rows per update; the last batch of an epoch may be shorter",
        not_lbfgs="it takes all rows at once",
        partial=True,
    )
    learning_rate: float | None = _option(
        None,
        float,
        _or_none(above_zero),
        "step size along the gradient of the mean over a batch; by default 0.5 for sgd, 0.1 for "
        "momentum and nesterov, 0.001 for rmsprop, adam and adamw",
        not_lbfgs=_LINE_SEARCH,
        partial=True,
    )
    optimizer: str = _option(
        "sgd",
        str,
        _one_of(OPTIMIZERS),
        "how the gradient becomes an update; lbfgs uses all rows at once",
        choices=OPTIMIZERS,
        partial=True,
    )
    momentum: float = _option(
        0.9,
        float,
        share,
        "for momentum and nesterov: share of v that each update keeps",
        of=("momentum", "nesterov"),
        partial=True,
    )
    beta1: float = _option(
        0.9,
        float,
        share,
        "for adam and adamw: share of the mean that each update keeps",
        of=("adam", "adamw"),
        partial=True,
    )
    beta2: float = _option(
        0.999,
        float,
        share,
        "for adam and adamw: share of the mean square that each update keeps",
        of=("adam", "adamw"),
        partial=True,
    )
    rho: float = _option(
        0.99,
        float,
        share,
        "for rmsprop: share of the mean square that each update keeps",
        of=("rmsprop",),
        partial=True,
    )
    epsilon: float = _option(
        1e-8,
        float,
        above_zero,
        "for rmsprop, adam and adamw: added to the root of the mean square",
        of=("rmsprop", "adam", "adamw"),
        partial=True,
    )
    gtol: float = _option(
        1e-5,
        float,
        from_zero,
        "for lbfgs: training ends when no entry of the gradient is larger",
        of=("lbfgs",),
    )
    max_evaluations: int | None = _option(
        None,
        int,
        _or_none(positive_int32),
        "for lbfgs: training ends after the iteration that exceeds so many evaluations of the cost",
        of=("lbfgs",),
    )
    weight_decay: float | None = _option(
        None,
        float,
        _or_none(from_zero),
        "for adamw: each update shrinks weights by this times the learning rate; by default "
        f"{_ADAMW_WEIGHT_DECAY}",
        of=("adamw",),
        partial=True,
    )
    l2: float = _option(
        0.0,
        float,
        from_zero,
        "adds l2/2 times the sum of the squared weights to the cost",
        partial=True,
    )
    l1: float = _option(
        0.0,
        float,
        from_zero,
        "adds l1 times the sum of the absolute weights to the cost",
        not_lbfgs="it needs a smooth cost",
        partial=True,
    )
    clip_norm: float | None = _option(
        None,
        float,
        _or_none(above_zero),
        "the largest norm of a gradient; a larger one is scaled down",
        not_lbfgs=_LINE_SEARCH,
        partial=True,
    )
    dropout: float = _option(
        0.0,
        float,
        share,
        "share of hidden neurons left out of each update, from 0 to below 1",
        not_lbfgs="it needs a cost that is the same at each look",
        partial=True,
    )
    label_smoothing: float = _option(
        0.0,
        float,
        share,
        "share of each label that is spread over all classes, from 0 to below 1",
        partial=True,
    )
    shuffle: bool = _option(
        True, bool, truth, "take the rows in a new random order in each epoch", partial=True
    )
    class_weight: ClassWeight = _option(  # noqa: RUF009
        None,
        str,
        _or_none(class_weight),
        "weights of the classes; balanced gives every class the same total weight",
        choices=("balanced",),
        partial=True,
    )
    validation_fraction: float = _option(
        0.0, float, share, "hold out this share of each class for validation, from 0 to below 1"
    )
    early_stopping: str | None = _option(
        None,
        str,
        _or_none(_one_of(_STOPPING, " or None")),
        "stop when this did not improve on the validation data for `patience` epochs, and restore "
        "the best parameters",
        choices=_STOPPING,
    )
    patience: int = _option(10, int, positive, "for early stopping: epochs without improvement")
    min_delta: float = _option(
        0.0, float, from_zero, "for early stopping: smallest change that counts as improvement"
    )
    schedule: Schedule = _option(  # noqa: RUF009
        "constant",
        str,
        _schedule,
        "how the learning rate changes over the epochs",
        choices=SCHEDULES,
        not_lbfgs=_LINE_SEARCH,
    )
    schedule_factor: float | None = _option(
        None,
        float,
        _or_none(factor),
        "factor of the rate: step (0.1) every `schedule_epochs`, exponential (0.95) every epoch, "
        "plateau (0.1) when the cost has not fallen for `schedule_epochs`",
    )
    schedule_epochs: int = _option(
        10,
        int,
        positive,
        "for step: epochs between steps; for plateau: epochs without a lower cost",
    )
    warmup_epochs: int = _option(
        0,
        int,
        count,
        "epochs in which the rate rises linearly to its full size",
        not_lbfgs=_LINE_SEARCH,
    )
    min_learning_rate: float = _option(0.0, float, from_zero, "lowest rate of a schedule")
    standardize: bool = _option(
        False,
        bool,
        truth,
        "shift and scale the columns of X to mean 0 and deviation 1, in the model",
    )
    nan: str = _option(
        "error",
        str,
        _one_of(("error", "mean")),
        "NaN in X: an error, or the mean of its column",
        choices=("error", "mean"),
    )
    callbacks: Sequence[Callback] = _option(
        (),
        tuple,
        callbacks,
        "called after each epoch with network, epoch, history",
        resume="again",
    )
    checkpoint: Path | None = _option(  # noqa: RUF009
        None,
        str,
        _or_none(path),
        "a file to resume from after an interruption",
        resume="free",
    )
    checkpoint_every: int = _option(1, int, positive_int32, "epochs between checkpoints")
    progress: bool = _option(False, bool, truth, "draw a progress bar", resume="free")

    def __post_init__(self) -> None:
        """Check every option and turn NumPy scalars into Python numbers."""
        for name, value in checked(vars(self)).items():
            object.__setattr__(self, name, value)
        require_sense(vars(self), self.rate, DEFAULTS, _USERS, _NOT_LBFGS)

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
    checkpoint_every: int
    progress: bool


OPTIONS = {f.name: f for f in dataclasses.fields(FitOptions)}
OPTION_NAMES = tuple(OPTIONS)
DEFAULTS = {name: option.default for name, option in OPTIONS.items()}
_USERS = {name: o.metadata["of"] for name, o in OPTIONS.items() if o.metadata["of"]}
PARTIAL_OPTIONS = tuple(name for name, o in OPTIONS.items() if o.metadata["partial"])
_NOT_LBFGS = {name: o.metadata["not_lbfgs"] for name, o in OPTIONS.items()}

NAMES_ELSEWHERE = {  # of scikit-learn, Keras and PyTorch, where no spelling leads to ours
    "lr": (Mention("learning_rate"),),
    "alpha": (Mention("l2"),),
    "solver": (Mention("optimizer"),),
    "max_iter": (Mention("epochs"),),
    "verbose": (Mention("progress"),),
    "eps": (Mention("epsilon"),),
    "betas": (Mention("beta1"), Mention("beta2")),
    "max_norm": (Mention("clip_norm"),),
    "validation_data": (Mention("X_val"), Mention("y_val")),
    "nesterovs_momentum": (Mention("optimizer", "nesterov"),),
    "nesterov": (Mention("optimizer", "nesterov"),),
    "n_iter_no_change": (Mention("patience"),),
    "tol": (Mention("min_delta"),),
}


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as plain Python values, each checked by itself; defaults where none is given.

    Raises
    ------
    OptionError

    Examples
    --------
    >>> checked({"epochs": 5})["epochs"]
    5
    """
    return {
        name: option.metadata["check"](values.get(name, option.default), name)
        for name, option in OPTIONS.items()
    }


def chosen(given: Mapping[str, Any], function: str, allowed: Sequence[str]) -> FitOptions:
    """Return FitOptions from the keywords that a caller gave to that function.

    Beyond the checks of `FitOptions`, given momentum and patience must have an effect even at
    their defaults: a caller of momentum=0.9 with optimizer="sgd" wants another optimiser.

    Raises
    ------
    TypeError
        When a keyword is not an option of the function.
    TypeError, ValueError
        As `FitOptions` does.

    Examples
    --------
    >>> chosen({"momentum": 0.9}, "fit", OPTION_NAMES)
    sigmax.errors.OptionValueError: momentum is 0.9, but optimizer is 'sgd', which does ...
    """
    require_known(given, function, allowed)
    options = FitOptions(**given)
    require_used(given, vars(options))
    return options


def require_known(given: Mapping[str, object], function: str, allowed: Sequence[str]) -> None:
    """Raise TypeError for a keyword that the function lacks, and suggest a similar one.

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
            hint = f"did you mean {PYTHON.say(joined(meant, last=' and '))}?"
        elif name in OPTION_NAMES:
            hint = f"it takes {', '.join(allowed)}"
        else:
            hint = f"did you mean {close[0]!r}?" if close else f"it takes {', '.join(allowed)}"
        raise TypeError(f"{function} has no option {name!r}; {hint}")


def with_options(names: Sequence[str]) -> Callable[[_Function], _Function]:
    """Return a decorator that puts these options, with defaults, into the signature for help().

    The function takes them as `**options`.
    """

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function)
        plain = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=OPTIONS[name].default,
                annotation=OPTIONS[name].type,
            )
            for name in names
        ]
        function.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*plain, *options]
        )
        return function

    return decorate
