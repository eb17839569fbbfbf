"""`bag`: networks that differ in seed and in the rows they see, trained and folded into one."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from sigmax._boundary.arrays import FLOAT32, Array, as_numbers, is_sparse
from sigmax._boundary.layout import Layout
from sigmax._boundary.scalars import as_integer, truth
from sigmax._data.splitting import fold_numbers, held_out
from sigmax._ensemble import bag_file
from sigmax._ensemble.folding import fold
from sigmax._ensemble.out_of_fold import Scores, out_of_fold
from sigmax._ensemble.shared_rows import SharedRows
from sigmax._ensemble.side_by_side import Job, side_by_side
from sigmax._training.fit import fit
from sigmax._training.option_rules import callbacks
from sigmax._training.options import OPTION_NAMES, FitKeywords, FitOptions, chosen, with_options
from sigmax._training.training_data import require_hidden_layer
from sigmax.errors import PYTHON, Mention, OptionValueError, TrainingWarning, Words
from sigmax.network import Network

if TYPE_CHECKING:
    import numpy.typing as npt

    from sigmax._model.calibration import Calibration
    from sigmax._training.history import History

N_NETWORKS = 5
HIDDEN = (30,)
FEWEST_SCORERS = 3  # of each row, for a temperature: that of single members is not the fold's
_SEED_STEP = 0xC13FA9A902A6328F  # 2^64 / plastic number, odd; not the step of dropout's seeds


@dataclass(frozen=True, eq=False)
class Bagged:
    """What `bag` returns.

    Attributes
    ----------
    network : Network
        The fold of all members.
    oof_proba : numpy.ndarray (n, n_L) of float64
        Out of fold: probabilities of each row by the geometric mean of the members that did not
        train on it. NaN in rows that every member trained on, which there are only of one network.
    histories : list of History
        Of each member; val_cost and val_accuracy are those on the rows it held out.
    oof_cost, oof_accuracy : float
        Of oof_proba, in nats and as a share, rows counted by sample_weight. An honest estimate for
        new rows; a little worse than the fold, since fewer members gave each answer.
    calibration : Calibration or None
        What calibrate=True found.

    Examples
    --------
    >>> bagged = sigmax.bag(X, y, epochs=100)
    >>> bagged.network.predict(X), bagged.oof_accuracy
    """

    network: Network
    oof_proba: Array
    histories: list[History]
    oof_cost: float
    oof_accuracy: float
    calibration: Calibration | None = None

    def __repr__(self) -> str:
        """Return the sizes and the scores."""
        return (
            f"Bagged(sizes={list(self.network.sizes)}, networks={len(self.histories)}, "
            f"oof_cost={self.oof_cost:.4g}, oof_accuracy={self.oof_accuracy:.4f})"
        )


@with_options(OPTION_NAMES)
def bag(
    X: Any,
    y: Any,
    *,
    n_networks: int | None = None,
    hidden: Iterable[int] | None = None,
    repeats: int | None = None,
    calibrate: bool | None = None,
    dtype: npt.DTypeLike | None = None,
    seed: int | None = None,
    init: str | None = None,
    sample_weight: npt.ArrayLike | None = None,
    resume: str | os.PathLike[str] | None = None,
    **options: Unpack[FitKeywords],
) -> Bagged:
    """Train several networks on the same data, and fold them into one.

    The rows are divided into n_networks folds, with the same share of each class. Member m has the
    seed `(seed + m * 0xC13FA9A902A6328F) % 2**64`, trains on all folds but its own, and holds that
    one out: for early stopping, if the options ask for it, and for honest scores in any case. So
    all rows are used, and every row has the answer of a member that never saw it. Weights, shuffles
    and dropout of a member are those of `Network(sizes, seed=...)` and its `fit` on these rows, to
    the bit.

    Members train side by side in as many threads as `get_num_threads` gives, each by itself; the
    results have the same bits for any number. Ctrl-C and errors end all of them, as they end `fit`.

    Parameters
    ----------
    X, y : array_like
        See `Network`; all but a stream. Rows in memory are prepared once, and shared.
    n_networks : int or None
        >= 1; None stands for 5. A single network holds out `validation_fraction` of the rows.
    hidden : iterable of int or None
        Sizes of the hidden layers of each member; None stands for (30,), () is softmax regression.
    repeats : int or None
        None stands for 1. How often all rows are divided, anew each time, into n_networks/repeats
        folds, one for each member: then every row has the answers of this many members that did not
        see it. It must divide n_networks, with at least two folds each.
    calibrate : bool or None
        Fit the network's temperature to the out-of-fold answers, see `Network.calibrate`. It needs
        repeats >= 3: an answer by a single member is less sure than the fold is, and gives a wrong
        temperature. With rows that nobody trained on, use `Bagged.network.calibrate`.
    dtype, init
        As of `Network`; None stands for float32 and "lecun".
    seed : int or None
        Determines all of the result; None draws one. It is the seed of member 0 and of the fold.
    sample_weight : array_like (n,), optional
        How much each row counts, see `Network.fit`. Those of weight 0 are spread evenly, too.
    resume : path, optional
        A checkpoint of a bag to go on with. Pass the data and the options that are functions again;
        others may be omitted.
    standardize, nan
        See `Network.fit`. One preparation is fitted on all rows, and all members have it.
    checkpoint, checkpoint_every
        See `Network.fit`. Member m writes to the file `checkpoint` with ".m" appended; the file
        `checkpoint` itself names the whole. A resumed bag ends with the bits of an uninterrupted
        one.
    callbacks
        Called with each member, from its thread, one at a time; the order of members is not
        determined. One that returns True ends the training of its member.
    progress : bool
        Draw one bar for all members.
    **options
        The other options of `Network.fit`, the same for each member.

    Returns
    -------
    Bagged
        The fold, the out-of-fold answers, the histories and the scores.

    Raises
    ------
    TypeError, ValueError, DivergedError, ImportError
        As `Network.fit`; for a stream; and for n_networks, repeats and rows that do not fit
        together.
    KeyboardInterrupt
        After Ctrl-C; with a checkpoint, `resume` goes on.

    Warns
    -----
    TrainingWarning
        As `Network.fit`, once of each kind; when no temperature is the best.

    Examples
    --------
    >>> bagged = sigmax.bag(X, y, n_networks=5, early_stopping="cost", epochs=200)
    >>> bagged.network.save("irises.npz")
    """
    given: dict[str, Any] = dict(options)
    progress = truth(given.pop("progress", False), "progress")
    if resume is None:
        plan = _new_plan(X, y, given, n_networks, hidden, repeats, calibrate, dtype, seed, init)
    else:
        wanted = {"n_networks": n_networks, "repeats": repeats, "calibrate": calibrate}
        plan = _stored_plan(resume, given, wanted, hidden, dtype, seed, init)
    shared = SharedRows(
        plan.layout,
        X,
        y,
        sample_weight,
        sample_weight,
        class_weight=plan.options.class_weight,
        standardize=plan.options.standardize,
        fill_missing=plan.options.nan == "mean",
    )
    members = _members(plan, shared)
    jobs = _jobs(plan, members, shared, given)
    n_rows = plan.options.epochs * max(len(member.trained) for member in members)
    try:
        histories = side_by_side(jobs, n_rows, progress=progress)
    except KeyboardInterrupt as interrupt:
        if plan.options.checkpoint is not None:
            interrupt.add_note(f"sigmax.bag(X, y, resume={plan.options.checkpoint!r}) goes on")
        raise
    return _bagged(members, shared, histories, calibrate=plan.calibrate)


# ---- members -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Member:
    """One of the networks that are folded.

    Attributes
    ----------
    number : int
        From 0.
    network : Network
        Trained in place.
    trained : numpy.ndarray
        The numbers of the rows that it trains on, ascending.
    held : numpy.ndarray or None
        The others.
    """

    number: int
    network: Network
    trained: Array
    held: Array | None

    def fit(
        self,
        shared: SharedRows,
        given: Mapping[str, Any],
        bar: Any,
        *,
        resume: object = None,
        words: Words = PYTHON,
    ) -> History:
        """Train on the member's rows of the shared ones."""

        def assembled(options: FitOptions) -> Any:
            require_hidden_layer(self.network._model, options)
            return shared.of_member(self.number, self.trained, self.held)

        return fit(
            self.network._model,
            None,
            None,
            given,
            owner=self.network,
            resume=resume,  # type: ignore[arg-type]
            words=words,
            assembled=assembled,
            bar=bar,
        )


def member_seed(seed: int, number: int) -> int:
    """Return the seed of a member; that of member 0 is the seed of the whole.

    Examples
    --------
    >>> member_seed(7, 0)
    7
    """
    return (seed + number * _SEED_STEP) % 2**64


def rows_of_members(
    shared: SharedRows, n_networks: int, repeats: int, seed: int
) -> list[tuple[Array, Array]]:
    """Return for each of several members the rows to train on, and those to hold out.

    Raises ValueError when there are fewer rows that count than folds.

    Examples
    --------
    >>> rows_of_members(shared, 5, 1, seed=0)
    """
    examples, n_folds = shared.examples, n_networks // repeats
    weights = examples.weights
    n_counting = len(examples) if weights is None else int(np.count_nonzero(weights))
    if n_counting < n_folds:
        which = "rows" if weights is None else "rows with a weight above 0"
        raise ValueError(
            f"n_networks is {n_networks}, with {n_folds} folds; expected at most as many as there "
            f"are {which}, {n_counting}"
        )
    divided = []
    for repeat in range(repeats):
        numbers = fold_numbers(examples, n_folds, seed, repeat)
        for number in range(n_folds):
            divided.append((np.flatnonzero(numbers != number), np.flatnonzero(numbers == number)))
    return divided


def folded_and_scored(
    members: Sequence[Member], shared: SharedRows
) -> tuple[Network, Array, Scores]:
    """Return the fold of the members, their out-of-fold answers, and the scores of these."""
    networks = [member.network for member in members]
    held = [np.empty(0, np.intp) if member.held is None else member.held for member in members]
    answers = out_of_fold(networks, held, shared.examples)
    return fold(networks), answers, Scores(answers, shared.examples)


def one_at_a_time(callbacks: Sequence[Any]) -> list[Any]:
    """Return callbacks that members in several threads can share."""
    lock = Lock()

    def locked(callback: Any, *arguments: Any) -> object:
        with lock:
            return getattr(callback, "on_epoch_end", callback)(*arguments)

    return [partial(locked, callback) for callback in callbacks]


# ---- the plan ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Plan:
    """All that is decided before a row is looked at; stored says where it was read from."""

    layout: Layout
    n_networks: int
    repeats: int
    calibrate: bool
    seed: int
    options: FitOptions
    init: str = "lecun"
    stored: bag_file.BagFile | None = field(default=None)


def _new_plan(
    X: object,
    y: object,
    given: Mapping[str, Any],
    n_networks: object,
    hidden: Iterable[int] | None,
    repeats: object,
    calibrate: object,
    dtype: object,
    seed: object,
    init: object,
) -> _Plan:
    n = N_NETWORKS if n_networks is None else as_integer(n_networks, "n_networks", 1)
    n_repeats = 1 if repeats is None else as_integer(repeats, "repeats", 1)
    wants_temperature = calibrate is not None and truth(calibrate, "calibrate")
    require_folds(n, n_repeats, wants_temperature)
    options = chosen(given, "bag", OPTION_NAMES)
    if n > 1 and options.validation_fraction:
        because = (f", but each of the {n} networks holds out a fold of its own",)
        raise OptionValueError("validation_fraction", options.validation_fraction, "0", because)
    if n == 1 and options.early_stopping and not options.validation_fraction:
        raise OptionValueError(
            "early_stopping",
            options.early_stopping,
            ("a ", Mention("validation_fraction"), ", or more networks"),
            (", but there is no validation data",),
        )
    layers = HIDDEN if hidden is None else _hidden(hidden)
    sizes = (_n_columns(X), *layers, _n_classes(y))
    first = Network(
        sizes,
        dtype=FLOAT32 if dtype is None else dtype,  # type: ignore[arg-type]
        seed=seed,  # type: ignore[arg-type]
        init="lecun" if init is None else init,  # type: ignore[arg-type]
    )
    return _Plan(
        first._model.layout,
        n,
        n_repeats,
        wants_temperature,
        first.seed,
        options,
        "lecun" if init is None else str(init),
    )


def require_folds(n_networks: int, repeats: int, calibrate: bool) -> None:
    """Raise ValueError where the members cannot be divided so.

    Examples
    --------
    >>> require_folds(9, 3, True)
    """
    if n_networks % repeats or (repeats > 1 and n_networks // repeats < 2):
        raise OptionValueError(
            "repeats",
            repeats,
            "1, or a divisor of it that leaves at least two folds each",
            (", but ", Mention("n_networks", n_networks, " is ")),
        )
    if calibrate and repeats < FEWEST_SCORERS:
        raise OptionValueError(
            "calibrate",
            True,
            (
                f"{FEWEST_SCORERS} repeats or more, as ",
                Mention("n_networks", 15),
                " and ",
                Mention("repeats", 3),
                ", or rows that nobody trained on, for Bagged.network.calibrate",
            ),
            (
                ", but ",
                Mention("repeats", repeats, " is "),
                ": answers by fewer members than that are less sure than the fold is",
            ),
        )


def _stored_plan(
    resume: str | os.PathLike[str],
    given: Mapping[str, Any],
    wanted: Mapping[str, object],
    hidden: Iterable[int] | None,
    dtype: object,
    seed: object,
    init: object,
) -> _Plan:
    """Return the plan of a checkpoint, after comparing with it what was given."""
    stored = bag_file.load(resume)
    if init is not None:
        raise ValueError(
            f"init is {init!r}, but {stored.path} has the weights; expected it omitted"
        )
    checkpoint = given.get("checkpoint")
    if checkpoint is not None and os.path.realpath(checkpoint) != os.path.realpath(stored.path):
        raise ValueError(
            f"checkpoint is {os.fsdecode(checkpoint)!r}, but {stored.path} is resumed; expected "
            "the same, or none: its files can be copied"
        )
    layout = stored.layout
    own: dict[str, tuple[object, object]] = {
        name: (value, getattr(stored, name)) for name, value in wanted.items()
    }
    own["seed"] = (seed, stored.seed)
    own["hidden"] = (None if hidden is None else _hidden(hidden), layout.sizes[1:-1])
    own["dtype"] = (None if dtype is None else np.dtype(dtype), layout.dtype)  # type: ignore[call-overload]
    for name, (value, kept) in own.items():
        if value is not None and value != kept:
            raise ValueError(
                f"{name} is {value}, but {stored.path} has {kept}; expected the same, or none"
            )
    options = FitOptions(**{**stored.options, "checkpoint": stored.path})
    return _Plan(
        layout,
        stored.n_networks,
        stored.repeats,
        stored.calibrate,
        stored.seed,
        options,
        stored=stored,
    )


def _members(plan: _Plan, shared: SharedRows) -> list[Member]:
    """Return the members before their training."""
    if plan.n_networks > 1:
        rows: list[tuple[Array, Array | None]] = list(
            rows_of_members(shared, plan.n_networks, plan.repeats, plan.seed)
        )
    elif plan.options.validation_fraction:
        rows = [held_out(shared.examples, plan.options.validation_fraction, plan.seed)]
    else:
        rows = [(np.arange(len(shared)), None)]
    members = []
    for m, (trained, held) in enumerate(rows):
        network = Network(
            plan.layout.sizes,
            dtype=plan.layout.dtype,
            seed=member_seed(plan.seed, m),
            init=plan.init,
        )
        network._model.preparation = shared.preparation
        members.append(Member(m, network, trained, held))
    return members


def _jobs(
    plan: _Plan,
    members: Sequence[Member],
    shared: SharedRows,
    given: Mapping[str, Any],
) -> list[Job]:
    """Return the trainings. With a checkpoint, all of them resume from what is written first."""
    given = dict(given)
    if "callbacks" in given:
        given["callbacks"] = one_at_a_time(callbacks(given["callbacks"], "callbacks"))
    path = plan.options.checkpoint
    if path is None:
        return [partial(member.fit, shared, given) for member in members]
    path = os.fsdecode(path)
    if plan.stored is None:
        bag_file.begin(
            path,
            bag_file.BagFile(
                path, plan.n_networks, plan.repeats, plan.calibrate, plan.layout, plan.seed, {}
            ),
            plan.options,
            [
                (member.network._model, shared.of_member(m, member.trained, member.held))
                for m, member in enumerate(members)
            ],
        )
    return [
        partial(
            member.fit,
            shared,
            {**given, "checkpoint": bag_file.member_path(path, m)},
            resume=bag_file.member_path(path, m),
        )
        for m, member in enumerate(members)
    ]


def _bagged(
    members: Sequence[Member], shared: SharedRows, histories: list[History], *, calibrate: bool
) -> Bagged:
    network, answers, scores = folded_and_scored(members, shared)
    cost, accuracy = scores.cost_and_accuracy()
    calibration = None
    if calibrate:
        try:
            calibration = scores.calibration()
            network._model.temperature = calibration.temperature
        except ValueError as error:  # every row is right, say: the network is worth keeping
            reason = str(error).partition(": ")[2]
            warnings.warn(TrainingWarning(f"not calibrated: {reason}"), stacklevel=3)
    return Bagged(network, answers, histories, cost, accuracy, calibration)


# ---- sizes ---------------------------------------------------------------------------------------


def _hidden(hidden: Iterable[int]) -> tuple[int, ...]:
    if isinstance(hidden, str | bytes) or not isinstance(hidden, Iterable):
        raise TypeError(f"hidden is {hidden!r}; expected a sequence of integers >= 1, like [30]")
    return tuple(as_integer(n, f"hidden[{i}]", 1) for i, n in enumerate(hidden))


def _n_columns(X: Any) -> int:
    """Return the number of columns of X, which is checked later; 1 where it has none."""
    if callable(X):
        return 1
    shape = getattr(X, "shape", None)
    if not isinstance(shape, tuple):
        shape = as_numbers(X, "X").shape
    if len(shape) != 2 or not shape[1]:
        raise ValueError(f"X has shape {shape}; expected two dimensions, (rows, columns)")
    return int(shape[1])


def _n_classes(y: object) -> int:
    """Return the number of classes of y, which is checked later."""
    if y is None or is_sparse(y):
        return 2
    given = as_numbers(y, "y", ": integer labels from 0, or rows of class probabilities")
    if given.ndim == 2:
        return int(given.shape[1])
    largest = given.max() if given.size else 0
    return max(2, int(largest) + 1) if np.isfinite(largest) else 2
