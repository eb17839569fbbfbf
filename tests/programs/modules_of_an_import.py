"""Prints which modules `import sigmax` loads beyond NumPy and cffi, as JSON.

Argument: the folder of the package, for python -I.
"""

import json
import sys

import _cffi_backend  # noqa: F401
import numpy  # noqa: F401

sys.path.insert(0, sys.argv[1])
before = set(sys.modules)

import sigmax  # noqa: E402, F401

print(json.dumps(sorted(set(sys.modules) - before)))
