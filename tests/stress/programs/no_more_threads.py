"""Eight threads are asked for where the system starts no more.

RLIMIT_NPROC does not hold for root, who becomes another user first. Prints "cannot" where that
fails, and "refused" where the system refused a thread.
"""

import os
import resource
import sys
import threading

import numpy as np
import sigmax
from wide_network import X, bits, expected, network, y

network.copy().fit(X, y, epochs=1)  # imports what another user may not be able to read
if os.geteuid() == 0:
    try:
        os.setgroups([])
        os.setgid(54321)
        os.setuid(54321)
    except OSError:
        print("cannot")
        sys.exit()
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
try:
    threading.Thread(target=int).start()
except RuntimeError:
    print("refused")
sigmax.set_num_threads(8)
assert bits() == expected
assert np.isfinite(network.fit(X, y, epochs=1, batch_size=500).cost).all()
