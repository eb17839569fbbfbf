"""sigmax_train called as a C program would call it, with nothing of the Python package between."""

from dataclasses import asdict
from typing import NamedTuple

import numpy as np
import reference
from helpers import flatten
from reference_optimizers import OPTIMIZERS, new_state
from reference_training import Trained, train_epoch
from sigmax._sigmax import ffi, lib

ALL_BATCHES = 2**62


class Sparse(NamedTuple):
    """Rows in compressed sparse row form, the arrays of `sigmax_sparse`."""

    row_start: np.ndarray
    columns: np.ndarray
    values: np.ndarray


def to_sparse(X, first=0):
    """The entries of X that are not 0; the rows begin at entry `first` of longer arrays."""
    rows, columns = np.nonzero(X)
    row_start = first + np.searchsorted(rows, np.arange(len(X) + 1))
    junk = np.full(first, -(2**31))  # what lies before the rows is not theirs to read
    return Sparse(
        row_start.astype(np.int64),
        np.concatenate([junk, columns]).astype(np.int32),
        np.concatenate([np.full(first, np.nan), X[rows, columns]]).astype(X.dtype),
    )


def pointer(array, kind="void *"):
    """The address of an array's memory, which the caller keeps alive."""
    return ffi.NULL if array is None else ffi.cast(kind, array.ctypes.data)


class Data:
    """A `sigmax_data`, and the arrays that it points to."""

    def __init__(self, dtype, X, y, sample_weight=None, rows=None):
        self.struct = ffi.new("sigmax_data *")
        self.struct.rows = len(y) if rows is None else rows
        y = np.asarray(y)
        if y.ndim == 1:
            y = np.ascontiguousarray(y, np.int64)
            self.struct.labels = pointer(y, "int64_t *")
        else:
            y = np.ascontiguousarray(y, dtype)
            self.struct.targets = pointer(y)
        if sample_weight is not None:
            sample_weight = np.ascontiguousarray(sample_weight, np.float64)
            self.struct.sample_weight = pointer(sample_weight, "double *")
        self.kept = [y, sample_weight]
        if isinstance(X, Sparse):
            sparse = ffi.new("sigmax_sparse *")
            sparse.row_start = pointer(X.row_start, "int64_t *")
            sparse.columns = pointer(X.columns, "int32_t *")
            sparse.values = pointer(X.values)
            self.struct.sparse = sparse
            self.kept += [X, sparse]
        else:
            X = np.ascontiguousarray(X, dtype)
            self.struct.X = pointer(X)
            self.kept.append(X)


class Core:
    """Parameters and optimiser state of a network in C.

    `parameters` and `state` are flat arrays in the dtype, `progress` is a `sigmax_progress *`; a
    method that returns a status leaves it to the caller to look at it.
    """

    def __init__(self, sizes, dtype, parameters, training):
        self.sizes, self.dtype, self.training = tuple(sizes), np.dtype(dtype), training
        handle = ffi.new("sigmax_network **")
        status = lib.sigmax_network_create(
            handle, self.dtype.itemsize, ffi.new("size_t[]", self.sizes), len(self.sizes)
        )
        assert status == lib.SIGMAX_OK
        self.handle = ffi.gc(handle[0], lib.sigmax_network_free)
        self.parameters = np.array(parameters, self.dtype)
        assert self.parameters.size == lib.sigmax_parameter_count(self.handle)
        optimizer = list(OPTIMIZERS).index(training.optimizer)
        self.state = np.zeros(lib.sigmax_state_count(self.handle, optimizer), self.dtype)
        self.struct = ffi.new(
            "sigmax_training *", asdict(training) | {"optimizer": optimizer, "batch_size": 1}
        )
        self.struct.state = pointer(self.state) if self.state.size else ffi.NULL
        self.progress = ffi.new("sigmax_progress *")

    def snapshot(self):
        """All that training changes, as bytes and numbers."""
        p = self.progress
        sums = (p.position, float(p.cost).hex(), float(p.n_correct).hex(), p.batch, p.step)
        return self.parameters.tobytes(), self.state.tobytes(), sums

    def call(self, data, batch_size, order=None, n_batches=ALL_BATCHES):
        """One call of sigmax_train, and its status."""
        if order is not None:
            order = np.ascontiguousarray(order, np.uintp)
        self.struct.order = pointer(order, "size_t *")
        self.struct.batch_size = batch_size
        return lib.sigmax_train(
            self.handle,
            pointer(self.parameters),
            data.struct,
            self.struct,
            self.progress,
            n_batches,
        )

    def begin_epoch(self):
        """Set back all but the number of updates."""
        self.progress.position = self.progress.batch = 0
        self.progress.cost = self.progress.n_correct = 0.0

    def train(self, data, batch_size, order=None, epochs=1, chunk=ALL_BATCHES):
        """Train for whole epochs in calls of so many batches; gives itself."""
        for _ in range(epochs):
            self.begin_epoch()
            while self.progress.position < data.struct.rows:
                assert self.call(data, batch_size, order, chunk) == lib.SIGMAX_OK
        return self


def as_rows(y, n_classes):
    """Labels or rows of targets as float64 rows."""
    y = np.asarray(y)
    return reference.one_hot(y, n_classes) if y.ndim == 1 else y.astype(np.float64)


def train_reference(weights, biases, X, y, training, batch_size, order=None, s=None, epochs=1):
    """The same by the reference; X and y in the precision that C was given."""
    state = new_state(training.optimizer, flatten(weights, biases).size)
    now = Trained(weights, biases, state, 0, 0.0, 0.0)
    y = as_rows(y, len(biases[-1]))
    for _ in range(epochs):
        now = train_epoch(now, np.asarray(X, np.float64), y, training, batch_size, order, s)
    return now
