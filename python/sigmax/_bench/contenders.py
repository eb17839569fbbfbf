"""The interface of a contender, and the two without other packages: sigmax and NumPy."""

from __future__ import annotations

import importlib.util
import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sigmax._boundary.threads import set_num_threads
from sigmax.network import Network

Float = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]


def parameter_count(sizes: Sequence[int]) -> int:
    """Return how many weights and biases a network of ``sizes`` has."""
    return sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(sizes))


def split(flat: Float, sizes: Sequence[int]) -> tuple[list[Float], list[Float]]:
    """Return views ``W_l (n_l, n_{l-1})`` and ``b_l (n_l,)`` of parameters in one flat array."""
    weights, biases, at = [], [], 0
    for n_in, n_out in itertools.pairwise(sizes):
        weights.append(flat[at : at + n_in * n_out].reshape(n_out, n_in))
        at += n_in * n_out
    for n_out in sizes[1:]:
        biases.append(flat[at : at + n_out])
        at += n_out
    return weights, biases


class Contender(ABC):
    """A library that trains the network, or predicts with it, in its own fastest way.

    Plain SGD on the mean cross-entropy, over batches of consecutive rows of an array that stays in
    memory. The cost itself is not needed: a contender may leave it out.

    Parameters
    ----------
    threads : int
        How many threads it may use. Environment and affinity have been set to match before its
        library was imported.
    """

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()  # modules it needs
    dtype: ClassVar[type[np.floating]] = np.float32
    trains: ClassVar[bool] = True
    infers: ClassVar[bool] = True
    in_file_order: ClassVar[bool] = (
        True  # False: trains on shuffled rows, so nothing to compare parameters with
    )

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    @classmethod
    def missing(cls) -> list[str]:
        """Return the modules that are not installed; if empty, the contender can run."""
        return [package for package in cls.packages if importlib.util.find_spec(package) is None]

    @classmethod
    def environment(cls, threads: int) -> dict[str, str]:
        """Return environment variables for its process, beside the usual numbers of threads."""
        return {}

    @abstractmethod
    def setup(self, sizes: Sequence[int], X: Float, y: Labels, batch: int, rate: float) -> None:
        """Make the network; take ``X (n, n_0)`` in the contender's dtype and labels ``y (n,)``."""

    @abstractmethod
    def load_parameters(self, flat: Float) -> None:
        """Take parameters, laid out ``W_1, ..., W_L, b_1, ..., b_L``."""

    @abstractmethod
    def parameters(self) -> Float:
        """Return the present parameters in the same layout."""

    def train(self, epochs: int) -> None:
        """Train for that many epochs, and return when the parameters are ready to be read."""
        raise NotImplementedError(f"{self.name} does not train")

    def native(self, X: Float) -> Any:
        """Return rows in the form that ``infer`` likes best; not timed."""
        return X

    def infer(self, rows: Any) -> Float:
        """Return the class probabilities ``(n, n_L)`` of ``native`` rows as a NumPy array."""
        raise NotImplementedError(f"{self.name} does not infer")


class Sigmax(Contender):
    """One call of ``fit`` for all epochs, its checks and its running cost included."""

    name = "sigmax"

    def setup(self, sizes: Sequence[int], X: Float, y: Labels, batch: int, rate: float) -> None:
        set_num_threads(self.threads)
        self._network = Network(sizes, dtype=np.dtype(self.dtype).name, seed=0)
        self._X, self._y, self._batch, self._rate = X, y, batch, rate

    def load_parameters(self, flat: Float) -> None:
        self._network.parameters[:] = flat

    def parameters(self) -> Float:
        return self._network.parameters.copy()

    def train(self, epochs: int) -> None:
        self._network.fit(
            self._X,
            self._y,
            epochs=epochs,
            batch_size=self._batch,
            learning_rate=self._rate,
            shuffle=not self.in_file_order,
        )

    def infer(self, rows: Any) -> Float:
        return self._network.predict_proba(rows)


class SigmaxShuffled(Sigmax):
    """The same, a new order of the rows in every epoch."""

    name = "sigmax_shuffled"
    in_file_order = False


class SigmaxFloat64(Sigmax):
    """The same in double precision."""

    name = "sigmax_float64"
    dtype = np.float64


class NumPy(Contender):
    """The equations as fast as NumPy allows: every array made once, every operation in place.

    Parameters and gradient are one array each, so that the whole update is one call, and the
    learning rate is folded into the first delta.
    """

    name = "numpy"

    def setup(self, sizes: Sequence[int], X: Float, y: Labels, batch: int, rate: float) -> None:
        if len(X) % batch:
            raise ValueError(f"X has {len(X)} rows, expected a multiple of the batch, {batch}")
        self._parameters = np.zeros(parameter_count(sizes), self.dtype)
        self._gradient = np.zeros_like(self._parameters)
        self._weights, self._biases = split(self._parameters, sizes)
        self._nabla_w, self._nabla_b = split(self._gradient, sizes)
        self._transposed = [w.T for w in self._weights]
        targets = np.zeros((len(X), sizes[-1]), self.dtype)
        targets[np.arange(len(X)), y] = 1
        starts = range(0, len(X), batch)
        self._batches = [(X[i : i + batch], targets[i : i + batch]) for i in starts]
        self._sizes, self._scale = tuple(sizes), self.dtype(rate / batch)
        self._buffers = self._make_buffers(batch)

    def _make_buffers(self, rows: int) -> list[tuple[Float, Float]]:
        """Return a_l and delta_l (rows, n_l) of every layer but the input."""
        return [
            (np.empty((rows, n), self.dtype), np.empty((rows, n), self.dtype))
            for n in self._sizes[1:]
        ]

    def load_parameters(self, flat: Float) -> None:
        self._parameters[:] = flat

    def parameters(self) -> Float:
        return self._parameters.copy()

    def _forward(self, x: Float, outputs: list[Float]) -> None:
        a = x
        last = len(outputs) - 1
        for layer, out in enumerate(outputs):
            np.dot(a, self._transposed[layer], out=out)
            np.add(out, self._biases[layer], out=out)
            if layer < last:
                np.negative(out, out=out)
                np.exp(out, out=out)
                np.add(out, 1, out=out)
                np.reciprocal(out, out=out)
            a = out
        np.subtract(a, np.maximum.reduce(a, axis=1, keepdims=True), out=a)
        np.exp(a, out=a)
        np.divide(a, np.add.reduce(a, axis=1, keepdims=True), out=a)

    def _step(self, x: Float, targets: Float, outputs: list[Float], deltas: list[Float]) -> None:
        self._forward(x, outputs)
        delta = deltas[-1]
        np.subtract(outputs[-1], targets, out=delta)
        np.multiply(delta, self._scale, out=delta)
        for layer in range(len(outputs) - 1, -1, -1):
            a = outputs[layer - 1] if layer else x
            if len(x) == 1:  # BLAS is slower than a plain product of a column and a row
                np.multiply(delta.T, a, out=self._nabla_w[layer])
            else:
                np.dot(delta.T, a, out=self._nabla_w[layer])
            np.add.reduce(delta, axis=0, out=self._nabla_b[layer])
            if layer:
                previous = deltas[layer - 1]
                np.dot(delta, self._weights[layer], out=previous)
                np.multiply(previous, a, out=previous)
                np.subtract(1, a, out=a)
                np.multiply(previous, a, out=previous)
                delta = previous
        np.subtract(self._parameters, self._gradient, out=self._parameters)

    def train(self, epochs: int) -> None:
        outputs = [a for a, _ in self._buffers]
        deltas = [delta for _, delta in self._buffers]
        with np.errstate(over="ignore"):  # e^-z = inf is right: 1/(1 + inf) = 0
            for _ in range(epochs):
                for x, targets in self._batches:
                    self._step(x, targets, outputs, deltas)

    def infer(self, rows: Any) -> Float:
        if len(rows) != len(self._buffers[0][0]):
            self._buffers = self._make_buffers(len(rows))
        outputs = [a for a, _ in self._buffers]
        with np.errstate(over="ignore"):
            self._forward(rows, outputs)
        return outputs[-1]


class NumPyFloat64(NumPy):
    """The same in double precision; its parameters are what the others' are compared with."""

    name = "numpy_float64"
    dtype = np.float64
