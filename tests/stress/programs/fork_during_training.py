"""A process forks n times while another thread trains. Argument: n.

Prints in how many of the children the network in training was whole.
"""

import os
import signal
import sys
import threading
import time

import numpy as np
from common import rng
from wide_network import X, bits, expected, network, y

trained, over = network.copy(), threading.Event()


def stop(*_):
    return over.is_set()


def trains():
    trained.fit(X, y, epochs=10**6, batch_size=500, learning_rate=1e-3, callbacks=[stop])


def exit_status():
    """Of a child: 0 where its network was whole, 1 where the error says that it was not, else 3."""
    try:
        status = 0
        fine = np.isfinite(trained.predict_proba(X)).all()
        fine = fine and trained.copy().parameters.tobytes() == trained.parameters.tobytes()
        trained.fit(X, y, epochs=1, batch_size=500)
    except RuntimeError as error:
        status, fine = 1, "half written" in str(error)
    return status if fine and bits() == expected else 3


thread = threading.Thread(target=trains, daemon=True)  # it ends with a failed assertion
thread.start()
whole = 0
for i in range(int(sys.argv[1])):
    time.sleep(rng.uniform(0, 0.01))
    pid = os.fork()
    if pid == 0:
        signal.alarm(600)
        try:
            os._exit(exit_status())
        finally:
            os._exit(3)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, 1), (i, status)
    whole += status == 0
over.set()
thread.join()
print(whole)
