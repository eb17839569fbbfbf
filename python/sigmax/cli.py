"""The `sigmax` command: it runs a subcommand and turns exceptions into exit codes.

Every mistake of the user prints one line on stderr and exits with 2 (the arguments) or 1 (all
else); Ctrl-C exits with 130, a closed pipe silently with 141. _command holds the subcommands.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

from sigmax._command.arguments import parser
from sigmax._command.going_on import Interrupted
from sigmax._command.shared import UserError
from sigmax._command.words import FLAGS
from sigmax.errors import TrainingWarning, Worded


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
            from sigmax._command import bench

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
        print(f"sigmax: interrupted; to resume:\n{interrupt}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        hint = " (train with --checkpoint FILE can be resumed)" if "train" in arguments else ""
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
    """Print the error as one line, after the command's own output, and return 1."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()
    print(f"sigmax: error: {message}", file=sys.stderr)
    return 1


def _discard_output() -> None:
    """Prevent Python from writing to a failing stdout again at exit."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _one_line(error: BaseException) -> str:
    """Say what an exception says without line breaks and error numbers, options as flags."""
    if isinstance(error, OSError) and error.strerror:
        name = "cannot write" if error.filename is None else os.fsdecode(error.filename)
        return f"{name}: {error.strerror}"
    return _text(error)


def _text(message: object) -> str:
    """Return a message in one line, with the options of training as flags."""
    text = message.in_words(FLAGS) if isinstance(message, Worded) else str(message)
    return " ".join(text.split())


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as one line; in those of training, options become flags."""
    print(f"sigmax: warning: {_text(message)}", file=sys.stderr)
