"""Four threads fork n times each, at once. Argument: n."""

import sys
import threading

from wide_network import bits, child_agrees, expected

wrong = []


def forks():
    for _ in range(int(sys.argv[1])):
        wrong.extend(filter(None, [child_agrees()]))


threads = [threading.Thread(target=forks) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong, wrong
assert bits() == expected
