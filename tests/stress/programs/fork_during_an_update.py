"""A process forks when half of the parameters are written.

The thread that writes forks, so that nothing else can be in the way.
"""

import os
import signal

from wide_network import X, bits, expected, network, y

other = network.copy()


def forks():
    network.parameters[:5] = 1
    pid = os.fork()
    network.parameters[5:] = 1
    return pid


pid = network._model.guard.write(forks)
if pid == 0:
    signal.alarm(600)
    refused = 0
    for use in (network.copy, lambda: network.fit(X, y, epochs=1), lambda: network.save("absent")):
        try:
            use()
        except RuntimeError as error:
            refused += "half written" in str(error)
    fine = refused == 3 and bits(other) == expected
    os._exit(0 if fine else 3)
assert os.waitpid(pid, 0)[1] == 0
assert (network.copy().parameters == 1).all()
