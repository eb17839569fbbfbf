"""The network: parameters in NumPy's memory, equations in C."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

import numpy as np

from sigmax import _network_state, calibration, gradient, prediction
from sigmax._arrays import (
    FLOAT32,
    FLOAT64,
    INT64,
    Array,
    as_integer,
    direct,
    pointer,
)
from sigmax._errors import check
from sigmax._examples import Examples, as_examples
from sigmax._guard import Guard, undisturbed
from sigmax._layout import Layout, Views
from sigmax._rows import call_rows
from sigmax._sigmax import ffi, lib
from sigmax.preparation import Preparation
from sigmax.scoring import score
from sigmax.trainable import Trainable

if TYPE_CHECKING:
    import numpy.typing as npt

    from sigmax._sparse import SparseLike

    RowsLike: TypeAlias = npt.ArrayLike | SparseLike

_INITS = {"lecun": lib.SIGMAX_LECUN, "glorot": lib.SIGMAX_GLOROT, "large": lib.SIGMAX_LARGE}
_OK = lib.SIGMAX_OK
_MAX_SEED = 2**64 - 1


class Network(Trainable):
    """A fully connected network: sigmoid hidden layers, softmax output, cross-entropy cost.

    Forward: z_l = a_{l-1} W_l^T + b_l, a_l = sigmoid(z_l) in hidden layers, a_L = softmax(z_L).
    Names and equations are those of M. Nielsen, Neural Networks and Deep Learning, chapter 2.

    Arrays of examples, called X below, are (n, n_0) of finite real numbers. They are used without a
    copy when they have the network's dtype and C order, and converted once otherwise. X may also be
    a sparse array or matrix of SciPy (CSR is used as it is, other formats are converted to it), of
    which no more than a batch or 16 MiB is made dense at a time, or a `numpy.memmap` larger than
    memory, which is read, converted and checked a few MiB at a time. Targets y are integer labels
    (n,) from 0 to n_L - 1 (int64 is used without a copy), or rows (n, n_L) of class probabilities,
    >= 0 with a sum of 1 within 0.001. A network with a `preparation` applies it to every X.

    Parameters
    ----------
    sizes : sequence of int
        (n_0, ..., n_L): inputs, hidden layers if any, classes. Each >= 1, the last >= 2.
    dtype : dtype
        float32 or float64, in any of NumPy's spellings.
    seed : int or None
        From 0 to 2**64 - 1. Determines initial weights and shuffles; None draws one.
    init : {"lecun", "glorot", "large"}
        "lecun": weights normal with variance 1/n_in, biases 0 (LeCun et al. 1998, Efficient
        BackProp); "glorot": weights uniform within sqrt(6/(n_in + n_out)), biases 0 (Glorot &
        Bengio 2010); "large": all normal with variance 1 (Nielsen, chapter 1).

    Raises
    ------
    TypeError, ValueError
        Naming the argument, its value and what was expected.
    MemoryError
        When the parameters cannot fit this machine's memory.

    Examples
    --------
    >>> network = sigmax.Network([2, 8, 2], seed=0)
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> history = network.fit(X, y, epochs=2000, batch_size=4, learning_rate=2.0)
    >>> network.predict(X)
    array([0, 1, 1, 0])
    """

    def __init__(
        self,
        sizes: Iterable[int],
        *,
        dtype: npt.DTypeLike = FLOAT32,
        seed: int | None = None,
        init: str = "lecun",
    ) -> None:
        if not isinstance(init, str) or init not in _INITS:
            raise ValueError(f"init is {init!r}; expected one of {', '.join(map(repr, _INITS))}")
        if seed is None:
            import secrets  # only here: it takes a few milliseconds

            seed = secrets.randbits(64)
        self._describe(sizes, dtype, seed, 0)
        self._allocate()
        check(lib.sigmax_initialize(self._handle, self._pointer, _INITS[init], self._seed))

    def _describe(self, sizes: object, dtype: object, seed: object, epochs_trained: object) -> None:
        """Check and set all but the parameters."""
        self._layout = Layout(sizes, dtype)
        self._seed = as_integer(seed, "seed", 0, _MAX_SEED)
        self._epochs_trained = as_integer(epochs_trained, "epochs_trained", 0, _MAX_SEED)

    def _allocate(self) -> None:
        """Make the parameters, uninitialised, and keep at hand what every call needs."""
        self._arena = self._layout.new_arena()
        self._weights, self._biases = self._layout.layers(self._arena)
        self._pointer = pointer(self._arena)
        self._handle, self._dtype = self._layout.handle, self._layout.dtype
        self._n_in, self._n_out = self._layout.sizes[0], self._layout.sizes[-1]
        self._call_rows = call_rows(self._layout)
        self._preparation: Preparation | None = None
        self._temperature = 1.0
        self._guard = Guard()
        self._forget()

    # ---- description -----------------------------------------------------------------------------

    @property
    def sizes(self) -> tuple[int, ...]:
        """(n_0, ..., n_L): the number of inputs, of hidden neurons per layer, of classes."""
        return self._layout.sizes

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64, of parameters and results."""
        return self._layout.dtype

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases."""
        return self._layout.n_parameters

    @property
    def instruction_set(self) -> str:
        """What this network computes with, one of `sigmax.instruction_sets()`."""
        return ffi.string(lib.sigmax_instruction_set(self._handle)).decode()

    @property
    def seed(self) -> int:
        """The seed of initial weights and shuffles; drawn when it was not given."""
        return self._seed

    @property
    def epochs_trained(self) -> int:
        """Epochs completed by `fit` so far; with the seed, it determines the next shuffle."""
        return self._epochs_trained

    @property
    def preparation(self) -> Preparation | None:
        """What is done to every X beforehand; `fit` sets it when asked to, and keeps it."""
        return self._preparation

    @property
    def temperature(self) -> float:
        """T in softmax(z_L / T) of `predict_proba`; 1 until `calibrate`, and after each `fit`."""
        return self._temperature

    @property
    def parameters(self) -> Array:
        """All weights, then all biases: a flat writable view of (n_parameters,)."""
        return self._arena[:]

    @property
    def weights(self) -> Views:
        """Writable views; weights[l] is W_{l+1} (n_{l+1}, n_l), w_jk goes from neuron k to j."""
        return self._weights

    @property
    def biases(self) -> Views:
        """Writable views; biases[l] is b_{l+1} (n_{l+1},)."""
        return self._biases

    def __repr__(self) -> str:
        """Give the call that makes such a network, untrained."""
        name, sizes = type(self).__name__, list(self.sizes)
        return f"{name}({sizes}, dtype='{self._dtype}', seed={self._seed})"

    # ---- use -------------------------------------------------------------------------------------

    def predict_proba(self, X: RowsLike) -> Array:
        """Return the probabilities of the classes, a_L (n, n_L), in the network's dtype.

        They are softmax(z_L / temperature); see `calibrate`. Zero rows are allowed.

        Raises
        ------
        TypeError, ValueError
            When X has another number of columns than n_0, or anything but finite real numbers; the
            error names row and value. When the outputs of a row are NaN: a parameter is, or numbers
            are so large that infinities of both signs meet.

        Examples
        --------
        >>> network.predict_proba(X).sum(axis=1)
        array([1., 1., 1., 1.], dtype=float32)
        """
        version = self._guard.version
        data = direct(X, self._dtype, self._n_in) if self._preparation is None else None
        if data is None:
            return prediction.probabilities(self, X)
        n = len(cast(Array, X))
        if n > self._call_rows:  # in several calls of C, as Ctrl-C waits for each
            return prediction.probabilities(self, X)
        probabilities: Array = np.empty((n, self._n_out), self._dtype)
        status = lib.sigmax_predict_proba(
            self._handle, self._pointer, self._temperature, data, n, pointer(probabilities)
        )
        if version is None or self._guard.version is not version:  # trained by another thread
            return self.copy().predict_proba(X)
        if status != _OK:
            prediction.refuse(self, status, cast(Array, X))
        return probabilities

    def predict(self, X: RowsLike) -> npt.NDArray[np.int64]:
        """Return the class of each row (n,): the index of its first largest probability.

        Raises what `predict_proba` raises.

        Examples
        --------
        >>> network.predict(X)
        array([0, 1, 1, 0])
        """
        version = self._guard.version
        data = direct(X, self._dtype, self._n_in) if self._preparation is None else None
        if data is None:
            return prediction.labels(self, X)
        n = len(cast(Array, X))
        if n > self._call_rows:
            return prediction.labels(self, X)
        labels = np.empty(n, INT64)
        status = lib.sigmax_predict(
            self._handle, self._pointer, data, n, pointer("int64_t[]", labels)
        )
        if version is None or self._guard.version is not version:
            return self.copy().predict(X)
        if status != _OK:
            prediction.refuse(self, status, cast(Array, X))
        return labels

    def activations(self, X: RowsLike) -> list[Array]:
        """Return [a_0, ..., a_L] with a_l (n, n_l); a_0 is X itself where no copy was needed.

        These are the activations of training, at a temperature of 1; X is made dense as a whole.
        Raises what `predict_proba` raises, but for NaN, which is returned: the first layer with one
        is where it comes from.

        Examples
        --------
        >>> [a.shape for a in sigmax.Network([784, 30, 10]).activations(np.zeros((5, 784)))]
        [(5, 784), (5, 30), (5, 10)]
        """
        return undisturbed(self, lambda network: prediction.activations(network, X))

    def cost(self, X: RowsLike, y: npt.ArrayLike) -> float:
        """Return C = -(1/n) sum_x sum_i y_i ln a_i in nats, computed from z_L; l2 is not in it.

        The a_i are those of `predict_proba`, at the network's temperature.

        Raises
        ------
        TypeError, ValueError
            As `predict_proba` does; when X has no rows, when y has another number of rows, and when
            y holds anything but labels or probabilities (see `Network`).

        Examples
        --------
        >>> sigmax.Network([2, 2], seed=0).cost([[0, 0]], [1])
        0.6931471805599453
        """
        return undisturbed(self, lambda network: network._score(X, y, network._temperature)[0])

    def accuracy(self, X: RowsLike, y: npt.ArrayLike) -> float:
        """Return the share of rows whose predicted class is that of y, from 0 to 1.

        The class of a row of probabilities is its first largest entry. Raises what `cost` raises.

        Examples
        --------
        >>> network.accuracy(X, network.predict(X))
        1.0
        """
        return undisturbed(self, lambda network: network._score(X, y)[1])

    def backprop(self, X: RowsLike, y: npt.ArrayLike) -> gradient.Backprop:
        """Return cost, errors and gradient of one batch, by the four equations of backpropagation.

        BP1: delta_L = a_L - y. BP2: delta_l = (delta_{l+1} W_{l+1}) * a_l * (1 - a_l).
        BP3: dC/db_l = mean of delta_l over the rows. BP4: dC/dW_l = (1/n) delta_l^T a_{l-1}.
        Changes nothing; at a temperature of 1; X is made dense as a whole. Raises what `cost` does.

        Examples
        --------
        >>> result = network.backprop(X, y)
        >>> network.weights[0] -= 0.5 * result.nabla_w[0]
        """
        return undisturbed(
            self, lambda network: gradient.backprop(network, network._examples(X, y).dense())
        )

    def gradient_check(self, X: RowsLike, y: npt.ArrayLike) -> float:
        """Return max |numeric - analytic| / max |analytic| over the whole gradient, in float64.

        Numeric is the central difference (C(w + h) - C(w - h)) / 2h with h = 0.00001, analytic is
        `backprop`'s. The network is not changed; a float32 network is checked as its float64 copy.
        It takes 2 n_parameters forward passes over X, so use a small network and few rows: with
        10 rows, 5,000 parameters take well under a second and 100,000 about a minute. A right
        gradient gives about 1e-9; NaN means that it is 0 everywhere, so that nothing was shown.
        Raises what `cost` raises.

        Examples
        --------
        >>> sigmax.Network([3, 4, 2], seed=0).gradient_check([[0.1, 0.2, 0.3]], [1]) < 1e-7
        True
        """
        twin = self._twin(FLOAT64)
        return gradient.relative_error(twin, twin._examples(X, y).dense())

    def _score(self, X: object, y: object, temperature: float = 1.0) -> tuple[float, float]:
        """Return cost and accuracy."""
        examples = self._open(X, y).prepared(self._preparation, at_once=False)
        return score(self, examples, temperature)

    def _open(self, X: object, y: object, names: tuple[str, str] = ("X", "y")) -> Examples:
        """Return the examples, of the right shapes; X is neither prepared nor looked at yet."""
        return as_examples(X, y, self._dtype, self._n_in, self._n_out, names)

    def _examples(self, X: object, y: object, names: tuple[str, str] = ("X", "y")) -> Examples:
        """Return the examples as C takes them, at once where they are in memory."""
        return self._open(X, y, names).prepared(self._preparation)

    # ---- training --------------------------------------------------------------------------------

    def calibrate(self, X_val: RowsLike, y_val: npt.ArrayLike) -> calibration.Calibration:
        """Fit the temperature of `predict_proba` on data that was held out from training.

        A network that is surer than it is right gets a temperature T above 1. The probabilities
        become softmax(z_L / T); what is predicted does not change. T minimises the cost on these
        examples (Guo et al. 2017, On Calibration of Modern Neural Networks). It is stored with the
        network, applied by `predict_proba` and `cost`, and set back to 1 by the next `fit`.

        Returns
        -------
        Calibration
            The temperature, and expected calibration error (15 bins) and cost before and after.

        Raises
        ------
        TypeError, ValueError
            As `cost`; also when every row is right already, so that no temperature is the best.

        Examples
        --------
        >>> network.calibrate(X_val, y_val)
        Calibration(temperature=1.62, ece_before=0.043, ece_after=0.011, cost_before=0.31, ...)
        """
        with self._guard.claim():  # a training would set the temperature back meanwhile
            found = calibration.calibrate(self, self._examples(X_val, y_val, ("X_val", "y_val")))
            self._guard.write(setattr, self, "_temperature", found.temperature)
        return found

    # ---- copies ----------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to a file; path is taken as it is. See `sigmax.files.save`.

        Examples
        --------
        >>> network.save("digits.npz")
        """
        from sigmax import files

        files.save(path, self)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a network that `save` wrote. See `sigmax.files.load`.

        Examples
        --------
        >>> network = sigmax.Network.load("digits.npz")
        """
        from sigmax import files

        return cast(Self, files.load(path, cls).network)

    def copy(self) -> Self:
        """Return an independent network with the same parameters, seed and epochs trained.

        Examples
        --------
        >>> before = network.copy()
        """
        return self._twin(self._dtype)

    def __copy__(self) -> Self:
        """Copy, parameters included: networks never share them."""
        return self.copy()

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """Copy."""
        return self.copy()

    def __getstate__(self) -> dict[str, object]:
        """Give what a copy in another process needs."""
        return _network_state.of(self)

    def __setstate__(self, state: object) -> None:
        """Take what `__getstate__` gave, after checking all of it."""
        _network_state.restore(self, state)

    def _twin(self, dtype: np.dtype[Any]) -> Self:
        """Copy in another precision."""
        twin = type(self).__new__(type(self))
        twin._describe(self.sizes, dtype, self._seed, self._epochs_trained)
        twin._allocate()

        def take() -> None:
            twin._arena[:] = self._arena
            twin._preparation, twin._temperature = self._preparation, self._temperature
            twin._epochs_trained = self._epochs_trained

        self._guard.read(take)
        return twin
