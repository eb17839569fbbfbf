"""The record of a network: its numbers, and how they are read while another thread trains them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from sigmax._boundary.arrays import Array, pointer
from sigmax._boundary.layout import Layout, Views
from sigmax._boundary.lazily import imports
from sigmax._boundary.scalars import above_zero, as_integer
from sigmax._boundary.status import check
from sigmax._data.columns import Columns, as_column_names
from sigmax._data.examples import Examples, as_examples
from sigmax._data.preparation import Preparation, as_preparation
from sigmax._data.rows import call_rows
from sigmax._model.guard import Guard
from sigmax._sigmax import lib

if TYPE_CHECKING:
    from sigmax._model.kept_optimizer import KeptOptimizer
    from sigmax._sigmax import CData

INITS = {"lecun": lib.SIGMAX_LECUN, "glorot": lib.SIGMAX_GLOROT, "large": lib.SIGMAX_LARGE}
_MAX_SEED = 2**64 - 1
_NAMES = {"sizes", "dtype", "parameters", "seed", "epochs_trained"}
_OPTIONAL = {"temperature", "preparation", "column_names", "kept_optimizer"}  # earlier states lack

A = TypeVar("A")
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Model:
    """A network's numbers: what a model file holds, and the guard of it. `Network` is its face.

    Attributes
    ----------
    layout : Layout
        Sizes, dtype and C's handle for them; it never changes.
    arena : numpy.ndarray (n_parameters,)
        All parameters, written in place; `weights` and `biases` are views of it, `pointer` is
        where C finds it.
    seed : int
        Of initial weights, shuffles and dropout.
    epochs_trained : int
        Epochs completed.
    preparation : Preparation or None
        What is done to every X.
    temperature : float
        T in softmax(z_L / T).
    column_names : tuple of str, or None
        Names of the columns of X, where they are known.
    guard : Guard
        Keeps readers from parameters that are half written.
    kept_optimizer : KeptOptimizer or None
        Of `partial_fit`. Pickles and deep copies have it, other copies and files do not, and `fit`
        begins without.
    call_rows : int
        How many rows C may infer in one call, for which Ctrl-C waits.
    """

    layout: Layout
    arena: Array
    seed: int
    epochs_trained: int = 0
    preparation: Preparation | None = None
    temperature: float = 1.0
    column_names: tuple[str, ...] | None = None
    guard: Guard = field(default_factory=Guard)
    kept_optimizer: KeptOptimizer | None = None
    weights: Views = field(init=False)
    biases: Views = field(init=False)
    pointer: CData = field(init=False)
    call_rows: int = field(init=False)

    def __post_init__(self) -> None:
        """Keep at hand what every call needs."""
        self.weights, self.biases = self.layout.layers(self.arena)
        self.pointer = pointer(self.arena)
        self.call_rows = call_rows(self.layout)

    @classmethod
    def initialized(cls, sizes: object, dtype: object, seed: object, init: object) -> Model:
        """Return a model with the initial parameters that the seed gives; see `Network`.

        Raises
        ------
        TypeError, ValueError
            Naming the argument, its value and what was expected.
        MemoryError
            When the parameters cannot fit this machine's memory.

        Examples
        --------
        >>> Model.initialized([2, 8, 2], "float32", 0, "lecun").layout.n_parameters
        42
        """
        if not isinstance(init, str) or init not in INITS:
            raise ValueError(f"init is {init!r}; expected one of {', '.join(map(repr, INITS))}")
        layout = Layout(sizes, dtype)
        checked_seed = as_integer(seed, "seed", 0, _MAX_SEED)
        model = cls(layout, layout.new_arena(), checked_seed)
        check(lib.sigmax_initialize(layout.handle, model.pointer, INITS[init], checked_seed))
        return model

    def copy(self, dtype: np.dtype[Any] | None = None, *, with_optimizer: bool = False) -> Model:
        """Return an independent model with the same numbers, in another precision if asked for.

        with_optimizer copies kept_optimizer, too, except while another thread trains: it belongs to
        the end of a call of `partial_fit`.

        Examples
        --------
        >>> twin = model.copy(FLOAT64)
        """
        layout = Layout(self.layout.sizes, self.layout.dtype if dtype is None else dtype)
        twin = type(self)(layout, layout.new_arena(), self.seed)

        def take() -> None:
            twin.arena[:] = self.arena
            twin.preparation, twin.temperature = self.preparation, self.temperature
            twin.column_names = self.column_names
            twin.epochs_trained = self.epochs_trained
            kept, trainer = self.kept_optimizer, self.guard.trainer
            if with_optimizer and kept is not None and trainer in (None, get_ident()):
                twin.kept_optimizer = kept.copy()

        self.guard.read(take)
        return twin

    def read(self, compute: Callable[[Model, A], T], given: A, short: bool = False) -> T:
        """Return compute(model, given), or that of a copy where another thread trains this model.

        So every answer belongs to the parameters between two updates; see `sigmax._model.guard`.
        What is short is tried without a copy first, since no update may come meanwhile.
        One argument, since more of them in general would cost as much as a small prediction's
        checks.

        Examples
        --------
        >>> model.read(probabilities, X)
        """
        guard = self.guard
        before = guard.version
        if before is not None and (short or guard.trainer is None or guard.trainer == get_ident()):
            try:
                answer = compute(self, given)
            except Exception:
                if guard.version is before:
                    raise
            else:
                if guard.version is before:
                    return answer
        return compute(self.copy(), given)

    @property
    def columns(self) -> Columns:
        """What is known of the columns of every X."""
        p = self.preparation
        return Columns(self.column_names, p is not None and p.fill is not None)

    def examples(
        self,
        X: object,
        y: object,
        names: tuple[str, str] = ("X", "y"),
        columns: Columns | None = None,
    ) -> Examples:
        """Return X and y, of the right shapes, opened; X is neither prepared nor looked at yet.

        columns takes the place of the model's own.
        """
        return as_examples(X, y, self.layout, names, columns=columns or self.columns)

    def prepared_examples(
        self, X: object, y: object, names: tuple[str, str] = ("X", "y"), *, at_once: bool = True
    ) -> Examples:
        """Return X and y as C takes them; with at_once now, where they are in memory."""
        return self.examples(X, y, names).prepared(self.preparation, at_once=at_once)

    def to_dict(self, *, with_optimizer: bool = False) -> dict[str, object]:
        """Return all of a model whose parameters are finite; preparation is (mean, scale, fill).

        with_optimizer adds kept_optimizer where there is one; see `copy`.

        Raises ValueError when a parameter is not finite.

        Examples
        --------
        >>> model.to_dict()["sizes"]
        (2, 8, 2)
        """
        model = self
        if self.guard.trainer != get_ident():  # the training thread may store it without a copy
            model = self.copy(with_optimizer=with_optimizer)
        layout, p = model.layout, model.preparation
        layout.require_finite(model.arena, "a network that is stored")
        state: dict[str, object] = {
            "sizes": layout.sizes,
            "dtype": layout.dtype.name,
            "parameters": model.arena,
            "seed": model.seed,
            "epochs_trained": model.epochs_trained,
            "temperature": model.temperature,
            "preparation": None if p is None else (p.mean, p.scale, p.fill),
        }
        # only where there are some: earlier releases can read the state of a model without them
        if model.column_names is not None:
            state["column_names"] = model.column_names
        if with_optimizer and model.kept_optimizer is not None:
            state["kept_optimizer"] = model.kept_optimizer.to_tuple()
        return state

    @classmethod
    def from_dict(cls, state: object) -> Model:
        """Return the model that `to_dict` described, after checking all of it.

        Raises
        ------
        TypeError, ValueError
            Naming what is wrong.

        Examples
        --------
        >>> twin = Model.from_dict(model.to_dict())
        """
        names = set(state) if isinstance(state, dict) else set()
        if not isinstance(state, dict) or not names >= _NAMES or names - _NAMES - _OPTIONAL:
            raise ValueError(
                f"the state of a network holds {', '.join(sorted(_NAMES))}, perhaps "
                f"{', '.join(sorted(_OPTIONAL))}, and nothing else"
            )
        layout = Layout(state["sizes"], state["dtype"])
        seed = as_integer(state["seed"], "seed", 0, _MAX_SEED)
        epochs_trained = as_integer(state["epochs_trained"], "epochs_trained", 0, _MAX_SEED)
        parameters, shape = state["parameters"], (layout.n_parameters,)
        if (
            not isinstance(parameters, np.ndarray)
            or parameters.dtype.newbyteorder("=") != layout.dtype
            or parameters.shape != shape
        ):
            raise ValueError(f"expected parameters of {layout.dtype}, {shape}")
        model = cls(layout, layout.new_arena(), seed, epochs_trained)
        model.arena[:] = parameters
        layout.require_finite(model.arena, "a stored network")
        model.temperature = above_zero(state.get("temperature", 1.0), "temperature")
        model.preparation = as_preparation(state.get("preparation"), layout.n_in)
        model.column_names = as_column_names(state.get("column_names"), layout.n_in)
        if "kept_optimizer" in state:
            with imports:
                from sigmax._model.kept_optimizer import as_kept_optimizer

            model.kept_optimizer = as_kept_optimizer(state["kept_optimizer"], layout)
        return model
