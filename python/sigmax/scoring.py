"""Cost and accuracy over any number of rows, in C calls short enough for Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sigmax._arrays import Examples
from sigmax._errors import check
from sigmax._sigmax import ffi, lib

if TYPE_CHECKING:
    from sigmax.network import Network

_OPERATIONS = 400_000_000  # multiplications in one C call: tens of milliseconds
_MIN_ROWS = 64  # of one C call, so that the weights are read from memory for many rows at once
_EXPONENTIAL = 20  # how many multiplications take as long as one


def score(network: Network, examples: Examples) -> tuple[float, float]:
    """Return cost and accuracy, means over the rows; see `Network.cost` and `Network.accuracy`.

    The division into calls depends on the sizes alone, so that the result does not vary.
    """
    layout = network._layout
    per_row = layout.n_parameters + _EXPONENTIAL * layout.n_units
    cost_in_c, correct_in_c = ffi.new("double *"), ffi.new("size_t *")
    cost, n_correct = 0.0, 0
    for block in examples.blocks(max(_MIN_ROWS, _OPERATIONS // per_row)):
        check(
            lib.sigmax_cost(layout.handle, network._pointer, block.struct, cost_in_c, correct_in_c)
        )
        cost += cost_in_c[0] * (len(block) / len(examples))  # exact when there is one block
        n_correct += correct_in_c[0]
    return cost, n_correct / len(examples)
