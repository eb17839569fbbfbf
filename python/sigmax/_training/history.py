"""History: what `fit` measured, one value per epoch."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SERIES = ("cost", "accuracy", "val_cost", "val_accuracy", "seconds", "learning_rate")


@dataclass(repr=False)
class History:
    """What `fit` measured, one value per epoch.

    Attributes
    ----------
    cost : list of float
        Mean over the epoch's rows in nats, each taken before its batch's update, weighted by
        the weights if any, with smoothed labels and dropout if these are in use. It does not
        include penalties (l2, l1).
    accuracy : list of float
        Share of the epoch's rows that were classified correctly, likewise before the update.
    val_cost, val_accuracy : list of float
        On the validation data, after the epoch; empty when there was none.
    seconds : list of float
        Wall-clock time of the training in the epoch, validation not counted.
    learning_rate : list of float
        The rate of the epoch.
    best_epoch : int or None
        With early stopping, the epoch (from 0) whose parameters were restored; otherwise None.
    stopped : str or None
        Why training ended before the last epoch: "early_stopping", "callback", or, of lbfgs,
        "converged" or "max_evaluations"; None when it did not.

    Examples
    --------
    >>> history = network.fit(X, y, epochs=3)
    >>> history
    History(epochs=3, cost=0.2104, accuracy=0.9382)
    >>> len(history.cost), history.epochs
    (3, 3)
    """

    cost: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    val_cost: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    stopped: str | None = None

    @property
    def epochs(self) -> int:
        """The number of epochs completed."""
        return len(self.cost)

    def first(self, epochs: int) -> History:
        """Return a history of the first epochs alone.

        Examples
        --------
        >>> history.first(2).epochs
        2
        """
        series = {name: getattr(self, name)[:epochs] for name in SERIES}
        return History(**series, best_epoch=self.best_epoch, stopped=self.stopped)

    def __repr__(self) -> str:
        """Return the number of epochs and the values of the last one."""
        return (
            f"History(epochs={self.epochs}{''.join(f', {k}={v}' for k, v in self.last().items())})"
        )

    def last(self) -> dict[str, str]:
        """Return the last epoch's values, rounded for reading; empty when there was no epoch."""
        series = {
            "cost": self.cost,
            "accuracy": self.accuracy,
            "val_cost": self.val_cost,
            "val_accuracy": self.val_accuracy,
        }
        # a cost has no scale, an accuracy ends at 1
        return {
            name: f"{values[-1]:.4{'g' if 'cost' in name else 'f'}}"
            for name, values in series.items()
            if values
        }

    def to_frame(self) -> Any:
        """Return a pandas DataFrame: a row per epoch, a column per series that is not empty.

        Raises
        ------
        ImportError
            Naming the extra, when pandas is not installed.

        Examples
        --------
        >>> network.fit(X, y, epochs=2).to_frame()
                   cost  accuracy   seconds  learning_rate
        epoch
        0      0.693147      0.50  0.000031            0.5
        1      0.641201      0.75  0.000029            0.5
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise ImportError(
                "History.to_frame needs pandas: pip install 'sigmax[pandas]'"
            ) from error
        columns = {name: getattr(self, name) for name in SERIES if getattr(self, name)}
        index = pandas.RangeIndex(self.epochs, name="epoch")
        return pandas.DataFrame(columns, index=index)

    def plot(self, axes: Any = None) -> Figure:
        """Draw cost and accuracy over the epochs, and return the matplotlib figure.

        Parameters
        ----------
        axes : pair of matplotlib Axes, optional
            Where to draw cost and accuracy; None makes a figure of its own.

        Raises
        ------
        ImportError
            Naming the extra, when matplotlib is not installed.
        TypeError
            When axes is not a pair.

        Examples
        --------
        >>> network.fit(X, y, X_val=X_test, y_val=y_test).plot().savefig("history.png")
        """
        try:
            from matplotlib import pyplot
            from matplotlib.ticker import MaxNLocator
        except ImportError as error:
            raise ImportError(
                "History.plot needs matplotlib: pip install 'sigmax[plot]'"
            ) from error
        if axes is None:
            _, axes = pyplot.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
        try:
            of_cost, of_accuracy = axes
        except (TypeError, ValueError):
            raise TypeError(
                f"axes is {axes!r}; expected two matplotlib Axes, for cost and accuracy"
            ) from None
        panels = (of_cost, "cost", "nats"), (of_accuracy, "accuracy", "share of the rows")
        for axis, name, unit in panels:
            for series, label in ((name, "training"), (f"val_{name}", "validation")):
                values = getattr(self, series)
                if values:
                    axis.plot(range(len(values)), values, ".-", label=label)
            if self.best_epoch is not None:
                axis.axvline(self.best_epoch, color="grey", linestyle=":", label="best, kept")
            axis.set(title=name, xlabel="epoch", ylabel=unit)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            if axis.lines:
                axis.legend()
        figure: Figure = of_cost.figure
        return figure
