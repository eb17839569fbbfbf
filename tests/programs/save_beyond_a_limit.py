"""Save a network where no file may have more than 50,000 bytes. Argument: the file.

Prints "refused" where that is an error.
"""

import resource
import signal
import sys

import sigmax

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
network = sigmax.Network([300, 200, 10], seed=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    network.save(sys.argv[1])
except OSError:
    print("refused")
