"""The `sigmax` command: what it accepts, and how its mistakes end.

Every mistake of the user is one line on stderr and exit code 2 (the arguments) or 1 (all else);
Ctrl-C exits with 130, a closed pipe silently with 141. What the commands do is in commands.py.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import math
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, TypeAlias

from . import commands, demo
from .options import FitOptions

# The options of fit that the command line decides itself.
_DECIDED = ("progress",)

_DATA_HELP = (
    "a .csv file; an .npz file with arrays x, y or x_train, y_train, x_test, y_test; a .npy or "
    "idx(.gz) file, with LABELS after it"
)


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
            parsed = _parser().parse_args(arguments)
            parsed.run(parsed)
            code = 0
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("sigmax: interrupted: no file was written", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _discard_output()
        return 141  # what a shell reports for a process that SIGPIPE ended
    except (commands.UserError, OSError, ValueError, ArithmeticError, ImportError) as error:
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
    """Say what an exception says without its line breaks and error numbers."""
    if isinstance(error, OSError) and error.strerror:
        name = "cannot write" if error.filename is None else os.fsdecode(error.filename)
        return f"{name}: {error.strerror}"
    return " ".join(str(error).split())


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all errors of this command are."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is."""
        self.exit(2, f"sigmax: error: {message} ({self.prog} --help tells more)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="sigmax",
        description="Sigmoid layers, a softmax output, and the four equations of backpropagation.",
        epilog="sigmax COMMAND --help tells more. Start with: sigmax demo",
    )
    parser.add_argument("--version", action=_Version)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    _add_demo(subparsers)
    _add_train(subparsers)
    _add_predict(subparsers)
    _add_evaluate(subparsers)
    info = subparsers.add_parser("info", help="what a model file holds", allow_abbrev=False)
    info.add_argument("model", metavar="MODEL", help="a file that train wrote")
    info.set_defaults(run=commands.info)
    # main() hands `bench` on before this parser sees it; here it is a line of the help.
    subparsers.add_parser("bench", help="a race against NumPy on this machine", add_help=False)
    return parser


class _Version(argparse.Action):
    """Print the version, which is looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from . import __version__

        print(f"sigmax {__version__}")
        parser.exit()


_Subparsers: TypeAlias = "argparse._SubParsersAction[_Parser]"  # it has no public name


def _add_demo(subparsers: _Subparsers) -> None:
    parser = subparsers.add_parser(
        "demo",
        help="learn to read handwritten digits, in seconds",
        description="Train on the handwritten digits in this package and show the result.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--plot", metavar="FILE.png", help="draw the learning curves (needs matplotlib)"
    )
    parser.add_argument(
        "--seed",
        type=_seed,
        default=demo.SEED,
        help="of split, initial weights, shuffles (default: %(default)s)",
    )
    parser.add_argument(
        "--epochs",
        type=int,
        default=demo.EPOCHS,
        help="passes over the images (default: %(default)s)",
    )
    parser.set_defaults(run=commands.demo)


def _add_train(subparsers: _Subparsers) -> None:
    train = subparsers.add_parser(
        "train",
        help="train a network on a data file and write a model",
        description="Train a network on a data file and write it as a model file.",
        allow_abbrev=False,
    )
    train.add_argument("data", metavar="DATA", help=_DATA_HELP)
    train.add_argument("labels", metavar="LABELS", nargs="?", help="the labels of a .npy or idx")
    train.add_argument(
        "-o", "--output", metavar="MODEL", default="model.npz", help="default: model.npz"
    )
    train.add_argument(
        "--hidden",
        metavar="SIZES",
        type=_sizes,
        default=(30,),
        help="sizes of the hidden layers, as 30 or 100,30; none: softmax regression (default: 30)",
    )
    for option in dataclasses.fields(FitOptions):
        if option.name not in _DECIDED:
            _add_fit_option(train, option)
    train.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    train.add_argument("--init", choices=("lecun", "glorot", "large"), default="lecun")
    train.add_argument(
        "--seed", type=_seed, default=0, help="of split, initial weights, shuffles (default: 0)"
    )
    train.add_argument(
        "--divide",
        type=_divisor,
        metavar="C",
        help="divide all features by C while training (255 for images of bytes); the division is "
        "then made part of the first layer's weights, so that the model takes undivided data",
    )
    validation = train.add_mutually_exclusive_group()
    validation.add_argument(
        "--validation-fraction",
        type=_fraction,
        metavar="F",
        help="hold out this share of every class and measure on it",
    )
    validation.add_argument(
        "--validation", metavar="DATA", help="measure on this file instead of a fraction"
    )
    train.add_argument("--validation-labels", metavar="LABELS", help="its labels (.npy, idx)")
    train.add_argument("--quiet", action="store_true", help="print nothing but errors")
    _add_csv_options(train, "-1", "the label's column: name, or position from 0 (default: last)")
    train.set_defaults(run=commands.train)


def _add_predict(subparsers: _Subparsers) -> None:
    predict = subparsers.add_parser(
        "predict",
        help="label new data with a model",
        description="Label new data with a model; writes csv with a header.",
        allow_abbrev=False,
    )
    predict.add_argument("model", metavar="MODEL", help="a file that train wrote")
    predict.add_argument(
        "data", metavar="DATA", help=_DATA_HELP.removesuffix(", with LABELS after it")
    )
    predict.add_argument("-o", "--output", metavar="OUT.csv", help="default: the terminal")
    predict.add_argument("--proba", action="store_true", help="add the probability of every class")
    _add_csv_options(predict, None, "a column to leave out: name, or position from 0")
    predict.set_defaults(run=commands.predict)


def _add_evaluate(subparsers: _Subparsers) -> None:
    evaluate = subparsers.add_parser(
        "evaluate",
        help="cost, accuracy and confusion matrix of a model",
        description="Measure a model on labelled data: cost, accuracy, confusion matrix.",
        allow_abbrev=False,
    )
    evaluate.add_argument("model", metavar="MODEL", help="a file that train wrote")
    evaluate.add_argument("data", metavar="DATA", help=_DATA_HELP)
    evaluate.add_argument("labels", metavar="LABELS", nargs="?", help="the labels of a .npy or idx")
    _add_csv_options(evaluate, "-1", "the label's column: name, or position from 0 (default: last)")
    evaluate.set_defaults(run=commands.evaluate)


def _add_fit_option(parser: argparse.ArgumentParser, option: dataclasses.Field[object]) -> None:
    """Offer an option of fit under its own name, help and default."""
    flag = "--" + option.name.replace("_", "-")
    kind, text = option.metadata["type"], option.metadata["help"].replace("%", "%%")
    if option.default is not None:
        text += f" (default: {option.default})"
    if kind is bool:
        parser.add_argument(
            flag, action=argparse.BooleanOptionalAction, default=option.default, help=text
        )
    else:
        parser.add_argument(flag, type=kind, default=option.default, metavar="N", help=text)


def _add_csv_options(parser: argparse.ArgumentParser, label: str | None, text: str) -> None:
    group = parser.add_argument_group("reading .csv files")
    group.add_argument("--label-column", metavar="COLUMN", default=label, help=text)
    group.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="the first row holds names, or not (default: seen from the file)",
    )
    group.add_argument(
        "--delimiter", type=_delimiter, help="a character, or tab (default: seen from the file)"
    )


def _sizes(text: str) -> tuple[int, ...]:
    if text.lower() == "none":
        return ()
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = (0,)
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: sizes such as 30 or 100,30, or none, expected")
    return sizes


def _seed(text: str) -> int:
    seed = int(text) if text.isdecimal() else -1
    if not 0 <= seed < 2**64:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 0 to 2^64-1 is expected")
    return seed


def _divisor(text: str) -> float:
    return _number(text, "a number above 0", 0, math.inf)


def _fraction(text: str) -> float:
    return _number(text, "a number between 0 and 1", 0, 1)


def _number(text: str, expected: str, low: float, high: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low < number < high:
        raise argparse.ArgumentTypeError(f"{text!r}: {expected} is expected")
    return number


def _delimiter(text: str) -> str:
    character = {"tab": "\t", "\\t": "\t", "space": " "}.get(text.lower(), text)
    if len(character) != 1 or character in '"\r\n':
        raise argparse.ArgumentTypeError(f"{text!r}: one character, tab or space is expected")
    return character


if __name__ == "__main__":
    sys.exit(main())
