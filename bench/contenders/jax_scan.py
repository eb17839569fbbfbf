"""JAX: one jitted lax.scan over the batches of an epoch, parameters donated, no Python inside."""

from __future__ import annotations

import itertools
import os
import time

import numpy as np
from sigmax._bench.contenders import Contender, split

REPEATS = 7  # of which the fastest counts, when choosing
UNROLL = 4  # steps per turn of the scan's loop; never slower than 1 where it was tried


class JaxScan(Contender):
    """The fastest of four ways to say the same thing, chosen per workload.

    Which of them XLA likes best depends on the sizes: weights stored ``(n_out, n_in)`` or ``(n_in,
    n_out)``; gradients by ``jax.grad`` or the equations of backpropagation written out. All four
    are compiled and timed before the race. Targets are one-hot rows; the cost is never asked for,
    so XLA leaves it out.
    """

    name = "jax_scan"
    packages = ("jax", "jaxlib")

    @classmethod
    def environment(cls, threads):
        pool = "true" if threads > 1 else "false"
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen={pool}"
        return {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags.strip()}

    def setup(self, sizes, X, y, batch, rate):
        import jax
        import jax.numpy as jnp

        self._jax, self._sizes, self._rate = jax, tuple(sizes), rate
        self._X = jnp.asarray(X.reshape(-1, batch, sizes[0]))
        self._targets = jax.nn.one_hot(jnp.asarray(y), sizes[-1]).reshape(-1, batch, sizes[-1])
        self._proba = jax.jit(lambda p, x: jax.nn.softmax(self._logits(p, x)))
        self._epoch, self._transposed = None, True

    def _fastest_epoch(self):
        """Return the epoch that takes least time, and set ``_transposed`` to match."""
        start = self.parameters()
        candidates = list(itertools.product((False, True), (self._autodiff, self._backprop)))
        epochs, times = [], [float("inf")] * len(candidates)
        for repeat in range(1 + REPEATS):
            for i, (self._transposed, gradient) in enumerate(candidates):
                self.load_parameters(start)
                if repeat == 0:  # compiles
                    epochs.append(self._compiled(gradient))
                    self._seconds(epochs[i])
                else:
                    times[i] = min(times[i], self._seconds(epochs[i]))
        fastest = times.index(min(times))
        self._transposed = candidates[fastest][0]
        self.load_parameters(start)
        return epochs[fastest]

    def _seconds(self, epoch):
        start = time.perf_counter()
        self._parameters = epoch(self._parameters, self._X, self._targets)
        self._jax.block_until_ready(self._parameters)
        return time.perf_counter() - start

    def _compiled(self, gradient):
        jax, rate = self._jax, self._rate

        def step(parameters, rows):
            nabla = gradient(parameters, *rows)
            return jax.tree.map(lambda p, g: p - rate * g, parameters, nabla), None

        def epoch(parameters, X, targets):
            return jax.lax.scan(step, parameters, (X, targets), unroll=UNROLL)[0]

        return jax.jit(epoch, donate_argnums=0)

    def _product(self, x, W):
        return x @ (W if self._transposed else W.T)

    def _logits(self, parameters, x):
        *hidden, (W, b) = parameters
        for W_l, b_l in hidden:
            x = self._jax.nn.sigmoid(self._product(x, W_l) + b_l)
        return self._product(x, W) + b

    def _cost(self, parameters, x, targets):
        log_softmax = self._jax.nn.log_softmax(self._logits(parameters, x))
        return -(targets * log_softmax).sum(axis=1).mean()

    def _autodiff(self, parameters, x, targets):
        return self._jax.grad(self._cost)(parameters, x, targets)

    def _backprop(self, parameters, x, targets):
        jax = self._jax
        activations = [x]
        for W, b in parameters[:-1]:
            activations.append(jax.nn.sigmoid(self._product(activations[-1], W) + b))
        W, b = parameters[-1]
        delta = (jax.nn.softmax(self._product(activations[-1], W) + b) - targets) / len(x)
        gradient = []
        for (W, _), a in zip(reversed(parameters), reversed(activations), strict=True):
            nabla_w = a.T @ delta if self._transposed else delta.T @ a
            gradient.append((nabla_w, delta.sum(axis=0)))
            delta = (
                delta @ (W.T if self._transposed else W) * a * (1 - a)
            )  # unused for the inputs: left out
        return gradient[::-1]

    def load_parameters(self, flat):
        array = self._jax.numpy.array
        pairs = zip(*split(flat, self._sizes), strict=True)
        self._parameters = [(array(W.T if self._transposed else W), array(b)) for W, b in pairs]

    def parameters(self):
        weights = [np.asarray(W.T if self._transposed else W).ravel() for W, _ in self._parameters]
        return np.concatenate(weights + [np.asarray(b) for _, b in self._parameters])

    def train(self, epochs):
        if self._epoch is None:
            self._epoch = self._fastest_epoch()
        for _ in range(epochs):
            self._parameters = self._epoch(self._parameters, self._X, self._targets)
        self._jax.block_until_ready(self._parameters)

    def native(self, X):
        return self._jax.numpy.asarray(X)

    def infer(self, rows):
        return np.asarray(self._proba(self._parameters, rows))
