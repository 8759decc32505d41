"""The intervals between events, in which the book stands still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmrl.calibrate.blocks import SECOND, Floats, Ints
from mmrl.data.events import HALT, NO_SIZE, Events


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
    """The intervals between the rows of a table. A halt lasts from its row to the next event."""
    row = np.arange(1, len(events))
    spread = (events.ask_price - events.bid_price)[1:]
    whole = (events.bid_size[1:] != NO_SIZE) & (events.ask_size[1:] != NO_SIZE) & (spread > 0)
    return Intervals(row, np.diff(events.time_ns) / SECOND, spread, whole & (events.kind[:-1] != HALT))
