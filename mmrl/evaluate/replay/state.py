"""What the compiled strategy is given, remembers and leaves behind. Prices are ticks of the tape, sizes its lots."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BID, ASK = 0, 1
NOTHING = -(2**62)
"""Price of a quote that does not rest."""


class Plan(NamedTuple):
    """How a maker plays on a tape."""

    decisions: np.ndarray
    """int64 [D + 1]: nanoseconds at which it decides; at the last it only closes its position."""
    steps: int
    """Decisions of an episode."""
    share: int
    """Lots of a share of the run's market."""
    limit: int
    """Lots, long or short, that an order must not be able to pass."""
    tick: float
    lot: float
    ticks: float
    """Of the tape in a unit of distance."""
    from_mid: int
    """Distances count from the mid, else from the best price of the side."""
    keeps: int
    """Orders stay until they are withdrawn by sizes below 0; else a decision replaces those before."""
    post_only: int
    quotes: int
    """Orders a side."""
    axes: np.ndarray
    """int64 [2, quotes, 2]: where size and distance of a quote stand in an action; -1: one share."""
    takes: np.ndarray
    """int64 [2]: where the sizes of market orders to buy and to sell stand; -1: there are none."""
    columns: np.ndarray
    """int64 [obs, 3]: what a column shows (`columns.py`), with its two numbers."""
    horizons: np.ndarray
    """float64 [H]: nanoseconds over which flow and moves of the mid fade."""
    queues: int
    """Whether the shares ahead of the maker's orders are observed."""
    fees: np.ndarray
    """float64 [2, 2]: of a fill that made and of one that took, in ticks a lot and as a share of the value."""
    settle: int
    """Nanoseconds that the last orders have to be answered."""
    seed: int


class Records(NamedTuple):
    """What is written down: D decisions, the F fills, and the P changes of the best prices."""

    observation: np.ndarray  # float32 [D, obs], as the network sees it
    action: np.ndarray  # float64 [D, A], market units
    bid: np.ndarray  # int64 [D], best price that rests or sets out after the decision, NOTHING: none
    ask: np.ndarray
    inventory: np.ndarray  # int64 [D], lots
    fill_time: np.ndarray  # int64 [F]
    fill_lots: np.ndarray  # int64 [F], below 0: sold
    fill_tick: np.ndarray  # int64 [F]
    fill_taking: np.ndarray  # int8 [F]
    path_time: np.ndarray  # int64 [P]
    path_bid: np.ndarray  # int64 [P], ticks
    path_ask: np.ndarray


OWN = np.dtype(
    [("id", "i8"), ("side", "i8"), ("tick", "i8"), ("lots", "i8"), ("ahead", "f8"), ("market", "i8"), ("stale", "i8")],
    align=True,
)
"""An order of the maker that is not known to have ended: lots left, those ahead of it, whether it shall leave."""

COUNT, NEXT, SENT, REFUSED, FILLS, PATH, POSITION, PENDING, BID_TICK, ASK_TICK, FADED, TO_CLOSE = range(12)
ANSWERED, ARRIVED, DECIDED, ERROR, LOTS_SENT = range(12, 17)
"""Whole numbers of the memory: orders in the table, next order number, orders sent and refused, fills, path entries,
lots held, lots of market orders under way, best prices last seen, time up to which signals have faded, lots that are to
be closed and not yet sent; times of the last answer to an order, decisions made, error of the engine, lots of the
limit orders sent."""
NUMBERS = 17
FLOW, MOVED = 0, 1
CASH, CASH_BEGAN = 0, 1
"""Money in ticks times lots, fees included: now, and where the episode began."""


class Memory(NamedTuple):
    """The strategy's memory."""

    meta: np.ndarray  # int64 [NUMBERS]
    own: np.ndarray  # OWN [most orders at once]
    signals: np.ndarray  # float64 [2, H]: flow in lots, moves of the mid in ticks
    money: np.ndarray  # float64 [2]
    wanted: np.ndarray  # int64 [2, quotes, 2]: lots and price of each quote
    told: np.ndarray  # int64 [4]: the engine writes here times of the last answer, and how many trades there are
    told_at: int  # its address
    start: np.ndarray  # int64 [2]: best prices where the episode began
