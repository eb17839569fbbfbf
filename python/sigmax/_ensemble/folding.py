"""`fold`: networks of equal depth side by side, which docs/folding.md derives."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmax._boundary.arrays import FLOAT32, FLOAT64, Array, as_numbers
from sigmax._boundary.layout import Layout
from sigmax._data.preparation import Preparation
from sigmax._model.model import Model
from sigmax.network import Network

if TYPE_CHECKING:
    import numpy.typing as npt


def fold(
    networks: Iterable[Network],
    weights: npt.ArrayLike | None = None,
    *,
    dtype: npt.DTypeLike | None = None,
) -> Network:
    """Return one network whose output is the geometric mean of the networks' outputs.

    Its z_L is sum_m (v_m / T_m) z_m, with the members' weights v_m and temperatures T_m, to 1e-12
    in float64 and to rounding in float32; its hidden layers are those of the members side by side.
    It is a network as any other: it can be saved, calibrated, trained and folded again. It has the
    seed of the first member, the largest `epochs_trained`, and a temperature of 1.

    Parameters
    ----------
    networks : iterable of Network
        At least one; all with the same numbers of inputs, classes and layers. Hidden layers may
        differ in width. Their preparations must be the same, unless they differ in mean and scale
        alone and the result is float64, whose first layer absorbs the difference.
    weights : array_like (k,), optional
        How much each network counts: finite, > 0; only ratios matter. None: all alike.
    dtype : dtype, optional
        float32 or float64; None: float64 if any member has it, otherwise float32.

    Raises
    ------
    TypeError, ValueError
        When the networks do not fit together, naming the first that does not and in what; when a
        parameter is not finite, or the result would have one that is not.
    MemoryError
        When the parameters cannot fit this machine's memory.

    Examples
    --------
    >>> networks = [sigmax.Network([2, 8, 2], seed=seed) for seed in range(5)]
    >>> folded = sigmax.fold(networks)
    >>> folded.sizes
    (2, 40, 2)
    """
    models = _models(networks)
    shares = _shares(weights, len(models))
    layout = _layout(models, dtype)
    preparation, column_names = _preparation(models, layout), _column_names(models)
    for m, model in enumerate(models):
        model.layout.require_finite(model.arena, f"networks[{m}], as a member of a fold,")
    factors = [share / model.temperature for share, model in zip(shares, models, strict=True)]
    folded = Model(
        layout,
        layout.new_arena(),
        models[0].seed,
        max(model.epochs_trained for model in models),
        preparation,
        column_names=column_names,
    )
    with np.errstate(over="ignore", invalid="ignore"):  # the result is checked
        _write(folded, [_first_layer(model, preparation) for model in models], models, factors)
    layout.require_finite(folded.arena, "the fold, whose dtype is too narrow for that,")
    return Network._of(folded)


def _write(
    folded: Model,
    first: Sequence[tuple[Array, Array]],
    models: Sequence[Model],
    factors: Sequence[float],
) -> None:
    """Fill the parameters of the fold; first holds W_1 and b_1 of each member."""
    last = len(folded.weights) - 1
    for layer, (W, b) in enumerate(zip(folded.weights, folded.biases, strict=True)):
        of_members = [(model.weights[layer], model.biases[layer]) for model in models]
        weights, biases = map(list, zip(*(of_members if layer else first), strict=True))
        if layer == last:
            weights, biases = (
                [factor * a.astype(FLOAT64) for factor, a in zip(factors, arrays, strict=True)]
                for arrays in (weights, biases)
            )
            W[:] = np.concatenate(weights, axis=1) if layer else sum(weights)
            b[:] = sum(biases)
            continue
        b[:] = np.concatenate(biases)
        if layer == 0:
            W[:] = np.concatenate(weights)
            continue
        W[:] = 0
        row = column = 0
        for block in weights:
            n_out, n_in = block.shape
            W[row : row + n_out, column : column + n_in] = block
            row, column = row + n_out, column + n_in


def _first_layer(model: Model, preparation: Preparation | None) -> tuple[Array, Array]:
    """Return W_1 and b_1 for the fold's inputs x' = (x - M)/S instead of the member's (x - m)/s.

    W (x - m)/s + b = (W S/s) x' + (b + W (M - m)/s).
    """
    W, b = model.weights[0], model.biases[0]
    own = m, s = _shift(model.preparation, model.layout.n_in)
    other = M, S = _shift(preparation, model.layout.n_in)
    if np.array_equal(own, other):
        return W, b
    W = W.astype(FLOAT64)
    return W * (S / s), b + (W * ((M - m) / s)).sum(axis=1)


def _shift(preparation: Preparation | None, n_columns: int) -> Array:
    """Return mean and scale of a preparation, (2, n_columns); 0 and 1 where it has none."""
    if preparation is None or preparation.mean is None:
        return np.repeat([[0.0], [1.0]], n_columns, axis=1)
    return np.array([preparation.mean, preparation.scale])


# ---- what does not fit together ------------------------------------------------------------------


def _models(networks: object) -> list[Model]:
    """Return copies of the members' models, which no training can change meanwhile."""
    if isinstance(networks, Network) or not isinstance(networks, Iterable):
        raise TypeError(
            f"networks is {type(networks).__name__}; expected a sequence of networks, "
            "[network, ...]"
        )
    members = list(networks)
    if not members:
        raise ValueError("networks is empty; expected at least one network")
    for m, member in enumerate(members):
        if not isinstance(member, Network):
            raise TypeError(f"networks[{m}] is {type(member).__name__}; expected a sigmax.Network")
    first = members[0].sizes
    for m, member in enumerate(members):
        sizes = member.sizes
        for what, own, expected in (
            ("inputs", sizes[0], first[0]),
            ("classes", sizes[-1], first[-1]),
            ("layers", len(sizes) - 1, len(first) - 1),
        ):
            if own != expected:
                raise ValueError(
                    f"networks[{m}] has {own} {what} (sizes {list(sizes)}); expected {expected}, "
                    f"as networks[0] (sizes {list(first)}): only networks of equal depth with the "
                    "same inputs and classes are one network"
                )
    return [member._model.copy() for member in members]


def _shares(weights: object, n_members: int) -> list[float]:
    """Return the weights of the members, with a sum of 1."""
    if weights is None:
        return [1 / n_members] * n_members
    given = as_numbers(weights, "weights")
    if given.shape != (n_members,):
        raise ValueError(
            f"weights has shape {given.shape}; expected one for each network, ({n_members},)"
        )
    values = given.astype(FLOAT64)
    for m, value in enumerate(values.tolist()):
        if not 0 < value < math.inf:
            raise ValueError(f"weights[{m}] is {value}; expected a finite number > 0")
    values = values / values.max()  # so that no sum overflows
    shares: list[float] = (values / math.fsum(values)).tolist()
    if min(shares) == 0:
        m = shares.index(0.0)
        raise ValueError(f"weights[{m}] is {given[m]}, which vanishes beside {given.max()}")
    return shares


def _layout(models: Sequence[Model], dtype: object) -> Layout:
    layers = list(zip(*(model.layout.sizes for model in models), strict=True))
    sizes = [layers[0][0], *map(sum, layers[1:-1]), layers[-1][0]]
    if dtype is None:
        dtype = FLOAT64 if any(model.layout.dtype is FLOAT64 for model in models) else FLOAT32
    return Layout(sizes, dtype)


def _preparation(models: Sequence[Model], layout: Layout) -> Preparation | None:
    """Return the preparation of the fold: the first that standardizes, or else the first."""
    first, n_columns = models[0].preparation, layout.n_in
    for m, model in enumerate(models):
        fills: list[Any] = [None if p is None else p.fill for p in (model.preparation, first)]
        if not np.array_equal(*fills):
            raise ValueError(
                f"networks[{m}] fills missing values in otherwise than networks[0]; expected "
                "networks with the same fill: train them on X with the same values filled in, or "
                "by sigmax.bag"
            )
        same = np.array_equal(_shift(model.preparation, n_columns), _shift(first, n_columns))
        if not same and layout.dtype is not FLOAT64:
            raise ValueError(
                f"networks[{m}] standardizes X otherwise than networks[0]; expected the same "
                "preparation, as networks of sigmax.bag have it, or dtype='float64' for the fold, "
                "which can absorb the difference"
            )
    every = [model.preparation for model in models]
    return next((p for p in every if p is not None and p.mean is not None), first)


def _column_names(models: Sequence[Model]) -> tuple[str, ...] | None:
    """Return the names of X's columns, on which the members that have some must agree."""
    known = {m: model.column_names for m, model in enumerate(models) if model.column_names}
    first = next(iter(known), None)
    for m, names in known.items():
        assert first is not None
        if names != known[first]:
            i = next(i for i, (a, b) in enumerate(zip(names, known[first], strict=True)) if a != b)
            raise ValueError(
                f"networks[{m}] has the name {names[i]!r} for column {i} of X, and "
                f"networks[{first}] {known[first][i]!r}; expected networks trained on the same "
                "columns in the same order"
            )
    return None if first is None else known[first]
