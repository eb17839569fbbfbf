"""The state of an optimiser that `partial_fit` leaves for its next call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmax._boundary.arrays import Array
from sigmax._boundary.layout import Layout
from sigmax._boundary.scalars import as_integer
from sigmax._sigmax import lib

_OF_C = {
    "sgd": lib.SIGMAX_SGD,
    "momentum": lib.SIGMAX_MOMENTUM,
    "nesterov": lib.SIGMAX_NESTEROV,
    "rmsprop": lib.SIGMAX_RMSPROP,
    "adam": lib.SIGMAX_ADAM,
    "adamw": lib.SIGMAX_ADAMW,
}
_LARGEST = 2**64 - 1


@dataclass(slots=True)
class KeptOptimizer:
    """What `partial_fit` leaves for its next call.

    Attributes
    ----------
    optimizer : str
        The optimiser that made it.
    values : numpy.ndarray
        sigmax_state_count() numbers of the network's dtype, which C goes on to write.
    updates : int
        Updates done so far.
    seed : int
        Of dropout's masks.
    """

    optimizer: str
    values: Array
    updates: int
    seed: int

    def copy(self) -> KeptOptimizer:
        """Return an independent one."""
        return KeptOptimizer(self.optimizer, self.values.copy(), self.updates, self.seed)

    def to_tuple(self) -> tuple[str, Array, int, int]:
        """Return the attributes in order, for a pickle."""
        return self.optimizer, self.values, self.updates, self.seed


def as_kept_optimizer(state: object, layout: Layout) -> KeptOptimizer:
    """Return what `to_tuple` described, after checking all of it.

    Raises
    ------
    TypeError, ValueError
        Naming what is wrong.
    """
    if not isinstance(state, tuple) or len(state) != 4:
        raise ValueError("kept_optimizer: expected optimizer, values, updates and seed")
    optimizer, values, updates, seed = state
    if not isinstance(optimizer, str) or optimizer not in _OF_C:
        raise ValueError(f"kept_optimizer is of {optimizer!r}; expected one of {', '.join(_OF_C)}")
    shape = (lib.sigmax_state_count(layout.handle, _OF_C[optimizer]),)
    if (
        not isinstance(values, np.ndarray)
        or values.dtype.newbyteorder("=") != layout.dtype
        or values.shape != shape
    ):
        raise ValueError(f"kept_optimizer: expected values of {layout.dtype}, {shape}")
    own: Array = np.array(values, layout.dtype)  # C writes to it
    if not np.isfinite(own).all():
        raise ValueError("kept_optimizer: expected finite values")
    return KeptOptimizer(
        optimizer,
        own,
        as_integer(updates, "updates", 0, _LARGEST),
        as_integer(seed, "seed", 0, _LARGEST),
    )
