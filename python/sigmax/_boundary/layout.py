"""The layout of a network's parameters in memory: one arena, and a view for each layer."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from sigmax._boundary.arrays import FLOAT32, FLOAT64, Array, pointer
from sigmax._boundary.scalars import as_integer
from sigmax._boundary.status import check
from sigmax._sigmax import ffi, lib

_ALIGNMENT = 64  # of an arena, in bytes: a cache line, and the widest vector register


class Views(tuple[Array, ...]):
    """A view for each layer. Assigning to one writes into its memory, so `views[l] -= x` works."""

    __slots__ = ()

    def __setitem__(self, layer: int, value: npt.ArrayLike) -> None:
        """Copy value, of the view's shape, into the view's memory."""
        self[layer][...] = value


class Layout:
    """Checked sizes and dtype, with C's handle for them. Allocates nothing that grows with sizes.

    Attributes
    ----------
    sizes : tuple of int
        (n_0, ..., n_L).
    dtype : numpy.dtype
        NumPy's own object for float32 or float64, so that `is` is enough to compare.
    handle : CData
        A `sigmax_network *`, freed with this object.
    n_parameters, n_units : int
        Weights and biases; neurons, n_1 + ... + n_L.
    n_in, n_out : int
        n_0 and n_L.
    """

    def __init__(self, sizes: object, dtype: object) -> None:
        self.sizes = _as_sizes(sizes)
        self.dtype = _as_dtype(dtype)
        handle = ffi.new("sigmax_network **")
        sizes_in_c = ffi.new("size_t[]", self.sizes)
        check(lib.sigmax_network_create(handle, self.dtype.itemsize, sizes_in_c, len(self.sizes)))
        self.handle = ffi.gc(handle[0], lib.sigmax_network_free)
        self.n_parameters = lib.sigmax_parameter_count(self.handle)
        self.n_units = sum(self.sizes[1:])
        self.n_in, self.n_out = self.sizes[0], self.sizes[-1]

    @property
    def instruction_set(self) -> str:
        """What C computes with, one of `sigmax.instruction_sets()`."""
        return ffi.string(lib.sigmax_instruction_set(self.handle)).decode()

    def new_arena(self) -> Array:
        """Return an uninitialised array for all parameters, aligned, or raise MemoryError."""
        n_bytes = self.n_parameters * self.dtype.itemsize
        memory = physical_memory()
        # some systems grant any amount, then kill the process that uses it
        if memory is not None and n_bytes > memory:
            raise MemoryError(f"the parameters need {n_bytes:,} bytes; this machine has {memory:,}")
        raw = np.empty(n_bytes + _ALIGNMENT, np.uint8)
        start = -raw.ctypes.data % _ALIGNMENT
        return raw[start : start + n_bytes].view(self.dtype)

    def layers(self, arena: Array) -> tuple[Views, Views]:
        """Return views of an array laid out as the parameters: the weights, the biases."""
        weights, biases = [], []
        for layer in range(1, len(self.sizes)):
            n_in, n_out = self.sizes[layer - 1], self.sizes[layer]
            start = lib.sigmax_weight_offset(self.handle, layer)
            weights.append(arena[start : start + n_out * n_in].reshape(n_out, n_in))
            start = lib.sigmax_bias_offset(self.handle, layer)
            biases.append(arena[start : start + n_out])
        return Views(weights), Views(biases)

    def units(self, flat: Array, rows: int) -> tuple[Array, ...]:
        """Return the views (rows, n_l), l = 1 ... L, of an array that holds one after the other."""
        views, start = [], 0
        for n in self.sizes[1:]:
            views.append(flat[start : start + rows * n].reshape(rows, n))
            start += rows * n
        return tuple(views)

    def require_finite(self, arena: Array, what: str) -> None:
        """Raise ValueError for an infinite or NaN parameter; what says who needs it finite."""
        position = lib.sigmax_first_non_finite(self.dtype.itemsize, pointer(arena), arena.size)
        if position == arena.size:
            return
        for name, views in zip(("weights", "biases"), self.layers(arena), strict=True):
            for layer, view in enumerate(views):
                bad = np.argwhere(~np.isfinite(view))
                if len(bad):
                    index = bad[0].tolist()
                    raise ValueError(
                        f"{name}[{layer}]{index} is {view[tuple(index)]}; "
                        f"{what} needs finite parameters"
                    )


def _as_sizes(sizes: object) -> tuple[int, ...]:
    if isinstance(sizes, str | bytes) or not isinstance(sizes, Iterable):
        raise TypeError(f"sizes is {sizes!r}; expected a sequence of integers, like [784, 30, 10]")
    checked = tuple(as_integer(n, f"sizes[{i}]", 1, sys.maxsize) for i, n in enumerate(sizes))
    if len(checked) < 2:
        raise ValueError(f"sizes is {list(checked)}; expected at least two: inputs and classes")
    if checked[-1] < 2:
        raise ValueError(f"sizes[{len(checked) - 1}] is 1; expected at least 2 classes")
    return checked


def _as_dtype(dtype: object) -> np.dtype[Any]:
    try:
        found = None if dtype is None else np.dtype(cast(Any, dtype))
    except (TypeError, ValueError):
        found = None
    for supported in (FLOAT32, FLOAT64):
        if found is not None and found == supported:
            return supported
    raise ValueError(f"dtype is {dtype!r}; expected float32 or float64")


def physical_memory() -> int | None:
    """Return the machine's memory in bytes, or None where the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on this system
        return None
