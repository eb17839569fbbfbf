"""What the tests of the `sigmax` command share: a file of flowers, and running the command."""

import os
import re
import subprocess
import sys

import numpy as np
from sigmax import cli

HANGS = 600  # seconds, after which a process does so; a busy machine takes long for anything

# Three flowers, told apart by the sum of two lengths.
NAMES = ("daisy", "rose", "tulip")


def write_flowers(path, rng):
    """Write a .csv file of 120 rows; return X and the class numbers."""
    X = rng.uniform(0, 3, (120, 2)).round(3)
    y = np.minimum(X.sum(axis=1) // 2, 2).astype(int)
    lines = [f"{a},{b},{NAMES[k]}\n" for (a, b), k in zip(X.tolist(), y.tolist(), strict=True)]
    path.write_text("stem,leaf,kind\n" + "".join(lines))
    return X, y


def fails(capsys, *arguments):
    """Run the command, which has to fail with one line; return this line."""
    code = cli.main(list(arguments))
    error = capsys.readouterr().err
    assert code == 1
    assert re.search(r"\A(sigmax: warning: [^\n]+\n)?sigmax: error: [^\n]+\n\Z", error), error
    return error


def command(*arguments, **options):
    return [sys.executable, "-m", "sigmax", *arguments]


def run(*arguments, **environment):
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        timeout=HANGS,
        env={**os.environ, "COLUMNS": "80", **environment},
        check=False,
    )
