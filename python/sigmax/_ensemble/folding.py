"""Folding: networks of equal depth, whose mean output is again one network.

The geometric mean of the outputs of networks m = 1 ... k with weights v_m, sum v_m = 1, is

    prod_m softmax(z_m / T_m)^v_m, divided by its sum   =   softmax(sum_m (v_m / T_m) z_m),

because a softmax does not see what is added to a whole row. sum_m (v_m / T_m) z_m is the z_L of one
network, whose hidden layers are those of the members side by side; docs/folding.md derives it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

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

    Its z_L is sum_m (v_m / T_m) z_m, with the members' weights v_m and temperatures T_m. Its hidden
    layers are those of the members side by side: full from the inputs, block-diagonal between
    hidden layers; its output layer is theirs concatenated, times v_m / T_m. Without a hidden layer,
    weights and biases are those sums themselves. It is a network as any other: it can be saved,
    calibrated, trained and folded again. docs/folding.md derives it.

    The sum is that of the members to 1e-12 in float64, and to rounding in float32. The network has
    the seed of the first member, the largest `epochs_trained`, and a temperature of 1.

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
    folded.arena[:] = 0
    last = len(folded.weights) - 1
    for layer, (W, b) in enumerate(zip(folded.weights, folded.biases, strict=True)):
        weighted = np.zeros(W.shape, FLOAT64) if layer == last == 0 else None
        bias = np.zeros(b.shape, FLOAT64)
        row = column = 0
        for m, (model, factor) in enumerate(zip(models, factors, strict=True)):
            W_m, b_m = first[m] if layer == 0 else (model.weights[layer], model.biases[layer])
            n_out, n_in = W_m.shape
            if weighted is not None:
                weighted += factor * W_m.astype(FLOAT64)
            elif layer == last:
                W[:, column : column + n_in] = factor * W_m.astype(FLOAT64)
            elif layer == 0:
                W[row : row + n_out] = W_m
            else:
                W[row : row + n_out, column : column + n_in] = W_m
            if layer == last:
                bias += factor * b_m.astype(FLOAT64)
            else:
                bias[row : row + n_out] = b_m
            row, column = row + n_out, column + n_in
        b[:] = bias
        if weighted is not None:
            W[:] = weighted


def _first_layer(model: Model, preparation: Preparation | None) -> tuple[Array, Array]:
    """Return W_1 and b_1 for inputs that are prepared in another way than the member's own.

    Its own inputs are (x - m) / s, and x = S x' + M with the fold's M and S. So
    W (x - m) / s + b = (W S/s) x' + (b + W ((M - m) / s)).
    """
    W, b = model.weights[0], model.biases[0]
    own, other = _mean_and_scale(model), _shift(preparation, model.layout.n_in)
    if all(np.array_equal(a, c) for a, c in zip(own, other, strict=True)):
        return W, b
    (mean, scale), (new_mean, new_scale) = own, other
    wide = W.astype(FLOAT64)
    moved = (wide * ((new_mean - mean) / scale)).sum(axis=1)
    return wide * (new_scale / scale), b + moved


def _mean_and_scale(model: Model) -> tuple[Array, Array]:
    return _shift(model.preparation, model.layout.n_in)


def _shift(preparation: Preparation | None, n_columns: int) -> tuple[Array, Array]:
    """Return mean and scale of a preparation; 0 and 1 where it has none."""
    if preparation is None or preparation.mean is None or preparation.scale is None:
        return np.zeros(n_columns), np.ones(n_columns)
    return preparation.mean, preparation.scale


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
    first = models[0].preparation
    for m, model in enumerate(models):
        own = model.preparation
        fills = (None if p is None else p.fill for p in (own, first))
        if not _equal(*fills):
            raise ValueError(
                f"networks[{m}] fills missing values in otherwise than networks[0]; expected "
                "networks with the same fill: train them on X with the same values filled in, or "
                "by sigmax.bag"
            )
        same = all(
            np.array_equal(a, b)
            for a, b in zip(_mean_and_scale(model), _mean_and_scale(models[0]), strict=True)
        )
        if not same and layout.dtype is not FLOAT64:
            raise ValueError(
                f"networks[{m}] standardizes X otherwise than networks[0]; expected the same "
                "preparation, as networks of sigmax.bag have it, or dtype='float64' for the fold, "
                "which can absorb the difference"
            )
    standardizing = (
        model.preparation
        for model in models
        if model.preparation is not None and model.preparation.mean is not None
    )
    return next(standardizing, first)


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


def _equal(a: Array | None, b: Array | None) -> bool:
    return a is b or (a is not None and b is not None and np.array_equal(a, b))
