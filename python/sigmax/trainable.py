"""The training of a network, as its users call it: `fit` and `partial_fit`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Unpack, cast

from sigmax._guard import Guard
from sigmax._imports import imports
from sigmax.history import History
from sigmax.options import OPTION_NAMES, PARTIAL_OPTIONS, FitKeywords, with_options

if TYPE_CHECKING:
    import numpy.typing as npt

    from sigmax.network import Network
    from sigmax.partial import Kept


class Trainable:
    """The part of `Network` that trains it."""

    _kept: Kept | None  # of partial_fit, for its next call
    _guard: Guard

    def _forget(self) -> None:
        """Let the next partial_fit begin with a new optimiser."""
        self._kept = None

    def _as_network(self) -> Network:
        return cast("Network", self)

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

        Minimised is C + (l2/2) sum w^2 + l1 sum |w|, the sums over weights, not biases. A second
        call goes on from the present parameters and shuffles, with an optimiser that begins anew.
        Whatever it raises, Ctrl-C included, the network keeps what was trained and stays usable.
        One seed gives the same parameters to the bit, whatever the number of threads, with one
        build on one instruction set. Other threads may use the network meanwhile: what they get
        belongs to the parameters between two updates, never to some of both. What is written to
        `parameters`, `weights` and `biases` by hand is not guarded in this way.

        Parameters
        ----------
        X, y : array_like
            Examples and targets, see `Network`. X may also be a SciPy sparse matrix, a
            `numpy.memmap`, or, without y, a callable that returns an iterator over blocks (X, y)
            for each epoch; see `sigmax.sources`. A file larger than memory is read much faster in
            its own order, with shuffle=False.
        X_val, y_val : array_like, optional
            Examples to report cost and accuracy on after each epoch; both or neither.
        sample_weight, sample_weight_val : array_like (n,), optional
            How much each row counts, finite and >= 0; only ratios matter. A batch of m rows uses
            sum s dC_x/dw / (m mean(s)), the mean being over all rows of the training.
        resume : path, optional
            A checkpoint to go on from, up to its number of epochs and with its options: pass the
            data again and the options that are functions, others need not be given. Other data are
            refused; of an X beyond 1 GiB some rows are compared, of a stream none. The network
            takes over all that is in the checkpoint, which goes on being written unless
            `checkpoint` names another file.
        epochs : int
            Passes over the data, >= 0.
        batch_size : int
            Rows per update, >= 1; more than there are means all. A short last batch is kept, with
            the mean over its own rows.
        learning_rate : float or None
            Finite and > 0; None stands for 0.5 (sgd), 0.1 (momentum, nesterov) or 0.001 (rmsprop,
            adam, adamw).
        optimizer : {"sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "lbfgs"}
            The formulas are PyTorch's, see csrc/sigmax_api.h. "lbfgs" is SciPy's L-BFGS-B over all
            rows at once: an epoch is one of its iterations (Byrd, Lu, Nocedal & Zhu 1995).
        momentum, beta1, beta2, rho, epsilon : float
            Of the optimisers: 0.9, 0.9, 0.999, 0.99 and 1e-8.
        gtol, max_evaluations : float, int or None
            Of lbfgs: it ends where no entry of the gradient is larger than gtol, or after so many
            evaluations of the cost, counted anew after each checkpoint.
        weight_decay : float or None
            Of adamw; None stands for 0.01.
        l2, l1 : float
            Penalties on weights, >= 0.
        clip_norm : float or None
            The largest norm of a batch's gradient, penalties not counted; a longer one is scaled
            down.
        dropout : float
            The share of hidden neurons left out of each update, from 0 to below 1; those that stay
            are scaled up by 1/(1 - dropout) (Srivastava et al. 2014). None at prediction.
        label_smoothing : float
            e in y (1 - e) + e/n_L, from 0 to below 1 (Szegedy et al. 2016).
        shuffle : bool
            Take the rows in a new random order in each epoch, or in the order of X. A callable
            gives its rows in its own order.
        class_weight : "balanced", dict, sequence or None
            Weights of classes, times those of rows. "balanced" is n/(k count); a dict gives 1 to
            labels that it lacks.
        validation_fraction : float
            Instead of X_val, hold out this share of each class, drawn by the network's seed alone.
        early_stopping : {"cost", "accuracy"} or None
            Stop when this has not become better on the validation data by more than `min_delta`
            for `patience` epochs. The network gets back the parameters of its best epoch, also
            when training ends otherwise.
        patience, min_delta : int, float
            Of early stopping: >= 1 and >= 0.
        schedule : {"constant", "step", "exponential", "cosine", "plateau"} or callable
            The learning rate over the epochs, or a function of the epoch, from 0, that gives it;
            see `sigmax.schedules.LearningRate` for the formulas.
        schedule_factor, schedule_epochs, warmup_epochs, min_learning_rate
            Of the schedule, as there.
        standardize : bool
            Give the model a preparation that brings each column of X to mean 0 and deviation 1
            (see `sigmax.preparation`). It is kept with the model and applied in every call. A
            network that has one keeps it; one that was trained without gets none.
        nan : {"error", "mean"}
            What to do with NaN in X: refuse it, or fill in the mean of its column in the training
            data, now and at prediction.
        callbacks : sequence
            Callables of (network, epoch, history), or objects with `on_epoch_end` of the same,
            called after each epoch, counted from 0. One that returns True ends the training; what
            it raises is passed on.
        checkpoint : path, optional
            Where to write a checkpoint after every `checkpoint_every` epochs, at the end, and on
            Ctrl-C (of lbfgs not then: it goes on from the one before).
        checkpoint_every : int or None
            Epochs between checkpoints, >= 1; None stands for 1, and for 10 with lbfgs, whose
            memory of the last steps begins anew at each.
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
            that batch are kept.
        RuntimeError
            When another thread is training this network.
        ImportError
            When an optional package that was asked for is missing; it names the extra.

        Warns
        -----
        TrainingWarning
            When training gets nowhere, with what to change.

        Examples
        --------
        >>> history = network.fit(X, y, optimizer="adam", validation_fraction=0.1,
        ...                       early_stopping="accuracy", standardize=True)
        >>> history.val_accuracy[history.best_epoch]
        0.97
        """
        with imports:
            from sigmax import training  # here: a fifth of the time of `import sigmax`

        with self._guard.claim():
            return training.fit(
                self._as_network(),
                X,
                y,
                options,
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
        """Train on these rows once, as a part of a training that the caller divides.

        The optimiser's state goes on from call to call; it begins anew in a `fit`, with another
        optimizer, and in a copy or a file of the network, which do not hold it. One call is one
        epoch of `epochs_trained`.

        Parameters
        ----------
        X, y : array_like
            Examples and targets, see `Network`; X may be a SciPy sparse matrix.
        sample_weight : array_like (n,), optional
            How much each row counts, finite and >= 0. Used as it is, since the rows of all calls
            are not known together: weights around 1 leave the learning rate its meaning.
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
            from sigmax import partial

        with self._guard.claim():
            return partial.partial_fit(
                self._as_network(), X, y, options, sample_weight=sample_weight
            )
