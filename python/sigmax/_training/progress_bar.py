"""The progress bar of training, drawn by tqdm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, cast

from sigmax._boundary.lazily import imports

if TYPE_CHECKING:
    from sigmax._training.history import History

# Without tqdm's counts and rate: beside them a terminal of 80 columns has no room for the values.
_FORMAT = "{desc}{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
_ENDLESS = "{desc}{n_fmt} rows, {elapsed}{postfix}"  # of a stream


class Bar(Protocol):
    """The part of tqdm's bar that is used here."""

    def update(self, n: int) -> object: ...
    def set_description(self, desc: str, *, refresh: bool) -> None: ...
    def set_postfix_str(self, s: str, *, refresh: bool) -> None: ...


@contextmanager
def progress_bar(wanted: bool, total: int | None, initial: int = 0) -> Iterator[Bar | None]:
    """Return a bar over total rows, of which initial are done, or None if not wanted.

    total is None where the number of rows is not known.
    """
    if not wanted:
        yield None
        return
    with imports:
        from tqdm.auto import tqdm  # only here, since it takes long to import

    how = _ENDLESS if total is None else _FORMAT
    with tqdm(total=total, initial=initial, unit_scale=True, bar_format=how) as bar:
        yield cast(Bar, bar)


def last_values(history: History) -> str:
    """Return the last epoch's values, as short as a bar needs them.

    Examples
    --------
    >>> last_values(history)
    'cost 0.1231 96.5% val 0.2045 94.1%'
    """
    text = f"cost {history.cost[-1]:.4g} {history.accuracy[-1]:.1%}"
    if history.val_cost:
        text += f" val {history.val_cost[-1]:.4g} {history.val_accuracy[-1]:.1%}"
    return text
