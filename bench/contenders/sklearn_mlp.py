"""scikit-learn's MLPClassifier, its partial_fit being one epoch over the data in batches."""

from __future__ import annotations

import warnings

import numpy as np
from sigmax._bench.contenders import Contender, split


class SklearnMLP(Contender):
    """Plain SGD: no momentum, no penalty, a constant rate, no shuffling.

    Initial weights are no parameter of the estimator. A first ``partial_fit`` on a few rows makes
    its arrays and its optimiser, which holds these very arrays; ``load_parameters`` then writes
    into them in place.
    """

    name = "sklearn_mlp"
    packages = ("sklearn", "threadpoolctl")

    def setup(self, sizes, X, y, batch, rate):
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import threadpool_limits

        if sizes[-1] < 3:
            raise ValueError(
                f"sizes[-1] is {sizes[-1]}, expected 3 or more: two classes have one output there"
            )
        threadpool_limits(self.threads)  # not as a context manager: holds until the process ends
        self._model = MLPClassifier(
            hidden_layer_sizes=tuple(sizes[1:-1]),
            activation="logistic",
            solver="sgd",
            alpha=0.0,
            batch_size=batch,
            learning_rate="constant",
            learning_rate_init=rate,
            momentum=0.0,
            nesterovs_momentum=False,
            shuffle=False,
            random_state=0,
        )
        self._X, self._y, self._sizes = X, y, tuple(sizes)
        self._classes = np.arange(sizes[-1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the few rows of this call are fewer than the batch
            self._model.partial_fit(X[:1], y[:1], classes=self._classes)

    def load_parameters(self, flat):
        model = self._model
        for W_t, b, W, bias in zip(
            model.coefs_, model.intercepts_, *split(flat, self._sizes), strict=True
        ):
            W_t[:] = W.T
            b[:] = bias

    def parameters(self):
        weights = [W_t.T.ravel() for W_t in self._model.coefs_]
        return np.concatenate(weights + list(self._model.intercepts_))

    def train(self, epochs):
        for _ in range(epochs):
            self._model.partial_fit(self._X, self._y)

    def infer(self, rows):
        return self._model.predict_proba(rows)
