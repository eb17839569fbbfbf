"""What the tests of checkpoint files share: writing, changing and resuming one."""

import json

import numpy as np
import pytest
import sigmax
from helpers import what_it_holds
from sigmax._training import checkpoint_file

SIZES = (4, 5, 3)
ROWS = 40


def new_network(sizes=SIZES, dtype="float32", seed=4):
    return sigmax.Network(sizes, dtype=dtype, seed=seed)


def stop_after_two(network, epoch, history):
    if epoch == 1:
        raise KeyboardInterrupt


def write_interrupted(path, data, **options):
    """Write a checkpoint of a training that was interrupted after 2 of 5 epochs."""
    options = {"epochs": 5, "optimizer": "adam", **options}
    with pytest.raises(KeyboardInterrupt):
        new_network().fit(*data, checkpoint=path, callbacks=[stop_after_two], **options)
    return path


def write_plain(path, data, **options):
    """Write one that knows nothing of the callback."""
    write_interrupted(path, data, **options)
    change(path, lambda arrays: set_json(arrays, "options", callbacks=[]))
    return path


def change(path, function, target=None):
    """Rewrite the arrays of a file as function changes them."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    function(arrays)
    with (target or path).open("wb") as file:
        np.savez(file, **arrays)


def set_json(arrays, name, **values):
    content = json.loads(arrays[name].tobytes())
    content.update(values)
    arrays[name] = np.frombuffer(json.dumps(content).encode(), np.uint8)


def resume(path, data, network=None, **options):
    return (network or new_network()).fit(*data, resume=path, **options)


def refused(path, data, kind, *words, network=None, **options):
    """Resuming raises kind with these words, and changes neither the network nor the file."""
    network = network or new_network(seed=8)
    before, content = what_it_holds(network), path.read_bytes()
    with pytest.raises(kind) as caught:
        resume(path, data, network, **options)
    for word in words:
        assert word in str(caught.value), f"{word!r} is not in {caught.value}"
    assert what_it_holds(network) == before
    assert path.read_bytes() == content


def comparable(checkpoint):
    """What a checkpoint holds, as values that can be compared."""
    arrays = checkpoint_file.state_arrays(checkpoint.state, checkpoint.model)
    progress = json.loads(arrays.pop("progress").tobytes())
    del progress["seconds"]  # which go on to be counted
    numbers = {name: (array.dtype.str, array.tobytes()) for name, array in arrays.items()}
    return progress, numbers, checkpoint.options, checkpoint.functions


def all_of(history):
    """A History but for its times."""
    values = dict(vars(history))
    del values["seconds"]
    return values


def equal(network, history, other, other_history):
    """Two trainings gave the same History and networks, to the bit."""
    assert all_of(history) == all_of(other_history)
    assert what_it_holds(network) == what_it_holds(other)
