"""The one table of events into which every format of order-book data is read."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LIMIT, CANCEL, TRADE, HIDDEN, HALT = 0, 1, 2, 3, 4
"""Kinds of event: a limit order joins the book; a resting order leaves it, in whole or in part; it is executed; an
execution against an order that nobody saw, by which no queue shrinks; trading stops or starts again.

A halt has side NO_SIDE, size 0, and in place of a price 1 when trading starts again, 0 when quoting does, else -1."""
KIND_NAMES = ("limit", "cancel", "trade", "hidden", "halt")
BID, ASK, NO_SIDE = 1, -1, 0
"""Side of the *resting* order: a trade with side BID is a market order to sell."""
NO_ORDER = -1
"""Order number where the source has none."""
NO_SIZE = 0
"""Size at a best price that does not exist; the price beside it means nothing."""


@dataclass(frozen=True)
class Source:
    """Where events come from: file name, SHA-256 of its bytes, format."""

    name: str
    sha256: str
    format: str


@dataclass(frozen=True)
class Events:
    """One trading day of one instrument. All arrays have one entry an event, in the order of the source.

    Prices are whole ticks of `tick` (currency), sizes whole lots of `lot` (shares, contracts or coins). The best prices
    and sizes are those *before* the event; after the last event of a group that has one time they may be those before
    the group, where the source knows no better.
    """

    time_ns: NDArray[np.int64]
    """Nanoseconds since midnight of `date`, never falling."""
    kind: NDArray[np.int8]
    side: NDArray[np.int8]
    price: NDArray[np.int64]
    size: NDArray[np.int64]
    order: NDArray[np.int64]
    bid_price: NDArray[np.int64]
    bid_size: NDArray[np.int64]
    ask_price: NDArray[np.int64]
    ask_size: NDArray[np.int64]
    tick: float
    lot: float
    date: str
    """YYYY-MM-DD, in the source's own time zone; empty where it does not say."""
    sources: tuple[Source, ...]
    notes: dict[str, int] = field(default_factory=dict)
    """What was met and not turned into an ordinary event, counted by reason (crossed books, gaps, halts, ...)."""
    places: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Where each note was met first, as file:line; of binary files as file:record."""

    def __len__(self) -> int:
        return len(self.time_ns)
