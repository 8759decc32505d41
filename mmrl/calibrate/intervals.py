"""The intervals between events, in which the book stands still."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmrl.calibrate.blocks import SECOND, Floats, Ints
from mmrl.data.events import HALT, NO_SIZE, Events
from mmrl.settings.errors import ConfigError

TRADING = 1
"""In place of the price of an event of kind HALT: trading goes on."""


@dataclass(frozen=True)
class Intervals:
    """One interval for each event but the first: from the event before to this one, with the book before it."""

    row: Ints
    """Row of the event that ends the interval."""
    seconds: Floats
    """Length; 0 between events of one time."""
    spread: Ints
    """Ticks."""
    usable: NDArray[np.bool_]
    """Both best prices exist, the book is not crossed or locked, and trading was not halted."""


def intervals(events: Events) -> Intervals:
    """The intervals between the rows of a table. A halt lasts until a row of kind HALT says that trading goes on."""
    row = np.arange(1, len(events))
    spread = (events.ask_price - events.bid_price)[1:]
    whole = (events.bid_size[1:] != NO_SIZE) & (events.ask_size[1:] != NO_SIZE) & (spread > 0)
    return Intervals(row, np.diff(events.time_ns) / SECOND, spread, whole & ~_halted(events)[:-1])


def _halted(events: Events) -> NDArray[np.bool_]:
    """Whether trading stands still after each event."""
    halts = np.flatnonzero(events.kind == HALT)
    if not len(halts):
        return np.zeros(len(events), bool)
    last = np.searchsorted(halts, np.arange(len(events)), side="right") - 1
    return (last >= 0) & (events.price[halts[last]] != TRADING)


def window(events: Events, start_ns: int, end_ns: int) -> Events:
    """The events of [start, end), nanoseconds since midnight; raises ConfigError where there are fewer than two."""
    first, last = np.searchsorted(events.time_ns, [start_ns, end_ns])
    if last - first < 2:
        raise ConfigError(
            f"{last - first} events from {start_ns / SECOND:g} to {end_ns / SECOND:g} s since midnight: at least 2 are "
            f"needed; the data go from {events.time_ns[0] / SECOND:g} to {events.time_ns[-1] / SECOND:g} s"
        )
    columns: dict[str, Any] = {
        name: column[first:last] for name, column in vars(events).items() if isinstance(column, np.ndarray)
    }
    return replace(events, **columns)
