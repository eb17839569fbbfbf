"""Memory that runs out at the k-th allocation, for every k (in the long run), through Python.

`tests/c/test_malloc.c` has the same for C. Each attempt is made by a child of its own, so that a
crash is an answer too. An allocation that fails must end in an error that says so, and change
nothing: neither parameters nor files. NumPy and the interpreter are held to nothing here: some of
their functions answer a failed allocation of their own with a SystemError (by its definition the
fault of C code that speaks to Python, which sigmax has none of) or a crash, and some libraries do
without an allocation that they would have liked. Which of them do so depends on NumPy's build and
on the processor that its kernels are chosen for, so these are counted, and nothing is expected of
the counts. What decides is the library that asked for the memory, by the name of its file: sigmax's
module may answer with an error that says so and with nothing else, and where no library but the
interpreter asked, which may have been for the package's own Python, silence is a fault too.
"""

import json
import platform
import shutil
import subprocess
from pathlib import Path

import pytest
import scripts

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or shutil.which("cc") is None,
    reason="needs glibc and a C compiler",
)


@pytest.fixture(scope="module")
def failing_malloc(tmp_path_factory):
    """The environment of a process whose allocations can be made to fail."""
    library = tmp_path_factory.mktemp("malloc") / "failing_malloc.so"
    done = subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("failing_malloc.c")],
        **{"capture_output": True, "text": True, "check": False},
    )
    if done.returncode:
        pytest.skip(f"cc: {done.stderr.strip()}")
    return {"LD_PRELOAD": str(library), "SIGMAX_NUM_THREADS": "2"}


SETTING = """
import ctypes, errno, gc, json, pathlib, pickle, sysconfig
from sigmax import checkpoints
libc = ctypes.CDLL(None)
libc.fail_at.argtypes, libc.fail_at.restype = [ctypes.c_long], None
libc.allocations_stop.restype = libc.blocks_alive.restype = ctypes.c_long
libc.failed_in.restype = ctypes.c_void_p
culprit = libc.failed_in()
def asked_by(): return ctypes.string_at(culprit).decode()  # "" for the interpreter by itself
OURS = pathlib.Path(sigmax._sigmax.__file__).name

def says_so(error):
    return (isinstance(error, MemoryError)
            or isinstance(error, OSError) and error.errno == errno.ENOMEM
            or isinstance(error, RuntimeError) and "can't allocate" in str(error))  # Python's locks

folder = pathlib.Path(sys.argv[1])
model, run = folder / "model.npz", folder / "run.checkpoint"
SIZES = (40, 30, 3)
X, y = problem(300, SIZES)
old, new, network = (sigmax.Network(SIZES, seed=1) for _ in range(3))
new.parameters[:] = 1
TRAINING = dict(epochs=3, batch_size=300, shuffle=False, optimizer="adam", l2=1e-3)
states = [old.parameters.tobytes()]
old.copy().fit(X, y, callbacks=[lambda n, *_: states.append(n.parameters.tobytes())], **TRAINING)
whole = {n.parameters.tobytes() for n in (old, new)}

def create(): return sigmax.Network(SIZES, seed=1).parameters.tobytes()
def predict_proba(): return network.predict_proba(X).tobytes()
def predict(): return network.predict(X.astype(float)).tobytes()
def predict_list(): return network.predict_proba(X[:50].tolist()).tobytes()
def activations(): return network.activations(X)[-1].tobytes()
def cost(): return network.cost(X, y)
def backprop(): return network.backprop(X, y).nabla_w[0].tobytes()
def fit():
    network.fit(X, y, X_val=X, y_val=y, **TRAINING)
    return network.parameters.tobytes()
def fit_with_checkpoints():
    network.fit(X, y, checkpoint=run, **TRAINING)
    return network.parameters.tobytes()
def resume():
    network.fit(X, y, resume=run, callbacks=[lambda *_: None])
    return network.parameters.tobytes()
def save(): return new.save(model)
def load(): return sigmax.Network.load(model).parameters.tobytes()
def copy_and_pickle(): return pickle.loads(pickle.dumps(network.copy())).parameters.tobytes()

def prepare(action):
    network.parameters[:] = old.parameters
    network._epochs_trained = 0
    old.save(model)
    run.unlink(missing_ok=True)
    if action is resume:
        def stops(network, epoch, history):
            if epoch == 1: raise KeyboardInterrupt
        try:
            network.copy().fit(X, y, checkpoint=run, callbacks=[stops], **TRAINING)
        except KeyboardInterrupt:
            pass
        assert 0 < checkpoints.load(run).state.epoch < 3
"""

EVERY_K = """
def attempt(action, k):
    \"\"\"(allocations, error, result) of the action, whose k-th allocation fails.\"\"\"
    libc.fail_at(k)
    try:
        result, error = action(), None
    except BaseException as caught:
        result, error = None, caught
    return libc.allocations_stop(), error, result

def require_unharmed(action):
    assert network.parameters.tobytes() in (states if action in trainings else states[:1])
    assert sigmax.Network.load(model).parameters.tobytes() in whole
    allowed = {"model.npz", "run.checkpoint"} if action in trainings else {"model.npz"}
    assert set(os.listdir(folder)) <= allowed, os.listdir(folder)
    if run.exists():
        assert checkpoints.load(run).network.parameters.tobytes() in states

def child(action, k, pipe):
    \"\"\"What happened: "said so", "silence", "not reached", or another error.\"\"\"
    signal.alarm(600)
    n, error, result = attempt(action, k)
    require_unharmed(action)
    if error is None:
        assert result == expected
    prepare(action)
    assert action() == expected, "another result afterwards"
    if error is None:
        kind = "silence" if k < n else "not reached"
    else:
        kind = "said so" if says_so(error) else repr(error)
    os.write(pipe, kind.encode())

free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
trainings = (fit, fit_with_checkpoints, resume)
found = {}
uses = (create, predict_proba, predict, predict_list, activations, cost, backprop)
for action in (*uses, *trainings, save, load, copy_and_pickle):
    for _ in range(2):  # what is imported and kept at the first call
        prepare(action)
        expected = action()
    prepare(action)
    counts = found[action.__name__] = {"failed": 0, "SystemError": 0, "silence": 0, "crash": 0}
    for k in range(0, 10**6, int(sys.argv[2])):
        ctypes.memset(culprit, 0, 4096)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                child(action, k, writing)
                os._exit(0)
            finally:
                import traceback
                traceback.print_exc()
                os._exit(1)
        os.close(writing)
        with open(reading) as pipe:
            kind = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        library = asked_by()
        prepare(action)
        if kind == "not reached":
            assert status == 0, (action.__name__, k, status)
            break
        counts["failed"] += 1
        if status == 0 and kind == "said so":
            continue
        context = action.__name__, k, library, status, kind
        assert library != OURS, context
        what = "crash" if status < 0 else kind.partition("(")[0]
        assert status <= 0 and what in counts, context
        assert what != "silence" or library or free_threaded, context
        counts[what] += 1
        for left in folder.glob(".sigmax-*.tmp"):  # by a crash
            left.unlink()
    assert k > 0, f"{action.__name__} allocates nothing"
print(json.dumps(found))
"""


def test_an_allocation_that_fails(failing_malloc, tmp_path, rounds, tried):
    step = rounds(9, 1)  # of k
    found = json.loads(scripts.run(SETTING + EVERY_K, tmp_path, step, env=failing_malloc))
    assert len(found) == 13
    for action, counts in found.items():
        assert counts["failed"] > 0, action
        tried(f"allocations that failed: {action}", counts["failed"])
        for what in ("SystemError", "silence", "crash"):
            if counts[what]:
                tried(f"allocations that failed: {action}: {what} of NumPy or Python", counts[what])


LEAKS = """
def round_of(action):
    for k in range(10**6):
        prepare(action)
        libc.fail_at(k)
        ctypes.memset(culprit, 0, 4096)
        try:
            action()
            failed = False
        except Exception as error:
            failed = True
            if not says_so(error):
                assert isinstance(error, SystemError) and asked_by() != OURS, (k, asked_by(), error)
        if k >= libc.allocations_stop() and not failed:
            return k
for action in (create, predict_proba, predict, predict_list, activations, save, copy_and_pickle):
    # glibc ends a process that has no memory for the thread-local variables of a library, when a
    # thread first looks at one. The worker pool has one: see OS_THREAD_LOCAL in csrc/threads_os.h.
    if action is not predict_proba:
        action()  # NumPy has others
    alive = []
    for _ in range(4):
        n = round_of(action)
        gc.collect()
        alive.append(libc.blocks_alive())
    assert alive[-1] <= alive[-2] <= alive[-3], (action.__name__, n, alive)
    print(n)
"""


def test_a_failed_allocation_leaks_nothing(failing_malloc, tmp_path):
    # Only those in which NumPy does not crash: they are made in one process.
    # What the interpreter says on stderr of files that it could not close is not held against it.
    script = scripts.start(SETTING + LEAKS, tmp_path, env=failing_malloc)
    status, printed, errors = scripts.finish(script)
    assert status == 0, errors
    counts = printed.split()
    assert len(counts) == 7 and all(int(n) > 0 for n in counts)
