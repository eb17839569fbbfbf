"""Work in a control group. Argument: its cgroup.procs. Prints the number of threads there."""

import os
import sys
from pathlib import Path

import sigmax

Path(sys.argv[1]).write_text(str(os.getpid()))
print(sigmax.get_num_threads())

from wide_network import bits, child_agrees, expected  # noqa: E402  (its threads begin here)

assert bits() == expected
assert child_agrees() == 0
