"""The workloads of the bench: networks, their data, and how much arithmetic a step is."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigmax._bench.contenders import parameter_count

Float = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]

LABEL_NOISE = 0.2  # share of labels drawn at random, so that deltas never come to zero


@dataclass(frozen=True)
class Workload:
    """One thing to be timed: ``steps`` batches through a network of the given sizes.

    Parameters
    ----------
    name : str
        What the tables call it.
    sizes : tuple of int
        ``(n_0, ..., n_L)``.
    batch : int
        Rows of one step.
    steps : int
        Steps of one epoch; the data has ``batch * steps`` rows and stays in memory.
    rate : float
        Learning rate of plain SGD on the mean over the batch.
    inference : bool
        True: a step is one call for the class probabilities of a batch, and nothing is trained.
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    steps: int
    rate: float = 0.1
    inference: bool = False

    @property
    def rows(self) -> int:
        """Rows of one epoch."""
        return self.batch * self.steps

    @property
    def title(self) -> str:
        """Name, sizes and batch, as in ``nielsen30 784-30-10, batch 10``."""
        shape = "-".join(str(n) for n in self.sizes)
        return f"{self.name} {shape}, {'rows' if self.inference else 'batch'} {self.batch}"

    @property
    def flops(self) -> float:
        """Floating-point operations of one step.

        Two per weight and row in each matrix product: one product forward; for training also BP4,
        and BP2 for every layer but the first, since no delta is needed for the inputs. Biases,
        sigmoids and the update are left out.
        """
        weights = sum(
            n_in * n_out for n_in, n_out in zip(self.sizes[:-1], self.sizes[1:], strict=True)
        )
        if self.inference:
            return 2.0 * weights * self.batch
        return (6.0 * weights - 2.0 * self.sizes[0] * self.sizes[1]) * self.batch

    def replace(self, **changes: object) -> Workload:
        """Return a copy with some fields changed, as ``dataclasses.replace`` does."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


TRAINING = (
    Workload("tiny", (4, 8, 3), 16, 512),
    Workload("letter", (16, 64, 26), 32, 500),
    Workload("online", (784, 30, 10), 1, 2000),
    Workload("nielsen30", (784, 30, 10), 10, 500),
    Workload("nielsen100", (784, 100, 10), 10, 500),
    Workload("simard800", (784, 800, 10), 128, 16),
    Workload("hinton", (784, 500, 300, 10), 128, 16),
    Workload("deep", (784, 1024, 1024, 1024, 10), 256, 4),
)
INFERENCE = (
    Workload("one_row", (784, 100, 10), 1, 1000, inference=True),
    Workload("many_rows", (784, 100, 10), 10_000, 1, inference=True),
)


def named(names: Sequence[str]) -> list[Workload]:
    """Return the workloads of these names, in the bench's own order.

    Raises
    ------
    ValueError
        For a name that is not in ``TRAINING`` or ``INFERENCE``.

    Examples
    --------
    >>> [w.batch for w in named(["deep", "tiny"])]
    [16, 256]
    """
    known = {w.name: w for w in TRAINING + INFERENCE}
    for name in names:
        if name not in known:
            raise ValueError(f"no workload is called {name!r}; there are {', '.join(known)}")
    return [w for w in known.values() if w.name in names]


def load_mnist(path: str) -> dict[str, npt.NDArray[np.generic]]:
    """Read MNIST: ``x_train``, ``x_test (n, 784)`` float32 in [0, 1], ``y_train``, ``y_test``.

    ``path`` is an ``.npz`` file with arrays of these names, as Keras distributes it (``x`` uint8,
    28 by 28), or a folder with the four idx files, packed by gzip or not.
    """
    arrays = _read_idx_folder(path) if os.path.isdir(path) else _read_npz(path)
    found: dict[str, npt.NDArray[np.generic]] = {}
    for part in ("train", "test"):
        images = arrays[f"x_{part}"]
        found[f"x_{part}"] = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
        found[f"y_{part}"] = arrays[f"y_{part}"].astype(np.int64)
    return found


def _read_npz(path: str) -> dict[str, npt.NDArray[np.generic]]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in ("x_train", "y_train", "x_test", "y_test")}


def _read_idx_folder(folder: str) -> dict[str, npt.NDArray[np.generic]]:
    from sigmax._formats.array_files import read_idx

    found = {}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        for what, middle in (("x", "images-idx3"), ("y", "labels-idx1")):
            plain = os.path.join(folder, f"{prefix}-{middle}-ubyte")
            found[f"{what}_{part}"] = read_idx(plain if os.path.exists(plain) else f"{plain}.gz")
    return found


def data(workload: Workload, *, mnist: str | None = None, seed: int = 0) -> tuple[Float, Labels]:
    """Return the rows of one epoch: ``X (rows, n_0)`` float32 and labels ``(rows,)`` int64.

    The inputs are standard normal, the labels those of a random linear teacher with noise. Where
    ``mnist`` names a file and the sizes are 784-...-10, the rows are MNIST's training images
    (repeated when there are too few).
    """
    n_0, n_classes = workload.sizes[0], workload.sizes[-1]
    if mnist is not None and (n_0, n_classes) == (784, 10):
        arrays = load_mnist(mnist)
        rows = np.arange(workload.rows) % len(arrays["x_train"])
        return arrays["x_train"][rows], arrays["y_train"][rows]  # type: ignore[return-value]
    random = np.random.default_rng(seed)
    X = random.standard_normal((workload.rows, n_0), dtype=np.float32)
    y = (
        (X @ random.standard_normal((n_0, n_classes), dtype=np.float32))
        .argmax(axis=1)
        .astype(np.int64)
    )
    noisy = random.random(workload.rows) < LABEL_NOISE
    y[noisy] = random.integers(0, n_classes, int(noisy.sum()))
    return X, y


def initial_parameters(sizes: Sequence[int], *, seed: int = 1) -> npt.NDArray[np.float32]:
    """Return the parameters that every contender starts from, in one flat array.

    Weights are normal with variance 1/n_in. Biases are small but not 0, so that a contender that
    forgets them is found.
    """
    random = np.random.default_rng(seed)
    flat = np.empty(parameter_count(sizes), np.float32)
    at = 0
    for n_in, n_out in itertools.pairwise(sizes):
        n = n_in * n_out
        flat[at : at + n] = random.standard_normal(n, dtype=np.float32) / np.float32(
            n_in
        ) ** np.float32(0.5)
        at += n
    flat[at:] = np.float32(0.1) * random.standard_normal(len(flat) - at, dtype=np.float32)
    return flat
