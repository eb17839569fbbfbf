"""A process forks while another thread's first fit imports a module."""

import sys
import threading
import time

from wide_network import X, child_agrees, network, y

begun = threading.Event()


class Slow:
    def find_spec(self, name, *_):
        if name == "sigmax._training.fit":
            begun.set()
            time.sleep(0.3)


sys.meta_path.insert(0, Slow())
fits = threading.Thread(target=network.copy().fit, args=(X, y), kwargs={"epochs": 1})
fits.start()
begun.wait()
assert child_agrees() == 0
fits.join()
