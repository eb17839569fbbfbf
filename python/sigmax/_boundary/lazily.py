"""Imports at the first use, which a fork waits for.

A child process forked while another thread imports inherits that import's lock, but no thread that
would release it: the same import would wait for ever.
"""

import os
from threading import RLock

imports = RLock()  # ``with imports:`` before an import within a function

if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(
        before=imports.acquire, after_in_parent=imports.release, after_in_child=imports.release
    )
