"""Published results on MNIST for this architecture, and ours: how each network is trained.

A published recipe has the published settings, except for the cost, which is always the
cross-entropy of a softmax. Our own settings were chosen by the accuracy on the last 10,000
training images after training on the first 50,000; test images were not used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One network and how it is trained.

    Attributes
    ----------
    name : str
    source : str
        Where the settings come from.
    published : float or None
        The published test accuracy, in percent; None for settings of our own.
    floor : float or None
        The mean over the seeds, in percent, below which something is wrong.
    sizes : tuple of int
    epochs, batch_size : int
    init : {"lecun", "large"}
        "large" is N(0, 1), with which chapters 1 and 3 of the book begin.
    rate : float
        The first learning rate; `cosine` lets it fall to 0 over the epochs.
    n_train : int
        60,000: all training images, and the last epoch counts. 50,000: the epoch counts that is
        best on the other 10,000, as in Nielsen's book.
    """

    name: str
    source: str
    published: float | None
    floor: float | None = None
    sizes: tuple[int, ...]
    epochs: int
    batch_size: int
    rate: float
    cosine: bool = False
    momentum: float = 0.0  # Nesterov's form where it is not 0
    l2: float = 0.0
    dropout: float = 0.0
    label_smoothing: float = 0.0
    init: str = "lecun"
    n_train: int = 60_000

    def learning_rate(self, epoch: int) -> float:
        """Return the rate of an epoch, counted from 0."""
        if not self.cosine:
            return self.rate
        return self.rate * 0.5 * (1.0 + math.cos(math.pi * epoch / self.epochs))

    def settings(self) -> str:
        """Describe the training in one line."""
        parts = [f"batch {self.batch_size}", f"rate {self.rate:g}{' (cosine)' * self.cosine}"]
        if self.init == "large":
            parts.append("from N(0, 1)")
        if self.momentum:
            parts.append(f"Nesterov {self.momentum:g}")
        for name in ("l2", "dropout", "label_smoothing"):
            if getattr(self, name):
                parts.append(f"{name.replace('_', ' ')} {getattr(self, name):g}")
        return ", ".join([*parts, f"{self.epochs} epochs"])


_BOOK = {"batch_size": 10, "n_train": 50_000}
_OWN = {
    "epochs": 40,
    "batch_size": 32,
    "rate": 0.1,
    "cosine": True,
    "momentum": 0.9,
    "l2": 2e-5,
}
_OWN_WITH_DROPOUT = {**_OWN, "epochs": 60, "rate": 0.2}

RECIPES = (
    Recipe(
        name="nielsen1-30",
        source="Nielsen, chapter 1",
        published=95.42,
        sizes=(784, 30, 10),
        epochs=30,
        rate=3.0,
        init="large",
        **_BOOK,
    ),
    Recipe(
        name="nielsen1-100",
        source="Nielsen, chapter 1",
        published=96.59,
        sizes=(784, 100, 10),
        epochs=30,
        rate=3.0,
        init="large",
        **_BOOK,
    ),
    Recipe(
        name="nielsen3-0.5",
        source="Nielsen, chapter 3, lambda 5.0",
        published=97.92,
        sizes=(784, 100, 10),
        epochs=30,
        rate=0.5,
        l2=5.0 / 50_000,
        init="large",
        **_BOOK,
    ),
    Recipe(
        name="nielsen3-0.1",
        source="Nielsen, chapter 3, lambda 5.0",
        published=98.04,
        sizes=(784, 100, 10),
        epochs=60,
        rate=0.1,
        l2=5.0 / 50_000,
        init="large",
        **_BOOK,
    ),
    Recipe(
        name="nielsen6",
        source="Nielsen, chapter 6",
        published=97.80,
        floor=97.8,
        sizes=(784, 100, 10),
        epochs=60,
        rate=0.1,
        **_BOOK,
    ),
    Recipe(
        name="simard",
        source="Simard et al. 2003",
        published=98.4,
        sizes=(784, 800, 10),
        **_OWN,
    ),
    Recipe(
        name="simard-dropout",
        source="the same network, dropout",
        published=98.4,
        floor=98.2,
        sizes=(784, 800, 10),
        dropout=0.5,
        **_OWN_WITH_DROPOUT,
    ),
    Recipe(
        name="hinton",
        source="Hinton 2005",
        published=98.47,
        sizes=(784, 500, 300, 10),
        **_OWN,
    ),
    Recipe(
        name="hinton-dropout",
        source="the same network, dropout",
        published=98.47,
        floor=98.2,
        sizes=(784, 500, 300, 10),
        dropout=0.2,
        **_OWN_WITH_DROPOUT,
    ),
)
