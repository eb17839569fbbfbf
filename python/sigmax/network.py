"""The network: the face of a `Model`, with one call per method."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Unpack

import numpy as np

from sigmax._boundary.arrays import FLOAT32, FLOAT64, Array
from sigmax._boundary.layout import Views
from sigmax._boundary.lazily import imports
from sigmax._data.preparation import Preparation
from sigmax._model import calibration, gradient, inference
from sigmax._model.model import Model
from sigmax._training.history import History
from sigmax._training.options import OPTION_NAMES, PARTIAL_OPTIONS, FitKeywords, with_options

if TYPE_CHECKING:
    import numpy.typing as npt

    from sigmax._data.sparse import SparseLike

    RowsLike: TypeAlias = npt.ArrayLike | SparseLike


class Network:
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
    X may be a data frame of numbers (pandas, polars, pyarrow and others), whose column names the
    network keeps: see `column_names`.

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
        if seed is None:
            import secrets  # only here: it takes a few milliseconds

            seed = secrets.randbits(64)
        self._model = Model.initialized(sizes, dtype, seed, init)

    @classmethod
    def _of(cls, model: Model) -> Self:
        """Return the face of a model."""
        network = cls.__new__(cls)
        network._model = model
        return network

    # ---- description -----------------------------------------------------------------------------

    @property
    def sizes(self) -> tuple[int, ...]:
        """(n_0, ..., n_L): the number of inputs, of hidden neurons per layer, of classes."""
        return self._model.layout.sizes

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64, of parameters and results."""
        return self._model.layout.dtype

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases."""
        return self._model.layout.n_parameters

    @property
    def instruction_set(self) -> str:
        """The instruction set in use, one of `sigmax.instruction_sets()`."""
        return self._model.layout.instruction_set

    @property
    def seed(self) -> int:
        """The seed of initial weights and shuffles; drawn when it was not given."""
        return self._model.seed

    @property
    def epochs_trained(self) -> int:
        """Epochs completed by `fit` so far; with the seed, it determines the next shuffle."""
        return self._model.epochs_trained

    @property
    def preparation(self) -> Preparation | None:
        """How every X is prepared; `fit` sets it if its options say so, and keeps it."""
        return self._model.preparation

    @property
    def column_names(self) -> tuple[str, ...] | None:
        """Names of X's columns, from the first data frame that trained the network, or None.

        A frame passed later is put in this order. One that lacks a column, or has another one,
        raises an error. An array has no names, and its columns are taken as they come.
        """
        return self._model.column_names

    @property
    def temperature(self) -> float:
        """T in softmax(z_L / T) of `predict_proba`; 1 until `calibrate`, and after each `fit`."""
        return self._model.temperature

    @property
    def parameters(self) -> Array:
        """All weights, then all biases: a flat writable view of (n_parameters,)."""
        return self._model.arena[:]

    @property
    def weights(self) -> Views:
        """Writable views; weights[l] is W_{l+1} (n_{l+1}, n_l), w_jk goes from neuron k to j."""
        return self._model.weights

    @property
    def biases(self) -> Views:
        """Writable views; biases[l] is b_{l+1} (n_{l+1},)."""
        return self._model.biases

    def __repr__(self) -> str:
        """Return the call that creates such a network, untrained."""
        name, sizes = type(self).__name__, list(self.sizes)
        return f"{name}({sizes}, dtype='{self.dtype}', seed={self.seed})"

    # ---- use -------------------------------------------------------------------------------------

    def predict_proba(self, X: RowsLike) -> Array:
        """Return the probabilities of the classes, a_L (n, n_L), in the network's dtype.

        They are softmax(z_L / temperature); see `calibrate`. Zero rows are allowed.

        Raises
        ------
        TypeError, ValueError
            When X has another number of columns than n_0, or anything but finite real numbers; the
            error names row and value. When the outputs of a row are NaN, because a
            parameter is, or because infinities of both signs are added.

        Examples
        --------
        >>> network.predict_proba(X).sum(axis=1)
        array([1., 1., 1., 1.], dtype=float32)
        """
        return self._model.read(inference.probabilities, X, True)

    def predict(self, X: RowsLike) -> npt.NDArray[np.int64]:
        """Return the class of each row (n,): the index of its first largest probability.

        Raises what `predict_proba` raises.

        Examples
        --------
        >>> network.predict(X)
        array([0, 1, 1, 0])
        """
        return self._model.read(inference.labels, X, True)

    def activations(self, X: RowsLike) -> list[Array]:
        """Return [a_0, ..., a_L] with a_l (n, n_l); a_0 is X itself where no copy was needed.

        These are the activations of training, at a temperature of 1; X is made dense as a whole.
        Raises what `predict_proba` raises, except for NaN, which is returned: it arises in the
        first layer that has one.

        Examples
        --------
        >>> [a.shape for a in sigmax.Network([784, 30, 10]).activations(np.zeros((5, 784)))]
        [(5, 784), (5, 30), (5, 10)]
        """
        return self._model.read(inference.activations, X)

    def weighted_inputs(self, X: RowsLike) -> list[Array]:
        """Return [z_1, ..., z_L] with z_l (n, n_l): z_l = a_{l-1} W_l^T + b_l.

        The activations are taken of them, to the bit: a_l = sigmoid(z_l), a_L = softmax(z_L). The
        `preparation` is applied to X, the `temperature` is not; X is made dense as a whole. Raises
        what `activations` raises, and returns NaN likewise.

        Examples
        --------
        >>> z = network.weighted_inputs(X)
        >>> [z_l.shape for z_l in z]
        [(4, 8), (4, 2)]
        >>> np.array_equal(sigmax.softmax(z[-1]), network.activations(X)[-1])
        True
        """
        return self._model.read(inference.weighted_inputs, X)

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
        return self._model.read(inference.cost, (X, y))

    def accuracy(self, X: RowsLike, y: npt.ArrayLike) -> float:
        """Return the share of rows whose predicted class is that of y, from 0 to 1.

        The class of a row of probabilities is its first largest entry. Raises what `cost` raises.

        Examples
        --------
        >>> network.accuracy(X, network.predict(X))
        1.0
        """
        return self._model.read(inference.accuracy, (X, y))

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
        return self._model.read(gradient.backprop_of, (X, y))

    def gradient_check(self, X: RowsLike, y: npt.ArrayLike) -> float:
        """Return max |numeric - analytic| / max |analytic| over the whole gradient, in float64.

        Numeric is the central difference (C(w + h) - C(w - h)) / 2h with h = 0.00001, analytic is
        `backprop`'s. The network is not changed; a float32 network is checked as its float64 copy.
        It takes 2 n_parameters forward passes over X, so use a small network and few rows: with
        10 rows, 5,000 parameters take well under a second and 100,000 about a minute. A right
        gradient gives about 1e-9; NaN means that it is 0 everywhere, so nothing was checked.
        Raises what `cost` raises.

        Examples
        --------
        >>> sigmax.Network([3, 4, 2], seed=0).gradient_check([[0.1, 0.2, 0.3]], [1]) < 1e-7
        True
        """
        twin = self._model.copy(FLOAT64)
        return gradient.relative_error(twin, twin.prepared_examples(X, y).dense())

    # ---- training --------------------------------------------------------------------------------

    @with_options(OPTION_NAMES)
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight: npt.ArrayLike | None = None,
        sample_weight_val: npt.ArrayLike | None = None,
        resume: str | os.PathLike[str] | None = None,
        **options: Unpack[FitKeywords],
    ) -> History:
        """Train the network; by default by mini-batch gradient descent.

        It minimises C + (l2/2) sum w^2 + l1 sum |w|, with sums over weights, not biases. A second
        call continues with the present parameters and shuffles, and a new optimiser.
        After any exception, Ctrl-C included, the network keeps its progress and stays usable; with
        early stopping it then has the best parameters so far, and a checkpoint the last ones.
        One seed gives the same parameters to the bit, whatever the number of threads, with one
        build on one instruction set. Other threads may use the network meanwhile: each answer
        belongs to the parameters between two updates. Writing to `parameters`, `weights` and
        `biases` by hand is not protected in this way.

        Parameters
        ----------
        X, y : array_like
            Examples and targets, see `Network`. X may also be a SciPy sparse matrix, a
            `numpy.memmap`, or, without y, a callable that returns an iterator over blocks (X, y)
            for each epoch. A file larger than memory is read much faster in
            its own order, with shuffle=False.
        X_val, y_val : array_like, optional
            Examples to report cost and accuracy on after each epoch; both or neither.
        sample_weight, sample_weight_val : array_like (n,), optional
            How much each row counts, finite and >= 0; only ratios matter. A batch of m rows uses
            sum s dC_x/dw / (m mean(s)), the mean being over all rows of the training.
        resume : path, optional
            A checkpoint to resume, with its options. Pass the data
            and the options that are functions again; others may be omitted. Other data raise an
            error (of an X beyond 1 GiB, 64 rows are compared; of a stream, none). The network gets
            the state in the checkpoint, which is written further unless `checkpoint` names another
            file. `epochs` may be another number than at the beginning, though not below those that
            are done: the result is that of a training that had this number from its beginning.
            With schedule="cosine" it may not, since every rate depends on it. With a larger number
            a finished training goes on, also one that a callback ended; one that early stopping or
            L-BFGS itself ended is returned as it is.
        epochs : int
            Passes over the data, >= 0.
        batch_size : int
            Rows per update, >= 1; a number above the rows of X means all. A short last batch is
            used, with the mean over its own rows.
        learning_rate : float or None
            Finite and > 0; None stands for 0.5 (sgd), 0.1 (momentum, nesterov) or 0.001 (rmsprop,
            adam, adamw).
        optimizer : {"sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "lbfgs"}
            The formulas are PyTorch's, see csrc/sigmax_api.h. "lbfgs" is L-BFGS over all rows at
            once: an epoch is one of its iterations (Nocedal 1980; steps as in L-BFGS-B, Byrd, Lu,
            Nocedal & Zhu 1995, by the line search of More & Thuente 1994).
        momentum, beta1, beta2, rho, epsilon : float
            Numbers of the optimisers, by default 0.9, 0.9, 0.999, 0.99 and 1e-8.
        gtol, max_evaluations : float, int or None
            For lbfgs: training ends when no entry of the gradient is larger than gtol, when an
            iteration lowers the objective f by no more than 2.2e-9 max(|f|, 1), when its line
            search finds no lower point, even along the gradient, or after the iteration that
            exceeds max_evaluations evaluations of the cost.
        weight_decay : float or None
            For adamw; None stands for 0.01.
        l2, l1 : float
            Penalties on weights, >= 0.
        clip_norm : float or None
            The largest norm of a batch's gradient without penalties; a larger one is scaled down.
        dropout : float
            The share of hidden neurons left out of each update, from 0 to below 1; those that stay
            are scaled up by 1/(1 - dropout) (Srivastava et al. 2014). None at prediction.
        label_smoothing : float
            e in y (1 - e) + e/n_L, from 0 to below 1 (Szegedy et al. 2016).
        shuffle : bool
            Take the rows in a new random order in each epoch, or in the order of X. A callable
            gives its rows in its own order.
        class_weight : "balanced", dict, sequence or None
            Weights of classes, times those of rows. "balanced" is n/(k count); in a
            dict, missing labels have weight 1.
        validation_fraction : float
            Instead of X_val, hold out this share of each class, drawn by the network's seed alone,
            of the rows whose weight is not 0.
        early_stopping : {"cost", "accuracy"} or None
            Stop when this did not improve on the validation data by more than `min_delta` for
            `patience` epochs. The parameters of the best epoch are restored, also when training
            ends for another reason.
        patience, min_delta : int, float
            For early stopping: >= 1 and >= 0.
        schedule : {"constant", "step", "exponential", "cosine", "plateau"} or callable
            The learning rate over the epochs, or a function of the epoch, from 0, that gives it;
            docs/training.md has the formulas.
        schedule_factor, schedule_epochs, warmup_epochs, min_learning_rate
            For the schedule, as described there.
        standardize : bool
            Give the model a preparation that brings each column of X to mean 0 and deviation 1
            (see `sigmax.Preparation`); sparse X is scaled to deviation 1 and not centred, so that
            its zeros stay zeros, and gives another model than the same X made dense. It is kept
            with the model and applied in every call. A network that has one keeps it; one that was
            trained without gets none.
        nan : {"error", "mean"}
            For NaN in X: raise an error, or fill in the mean of its column in the training data,
            now and at prediction.
        callbacks : sequence
            Callables of (network, epoch, history), or objects with `on_epoch_end` of the same,
            called after each epoch, counted from 0. One that returns True ends the training;
            its exceptions are passed on.
        checkpoint : path, optional
            Where to write a checkpoint after every `checkpoint_every` epochs, at the end, and on
            Ctrl-C.
        checkpoint_every : int
            Epochs between checkpoints, >= 1.
        progress : bool
            Draw a progress bar.

        Returns
        -------
        History
            Cost, accuracy, learning rate and seconds of each epoch.

        Raises
        ------
        TypeError, ValueError
            When an option or an array is not as described, or a parameter is not finite.
        DivergedError
            When a batch makes the cost or a parameter infinite or NaN. The parameters from before
            that batch are kept; with early stopping, the best ones are restored.
        RuntimeError
            When another thread is training this network.
        ImportError
            When an optional package is needed and missing; the message names the extra.

        Warns
        -----
        TrainingWarning
            When training makes no progress; the message suggests a change.

        Examples
        --------
        >>> history = network.fit(X, y, optimizer="adam", validation_fraction=0.1,
        ...                       early_stopping="accuracy", standardize=True)
        >>> history.val_accuracy[history.best_epoch]
        0.97
        """
        with imports:
            from sigmax._training.fit import fit  # here: a fifth of the time of `import sigmax`

        return fit(
            self._model,
            X,
            y,
            options,
            owner=self,
            X_val=X_val,
            y_val=y_val,
            sample_weight=sample_weight,
            sample_weight_val=sample_weight_val,
            resume=resume,
        )

    @with_options(PARTIAL_OPTIONS)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: npt.ArrayLike | None = None,
        **options: Unpack[FitKeywords],
    ) -> History:
        """Train on these rows once; the caller divides the training into calls.

        The optimiser's state is kept from call to call, and in pickles and deep copies of the
        network (not in those made while another thread trains it). It is reset by `fit` and by
        another optimizer; `copy` and files of the network do not contain it. One call is one epoch
        of `epochs_trained`.

        Parameters
        ----------
        X, y : array_like
            Examples and targets, see `Network`; X may be a SciPy sparse matrix.
        sample_weight : array_like (n,), optional
            How much each row counts, finite and >= 0. Used unscaled, because
            the rows of other calls are unknown: with weights around 1 the learning rate keeps its
            meaning.
        **options
            As those of `fit`.

        Returns
        -------
        History
            Of the one epoch.

        Raises what `fit` raises.

        Examples
        --------
        >>> for X, y in chunks:
        ...     history = network.partial_fit(X, y, optimizer="adam")
        """
        with imports:
            from sigmax._training.partial_fit import partial_fit

        return partial_fit(self._model, X, y, options, sample_weight=sample_weight)

    def calibrate(self, X_val: RowsLike, y_val: npt.ArrayLike) -> calibration.Calibration:
        """Fit the temperature of `predict_proba` on data that was held out from training.

        An overconfident network gets a temperature T above 1. The probabilities
        become softmax(z_L / T); predicted classes do not change. T minimises the cost on these
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
        return calibration.calibrate(self._model, X_val, y_val)

    # ---- copies ----------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to a file; path is taken as it is. See `sigmax.files.save`.

        Examples
        --------
        >>> network.save("digits.npz")
        """
        with imports:
            from sigmax._model import model_file

        model_file.save(path, self._model)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a network that `save` wrote. See `sigmax.files.load`.

        Examples
        --------
        >>> network = sigmax.Network.load("digits.npz")
        """
        with imports:
            from sigmax._model import model_file

        return cls._of(model_file.load(path).model)

    def copy(self) -> Self:
        """Return an independent network with the same parameters, seed and epochs trained.

        `copy.deepcopy` also copies the optimiser's state that `partial_fit` keeps.

        Examples
        --------
        >>> before = network.copy()
        """
        return self._of(self._model.copy())

    def __copy__(self) -> Self:
        """Copy, parameters included: networks never share them."""
        return self.copy()

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """Copy, with what the next `partial_fit` needs of the last."""
        return self._of(self._model.copy(with_optimizer=True))

    def __getstate__(self) -> dict[str, object]:
        """Return the state for a copy in another process, as `__deepcopy__` has it."""
        return self._model.to_dict(with_optimizer=True)

    def __setstate__(self, state: object) -> None:
        """Restore a state from `__getstate__` after checking all of it."""
        self._model = Model.from_dict(state)
