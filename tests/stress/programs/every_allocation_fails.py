"""Each action with its k-th allocation failing, for every step-th k, in a child of its own.

Arguments: an empty folder, step. Prints, as JSON, how often each action failed, and in what way
where no error said so.
"""

import json
import os
import signal
import sys
import sysconfig
import traceback

import allocations as a
import sigmax
from sigmax._training import checkpoint_file as checkpoints

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
TRAININGS = (a.fit, a.fit_with_checkpoints, a.resume)
USES = (
    *(a.create, a.predict_proba, a.predict, a.predict_list),
    *(a.activations, a.cost, a.backprop),
)


def attempt(action, k):
    """(allocations, error, result) of the action, whose k-th allocation fails."""
    a.libc.fail_at(k)
    try:
        result, error = action(), None
    except BaseException as caught:
        result, error = None, caught
    return a.libc.allocations_stop(), error, result


def require_unharmed(action):
    trains = action in TRAININGS
    assert a.network.parameters.tobytes() in (a.states if trains else a.states[:1])
    assert sigmax.Network.load(a.model).parameters.tobytes() in a.whole
    allowed = {"model.npz", "run.checkpoint"} if trains else {"model.npz"}
    assert set(os.listdir(a.folder)) <= allowed, os.listdir(a.folder)
    if a.run.exists():
        assert checkpoints.load(a.run).model.arena.tobytes() in a.states


def child(action, k, expected, pipe):
    """What happened: "said so", "silence", "not reached", or another error."""
    signal.alarm(600)
    n, error, result = attempt(action, k)
    require_unharmed(action)
    if error is None:
        assert result == expected
    a.prepare(action)
    assert action() == expected, "another result afterwards"
    if error is None:
        kind = "silence" if k < n else "not reached"
    else:
        kind = "said so" if a.says_so(error) else repr(error)
    os.write(pipe, kind.encode())


def in_a_child(action, k, expected):
    """(kind, exit status, library) of an attempt: what `child` writes, and who asked."""
    a.forget_culprit()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            child(action, k, expected, writing)
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with open(reading) as pipe:
        kind = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return kind, status, a.asked_by()


def every_k(action, step):
    """How often the action failed, and how often in a way that says nothing of memory."""
    for _ in range(2):  # what is imported and kept at the first call
        a.prepare(action)
        expected = action()
    a.prepare(action)
    counts = {"failed": 0, "SystemError": 0, "silence": 0, "crash": 0}
    for k in range(0, 10**6, step):
        kind, status, library = in_a_child(action, k, expected)
        a.prepare(action)
        if kind == "not reached":
            assert status == 0, (action.__name__, k, status)
            break
        counts["failed"] += 1
        if status == 0 and kind == "said so":
            continue
        context = action.__name__, k, library, status, kind
        assert library != a.OURS, context
        what = "crash" if status < 0 else kind.partition("(")[0]
        assert status <= 0 and what in counts, context
        assert what != "silence" or library or FREE_THREADED, context
        counts[what] += 1
        for left in a.folder.glob(".sigmax-*.tmp"):  # by a crash
            left.unlink()
    assert k > 0, f"{action.__name__} allocates nothing"
    return counts


actions = (*USES, *TRAININGS, a.save, a.load, a.copy_and_pickle)
print(json.dumps({action.__name__: every_k(action, int(sys.argv[2])) for action in actions}))
