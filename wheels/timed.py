"""Runs a command within a limit of processor time: ``python wheels/timed.py SECONDS COMMAND...``.

Prints wall-clock and processor time. The limit applies to processor time, which shows the
cost of the command even on a busy machine.
"""

import os
import subprocess
import sys
import time


def main() -> int:
    """Run the command that is named; its own status, or 1 above the limit."""
    limit, command = float(sys.argv[1]), sys.argv[2:]
    begin, before = time.monotonic(), os.times()
    status = subprocess.run(command, check=False).returncode
    clock, after = time.monotonic() - begin, os.times()
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    print(f"{clock:.1f} s, {used:.1f} s of processor time (limit {limit:g} s)", flush=True)
    if status == 0 and used > limit:
        print(f"REFUSED: {' '.join(command)} takes more than {limit:g} s")
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
