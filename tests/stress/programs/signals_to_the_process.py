"""n signals to a process at work reach its main thread alone. Argument: n."""

import os
import signal
import sys
import threading
import time

import sigmax  # noqa: F401  (NumPy starts its threads)

others = set(os.listdir("/proc/self/task"))

from wide_network import bits, expected  # noqa: E402  (its threads are looked at)

n = int(sys.argv[1])
caught = []
signal.signal(signal.SIGUSR1, lambda *_: caught.append(threading.get_ident()))
assert bits() == expected
blocked = 0
for task in os.listdir("/proc/self/task"):
    if task not in others:
        with open(f"/proc/self/task/{task}/status") as file:
            mask = int(file.read().split("SigBlk:")[1].split()[0], 16)
        assert mask >> (signal.SIGUSR1 - 1) & 1 and mask >> (signal.SIGINT - 1) & 1, hex(mask)
        blocked += 1
assert blocked >= 2, "no worker was looked at"
for i in range(n):
    os.kill(os.getpid(), signal.SIGUSR1)
    if i % 20 == 0:
        assert bits() == expected
deadline = time.monotonic() + 300
while len(caught) < n // 20 and time.monotonic() < deadline:
    time.sleep(0.01)
assert len(caught) >= n // 20 and set(caught) == {threading.get_ident()}
signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # one may be on its way while the interpreter ends
