"""The arguments of the `sigmax` command: subcommands, options and help.

The options of training are those of `FitOptions`, with its help, choices and defaults. An option
that was not given is absent from the result, because a resumed training must know which were.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import math
import re
from collections.abc import Sequence
from typing import NoReturn, TypeAlias

from sigmax._boundary.build import version
from sigmax._command import demo, subcommands
from sigmax._command.train import NETWORK_DEFAULTS
from sigmax._command.train import train as run_training
from sigmax._command.words import flag
from sigmax._training.options import NAMES_ELSEWHERE, FitOptions
from sigmax.errors import NO_VALUE, Mention

# The options of fit that the command line does not offer: functions, and what it decides itself.
NOT_OFFERED = ("callbacks", "progress")

_DATA_HELP = (
    "a .csv file; an .npz file with arrays x, y or x_train, y_train, x_test, y_test; a .npy or "
    "idx(.gz) file, with LABELS after it"
)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all errors of this command are."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is."""
        unknown = re.match(r"unrecognized arguments: --([\w-]+)", message)
        if unknown and (meant := _meant(unknown[1].replace("-", "_"))):
            message += f"; did you mean {meant}?"
        self.exit(2, f"sigmax: error: {message} ({self.prog} --help shows the usage)\n")


def _meant(unknown: str) -> str | None:
    """Return the option of training that was probably meant, also under a name from elsewhere."""
    offered = [f.name for f in dataclasses.fields(FitOptions) if f.name not in NOT_OFFERED]
    offered += NETWORK_DEFAULTS
    names = {"hidden_layer_sizes": "hidden", "random_state": "seed", "lambda": "l2"}
    here = {theirs: (Mention(ours),) for theirs, ours in names.items()}
    meant = (here | NAMES_ELSEWHERE).get(unknown)
    if meant is None:
        meant = tuple(map(Mention, difflib.get_close_matches(unknown, offered, 1)))
    if not meant or meant[0].name not in offered:
        return None
    values = ("" if m.value is NO_VALUE else f" {m.value}" for m in meant)
    return " and ".join(flag(m.name) + value for m, value in zip(meant, values, strict=True))


def parser() -> Parser:
    """Return the parser; the function `run` of what it returns is the command.

    Examples
    --------
    >>> parser().parse_args(["info", "model.npz"]).model
    'model.npz'
    """
    parser = Parser(
        prog="sigmax",
        description="Sigmoid layers, a softmax output, and the four equations of backpropagation.",
        epilog="See also sigmax COMMAND --help. Start with: sigmax demo",
    )
    parser.add_argument("--version", action=_Version)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    _add_demo(subparsers)
    _add_train(subparsers)
    _add_predict(subparsers)
    _add_evaluate(subparsers)
    info = subparsers.add_parser(
        "info", help="show the contents of a model file", allow_abbrev=False
    )
    info.add_argument("model", metavar="MODEL", help="a file that train wrote")
    info.set_defaults(run=subcommands.info)
    # main() passes `bench` on before this parser runs; here it is only a line of the help.
    subparsers.add_parser("bench", help="a benchmark against NumPy on this machine", add_help=False)
    return parser


class _Version(argparse.Action):
    """Print the version, which is looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"sigmax {version()}")
        parser.exit()


# They have no public names.
_Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"
_Options: TypeAlias = "argparse._ArgumentGroup"


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
    parser.set_defaults(run=subcommands.demo)


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
        "--resume",
        metavar="FILE",
        help="resume from this checkpoint, on the same data, with its options; --epochs may be a "
        "larger number than it had",
    )
    train.add_argument(
        "--from",
        dest="from_model",
        metavar="MODEL",
        help="train this model further, for --epochs epochs: its sizes, dtype, seed, preparation "
        "and classes stay (--output may be the same file); with --resume, of a training that began "
        "so, it gives the classes",
    )
    train.add_argument("--quiet", action="store_true", help="print nothing but errors and warnings")
    _add_network_options(train)
    _add_data_options(train)
    group = train.add_argument_group("training")
    for option in dataclasses.fields(FitOptions):
        if option.name not in NOT_OFFERED:
            _add_fit_option(group, option)
    _add_csv_options(
        train,
        "-1",
        "the label's column: name, or position from 0 (default: last)",
        "a column that says how much each row counts: name, or position from 0",
    )
    train.set_defaults(run=run_training)


def _add_network_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the network; None means the default, which a resumed run ignores."""
    group = parser.add_argument_group("the network")
    default = NETWORK_DEFAULTS
    group.add_argument(
        "--hidden",
        metavar="SIZES",
        type=_sizes,
        help="sizes of the hidden layers, as 30 or 100,30; none: softmax regression (default: 30)",
    )
    group.add_argument(
        "--networks",
        metavar="N",
        type=_count,
        help="train so many networks side by side, each without a fold of the rows that it holds "
        "out, and fold them into one (default: 1)",
    )
    group.add_argument(
        "--repeats",
        metavar="R",
        type=_count,
        help="with --networks: divide the rows so often, into N/R folds each (default: 1)",
    )
    group.add_argument(
        "--dtype", choices=("float32", "float64"), help=f"default: {default['dtype']}"
    )
    group.add_argument(
        "--init", choices=("lecun", "glorot", "large"), help=f"default: {default['init']}"
    )
    group.add_argument(
        "--seed",
        type=_seed,
        help=f"of split, initial weights, shuffles, dropout (default: {default['seed']})",
    )


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    group.add_argument(
        "--divide",
        type=_divisor,
        metavar="C",
        help="divide all features by C while training (255 for images of bytes); the division is "
        "then made part of the first layer's weights, so that the model takes undivided data",
    )
    group.add_argument(
        "--validation", metavar="DATA", help="measure on this file, instead of holding out rows"
    )
    group.add_argument("--validation-labels", metavar="LABELS", help="its labels (.npy, idx)")
    group.add_argument(
        "--calibrate",
        action="store_true",
        help="fit a temperature on the validation data afterwards, for better probabilities",
    )


def _add_predict(subparsers: _Subparsers) -> None:
    predict = subparsers.add_parser(
        "predict",
        help="label new data with a model",
        description="Label new data with a model; writes csv with a header. Columns are taken in "
        "the order of the training data: names are not compared.",
        allow_abbrev=False,
    )
    predict.add_argument("model", metavar="MODEL", help="a file that train wrote")
    predict.add_argument(
        "data", metavar="DATA", help=_DATA_HELP.removesuffix(", with LABELS after it")
    )
    predict.add_argument("-o", "--output", metavar="OUT.csv", help="default: the terminal")
    predict.add_argument("--proba", action="store_true", help="add the probability of every class")
    _add_csv_options(predict, None, "a column to leave out: name, or position from 0")
    predict.set_defaults(run=subcommands.predict)


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
    evaluate.set_defaults(run=subcommands.evaluate)


def _add_fit_option(parser: _Options, option: dataclasses.Field[object]) -> None:
    """Add an option of fit under its own name, with its choices, help and default."""
    kind, choices = option.metadata["type"], option.metadata["choices"]
    text = re.sub("`(\\w+)`", lambda name: flag(name[1]), option.metadata["help"])
    text = text.replace("%", "%%")
    if option.name == "class_weight":  # where names are known, a weight for each can be given
        choices = None
        text += "; or CLASS=WEIGHT,..., where a class that is left out has 1"
    elif option.default is not None:
        text += f" (default: {option.default})"
    if kind is bool:
        parser.add_argument(
            flag(option.name),
            action=argparse.BooleanOptionalAction,
            default=argparse.SUPPRESS,
            help=text,
        )
        return
    metavar = {int: "N", float: "X", str: "FILE" if option.name == "checkpoint" else "WEIGHTS"}
    parser.add_argument(
        flag(option.name),
        type=kind,
        choices=choices,
        default=argparse.SUPPRESS,
        metavar=None if choices else metavar[kind],
        help=text,
    )


def _add_csv_options(
    parser: argparse.ArgumentParser,
    label: str | None,
    label_text: str,
    weight_text: str = "a column of weights to leave out: name, or position from 0",
) -> None:
    group = parser.add_argument_group("reading .csv files")
    group.add_argument("--label-column", metavar="COLUMN", default=label, help=label_text)
    group.add_argument("--weight-column", metavar="COLUMN", help=weight_text)
    group.add_argument(
        "--ignore-column",
        metavar="COLUMN",
        action="append",
        default=[],
        help="a column that is not a feature, such as a row number: name, or position from 0; "
        "may be given more than once",
    )
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


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number of at least 1 is expected")
    return int(text)


def _divisor(text: str) -> float:
    return _number(text, "a number above 0", 0, math.inf)


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
