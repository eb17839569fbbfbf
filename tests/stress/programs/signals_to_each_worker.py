"""tgkill aims at one thread after the other, though it blocks the signal: the process lives on."""

import ctypes
import os
import signal

from wide_network import bits, expected

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
