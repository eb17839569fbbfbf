"""Early stopping: the best parameters so far, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array
    from sigmax._training.history import History
    from sigmax._training.options import FitOptions


class EarlyStopping:
    """Watches the validation cost or accuracy, and keeps the parameters of the best epoch.

    An epoch is better when its value beats the best one by more than min_delta. After `patience`
    epochs in a row that are not, it is `exhausted`.

    Parameters
    ----------
    options : FitOptions
        Its `early_stopping` is not None.
    state : mapping of str to float, optional
        An earlier `state` to continue from: value and epoch of the best, epochs since then.
    best : numpy.ndarray, optional
        The earlier `best`.

    Attributes
    ----------
    best : numpy.ndarray or None
        The parameters after the best epoch; None before the first.

    Examples
    --------
    >>> stopping = EarlyStopping(FitOptions(early_stopping="cost", patience=3))
    >>> stopping.observe(history, network.parameters)
    >>> stopping.exhausted
    False
    """

    def __init__(
        self,
        options: FitOptions,
        state: Mapping[str, float] | None = None,
        best: Array | None = None,
    ) -> None:
        self._options = options
        self._series = f"val_{options.early_stopping}"
        self._sign = 1.0 if options.early_stopping == "accuracy" else -1.0
        self.state: dict[str, float] = dict(state or {})
        self.best = None if best is None else best.copy()

    @property
    def exhausted(self) -> bool:
        """Whether it is time to stop."""
        return self.state.get("waited", 0) >= self._options.patience

    def observe(self, history: History, parameters: Array) -> None:
        """Record the last epoch of history; `state` is replaced, not modified."""
        state = self.state
        value: float = getattr(history, self._series)[-1]
        gain = self._sign * (value - state["value"]) if state else math.inf
        if self.best is not None and not gain > self._options.min_delta:
            self.state = {**state, "waited": state["waited"] + 1}
            return
        # first the state: Ctrl-C may come in between, and restore() needs an epoch for a best
        self.state = {"value": value, "epoch": history.epochs - 1, "waited": 0}
        if self.best is None:
            self.best = parameters.copy()
        else:
            self.best[:] = parameters

    def restore(self, history: History, parameters: Array) -> None:
        """Restore the best parameters, and record their epoch in history."""
        if self.best is not None:
            parameters[:] = self.best
            history.best_epoch = int(self.state["epoch"])
