"""MLPClassifier's stopping rules and records, as a callback of `Network.fit`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array
    from sigmax._training.history import History
    from sigmax.network import Network

_SMALLEST_RATE = 1e-6  # "adaptive" stops rather than divide a rate that is not above this
_ADAPTIVE_DIVISOR = 5.0


@dataclass(frozen=True)
class Rules:
    """The parameters of the stopping rules, under MLPClassifier's names.

    learning_rate is "constant", "invscaling" or "adaptive"; l2 and l1 are the penalties as `fit`
    takes them; n_rows is the number of training rows.
    """

    n_rows: int
    learning_rate: str
    learning_rate_init: float
    power_t: float
    tol: float
    n_iter_no_change: float
    l2: float
    l1: float
    verbose: bool


@dataclass
class Convergence:
    """The record of all epochs, earlier calls included, and the decision to stop.

    Without early_stopping an epoch counts as no improvement when its loss is above
    best_loss - tol, with it when the validation accuracy is below best_validation_score + tol.
    More than n_iter_no_change of them in a row end the training, or, when learning_rate is
    "adaptive", divide the rate by 5 until it is at most 1e-6.

    Attributes
    ----------
    loss_curve : list of float
        Cost of each epoch with the penalties at its end. Of lbfgs the cost is that at the beginning
        of an iteration.
    loss : float
        The last of them; of lbfgs, what is minimised, at the end.
    validation_scores : list of float
        Accuracy on the validation rows after each epoch that had some; without early_stopping it
        is recorded and decides nothing.
    best_parameters : numpy.ndarray or None
        Those with the best validation score, for early_stopping.
    rate : float
        The learning rate of the next epoch.
    name : str
        What each printed line begins with, where several networks train at the same time.
    """

    early_stopping: bool
    loss_curve: list[float] = field(default_factory=list)
    loss: float = math.inf
    validation_scores: list[float] = field(default_factory=list)
    best_loss: float = math.inf
    best_validation_score: float = -math.inf
    best_parameters: Array | None = None
    rows_seen: int = 0
    n_iter: int = 0
    converged: bool = False
    rate: float = math.nan
    name: str = ""
    _unimproved: int = 0
    _rules: Rules | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the record in types that readers of pickles and skops files need not be told of.

        Examples
        --------
        >>> Convergence(early_stopping=False).to_dict()["loss_curve"]
        []
        """
        rules = self._rules
        return {**vars(self), "_rules": None if rules is None else asdict(rules)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Convergence:
        """Return the record that `to_dict` described.

        Examples
        --------
        >>> Convergence.from_dict(Convergence(early_stopping=True).to_dict()).n_iter
        0
        """
        rules = state["_rules"]
        return cls(**{**state, "_rules": None if rules is None else Rules(**rules)})

    def begin(self, rules: Rules, *, keep_rate: bool = False) -> None:
        """Prepare for another call; keep_rate keeps a rate that a rule has lowered."""
        self._rules = rules
        self.n_iter, self.converged = 0, False
        if not keep_rate or rules.learning_rate == "constant" or math.isnan(self.rate):
            self.rate = rules.learning_rate_init

    def schedule(self, epoch: int) -> float:
        """Return the rate of the next epoch: a `schedule` for `Network.fit`."""
        return self.rate

    def __call__(self, network: Network, epoch: int, history: History) -> bool:
        """Record an epoch, and return whether training is over."""
        rules = self._rules
        assert rules is not None, "begin() comes first"
        self.n_iter += 1
        self.rows_seen += rules.n_rows
        self.loss = loss = history.cost[-1] + _penalty(network, rules)
        self.loss_curve.append(loss)
        if rules.verbose:
            print(f"{self.name}Iteration {self.n_iter}, loss = {loss:.8f}")
        if history.val_accuracy:
            self._note_score(network, history.val_accuracy[-1], rules)
        if not self.early_stopping:
            self._note_loss(loss, rules)
        if rules.learning_rate == "invscaling":
            self.rate = rules.learning_rate_init / (self.rows_seen + 1) ** rules.power_t
        if self._unimproved > rules.n_iter_no_change:
            self._stop_or_slow_down(rules)
        return self.converged

    def end(self, network: Network, cost: float) -> None:
        """Record the cost after the last iteration of lbfgs."""
        assert self._rules is not None, "begin() comes first"
        self.loss = cost + _penalty(network, self._rules)
        self.best_loss = min(self.best_loss, self.loss)

    def _note_score(self, network: Network, score: float, rules: Rules) -> None:
        if rules.verbose:
            print(f"{self.name}Validation score: {score:.6f}")
        self.validation_scores.append(score)
        if self.early_stopping:
            improved = score >= self.best_validation_score + rules.tol
            self._unimproved = 0 if improved else self._unimproved + 1
            if score > self.best_validation_score:
                self.best_parameters = network.parameters.copy()
        self.best_validation_score = max(self.best_validation_score, score)

    def _note_loss(self, loss: float, rules: Rules) -> None:
        improved = loss <= self.best_loss - rules.tol
        self._unimproved = 0 if improved else self._unimproved + 1
        self.best_loss = min(self.best_loss, loss)

    def _stop_or_slow_down(self, rules: Rules) -> None:
        if rules.learning_rate != "adaptive":
            self.converged, verdict = True, "Stopping."
        elif self.rate <= _SMALLEST_RATE:
            self.converged, verdict = True, "Learning rate too small. Stopping."
        else:
            self._unimproved = 0
            self.rate /= _ADAPTIVE_DIVISOR
            verdict = f"Setting learning rate to {self.rate:f}"
        if rules.verbose:
            what = "Validation score" if self.early_stopping else "Training loss"
            print(
                f"{self.name}{what} did not improve more than tol={rules.tol:f} for "
                f"{rules.n_iter_no_change} consecutive epochs. {verdict}"
            )


def _penalty(network: Network, rules: Rules) -> float:
    """Return (l2/2) sum w^2 + l1 sum |w|."""
    total = 0.0
    for w in network.weights:
        if rules.l2:
            total += 0.5 * rules.l2 * float(np.vdot(w, w))
        if rules.l1:
            total += rules.l1 * float(np.abs(w).sum())
    return total
