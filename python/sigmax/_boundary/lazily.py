"""Imports at the first use, which a fork waits for.

A child that a fork makes while another thread imports has that import's lock, and no thread that
would ever release it: the same import waits there for ever.
"""

import os
from threading import RLock

imports = RLock()  # ``with imports:`` before an import within a function

if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(
        before=imports.acquire, after_in_parent=imports.release, after_in_child=imports.release
    )
