"""What the maker remembers of the market: trades and moves of the mid, fading exponentially over several horizons."""

import math

from mmrl.kernels.jit import called, inlined
from mmrl.markets.order_flow.queues import outwards
from mmrl.markets.order_flow.settings import AFTER
from mmrl.markets.order_flow.state import (
    ADVERSE,
    ASK,
    BEST,
    BID,
    EVENTS,
    FADED,
    FILLED,
    FILLED_AT,
    FILLS,
    FLOW,
    HORIZON,
    INVENTORY,
    MID,
    MOVE,
    NEWEST,
    NOW,
    OLDEST,
    REVALUATION,
    SPANS,
)


@called
def fade(s):
    """Bring the averages to the present."""
    elapsed = s.book.times[NOW] - s.book.times[FADED]
    if elapsed > 0.0:
        for h in range(s.book.meta[SPANS]):
            left = math.exp(-elapsed / s.book.signals[h, HORIZON])
            s.book.signals[h, FLOW] *= left
            s.book.signals[h, MOVE] *= left
        s.book.times[FADED] = s.book.times[NOW]


@called
def note_trade(s, side, shares):
    """A market order has hit a side: shares bought count above zero, shares sold below."""
    fade(s)
    for h in range(s.book.meta[SPANS]):
        s.book.signals[h, FLOW] += shares * outwards(side)


@inlined
def _note_move(s, moved):
    """Count a move of the mid (half ticks) for the recent fills, and forget those that are too old."""
    event = s.book.meta[EVENTS]
    for k in range(s.book.meta[OLDEST], s.book.meta[NEWEST]):
        age = event - s.book.fills[k & (FILLS - 1), FILLED_AT]
        if age >= AFTER[-1]:
            s.book.meta[OLDEST] = k + 1
            continue
        for h in range(len(AFTER)):
            if age < AFTER[h]:
                s.book.account[ADVERSE + h] += s.book.fills[k & (FILLS - 1), FILLED] * moved


@called
def settle(s):
    """The mid of the others may have moved: the inventory is revalued."""
    mid = s.book.meta[BEST + BID] + s.book.meta[BEST + ASK]
    moved = mid - s.book.meta[MID]
    if moved != 0:
        fade(s)
        s.book.account[REVALUATION] += s.book.account[INVENTORY] * moved
        _note_move(s, moved)
        for h in range(s.book.meta[SPANS]):
            s.book.signals[h, MOVE] += 0.5 * moved
        s.book.meta[MID] = mid
