"""The `sigmax` command: what it accepts, and how its mistakes end.

Every mistake of the user is one line on stderr and exit code 2 (the arguments) or 1 (all else);
Ctrl-C exits with 130, a closed pipe silently with 141. What the commands do is in _command.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

from sigmax._command.arguments import flag, parser
from sigmax._command.shared import UserError
from sigmax._command.train import Interrupted
from sigmax._errors import FileFormatError, TrainingWarning
from sigmax.options import OPTION_NAMES


def main(argv: Sequence[str] | None = None) -> int:
    """Run the `sigmax` command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; None takes those of the process.

    Raises
    ------
    SystemExit
        argparse's own: code 2 for wrong arguments, 0 after --help and --version.

    Examples
    --------
    >>> main(["info", "model.npz"])  # doctest: +SKIP
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A class name that the terminal's encoding lacks must not end the command.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        if arguments[:1] == ["bench"]:
            from . import bench

            code = bench.main(arguments[1:])
        else:
            parsed = parser().parse_args(arguments)
            parsed.command_line = arguments
            with warnings.catch_warnings():
                warnings.simplefilter("always", TrainingWarning)
                warnings.showwarning = _show_warning
                parsed.run(parsed)
            code = 0
        sys.stdout.flush()
    except Interrupted as interrupt:
        print(f"sigmax: interrupted; to go on:\n{interrupt}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        hint = " (train --checkpoint FILE keeps one to go on from)" if "train" in arguments else ""
        print(f"sigmax: interrupted: no file was written{hint}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _discard_output()
        return 141  # what a shell reports for a process that SIGPIPE ended
    except (UserError, OSError, ValueError, ArithmeticError, ImportError) as error:
        return _fail(_one_line(error))
    except MemoryError as error:
        return _fail(": ".join(filter(None, ["not enough memory", _one_line(error)])))
    return code


def _fail(message: str) -> int:
    """Print the one line, after whatever the command has printed before."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()
    print(f"sigmax: error: {message}", file=sys.stderr)
    return 1


def _discard_output() -> None:
    """Keep Python from writing to a stdout that fails once more when it exits."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _one_line(error: BaseException) -> str:
    """Say what an exception says without line breaks and error numbers, options as flags."""
    if isinstance(error, OSError) and error.strerror:
        name = "cannot write" if error.filename is None else os.fsdecode(error.filename)
        return f"{name}: {error.strerror}"
    text = " ".join(str(error).split())
    return text if isinstance(error, UserError | FileFormatError) else _with_flags(text)


def _with_flags(text: str) -> str:
    """Write options as they are given here: learning_rate is --learning-rate.

    Those of one word may be words of the sentence, and change only where a value follows. A part of
    a path is no option.
    """
    names = "|".join(OPTION_NAMES)
    text = re.sub(rf"\b({names})=True\b", lambda m: flag(m[1]), text)
    text = re.sub(rf"\b({names})='?([\w.]+)'?", lambda m: f"{flag(m[1])} {m[2]}", text)
    text = re.sub(rf"(?<![\w-])({names})(?= is [-'\d\[{{]| is \w+[,;])", lambda m: flag(m[1]), text)
    odd_names = "|".join(name for name in OPTION_NAMES if not name.isalpha())
    text = re.sub(rf"(?<![\w/\\-])({odd_names})\b(?!\.?[\w/\\-])", lambda m: flag(m[1]), text)
    return re.sub(r"(--[\w-]+) is None\b", r"\1 is not given", text)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as one line, of training with its options as flags."""
    text = " ".join(str(message).split())
    if issubclass(category, TrainingWarning):
        text = _with_flags(text)
    print(f"sigmax: warning: {text}", file=sys.stderr)
