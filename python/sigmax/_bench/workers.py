"""Contenders in processes of their own: the parent sends requests, the child runs them.

A process of its own lets each library start with the thread counts and the affinity it is to run
with, and keeps thread pools from clashing. The process stays alive, and runs one request at a time
while all others wait.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from sigmax._bench.contenders import Contender, Float
from sigmax._bench.workloads import Workload, data, initial_parameters
from sigmax._sigmax import ffi, lib

ANSWER_SECONDS = 600.0  # a contender that does not answer within this time has hung
PEAK_SECONDS = 0.02

# The clock of a sample. Processor time excludes what other programs use of the core; it is meant
# for one thread on a busy machine.
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
CLOCK_HELP = "cpu: processor time, for one core on a busy machine (default: wall)"

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "SIGMAX_NUM_THREADS",
)


class ContenderError(RuntimeError):
    """A contender failed, hung, or disagrees with the others on the result."""


# ---- inside a contender's process ---------------------------------------------------------------


def contender_class(where: str) -> type[Contender]:
    """Return the class that ``"module:Class"`` names."""
    module, name = where.split(":")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def peak(dtype: str, threads: int, clock: str = "wall") -> float:
    """Return the peak rate of fused multiply-adds, in flop/s, of ``threads`` cores together.

    The loop keeps to registers, so no program that computes in ``dtype`` with this instruction set
    can do better.
    """
    now = CLOCKS[clock]
    cpus = cpus_for(threads)
    together = threading.Barrier(threads)

    def run(n: int) -> tuple[float, float]:
        flops = ffi.new("double *")
        start = now()
        if lib.sigmax_peak(np.dtype(dtype).itemsize, n, flops) != 0:
            raise ContenderError(f"no peak could be measured for dtype {dtype!r}")
        return float(flops[0]), now() - start

    n, seconds = 1024, 0.0
    while seconds < PEAK_SECONDS / 4:
        n *= 2
        _, seconds = run(n)
    n = max(1, int(n * PEAK_SECONDS / seconds))

    def rate(i: int) -> float:
        if cpus:  # of this thread, which ends here
            os.sched_setaffinity(0, {cpus[i]})
        together.wait()
        flops, seconds = run(n)
        return flops / seconds

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(rate, range(threads)))


class Runner:
    """The requests that the process of one contender answers."""

    def __init__(self, contender: Contender, clock: str = "wall") -> None:
        self._contender, self._clock = contender, clock

    def setup(self, workload: Workload, mnist: str | None) -> None:
        """Prepare one workload: data, network, initial parameters."""
        X, y = data(workload, mnist=mnist)
        X = np.ascontiguousarray(X, self._contender.dtype)
        self._workload = workload
        self._contender.setup(workload.sizes, X, y, workload.batch, workload.rate)
        self._load_initial()
        if workload.inference:
            starts = range(0, workload.rows, workload.batch)
            self._native = [self._contender.native(X[i : i + workload.batch]) for i in starts]

    def _load_initial(self) -> None:
        self._contender.load_parameters(
            initial_parameters(self._workload.sizes).astype(self._contender.dtype)
        )

    def result(self) -> Float:
        """Return what must agree: parameters after an epoch, or probabilities of the first rows."""
        if self._workload.inference:
            return self._contender.infer(self._native[0])
        self._contender.train(1)
        return self._contender.parameters()

    def _run(self, epochs: int) -> float:
        now = CLOCKS[self._clock]
        start = now()
        if self._workload.inference:
            infer = self._contender.infer
            for _ in range(epochs):
                for rows in self._native:
                    infer(rows)
        else:
            self._contender.train(epochs)
        return now() - start

    def epochs_for(self, seconds: float) -> int:
        """Return how many epochs take about ``seconds``, at least 1."""
        self._run(1)
        epochs, taken = 1, self._run(1)
        while taken < seconds / 4:
            epochs *= 2
            taken = self._run(epochs)
        return max(1, round(epochs * seconds / taken))

    def sample(self, epochs: int) -> float:
        """Return the seconds of a step, over epochs that begin at the initial parameters."""
        if not self._workload.inference:
            self._load_initial()
        if epochs > 1:
            self._run(1)  # caches and thread pools warm again after the other contenders
        gc.collect()
        gc.disable()
        try:
            return self._run(epochs) / (epochs * self._workload.steps)
        finally:
            gc.enable()

    def peak(self) -> float:
        """Return the peak of this process's cores, in flop/s, in the contender's dtype."""
        return peak(np.dtype(self._contender.dtype).name, self._contender.threads, self._clock)


def _serve(connection: Connection, where: str, threads: int, clock: str) -> None:
    """Answer requests ``(method, arguments)`` until None or the end of the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C; it closes the pipe
    runner = Runner(contender_class(where)(threads), clock)
    with contextlib.suppress(EOFError):
        while (request := connection.recv()) is not None:
            method, arguments = request
            try:
                answer = (True, getattr(runner, method)(*arguments))
            except Exception:
                answer = (False, traceback.format_exc())
            connection.send(answer)


# ---- in the parent process ---------------------------------------------------------


def cpus_for(threads: int) -> list[int] | None:
    """Return the cores to pin to, the last ones allowed; None where there is no affinity."""
    if threads < 1:
        raise ValueError(f"threads is {threads}, expected at least 1")
    if not hasattr(os, "sched_setaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    if threads > len(allowed):
        raise ValueError(
            f"threads is {threads}, expected at most {len(allowed)}, the cores of this process"
        )
    return allowed[-threads:]


@contextlib.contextmanager
def _inherited(threads: int, extra: dict[str, str]) -> Iterator[None]:
    """Set what a process started inside the block inherits, and restore it afterwards."""
    environment = dict.fromkeys(_THREAD_VARIABLES, str(threads)) | extra
    before = {name: os.environ.get(name) for name in environment}
    cpus = cpus_for(threads)
    affinity = os.sched_getaffinity(0) if cpus else None
    try:
        os.environ.update(environment)
        if cpus:
            os.sched_setaffinity(0, cpus)
        yield
    finally:
        if affinity:
            os.sched_setaffinity(0, affinity)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Worker:
    """A contender in a process of its own; a context manager that ends the process.

    Parameters
    ----------
    name : str
        The contender's name.
    where : str
        ``"module:Class"`` of the contender.
    threads : int
        Threads it may use; it is pinned to as many cores.
    clock : str
        A name of ``CLOCKS``.

    Raises
    ------
    ContenderError
        From ``call``, with the traceback of the other side.
    """

    def __init__(self, name: str, where: str, threads: int = 1, clock: str = "wall") -> None:
        if clock == "cpu" and threads != 1:
            raise ValueError(
                f"threads is {threads}, expected 1: processor time adds up all threads"
            )
        self.name, self.threads = name, threads
        self.contender = contender_class(where)
        context = multiprocessing.get_context(
            "spawn"
        )  # a fresh interpreter: nothing imported, no threads yet
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, where, threads, clock), daemon=True
        )
        with _inherited(threads, self.contender.environment(threads)):
            self._process.start()
        theirs.close()

    def does(self, workload: Workload) -> bool:
        """Say whether the contender does this kind of workload."""
        return self.contender.infers if workload.inference else self.contender.trains

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method of the ``Runner`` on the other side and return its answer."""
        try:
            self._connection.send((method, arguments))
            if not self._connection.poll(ANSWER_SECONDS):
                raise ContenderError(
                    f"{self.name}: no answer to {method!r} within {ANSWER_SECONDS:.0f} s"
                )
            succeeded, answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise ContenderError(f"{self.name}: its process ended during {method!r}") from error
        if not succeeded:
            raise ContenderError(f"{self.name}: {method!r} failed\n{answer}")
        return answer

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._connection.send(None)
        self._connection.close()
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
