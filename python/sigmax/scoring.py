"""Cost and accuracy over any number of rows, in C calls short enough for Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sigmax._rows import DenseRows, block_rows, call_rows
from sigmax._sigmax import ffi, lib
from sigmax.prediction import refuse

if TYPE_CHECKING:
    from sigmax._examples import Examples
    from sigmax.network import Network


def score(network: Network, examples: Examples, temperature: float = 1.0) -> tuple[float, float]:
    """Return cost and accuracy, means over the weighted rows; see `Network.cost`.

    The division into calls depends on the sizes alone, so that the result does not vary with where
    the rows are.

    Examples
    --------
    >>> cost, accuracy = score(network, network._examples(X, y))
    """
    layout = network._layout
    step = min(call_rows(layout), block_rows(layout.sizes[0], layout.dtype))
    cost_in_c, correct_in_c = ffi.new("double *"), ffi.new("double *")
    cost, n_correct, first = 0.0, 0.0, 0
    for block in examples.blocks(step):
        status = lib.sigmax_cost(
            layout.handle, network._pointer, temperature, block.struct, cost_in_c, correct_in_c
        )
        if status != lib.SIGMAX_OK:
            refuse(network, status, cast(DenseRows, block.rows).X, examples.rows, first)
        first += len(block)
        cost += cost_in_c[0] * (len(block) / len(examples))  # exact when there is one block
        n_correct += correct_in_c[0]
    return cost, n_correct / len(examples)
