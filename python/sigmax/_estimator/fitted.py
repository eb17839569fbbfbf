"""A fitted classifier: predictions, attributes, a model file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sigmax._estimator.convergence import Convergence
from sigmax._estimator.labels import as_classes
from sigmax._estimator.scikit_learn import (
    COLUMNS,
    BaseEstimator,
    ClassifierMixin,
    check_is_fitted,
    check_rows,
)
from sigmax._model import model_file
from sigmax.network import Network

if TYPE_CHECKING:
    import numpy.typing as npt

    from sigmax._boundary.arrays import Array


_OUT_OF_FOLD = ("oof_proba_", "oof_score_", "oof_cost_")  # of several networks alone


class FittedClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The side of `SigmaxClassifier` that uses its network, whatever trained it."""

    nan: str  # the parameter: "error" or "mean"

    @property
    def coefs_(self) -> list[Array]:
        """Weights, for l = 1 ... L a view W_l^T of shape (n_{l-1}, n_l)."""
        return [w.T for w in self._fitted("coefs_").weights]

    @coefs_.setter
    def coefs_(self, values: Sequence[npt.ArrayLike]) -> None:
        _copy_into(self.coefs_, values, "coefs_")

    @property
    def intercepts_(self) -> list[Array]:
        """Biases, for l = 1 ... L a view of shape (n_l,)."""
        return list(self._fitted("intercepts_").biases)

    @intercepts_.setter
    def intercepts_(self, values: Sequence[npt.ArrayLike]) -> None:
        _copy_into(self.intercepts_, values, "intercepts_")

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each row, (n,).

        Raises
        ------
        sklearn.exceptions.NotFittedError
        TypeError, ValueError
            When X has other columns than it had in `fit`, or is not finite.
        """
        network, rows = self._rows(X)
        return np.asarray(self.classes_[network.predict(rows)])

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities (n, n_classes), columns as in classes_, in the network's dtype.

        Raises what `predict` raises.
        """
        network, rows = self._rows(X)
        return network.predict_proba(rows)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`; -inf where a probability is 0."""
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(probabilities, out=probabilities))

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickle and skops, with public types only."""
        state: dict[str, Any] = super().__getstate__()
        record = state.get("_convergence")
        return state if record is None else {**state, "_convergence": record.to_dict()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state that `__getstate__` returned."""
        record = state.get("_convergence")
        if isinstance(record, dict):
            state = {**state, "_convergence": Convergence.from_dict(record)}
        super().__setstate__(state)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write network and class names to a model file, as `sigmax.Network.save` does.

        `load` and `sigmax.Network.load` read it, and so does the command line, which prints the
        names: classes_ as text. To keep the estimator with all its parameters, pickle it.

        Examples
        --------
        >>> classifier.save("irises.npz")
        """
        check_is_fitted(self)
        classes = self.classes_.tolist()
        kind = type(classes[0]).__name__
        model_file.save(
            path,
            self.network_._model,
            map(str, classes),
            kind if kind in model_file.CLASS_KINDS else None,
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return a fitted classifier for any model file, including those of `sigmax train`.

        classes_ are those of the classifier that was saved. In other files they are the names,
        converted to integers if all are integers, or 0, 1, ... if there are none. The parameters
        hidden_layer_sizes, standardize and nan are those of the network; the others are not in the
        file and have their defaults.

        Raises
        ------
        OSError
            When the file cannot be read.
        FileFormatError
            When it is damaged, incomplete, or no model file, saying in what way.

        Examples
        --------
        >>> SigmaxClassifier.load("irises.npz").predict(X[:2])
        array(['setosa', 'virginica'], dtype='<U10')
        """
        stored = model_file.load(path)
        network, preparation = Network._of(stored.model), stored.model.preparation
        classes = as_classes(stored.class_names, stored.class_kind, network.sizes[-1])
        order = np.argsort(classes)  # `indices` uses binary search
        for of_outputs in (network.weights[-1], network.biases[-1]):
            of_outputs[:] = of_outputs[order]
        classifier = cls().set_params(
            hidden_layer_sizes=network.sizes[1:-1],
            standardize=preparation is not None and preparation.mean is not None,
            nan="error" if preparation is None or preparation.fill is None else "mean",
        )
        columns: dict[str, Any] = {"n_features_in_": network.sizes[0]}
        if network.column_names is not None:
            columns["feature_names_in_"] = np.array(network.column_names, object)
        kept: Self = classifier._keep(network, classes[order], columns, Convergence(False))
        return kept

    def _keep(
        self, network: Network, classes: Array, columns: dict[str, Any], watch: Convergence
    ) -> Self:
        """Set the attributes of a fitted classifier."""
        for name in (*COLUMNS, *_OUT_OF_FOLD):
            self.__dict__.pop(name, None)
        self.__dict__.update(columns)
        names = columns.get("feature_names_in_")
        network._model.column_names = None if names is None else tuple(map(str, names))
        self.network_, self.classes_, self._convergence = network, classes, watch
        self.n_layers_, self.n_outputs_ = len(network.sizes), network.sizes[-1]
        self.out_activation_ = "softmax"
        self.n_iter_, self.t_ = watch.n_iter, watch.rows_seen
        self.loss_curve_, self.loss_ = watch.loss_curve, watch.loss
        self.best_loss_ = None if watch.early_stopping else watch.best_loss
        measured = watch.early_stopping or bool(watch.validation_scores)
        self.validation_scores_ = watch.validation_scores if measured else None
        self.best_validation_score_ = watch.best_validation_score if measured else None
        return self

    @property
    def _allow_nan(self) -> bool:
        return self.nan == "mean"

    def _rows(self, X: Any) -> tuple[Network, Any]:
        check_is_fitted(self)
        network: Network = self.network_
        return network, check_rows(self, X, network.dtype, allow_nan=self._allow_nan)

    def _fitted(self, attribute: str) -> Network:
        try:
            return self.__dict__["network_"]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(
                f"{type(self).__name__} has no attribute {attribute!r} before fit"
            ) from None

    def __sklearn_tags__(self) -> Any:
        """Describe the estimator to scikit-learn 1.6 and later."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self._allow_nan
        return tags

    def _more_tags(self) -> dict[str, Any]:
        """Describe the estimator to scikit-learn before 1.6."""
        return {"allow_nan": self._allow_nan}


def _copy_into(views: Sequence[Array], values: Sequence[npt.ArrayLike], name: str) -> None:
    """Copy arrays into views of the same shapes: all of them, or on an error none."""
    arrays = [np.asarray(value) for value in values]
    shapes, expected = [array.shape for array in arrays], [view.shape for view in views]
    if shapes != expected:
        raise ValueError(f"{name} has shapes {shapes}; expected {expected}")
    for view, array in zip(views, arrays, strict=True):
        view[:] = array
