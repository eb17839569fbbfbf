"""The exceptions and the warning that only this package raises.

    SigmaxError
        OptionError                   an option is not what it should be
            OptionValueError          ... its value; a ValueError too
            OptionTypeError           ... its type; a TypeError too
        DivergedError                 training diverged; an ArithmeticError too
        FileFormatError               a file is damaged; a ValueError too
        InstructionSetError           SIGMAX_ISA or SIGMAX_WITHOUT is wrong; a ValueError too
    TrainingWarning                   a UserWarning

Messages about options are data: text, and `Mention`s of options. Python calls an option
learning_rate, the shell --learning-rate, the estimator learning_rate_init; each is a `Words`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import NamedTuple, TypeAlias


class _NoValue:
    def __repr__(self) -> str:
        return "NO_VALUE"

    def __reduce__(self) -> str:
        return "NO_VALUE"  # the one object, also after a pickle and a deepcopy


NO_VALUE = _NoValue()


class Mention(NamedTuple):
    """An option in a message, with a value or without.

    Attributes
    ----------
    name : str
        A name of `FitOptions`, or of another argument.
    value : object
        NO_VALUE: the name alone.
    link : {"=", " ", " is "}
        What stands between them: "optimizer='adam'", "optimizer 'adam'", "optimizer is 'adam'".
    """

    name: str
    value: object = NO_VALUE
    link: str = "="


class Change(NamedTuple):
    """A direction in which to change an option: "a smaller learning_rate (it was 3)"."""

    how: str
    name: str
    note: str = ""


Part: TypeAlias = str | Mention | Change


class Words:
    """How an interface calls the options; this one is Python's."""

    def name(self, name: str) -> str:
        """Return what the option is called."""
        return name

    def mention(self, mention: Mention) -> str:
        """Return an option with its value, or without."""
        if mention.value is NO_VALUE:
            return self.name(mention.name)
        return f"{self.name(mention.name)}{mention.link}{mention.value!r}"

    def change(self, change: Change) -> str:
        """Return a direction in which to change an option."""
        return f"{change.how} {self.name(change.name)}{change.note}"

    def say(self, parts: Iterable[Part]) -> str:
        """Return a message."""
        texts = []
        for part in parts:
            if isinstance(part, Mention):
                texts.append(self.mention(part))
            elif isinstance(part, Change):
                texts.append(self.change(part))
            else:
                texts.append(part)
        return "".join(texts)


PYTHON = Words()


def joined(parts: Sequence[Part], between: str = ", ", last: str | None = None) -> list[Part]:
    """Return parts with text between them; last stands before the last one.

    Examples
    --------
    >>> joined(["a", "b", "c"], last=" or ")
    ['a', ', ', 'b', ' or ', 'c']
    """
    result: list[Part] = []
    for i, part in enumerate(parts):
        if i:
            result.append(last if last is not None and i == len(parts) - 1 else between)
        result.append(part)
    return result


class SigmaxError(Exception):
    """Base of the exceptions that only this package raises."""


class Worded:
    """A message about options, which str() gives in `words`; `args` are what it is made of.

    Attributes
    ----------
    words : Words
        Python's, unless an interface sets its own before it passes the error on.
    """

    words = PYTHON

    def parts(self) -> Sequence[Part]:
        """Return the message: text and mentions of options."""
        raise NotImplementedError

    def in_words(self, words: Words) -> str:
        """Return the message as an interface with these words prints it."""
        return words.say(self.parts())

    def __str__(self) -> str:
        """Return the message in `words`."""
        return self.in_words(self.words)

    def __repr__(self) -> str:
        """Return the class and the message."""
        return f"{type(self).__name__}({str(self)!r})"


class _Shown(str):
    """A value as its repr: of what may change, or cannot be pickled."""

    __slots__ = ()
    __repr__ = str.__str__


def _shown(value: object) -> object:
    """Return the value itself where it is plain, else its repr."""
    if value is None or type(value) in (bool, float, str):
        return value
    try:
        return _Shown(repr(value))
    except Exception:  # of an integer with thousands of digits, say
        return _Shown(f"a value of type {type(value).__name__}")


class OptionError(Worded, SigmaxError):
    """An option or another argument is not what it should be.

    Attributes
    ----------
    name : str
    value : object
    expected : sequence of str, Mention and Change
        What would have been right.
    because : sequence of str, Mention and Change
        Why the value is wrong, where it is not wrong by itself.
    advice : tuple of (str, object)
        The options that `expected` names, as (name, value).
    """

    def __init__(
        self,
        name: str,
        value: object,
        expected: str | Sequence[Part],
        because: str | Sequence[Part] = (),
    ) -> None:
        super().__init__(name, value, expected, because)
        self.name, self.value = name, value
        self.expected, self.because = _as_parts(expected), _as_parts(because)
        self._shown = _shown(value)

    @property
    def advice(self) -> tuple[tuple[str, object], ...]:
        """The options that `expected` names, as (name, value)."""
        return _advice(self.expected)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the message; a value that is not plain becomes its repr."""
        arguments = self.name, self._shown, tuple(self.expected), tuple(self.because)
        return type(self), arguments, {"words": self.words}

    def parts(self) -> Sequence[Part]:
        """Return "name is value, because; expected ..."."""
        return [
            Mention(self.name, self._shown, " is "),
            *self.because,
            "; expected ",
            *self.expected,
        ]


class OptionValueError(OptionError, ValueError):
    """An option has a value that it cannot have, by itself or beside the others."""


class OptionTypeError(OptionError, TypeError):
    """An option has a value of a type that it cannot have."""


class DivergedError(Worded, SigmaxError, ArithmeticError):
    """Training made the cost or a parameter infinite or NaN.

    The network keeps the parameters from before the offending batch.

    Attributes
    ----------
    epoch : int
        The epoch within that call of `fit`, from 0.
    batch : int
        The batch within the epoch, counted from 0.
    remedy : sequence of str, Mention and Change
        What to try.
    advice : tuple of (str, object)
        The options that the remedy names, as (name, value); a `Change` in the place of a value says
        the direction.
    """

    def __init__(self, epoch: int, batch: int, remedy: Sequence[Part] = ()) -> None:
        super().__init__(epoch, batch, remedy)
        self.epoch, self.batch = epoch, batch
        self.remedy: Sequence[Part] = remedy or joined(
            [
                Change("a smaller", "learning_rate"),
                Mention("standardize", True),
                Mention("clip_norm", 1.0),
            ],
            last=", or ",
        )

    @property
    def advice(self) -> tuple[tuple[str, object], ...]:
        """The options that the remedy names, as (name, value)."""
        return _advice(self.remedy)

    def parts(self) -> Sequence[Part]:
        """Return where it happened and what helps."""
        return [
            f"training diverged in epoch {self.epoch}, batch {self.batch} (both counted from 0): "
            "the cost or a parameter became infinite or NaN; the parameters from before that batch "
            "are kept. Try ",
            *self.remedy,
        ]


class TrainingWarning(Worded, UserWarning):
    """Training makes no progress, or X makes progress unlikely; the text suggests a change.

    Attributes
    ----------
    kind : str
        What it is about: its text before the first number.
    advice : tuple of (str, object)
        The options that the text names, as (name, value).
    """

    def __init__(self, *parts: Part) -> None:
        super().__init__(*parts)

    @property
    def kind(self) -> str:
        """What it is about: its text before the first number."""
        return "".join(takewhile(lambda letter: not letter.isdigit(), PYTHON.say(self.args)))

    @property
    def advice(self) -> tuple[tuple[str, object], ...]:
        """The options that the text names, as (name, value)."""
        return _advice(self.args)

    def parts(self) -> Sequence[Part]:
        """Return the message."""
        return self.args


@contextmanager
def said_in(words: Words) -> Iterator[None]:
    """Give the messages of errors that leave the block these words.

    Examples
    --------
    >>> with said_in(words):
    ...     raise OptionValueError("l2", -1.0, "a number >= 0")
    """
    try:
        yield
    except (OptionError, DivergedError) as error:
        error.words = words
        raise


class FileFormatError(SigmaxError, ValueError):
    """A model file is damaged, incomplete, or not a model file."""


class InstructionSetError(SigmaxError, ValueError):
    """SIGMAX_ISA or SIGMAX_WITHOUT names what this machine cannot choose, or cannot leave out."""


def _as_parts(text: str | Sequence[Part]) -> Sequence[Part]:
    return [text] if isinstance(text, str) else text


def _advice(parts: Sequence[Part]) -> tuple[tuple[str, object], ...]:
    found: list[tuple[str, object]] = []
    for part in parts:
        if isinstance(part, Change):
            found.append((part.name, part))
        elif isinstance(part, Mention):
            found.append((part.name, part.value))
    return tuple(found)
