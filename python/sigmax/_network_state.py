"""A network as a dictionary of plain values, for pickles and files, and back."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING

import numpy as np

from sigmax._option_checks import above_zero
from sigmax.preparation import as_preparation

if TYPE_CHECKING:
    from sigmax.network import Network

_NAMES = {"sizes", "dtype", "parameters", "seed", "epochs_trained"}
_OPTIONAL = {"temperature", "preparation"}  # which the first release did not have


def of(network: Network) -> dict[str, object]:
    """Return all of a network whose parameters are finite; preparation is (mean, scale, fill).

    Examples
    --------
    >>> of(sigmax.Network([2, 2], seed=0))["sizes"]
    (2, 2)
    """
    if network._guard.trainer != get_ident():  # who trains it may store it without a copy
        network = network.copy()
    network._layout.require_finite(network._arena, "a network that is stored")
    p = network._preparation
    return {
        "sizes": network.sizes,
        "dtype": network.dtype.name,
        "parameters": network._arena,
        "seed": network.seed,
        "epochs_trained": network.epochs_trained,
        "temperature": network._temperature,
        "preparation": None if p is None else (p.mean, p.scale, p.fill),
    }


def restore(network: Network, state: object) -> None:
    """Make network, which has no parameters yet, what `of` gave, after checking all of it.

    Raises
    ------
    TypeError, ValueError
        Saying what is wrong.

    Examples
    --------
    >>> network = sigmax.Network.__new__(sigmax.Network)
    >>> restore(network, of(other))
    """
    names = set(state) if isinstance(state, dict) else set()
    if not isinstance(state, dict) or not names >= _NAMES or names - _NAMES - _OPTIONAL:
        raise ValueError(
            f"the state of a network holds {', '.join(sorted(_NAMES))}, perhaps "
            f"{' and '.join(sorted(_OPTIONAL))}, and nothing else"
        )
    network._describe(state["sizes"], state["dtype"], state["seed"], state["epochs_trained"])
    parameters, shape = state["parameters"], (network.n_parameters,)
    if (
        not isinstance(parameters, np.ndarray)
        or parameters.dtype.newbyteorder("=") != network.dtype
        or parameters.shape != shape
    ):
        raise ValueError(f"expected parameters of {network.dtype}, {shape}")
    network._allocate()
    network._arena[:] = parameters
    network._layout.require_finite(network._arena, "a stored network")
    network._temperature = above_zero(state.get("temperature", 1.0), "temperature")
    network._preparation = as_preparation(state.get("preparation"), network.sizes[0])
