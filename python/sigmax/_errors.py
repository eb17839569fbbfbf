"""Exceptions, and the one door from a C status to one of them."""

from __future__ import annotations

from sigmax._instruction_sets import why_none_was_chosen
from sigmax._sigmax import ffi, lib

_OK = lib.SIGMAX_OK  # looked up once, since every call comes through here


class SigmaxError(Exception):
    """Base of the exceptions that only this package raises."""


class DivergedError(SigmaxError, ArithmeticError):
    """Training made the cost or a parameter infinite or NaN.

    The network keeps the parameters from before the offending batch.

    Attributes
    ----------
    epoch : int
        The epoch of that call of `fit`, counted from 0.
    batch : int
        The batch within the epoch, counted from 0.
    advice : str
        What to try.
    """

    def __init__(
        self,
        epoch: int,
        batch: int,
        advice: str = "a smaller learning_rate, standardize=True, or clip_norm=1.0",
    ) -> None:
        super().__init__(epoch, batch, advice)
        self.epoch = epoch
        self.batch = batch
        self.advice = advice

    def __str__(self) -> str:
        """Say where it happened and what helps."""
        return (
            f"training diverged in epoch {self.epoch}, batch {self.batch} (both counted from 0): "
            "the cost or a parameter became infinite or NaN; the parameters from before that batch "
            f"are kept. Try {self.advice}"
        )


class TrainingWarning(UserWarning):
    """Training gets nowhere, or X is such that it hardly can; the text says what to change."""


class FileFormatError(SigmaxError, ValueError):
    """A model file is damaged, incomplete, or no model file at all."""


def check(status: int) -> None:
    """Raise the exception that a C status stands for; return on SIGMAX_OK.

    SIGMAX_DIVERGED is not for this door: only `fit` knows the epoch.
    """
    if status == _OK:
        return
    text = ffi.string(lib.sigmax_status_text(status)).decode()
    if status == lib.SIGMAX_OUT_OF_MEMORY:
        raise MemoryError(text)
    if status == lib.SIGMAX_BAD_INSTRUCTION_SET:
        raise ValueError(why_none_was_chosen())
    raise ValueError(text)
