"""PyTorch with torch.compile: the whole step, gradient and update, as one compiled function."""

from __future__ import annotations

import shutil

from contenders.torch_eager import TorchEager


class TorchCompile(TorchEager):
    """The gradient comes from ``torch.func.grad``, which the compiler sees through.

    Compiling the cost alone and leaving ``backward`` outside is slower than not compiling at all.
    """

    name = "torch_compile"

    @classmethod
    def missing(cls):
        found = any(shutil.which(compiler) for compiler in ("c++", "g++", "clang++"))
        return super().missing() + ([] if found else ["a C++ compiler"])

    def setup(self, sizes, X, y, batch, rate):
        super().setup(sizes, X, y, batch, rate)
        torch = self._torch

        def step(parameters, x, y):
            gradient = torch.func.grad(self._cost)(parameters, x, y)
            for tensor, nabla in zip(parameters, gradient, strict=True):
                tensor.sub_(rate * nabla)

        self._raw = [tensor.detach() for tensor in self._weights + self._biases]
        torch._dynamo.reset()
        self._step = torch.compile(step, fullgraph=True, dynamic=False)
        self._proba = torch.compile(
            lambda parameters, rows: self._logits(parameters, rows).softmax(1),
            fullgraph=True,
            dynamic=False,
        )

    def train(self, epochs):
        with self._torch.no_grad():
            for _ in range(epochs):
                for x, y in self._batches:
                    self._step(self._raw, x, y)

    def infer(self, rows):
        with self._torch.no_grad():
            return self._proba(self._raw, rows).numpy()
