"""The stress tests of the Python side, in one command: python tests/stress/run.py [--long].

In one process, which counts what was tried. Without --long: the quick part, as in CI. With it: all
tests of this folder with the counts of EVIDENCE.md, then damaged files (fuzz_files.py), then random
operations on all cores (soak.py).
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def step(*command, env=None):
    """Run a command of this Python; gives whether it went well."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *map(str, command)], env={**os.environ, **(env or {})}, check=False
    )
    print(f"---- {command[0]}: exit code {done.returncode}, {time.monotonic() - began:.0f} s\n")
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="an hour instead of two minutes")
    parser.add_argument("--cases", type=int, default=1_000_000, help="of damaged files, if long")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the soak, if long")
    arguments = parser.parse_args()
    good = step(
        *("-m", "pytest", "-q", "-n0", HERE, "-m", "" if arguments.long else "not slow"),
        env={"SIGMAX_STRESS": "long" if arguments.long else ""},
    )
    if arguments.long:
        good &= step(HERE / "fuzz_files.py", "--cases", arguments.cases)
        good &= step(HERE / "soak.py", "--minutes", arguments.minutes)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
