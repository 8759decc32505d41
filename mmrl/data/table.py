"""The last step of every reader: columns are checked, cut to one day, and become `Events`."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmrl.data.events import NO_SIZE, Events, Source
from mmrl.data.notes import BACKWARDS, CROSSED, SILENCES, Notes, refuse

DAY = 86_400_000_000_000
"""Nanoseconds."""
SILENCE = 300_000_000_000
"""Nanoseconds without an event that are worth a note."""
Whole = NDArray[np.int64]


class Options(NamedTuple):
    """What a user may say about the data. None: it is found out."""

    tick: float | None = None
    """Currency."""
    lot: float | None = None
    """Shares, contracts or coins."""
    date: str | None = None
    """YYYY-MM-DD: the one day to read."""
    symbol: str | None = None
    """The one instrument to read."""


class Columns(NamedTuple):
    """Events before they are checked: one entry an event, whole numbers. Times may be of any day."""

    time: Whole
    kind: Whole
    side: Whole
    price: Whole
    size: Whole
    order: Whole
    bid_price: Whole
    bid_size: Whole
    ask_price: Whole
    ask_size: Whole
    line: Whole
    """Where the event stands in its file, from 1."""

    def chosen(self, which: NDArray[np.bool_]) -> Columns:
        """The events that a mask chooses."""
        return Columns(*(column[which] for column in self))


def no_rows() -> array[int]:
    """Rows to come: whole numbers one after the other, as many an event as `Columns` has, in its order."""
    return array("q")


def columns_of(rows: array[int]) -> Columns:
    """Rows as columns."""
    return Columns(*np.frombuffer(rows, np.int64).reshape(-1, len(Columns._fields)).T.copy())


def day_named(day: int) -> str:
    """YYYY-MM-DD of a day counted from 1970-01-01."""
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")


def one_day(path: Path, columns: Columns, date: str | None, notes: Notes) -> tuple[Columns, str]:
    """The events of one day, from nanoseconds since 1970 in UTC to those since midnight, and the date.

    DataError for two days in one file, or for a day that is not in it.
    """
    days = columns.time // DAY
    found = [day_named(int(day)) for day in np.unique(days)]
    if date is None:
        if len(found) > 1:
            line = int(columns.line[np.argmax(days != days[0])])
            many = f"{found[0]} to {found[-1]}"
            raise refuse(path, line, f"more than one day in one file ({many}): choose one with date=YYYY-MM-DD")
    elif date not in found:
        raise refuse(path, None, f"holds no event of {date}: it holds {', '.join(found[:5])}")
    else:
        here = days == int(np.datetime64(date, "D").astype(np.int64))
        notes.add("events of other days, left out", None, int((~here).sum()))
        columns = columns.chosen(here)
    return columns._replace(time=columns.time % DAY), date or found[0]


def finished(columns: Columns, tick: float, lot: float, date: str, sources: tuple[Source, ...], notes: Notes) -> Events:
    """The table. Times that fall are raised to the one before; these, crossed books and silences are noted."""
    time = np.maximum.accumulate(columns.time)
    notes.add_each(BACKWARDS, columns.line[columns.time < time])
    both = (columns.bid_size != NO_SIZE) & (columns.ask_size != NO_SIZE)
    notes.add_each(CROSSED, columns.line[both & (columns.bid_price >= columns.ask_price)])
    notes.add_each(SILENCES, columns.line[1:][np.diff(time) > SILENCE])
    small = {name: getattr(columns, name).astype(np.int8) for name in ("kind", "side")}
    whole = {name: getattr(columns, name) for name in Columns._fields[3:10]}
    return Events(
        time_ns=time, **small, **whole, tick=tick, lot=lot, date=date, sources=sources,
        notes=dict(notes.counts), places=notes.places(),
    )  # fmt: skip
