"""SigmaxClassifier: a network under scikit-learn's conventions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sigmax._boundary.lazily import imports
from sigmax._estimator import parameters
from sigmax._estimator.convergence import Convergence
from sigmax._estimator.fitted import FittedClassifier
from sigmax._estimator.held_out import Division, with_names
from sigmax._estimator.labels import (
    find_classes,
    first_classes,
    indices,
    require_classes_of_previous_call,
    require_same_classes,
)
from sigmax._estimator.scikit_learn import (
    ConvergenceWarning,
    available_if,
    check_examples,
    check_validation,
    random_state,
)
from sigmax._model.inference import score
from sigmax._training.fit import fit
from sigmax._training.partial_fit import partial_fit
from sigmax._training.training_data import require_both
from sigmax.network import Network

if TYPE_CHECKING:
    from sigmax._boundary.arrays import Array
    from sigmax._training.history import History

_DTYPES = (np.float64, np.float32)  # float32 stays float32, anything else becomes float64
_LARGEST_SEED = 2**63 - 1
_INTERRUPTED = "training was interrupted; the parameters so far are kept"


def _goes_in_steps(classifier: SigmaxClassifier) -> bool:
    if classifier.solver == "lbfgs":
        raise AttributeError("partial_fit needs a solver that trains in batches, not lbfgs")
    if classifier.n_networks != 1:
        raise AttributeError(
            f"n_networks is {classifier.n_networks}; partial_fit trains one network: it knows too "
            "few rows to hold some out for each"
        )
    return True


class SigmaxClassifier(FittedClassifier):
    """A network with sigmoid hidden layers and softmax output, as a scikit-learn classifier.

    Parameters, attributes and stopping rules are those of scikit-learn's MLPClassifier, so that
    its name can be replaced in a script; what follows `max_fun` is sigmax's own. Where it differs:

    - activation can only be "logistic"; MLPClassifier's default is "relu", which needs other rates
      and reaches other accuracies.
    - Two classes have two softmax outputs rather than one logistic one: the same function, but
      coefs_[-1] has two columns, both are penalised, and both are moved, so that an update changes
      their difference twice as much. Halve a rate at the edge of stability.
    - Initial weights are drawn as `init` says, biases are 0.
    - alpha: MLPClassifier divides (alpha/2) sum w^2 by the rows of each batch, a short last one
      included. Here it is l2 = alpha / (m mean weight) for batches of m rows, the last one too, so
      that all batches have the same optimum. loss_curve_ holds the penalty at the end of an epoch.
    - epsilon is added to sqrt(v / (1 - beta_2^t)), as in PyTorch. After a change of the rate, the
      momentum of earlier gradients goes on with the new rate.
    - sample_weight: a batch's gradient is divided by its rows times the mean weight of all rows
      rather than by its own weights' sum. `partial_fit` takes weights as they are.
    - early_stopping holds out each class's share, not of two classes only. Where it holds rows out,
      those of weight 0 are neither held out nor trained on.
    - `fit` takes validation data of one's own.
    - `partial_fit` after `fit` begins with a fresh optimiser.
    - A parameter that the solver does not use is checked and then ignored, as in MLPClassifier; one
      of sigmax's own raises an error, unless it has its default, as in `Network.fit`.
    - y has one class per row, of at least two; multilabel y raises an error.
    - ConvergenceWarning points to the line that called `fit`, not into the library: filter it by
      category, not by module.

    It computes in X's dtype: float32 stays float32, anything else becomes float64. X may be sparse
    (CSR; other formats are converted); it is not made dense as a whole.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Neurons of each hidden layer; () is softmax regression.
    activation : {"logistic"}
    solver : {"adam", "sgd", "lbfgs", "adamw", "rmsprop"}
        See `Network.fit`'s optimizer. "sgd" has momentum.
    alpha : float
        Penalty on the squared weights, >= 0, see above.
    batch_size : int or "auto"
        Rows per update; "auto" is min(200, n).
    learning_rate : {"constant", "invscaling", "adaptive"}
        Only for solver "sgd". "invscaling": learning_rate_init / (rows seen + 1)^power_t;
        "adaptive": divided by 5 where training would stop otherwise, until it is at most 1e-6.
    learning_rate_init : float
        > 0; not used by lbfgs.
    power_t : float
        Of "invscaling".
    max_iter : int
        Limit on epochs; for lbfgs, on iterations.
    shuffle : bool
        Take the rows in a new random order in each epoch.
    random_state : int, RandomState or None
        Determines initial weights, shuffles, dropout and what is held out.
    tol : float
        An epoch whose loss (with early_stopping: whose validation accuracy) is not better than the
        best by tol is no improvement; of lbfgs, the largest entry of the gradient at the end.
    verbose : bool or int
        Print the loss of each epoch.
    warm_start : bool
        Let `fit` continue from the present parameters, with a new optimiser and the same classes.
    momentum : float
        Of "sgd", from 0 to below 1.
    nesterovs_momentum : bool
        Of "sgd" with momentum.
    early_stopping : bool
        Hold out rows, unless `fit` is given X_val, stop when accuracy on them has not improved, and
        go back to the best parameters. Not used by lbfgs.
    validation_fraction : float
        The share of rows to hold out, of each class alike; a class's only row is trained on.
    beta_1, beta_2, epsilon : float
        Of "adam" and "adamw", epsilon also of "rmsprop".
    n_iter_no_change : int
        Training stops after more than this many epochs in a row without improvement.
    max_fun : int
        For lbfgs: the limit on evaluations of the cost.
    class_weight : "balanced", dict {class: weight} or None
        Multiplies the weights of rows; "balanced" is n / (k count). In a dict, 1 for classes that
        it lacks; those that y lacks are ignored.
    init : {"glorot", "lecun", "large"}
        See `Network`.
    dropout, label_smoothing, l1, clip_norm, rho, weight_decay
        See `Network.fit`; the last two are those of "rmsprop" and "adamw".
    schedule, schedule_factor, schedule_epochs, warmup_epochs, min_learning_rate
        See `Network.fit`; with "sgd", schedule or learning_rate must be "constant".
    standardize : bool
        Bring each column to mean 0 and deviation 1, as a part of the network. Sparse X is scaled
        and not centred, as by StandardScaler(with_mean=False). coefs_ are those of the columns so
        prepared.
    nan : {"error", "mean"}
        Raise an error for NaN in X, or fill in the column's mean in the training data.
    n_networks : int
        Above 1: train this many networks side by side, and fold them into network_, as `sigmax.bag`
        does. Each holds out one of as many folds of the rows: for early_stopping, in place of
        validation_fraction, and for the oof attributes. random_state determines them all. Stopping
        rules are those of each by itself. Not with warm_start, X_val or `partial_fit`.
    callbacks : sequence
        See `Network.fit`; not called by `partial_fit`. With n_networks, called one at a time, from
        the thread of each network.

    Attributes
    ----------
    classes_ : numpy.ndarray (n_classes,)
    network_ : Network
        The trained network. Its parameters are coefs_ and intercepts_.
    coefs_, intercepts_ : list of numpy.ndarray
        Views of shapes (n_{l-1}, n_l) and (n_l,). Assigning to them copies into the network.
    loss_, loss_curve_ : float, list of float
        Cost with penalties, of the last and of each epoch; with warm_start and partial_fit of all
        calls. Of lbfgs, at the end, and with the cost at the beginning of each iteration.
    best_loss_ : float or None
        The smallest; None with early_stopping.
    validation_scores_, best_validation_score_ : list of float, float, or None
        Accuracies on what was held out, or on X_val; None without both.
    n_iter_, t_ : int
        Epochs of the last call; rows seen in all. With n_networks, the most epochs of one; losses
        and scores above are means over the networks that trained in an epoch.
    oof_proba_ : numpy.ndarray (n, n_classes)
        Only with n_networks above 1. Out of fold: probabilities of each training row by the network
        that did not train on it.
    oof_score_, oof_cost_ : float
        Their accuracy, and their cost in nats, rows counted by sample_weight: an honest estimate.
    n_layers_, n_outputs_, out_activation_ : int, int, str
        Layers with input and output; classes; "softmax".
    n_features_in_, feature_names_in_ : int, numpy.ndarray
        Columns of X; their names, where X is a data frame.

    Raises
    ------
    ImportError
        On first use, naming the extra, when scikit-learn is not installed.

    Examples
    --------
    >>> X, y = sklearn.datasets.load_digits(return_X_y=True)
    >>> classifier = sigmax.SigmaxClassifier(learning_rate_init=0.01, standardize=True)
    >>> classifier.fit(X[:1500], y[:1500]).score(X[1500:], y[1500:])
    0.9...
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str = "logistic",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: str | Mapping[Any, float] | None = None,
        init: str = "glorot",
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        l1: float = 0.0,
        clip_norm: float | None = None,
        rho: float = 0.99,
        weight_decay: float | None = None,
        schedule: str | Callable[[int], float] = "constant",
        schedule_factor: float | None = None,
        schedule_epochs: int = 10,
        warmup_epochs: int = 0,
        min_learning_rate: float = 0.0,
        standardize: bool = False,
        nan: str = "error",
        n_networks: int = 1,
        callbacks: Sequence[Any] = (),
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.class_weight = class_weight
        self.init = init
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.l1 = l1
        self.clip_norm = clip_norm
        self.rho = rho
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.schedule_factor = schedule_factor
        self.schedule_epochs = schedule_epochs
        self.warmup_epochs = warmup_epochs
        self.min_learning_rate = min_learning_rate
        self.standardize = standardize
        self.nan = nan
        self.n_networks = n_networks
        self.callbacks = callbacks

    # ---- training --------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train on X and y until the loss, or the validation score, no longer improves.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix (n, n_features)
            Finite; NaN is allowed with nan="mean".
        y : array_like (n,)
            Classes, numbers or strings; at least two different ones.
        sample_weight : array_like (n,) or number, optional
            How much each row counts, finite and >= 0.
        X_val, y_val : as X and y, optional
            Both or neither: rows to measure the accuracy on after each epoch, for
            validation_scores_. early_stopping uses them instead of holding rows of X out; without
            it they change nothing else. y_val has no classes that y lacks. A pipeline transforms
            X_val only when told to: see docs/training.md.
        sample_weight_val : array_like (n_val,) or number, optional
            How much each of these rows counts.

        Returns
        -------
        SigmaxClassifier
            Itself.

        Raises
        ------
        TypeError, ValueError
            Naming the parameter or array, its value and what was expected.
        DivergedError
            When the cost or a parameter becomes infinite or NaN.

        Warns
        -----
        ConvergenceWarning
            When max_iter epochs were not enough.
        TrainingWarning
            When nothing was learnt, or X is too large for sigmoids; the text suggests a change.
        """
        params = self.get_params(deep=False)
        parameters.check(params)
        goes_on = self.warm_start and hasattr(self, "network_")
        dtype = self.network_.dtype if goes_on else _DTYPES
        X, y, columns = check_examples(
            self, X, y, dtype, reset=not goes_on, allow_nan=self._allow_nan
        )
        if goes_on:
            require_classes_of_previous_call(y, self.classes_)
        classes = self.classes_ if goes_on else find_classes(y)
        labels = indices(y, classes)
        weights = parameters.weights(self.class_weight, sample_weight, classes, labels)
        data = Division(X, labels, weights)
        has_own = require_both(X_val, y_val, sample_weight_val)
        if has_own:
            X_val, y_val = check_validation(self, X_val, y_val, columns, X.dtype)
            of_val = indices(y_val, classes, "y_val")
            data = data.with_validation(X_val, of_val, sample_weight_val)
        generator = random_state(self.random_state)
        network = self._as_network(goes_on, X, classes, generator)
        stops_early = self.early_stopping and self.solver != "lbfgs"
        if self.n_networks > 1:
            if has_own:
                raise ValueError(
                    f"X_val is given, but n_networks is {self.n_networks}: each network validates "
                    "on the fold that it holds out; expected no X_val and y_val, or n_networks=1"
                )
            with imports:
                from sigmax._estimator.several import fit_several

            data = data.with_names(columns)
            found = fit_several(params, network, data, sample_weight, stops_early)
            self._warn_of_batch_size(found.batch_size)
            if found.histories is None:
                warnings.warn(_INTERRUPTED, stacklevel=2)
            self._warn_unless_converged(found.histories or [])
            self._keep(found.network, classes, columns, found.watch)
            self.oof_proba_ = found.scores.proba
            self.oof_score_, self.oof_cost_ = found.scores.accuracy, found.scores.cost
            return self
        if stops_early and not has_own:
            data = data.held_out(self.validation_fraction, sample_weight, classes, generator)
        data = data.with_names(columns)
        n_rows = len(data.labels)
        options = parameters.fit_options(params, n_rows, data.mean_weight)
        self._warn_of_batch_size(options.get("batch_size"))
        watch = self._watch(goes_on, stops_early)
        watch.begin(parameters.rules(params, options, n_rows))
        if self.solver == "sgd" and self.learning_rate != "constant":
            del options["learning_rate"]
            options["schedule"] = watch.schedule
        options["callbacks"] = (watch, *self.callbacks)
        history = self._train(
            fit,
            network._model,
            data.X,
            data.labels,
            options,
            owner=network,
            sample_weight=data.weights,
            words=parameters.WORDS,
            **data.validation,
        )
        self._warn_unless_converged([] if history is None else [history])
        if self.solver == "lbfgs":
            relative = None if data.weights is None else data.weights / data.mean_weight
            model = network._model
            examples = model.prepared_examples(data.X, data.labels).weighted(relative)
            watch.end(network, score(model, examples)[0])
        if stops_early and watch.best_parameters is not None:
            network.parameters[:] = watch.best_parameters
        return self._keep(network, classes, columns, watch)

    @available_if(_goes_in_steps)  # type: ignore[misc]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train on these rows for one epoch, continuing with the present parameters and optimiser.

        Pickles and deep copies, joblib's included, go on with the same bits; `save` and
        `sklearn.base.clone` do not keep the optimiser.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`; y need not have all classes, and the weights are used as they are.
        classes : array_like (n_classes,), optional
            All classes that later calls may contain; needed in the first call.

        Returns
        -------
        SigmaxClassifier
            Itself.

        Raises
        ------
        TypeError, ValueError, DivergedError
            As `fit`; and for early_stopping, class_weight="balanced", standardize or a schedule,
            which need all rows or epochs.
        """
        params = self.get_params(deep=False)
        parameters.check(params)
        first = not hasattr(self, "network_")
        prepared = not first and self.network_.preparation is not None
        parameters.check_partial(params, prepared=prepared)
        if first:
            known = first_classes(classes)
        else:
            known = self.classes_
            require_same_classes(classes, known)
        dtype = _DTYPES if first else self.network_.dtype
        X, y, columns = check_examples(self, X, y, dtype, reset=first, allow_nan=self._allow_nan)
        labels = indices(y, known)
        # for its errors: partial_fit gets both factors
        parameters.weights(self.class_weight, sample_weight, known, labels)
        if sample_weight is not None:
            sample_weight = parameters.per_row(sample_weight, len(labels))
        network = self._as_network(not first, X, known, random_state(self.random_state))
        options = parameters.fit_options(params, len(labels), 1.0)
        watch = self._watch(not first, False)
        watch.begin(parameters.rules(params, options, len(labels)), keep_rate=True)
        options["learning_rate"] = watch.rate
        of_classes = parameters.class_weights(self.class_weight, known)
        given = {**parameters.of_one_epoch(options), "class_weight": of_classes}
        history = self._train(
            partial_fit,
            network._model,
            with_names(X, columns),
            labels,
            given,
            sample_weight=sample_weight,
            words=parameters.WORDS,
        )
        if history is not None:
            watch(network, 0, history)
        return self._keep(network, known, columns, watch)

    def _warn_of_batch_size(self, in_use: int | None) -> None:
        if in_use is not None and self.batch_size not in ("auto", in_use):
            warnings.warn(
                f"batch_size is {self.batch_size}; there are only {in_use} training rows",
                stacklevel=3,
            )

    def _warn_unless_converged(self, histories: Sequence[History]) -> None:
        for history in histories:
            if history.stopped in (None, "max_evaluations"):
                limit = "max_fun" if history.stopped else "max_iter"
                warnings.warn(
                    f"training has not converged after {limit}={getattr(self, limit)}; a larger "
                    f"{limit}{'' if self.solver == 'lbfgs' else ' or learning_rate_init'}, or "
                    "columns scaled to about -1 ... 1, may help",
                    ConvergenceWarning,
                    stacklevel=3,
                )
                return

    def _as_network(self, goes_on: bool, X: Any, classes: Array, generator: Any) -> Network:
        sizes = (X.shape[1], *parameters.hidden_layers(self.hidden_layer_sizes), len(classes))
        if not goes_on:
            seed = int(generator.randint(_LARGEST_SEED, dtype=np.int64))
            return Network(sizes, dtype=X.dtype, seed=seed, init=self.init)
        if self.network_.sizes != sizes:
            raise ValueError(
                f"hidden_layer_sizes is {list(sizes[1:-1])}; expected that of the previous call, "
                f"{list(self.network_.sizes[1:-1])}, whose parameters it continues"
            )
        return self.network_

    def _watch(self, goes_on: bool, early_stopping: bool) -> Convergence:
        """Return the record of earlier calls' epochs, or a new one."""
        before: Convergence | None = getattr(self, "_convergence", None)
        if goes_on and before is not None and before.early_stopping == early_stopping:
            return before
        return Convergence(early_stopping)

    def _train(self, train: Callable[..., History], *arrays: Any, **options: Any) -> History | None:
        """Call train; after Ctrl-C warn and return None, as MLPClassifier does."""
        try:
            return train(*arrays, **options)
        except KeyboardInterrupt:
            warnings.warn(_INTERRUPTED, stacklevel=3)
        return None
