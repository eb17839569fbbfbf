"""partial_fit: one pass over some rows, as a part of a training that the caller divides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sigmax._arrays import Array
from sigmax._sigmax import ffi
from sigmax.assembly import require_hidden_layer
from sigmax.epoch import (
    Pace,
    Standing,
    c_training,
    dropout_seed,
    new_moments,
    new_order,
    run_epoch,
    shuffle,
)
from sigmax.history import History
from sigmax.options import PARTIAL_OPTIONS, chosen
from sigmax.sources import Stream, make_source, open_data
from sigmax.weighting import row_weights

if TYPE_CHECKING:
    from sigmax.network import Network


@dataclass
class Kept:
    """What partial_fit leaves on the network for the next call."""

    optimizer: str
    moments: Array
    step: int
    seed: int


def partial_fit(
    network: Network, X: object, y: object, given: Mapping[str, Any], *, sample_weight: object
) -> History:
    """Train on these rows once; see `Network.partial_fit`, which calls this.

    Examples
    --------
    >>> history = partial_fit(network, X, y, {"optimizer": "adam"}, sample_weight=None)
    """
    options = chosen(given, "partial_fit", PARTIAL_OPTIONS)
    for name in ("optimizer", "class_weight"):
        if getattr(options, name) in ("lbfgs", "balanced"):
            raise ValueError(
                f"{name} is {getattr(options, name)!r}, which needs all rows at once; partial_fit "
                "has those of one call"
            )
    require_hidden_layer(network, options)
    data = open_data(network, X, y)
    if isinstance(data, Stream):
        raise TypeError("X is a callable; expected an array: partial_fit takes one block")
    weights = row_weights(
        sample_weight,
        options.class_weight,
        data.labels,
        data.targets,
        network.sizes[-1],
        mean_one=False,
    )
    data = data.weighted(weights).prepared(network.preparation)
    network._layout.require_finite(network._arena, "partial_fit")
    source = make_source(data)
    kept = network._kept
    if kept is None or kept.optimizer != options.optimizer:
        moments = new_moments(network, options)
        kept = Kept(options.optimizer, moments, 0, dropout_seed(network, network.epochs_trained))
    network._guard.write(setattr, network, "_temperature", 1.0)
    network._kept = kept

    step = c_training(network, options, kept.moments, kept.seed)
    order = new_order(options, source)
    shuffle(network, order)
    progress = ffi.new("sigmax_progress *", {"step": kept.step})
    now = Standing(0, progress, 0, perf_counter(), {}, {})
    try:
        for running, _ in run_epoch(network, source, step, order, now, Pace(), None):
            progress = running
    finally:
        kept.step = progress.step
    network._epochs_trained += 1
    total = len(data) if weights is None else float(weights.sum())
    return History(
        cost=[progress.cost / total],
        accuracy=[progress.n_correct / total],
        seconds=[perf_counter() - now.started],
        learning_rate=[options.rate],
    )
