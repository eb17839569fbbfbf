"""The sigmax command after a fit, which has imported what it needs. Arguments: the command's.

Python 3.11 turns a Ctrl-C that comes while a class of the standard library is made into a
RuntimeError.
"""

import sigmax
from sigmax import cli
from sigmax._training import checkpoint_file  # noqa: F401

sigmax.Network([1, 2]).fit([[0.0], [1.0]], [0, 1], epochs=1)
raise SystemExit(cli.main())
