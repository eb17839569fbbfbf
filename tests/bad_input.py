"""What the tests of bad input share: checking a refusal, and arrays that only look bad."""

import numpy as np
import pytest


def snapshot(network):
    return network.parameters.tobytes(), network.sizes, network.dtype, network.seed


def refused(network, calls, kinds, *words):
    """Every call raises one of kinds with all the words in its message, and changes nothing."""
    before = snapshot(network)
    for name, call in calls.items():
        with pytest.raises(kinds) as caught:
            call()
        message = str(caught.value)
        for word in words:
            assert word in message, f"{name}: {word!r} is not in {message!r}"
        assert snapshot(network) == before, f"{name} changed the network"


class Convertible:
    """Something that NumPy can view."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)


def unaligned(array):
    """The same values at an address that the dtype does not allow."""
    memory = np.zeros(array.nbytes + 1, np.uint8)
    view = np.ndarray(array.shape, array.dtype, memory.data, offset=1)
    view[...] = array
    assert not view.flags.aligned
    return view


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


LOOKS = {
    "list": lambda a: a.tolist(),
    "tuple of rows": lambda a: tuple(a),
    "Fortran order": np.asfortranarray,
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "read-only": read_only,
    "every second column": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "every second row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "unaligned": unaligned,
    "subclass": lambda a: a.view(type("Subclass", (np.ndarray,), {})),
    "__array__": Convertible,
    "memoryview": lambda a: memoryview(np.ascontiguousarray(a)),
    "unmasked masked array": np.ma.masked_array,
    "longdouble": lambda a: a.astype(np.longdouble),
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
}
