"""A process forks n times while two other threads predict. Argument: n."""

import sys
import threading
import time

from common import rng
from wide_network import bits, child_agrees, expected

over = threading.Event()


def busy():
    while not over.is_set():
        assert bits() == expected


# They end with a failed assertion.
threads = [threading.Thread(target=busy, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
for i in range(int(sys.argv[1])):
    time.sleep(rng.uniform(0, 0.01))
    status = child_agrees()
    assert status == 0, (i, status)
over.set()
for thread in threads:
    thread.join()
assert bits() == expected
