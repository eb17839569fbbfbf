"""What programs do whose allocations fail: the actions, and who asked for the memory.

Such a program runs with failing_malloc.c preloaded; its first argument is an empty folder.
"""

import contextlib
import ctypes
import errno
import pathlib
import pickle
import sys

import sigmax
from common import problem
from sigmax._training import checkpoint_file as checkpoints

libc = ctypes.CDLL(None)
libc.fail_at.argtypes, libc.fail_at.restype = [ctypes.c_long], None
libc.allocations_stop.restype = libc.blocks_alive.restype = ctypes.c_long
libc.failed_in.restype = ctypes.c_void_p
culprit = libc.failed_in()
OURS = pathlib.Path(sigmax._sigmax.__file__).name


def forget_culprit():
    ctypes.memset(culprit, 0, 4096)


def asked_by():
    """The file name of the library whose allocation failed; "" for the interpreter by itself."""
    return ctypes.string_at(culprit).decode()


def says_so(error):
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (isinstance(error, RuntimeError) and "can't allocate" in str(error))  # Python's locks
    )


folder = pathlib.Path(sys.argv[1])
model, run = folder / "model.npz", folder / "run.checkpoint"
SIZES = (40, 30, 3)
X, y = problem(300, SIZES)
old, new, network = (sigmax.Network(SIZES, seed=1) for _ in range(3))
new.parameters[:] = 1
TRAINING = {"epochs": 3, "batch_size": 300, "shuffle": False, "optimizer": "adam", "l2": 1e-3}
states = [old.parameters.tobytes()]
old.copy().fit(X, y, callbacks=[lambda n, *_: states.append(n.parameters.tobytes())], **TRAINING)
whole = {n.parameters.tobytes() for n in (old, new)}


def create():
    return sigmax.Network(SIZES, seed=1).parameters.tobytes()


def predict_proba():
    return network.predict_proba(X).tobytes()


def predict():
    return network.predict(X.astype(float)).tobytes()


def predict_list():
    return network.predict_proba(X[:50].tolist()).tobytes()


def activations():
    return network.activations(X)[-1].tobytes()


def cost():
    return network.cost(X, y)


def backprop():
    return network.backprop(X, y).nabla_w[0].tobytes()


def fit():
    network.fit(X, y, X_val=X, y_val=y, **TRAINING)
    return network.parameters.tobytes()


def fit_with_checkpoints():
    network.fit(X, y, checkpoint=run, **TRAINING)
    return network.parameters.tobytes()


def resume():
    network.fit(X, y, resume=run, callbacks=[lambda *_: None])
    return network.parameters.tobytes()


def save():
    return new.save(model)


def load():
    return sigmax.Network.load(model).parameters.tobytes()


def copy_and_pickle():
    return pickle.loads(pickle.dumps(network.copy())).parameters.tobytes()


def stops(network, epoch, history):
    if epoch == 1:
        raise KeyboardInterrupt


def prepare(action):
    """Put the network and the files back to where they were before the action."""
    network.parameters[:] = old.parameters
    network._model.epochs_trained = 0
    old.save(model)
    run.unlink(missing_ok=True)
    if action is resume:
        with contextlib.suppress(KeyboardInterrupt):
            network.copy().fit(X, y, checkpoint=run, callbacks=[stops], **TRAINING)
        assert 0 < checkpoints.load(run).state.epoch < 3
