"""Prints the hash of the sources in the module, then what importing the package warns of.

Argument: the folder that the package must come from.
"""

import sys
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import sigmax
from sigmax._sigmax import lib

assert sigmax.__file__.startswith(sys.argv[1]), sigmax.__file__
print(lib.SIGMAX_SOURCE_HASH)
print(*(w.message for w in caught), sep="\n")
