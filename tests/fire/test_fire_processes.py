"""Processes: forks at any moment, spawn, forkserver, pools, few threads, half a processor."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import scripts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has all of these")

WIDE = """
sizes = (300, 400, 10)
X, y = problem(1500, sizes)
network = sigmax.Network(sizes, seed=2)
expected = network.copy().predict_proba(X).tobytes()

def bits(network=network):
    return network.predict_proba(X).tobytes()

def child_agrees():
    \"\"\"A child predicts and trains, with as many threads, what the parent would.\"\"\"
    pid = os.fork()
    if pid == 0:
        signal.alarm(600)
        good = bits() == expected
        good = good and np.isfinite(network.copy().fit(X, y, epochs=1, batch_size=500).cost).all()
        os._exit(0 if good else 3)
    return os.waitpid(pid, 0)[1]
"""

THREADS = {"SIGMAX_NUM_THREADS": "3"}


def test_fork_after_use():
    code = "assert bits() == expected\nassert child_agrees() == 0\nassert bits() == expected"
    scripts.run(WIDE + code, env=THREADS)


def test_fork_during_use(rounds, tried):
    n = rounds(8, 200)
    code = f"""
over = threading.Event()
def busy():
    while not over.is_set():
        assert bits() == expected
threads = [threading.Thread(target=busy) for _ in range(2)]
for t in threads: t.start()
for i in range({n}):
    time.sleep(rng.uniform(0, 0.01))
    status = child_agrees()
    assert status == 0, (i, status)
over.set()
for t in threads: t.join()
assert bits() == expected
"""
    scripts.run(WIDE + code, env=THREADS)
    tried("forks while other threads predict", n)


def test_fork_from_several_threads(rounds, tried):
    n = rounds(3, 60)
    code = f"""
wrong = []
def forks():
    for _ in range({n}):
        wrong.extend(filter(None, [child_agrees()]))
threads = [threading.Thread(target=forks) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
assert not wrong, wrong
assert bits() == expected
"""
    scripts.run(WIDE + code, env=THREADS)
    tried("forks from four threads at once", 4 * n)


def test_fork_while_another_thread_imports():
    # The first fit imports modules. A child made meanwhile must not wait for that import for ever.
    code = """
class Slow:
    def find_spec(self, name, *_):
        if name == "sigmax.training":
            begun.set()
            time.sleep(0.3)
begun = threading.Event()
sys.meta_path.insert(0, Slow())
fits = threading.Thread(target=network.copy().fit, args=(X, y), kwargs={"epochs": 1})
fits.start()
begun.wait()
assert child_agrees() == 0
fits.join()
"""
    scripts.run(WIDE + code, env=THREADS)


def test_fork_while_another_thread_trains(rounds, tried):
    # The child's copy of the network is whole, or it says that it is not; others are not concerned.
    n = rounds(8, 200)
    code = f"""
trained, over = network.copy(), threading.Event()
def stop(*_): return over.is_set()
def trains():
    trained.fit(X, y, epochs=10**6, batch_size=500, learning_rate=1e-3, callbacks=[stop])
thread = threading.Thread(target=trains)
thread.start()
whole = 0
for i in range({n}):
    time.sleep(rng.uniform(0, 0.01))
    pid = os.fork()
    if pid == 0:
        signal.alarm(600)
        try:
            fine = np.isfinite(trained.predict_proba(X)).all()
            fine = fine and trained.copy().parameters.tobytes() == trained.parameters.tobytes()
            trained.fit(X, y, epochs=1, batch_size=500)
        except RuntimeError as error:
            fine = "half written" in str(error)
            os._exit(1 if fine and bits() == expected else 3)
        os._exit(0 if fine and bits() == expected else 3)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, 1), (i, status)
    whole += status == 0
over.set()
thread.join()
print(whole)
"""
    whole = int(scripts.run(WIDE + code, env=THREADS))
    tried("forks while another thread trains", n)
    tried("forks while another thread trains: the child's network was whole", whole)


def test_a_fork_in_the_middle_of_an_update():
    # At one certain moment. The same thread forks, so that nothing else can be in the way.
    code = """
other = network.copy()
def forks():
    network.parameters[:5] = 1
    pid = os.fork()
    network.parameters[5:] = 1
    return pid
pid = network._guard.write(forks)
if pid == 0:
    signal.alarm(600)
    refused = 0
    for use in (network.copy, lambda: network.fit(X, y, epochs=1), lambda: network.save("absent")):
        try: use()
        except RuntimeError as error: refused += "half written" in str(error)
    fine = refused == 3 and bits(other) == expected
    os._exit(0 if fine else 3)
assert os.waitpid(pid, 0)[1] == 0
assert (network.copy().parameters == 1).all()
"""
    scripts.run(WIDE + code, env=THREADS)


POOL = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
import numpy as np, sigmax

def work(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(300, 200)).astype(np.float32), rng.integers(0, 5, 300)
    network = sigmax.Network((200, 300, 5), seed=seed)
    network.fit(X, y, epochs=2, batch_size=100)
    return network, network.predict_proba(X).tobytes()

if __name__ == "__main__":
    expected = [work(seed)[1] for seed in range(6)]
    kind = sys.argv[1]
    if kind == "loky":
        from joblib import Parallel, delayed
        answers = Parallel(n_jobs=2, backend="loky")(delayed(work)(seed) for seed in range(6))
    else:
        context = multiprocessing.get_context(kind)
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            answers = list(pool.map(work, range(6)))
    for seed, (network, probabilities) in enumerate(answers):
        assert probabilities == expected[seed]
        assert network.parameters.tobytes() == work(seed)[0].parameters.tobytes()
"""


@pytest.mark.parametrize("kind", ["fork", "spawn", "forkserver", "loky"])
def test_pools_of_processes(kind, tmp_path, tried):
    if kind == "loky":
        pytest.importorskip("joblib")
    path = tmp_path / "pool_script.py"
    path.write_text(POOL)
    env = {**os.environ, "OMP_NUM_THREADS": "2"}
    env.pop("SIGMAX_NUM_THREADS", None)
    done = subprocess.run(
        [sys.executable, path, kind],
        **{
            "capture_output": True,
            "text": True,
            "timeout": 600,
            "env": env,
            "check": False,
        },
    )
    assert done.returncode == 0, done.stderr
    tried("networks trained in pools of processes", 6)


def test_a_system_that_refuses_threads(tried):
    # RLIMIT_NPROC does not hold for root: the script becomes somebody else first.
    code = (
        WIDE
        + """
import resource
network.copy().fit(X, y, epochs=1)  # imports what another user may not be able to read
if os.geteuid() == 0:
    try: os.setgroups([]); os.setgid(54321); os.setuid(54321)
    except OSError: print("cannot"); sys.exit()
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
try:
    threading.Thread(target=int).start()
except RuntimeError:
    print("refused")
sigmax.set_num_threads(8)
assert bits() == expected
assert np.isfinite(network.fit(X, y, epochs=1, batch_size=500).cost).all()
"""
    )
    out = scripts.run(code, env={"SIGMAX_NUM_THREADS": "1"})  # but for what it asks itself
    if out == "cannot\n":
        pytest.skip("neither root nor a user without processes")
    if out != "refused\n":
        pytest.skip("this system starts threads beyond ulimit -u")
    tried("runs under ulimit -u 1")


def _half_a_processor():
    """A new control group of half a processor, or the reason why there is none."""
    root = Path("/sys/fs/cgroup")
    name = f"sigmax-fire-{os.getpid()}"
    old, new = root / "cpu", root
    try:
        if (old / "cpu.cfs_quota_us").exists() or old.is_dir():
            group = old / name
            group.mkdir()
            (group / "cpu.cfs_period_us").write_text("100000")
            (group / "cpu.cfs_quota_us").write_text("50000")
        else:
            group = new / name
            group.mkdir()
            (group / "cpu.max").write_text("50000 100000")
    except OSError as error:
        return None, str(error)
    return group, ""


def test_a_quota_of_half_a_processor(tried):
    group, problem = _half_a_processor()
    if group is None:
        pytest.skip(f"no control group can be made here: {problem}")
    code = (
        f"""
import pathlib
pathlib.Path({str(group / "cgroup.procs")!r}).write_text(str(os.getpid()))
print(sigmax.get_num_threads())
"""
        + WIDE
        + "\nassert bits() == expected\nassert child_agrees() == 0\n"
    )
    env = {"SIGMAX_NUM_THREADS": "", "OMP_NUM_THREADS": ""}
    try:
        assert scripts.run(code, env=env) == "1\n"
        tried("runs in a control group of half a processor")
    finally:
        group.rmdir()


def test_signals_reach_the_main_thread_alone(rounds, tried):
    # A handler in Python runs in the main thread in any case; in C it is the kernel that chooses,
    # among the threads that do not block the signal. Every signal must arrive, and disturb nothing.
    n = rounds(200, 5000)
    code = (
        "others = set(os.listdir('/proc/self/task'))  # NumPy has a pool too\n"
        + WIDE
        + f"""
caught = []
signal.signal(signal.SIGUSR1, lambda *_: caught.append(threading.get_ident()))
assert bits() == expected
blocked = 0
for task in os.listdir("/proc/self/task"):
    if task not in others:
        status = open(f"/proc/self/task/{{task}}/status").read()
        mask = int(status.split("SigBlk:")[1].split()[0], 16)
        assert mask >> (signal.SIGUSR1 - 1) & 1 and mask >> (signal.SIGINT - 1) & 1, hex(mask)
        blocked += 1
assert blocked >= 2, "no worker was looked at"
for i in range({n}):
    os.kill(os.getpid(), signal.SIGUSR1)
    if i % 20 == 0:
        assert bits() == expected
deadline = time.monotonic() + 300
while len(caught) < {n // 20} and time.monotonic() < deadline:
    time.sleep(0.01)
assert len(caught) >= {n // 20} and set(caught) == {{threading.get_ident()}}
signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # one may be on its way while the interpreter ends
"""
    )
    scripts.run(code, env=THREADS)
    tried("signals sent to a process at work", n)


def test_signals_to_each_worker(tried):
    # tgkill aims at one thread, though that thread blocks the signal: the process must live on.
    code = (
        WIDE
        + """
import ctypes
libc = ctypes.CDLL(None)
signal.signal(signal.SIGUSR1, lambda *_: None)
assert bits() == expected
tasks = [int(t) for t in os.listdir("/proc/self/task")]
assert len(tasks) >= 3
for _ in range(50):
    for task in tasks:
        assert libc.tgkill(os.getpid(), task, int(signal.SIGUSR1)) == 0
    assert bits() == expected
signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # one may be on its way while the interpreter ends
"""
    )
    scripts.run(code, env=THREADS)
    tried("signals aimed at single workers", 150)


@pytest.mark.parametrize("daemon", [True, False])
def test_the_interpreter_ends_during_a_fit_in_another_thread(daemon, rounds, tried):
    n = rounds(4, 50)
    code = (
        WIDE
        + f"""
def trains():
    network.fit(X, y, epochs={10**6 if daemon else 3}, batch_size=500, learning_rate=1e-3)
threading.Thread(target=trains, daemon={daemon}).start()
time.sleep(float(sys.argv[1]))
"""
    )
    for i in range(n):
        scripts.run(code, 0.3 * i / n, env=THREADS)
    tried("interpreters that ended during a fit in another thread", n)


def test_ctrl_c_reaches_a_pool_busy_in_the_main_thread(rounds, tried):
    n = rounds(3, 20)
    code = (
        WIDE
        + """
try:
    print("ready", flush=True)
    network.fit(X, y, epochs=10**6, batch_size=500, learning_rate=1e-3)
except KeyboardInterrupt:
    assert np.isfinite(network.parameters).all()
    network.fit(X, y, epochs=1)
    sys.exit(42)
"""
    )
    for i in range(n):
        process = scripts.start(code, env=THREADS)
        scripts.signal_after(process, 0.02 * i, signal.SIGINT)
        status, _, errors = scripts.finish(process)
        assert status == 42, errors
    tried("Ctrl-C while the pool works", n)
