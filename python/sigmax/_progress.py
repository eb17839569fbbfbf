"""The progress bar of training, which is tqdm's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, cast


class Bar(Protocol):
    """The part of tqdm's bar that is used here."""

    def update(self, n: int) -> object: ...
    def set_description(self, desc: str, *, refresh: bool) -> None: ...
    def set_postfix(self, values: dict[str, str], *, refresh: bool) -> None: ...


@contextmanager
def progress_bar(wanted: bool, total: int | None, initial: int = 0) -> Iterator[Bar | None]:
    """Draw a bar over total rows, of which initial are done; None where no bar is wanted.

    total is None where the number of rows is not known.
    """
    if not wanted:
        yield None
        return
    from tqdm.auto import tqdm  # only here, since it takes long to import

    with tqdm(total=total, initial=initial, unit=" rows", unit_scale=True) as bar:
        yield cast(Bar, bar)
