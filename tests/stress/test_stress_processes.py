"""Processes: forks at any moment, spawn, forkserver, pools, few threads, half a processor."""

import os
import signal
import sys
from pathlib import Path

import processes
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has all of these")

THREADS = {"SIGMAX_NUM_THREADS": "3"}


def test_fork_after_use():
    processes.run("stress/programs/fork_after_use.py", env=THREADS)


def test_fork_during_use(rounds, tried):
    n = rounds(8, 200)
    processes.run("stress/programs/fork_during_use.py", n, env=THREADS)
    tried("forks while other threads predict", n)


def test_fork_from_several_threads(rounds, tried):
    n = rounds(3, 60)
    processes.run("stress/programs/fork_from_several_threads.py", n, env=THREADS)
    tried("forks from four threads at once", 4 * n)


def test_fork_while_another_thread_imports():
    # The first fit imports modules. A child made meanwhile must not wait for that import for ever.
    processes.run("stress/programs/fork_during_an_import.py", env=THREADS)


def test_fork_while_another_thread_trains(rounds, tried):
    # The child's copy of the network is whole, or it says that it is not; others are not concerned.
    n = rounds(8, 200)
    whole = int(processes.run("stress/programs/fork_during_training.py", n, env=THREADS))
    tried("forks while another thread trains", n)
    tried("forks while another thread trains: the child's network was whole", whole)


def test_a_fork_in_the_middle_of_an_update():
    processes.run("stress/programs/fork_during_an_update.py", env=THREADS)


@pytest.mark.parametrize("kind", ["fork", "spawn", "forkserver", "loky"])
def test_pools_of_processes(kind, tried):
    if kind == "loky":
        pytest.importorskip("joblib")
    env = {"OMP_NUM_THREADS": "2", "SIGMAX_NUM_THREADS": None}
    process = processes.start("stress/programs/pools_of_processes.py", kind, env=env)
    status, _, errors = processes.finish(process)
    assert status == 0, errors
    tried("networks trained in pools of processes", 6)


def test_a_system_that_refuses_threads(tried):
    one = {"SIGMAX_NUM_THREADS": "1"}  # but for what it asks itself
    out = processes.run("stress/programs/no_more_threads.py", env=one)
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
    env = {"SIGMAX_NUM_THREADS": "", "OMP_NUM_THREADS": ""}
    try:
        procs = group / "cgroup.procs"
        assert processes.run("stress/programs/half_a_processor.py", procs, env=env) == "1\n"
        tried("runs in a control group of half a processor")
    finally:
        group.rmdir()


def test_signals_reach_the_main_thread_alone(rounds, tried):
    # A handler in Python runs in the main thread in any case; in C it is the kernel that chooses,
    # among the threads that do not block the signal. Every signal must arrive, and disturb nothing.
    n = rounds(200, 5000)
    processes.run("stress/programs/signals_to_the_process.py", n, env=THREADS)
    tried("signals sent to a process at work", n)


def test_signals_to_each_worker(tried):
    processes.run("stress/programs/signals_to_each_worker.py", env=THREADS)
    tried("signals aimed at single workers", 150)


@pytest.mark.parametrize("kind", ["daemon", "waits"])
def test_the_interpreter_ends_during_a_fit_in_another_thread(kind, rounds, tried):
    n = rounds(4, 50)
    for i in range(n):
        processes.run("stress/programs/exit_during_a_fit.py", kind, 0.3 * i / n, env=THREADS)
    tried("interpreters that ended during a fit in another thread", n)


def test_ctrl_c_reaches_a_pool_busy_in_the_main_thread(rounds, tried):
    n = rounds(3, 20)
    for i in range(n):
        process = processes.start("stress/programs/ctrl_c_in_a_fit.py", env=THREADS)
        processes.signal_after(process, 0.02 * i, signal.SIGINT)
        status, _, errors = processes.finish(process)
        assert status == 42, errors
    tried("Ctrl-C while the pool works", n)
