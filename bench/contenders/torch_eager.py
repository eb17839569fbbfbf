"""PyTorch, eager: autograd and in-place updates, the leanest loop that it allows."""

from __future__ import annotations

import itertools

import numpy as np
from sigmax._bench.contenders import Contender, split


class TorchEager(Contender):
    """Batches are views made once.

    ``torch.autograd.grad`` and a plain ``add_`` cost less per step than ``backward`` with any
    variant of ``torch.optim.SGD`` (160 against 240 us on small networks), so that is what races.
    """

    name = "torch_eager"
    packages = ("torch",)

    def setup(self, sizes, X, y, batch, rate):
        import torch

        torch.set_num_threads(self.threads)
        self._torch, self._rate = torch, rate
        self._weights = [
            torch.zeros(n_out, n_in, requires_grad=True)
            for n_in, n_out in itertools.pairwise(sizes)
        ]
        self._biases = [torch.zeros(n, requires_grad=True) for n in sizes[1:]]
        self._sizes = tuple(sizes)
        X, y = torch.from_numpy(X), torch.from_numpy(y)
        self._batches = list(zip(X.split(batch), y.split(batch), strict=True))

    def load_parameters(self, flat):
        weights, biases = split(flat, self._sizes)
        for tensor, array in zip(self._weights + self._biases, weights + biases, strict=True):
            tensor.detach().copy_(self._torch.from_numpy(array))

    def parameters(self):
        tensors = self._weights + self._biases
        return np.concatenate([tensor.detach().numpy().ravel() for tensor in tensors])

    def _logits(self, parameters, x):
        linear, n_layers = self._torch.nn.functional.linear, len(self._weights)
        *hidden, last = zip(parameters[:n_layers], parameters[n_layers:], strict=True)
        for W, b in hidden:
            x = self._torch.sigmoid(linear(x, W, b))
        return linear(x, *last)

    def _cost(self, parameters, x, y):
        return self._torch.nn.functional.cross_entropy(self._logits(parameters, x), y)

    def train(self, epochs):
        parameters = self._weights + self._biases
        raw = [tensor.detach() for tensor in parameters]  # the same memory, unknown to autograd
        for _ in range(epochs):
            for x, y in self._batches:
                gradient = self._torch.autograd.grad(self._cost(parameters, x, y), parameters)
                for tensor, nabla in zip(raw, gradient, strict=True):
                    tensor.add_(nabla, alpha=-self._rate)

    def native(self, X):
        return self._torch.from_numpy(X)

    def infer(self, rows):
        with self._torch.inference_mode():
            return self._logits(self._weights + self._biases, rows).softmax(1).numpy()
