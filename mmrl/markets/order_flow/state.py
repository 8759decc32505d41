"""The parameters and the state of an order flow, and where what stands in the state's arrays.

Prices are whole ticks, sizes whole shares, times minutes. The mid is counted in half ticks: bid + ask.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from mmrl.kernels.jit import allocating
from mmrl.markets.order_flow.checks import MOST_UNDER_WAY
from mmrl.markets.order_flow.settings import Settings

NO_ROWS = np.empty((0, 4), np.int32)
NO_MESSAGES = np.empty((0, 6), np.int64)
NO_TIMES = np.empty(0, np.float64)
NO_DEPTH = np.empty((0, 4), np.int64)

# Typed, since a function would be compiled once more for every plain constant that it is called with.
BID: Any = np.int64(0)
ASK: Any = np.int64(1)
# A level: its price, all shares, orders of others, first and last order.
PRICE, SHARES, ORDERS, HEAD, TAIL = range(5)
# An order: shares, the orders behind and before it, its number, which rises in time.
SIZE, NEXT, PREVIOUS, NUMBER = range(4)
# Book.meta: best price of others, their orders, the maker's order (-1: none) and its price, each for (bid, ask); then
# free orders, first unused order, next number, efficient price and its start in half ticks, steps, rows of the tape and
# of the recording, whether the tape runs, mid, decisions under way and whether the newest awaits its delay.
BEST, COUNT, OWN, OWN_PRICE = 0, 2, 4, 6
FREE, FRESH, NEXT_NUMBER, EFFICIENT, ANCHOR, STEP, TAPED, NOTED, LIVE, MID, UNDER_WAY, NEW = range(8, 20)
META = 20
# Book.account: what stands (ticks, shares), then the flows of the step. MADE and TAKEN count the shares that pay the
# fee of a maker and of a taker.
CASH, INVENTORY, MADE, TAKEN, CASH_BEFORE, MADE_BEFORE, TAKEN_BEFORE = range(7)
BOUGHT, SOLD, PAID, RECEIVED, BOUGHT_TAKING, SOLD_TAKING, REVALUATION = range(7, 14)
QUOTED_BID, QUOTED_ASK = 14, 15
ACCOUNT = 16
# Book.times
NOW, BEGAN, FADED, SENT = range(4)
TIMES = 4
# State.signals: shares bought less sold by market orders, and ticks of the mid, fading over a horizon, and this.
FLOW, MOVE, HORIZON = range(3)
# State.rates: by kind of event, the side's two after each other; a market order has the side that it hits.
LIMIT, CANCEL, MARKET, DRIFT = 0, 2, 4, 6
KINDS = 8

NOWHERE = np.int64(-(2**62))
"""The price of a level that was never used."""
CONSTANT, GEOMETRIC, TABLE = range(3)


class Parameters(NamedTuple):
    """The numbers and rules of an order flow."""

    rows: int
    """Prices that the ring of levels has room for, a power of 2."""
    mid: int
    """Ticks, about which the book is seeded."""
    limit: np.ndarray
    """float64 [D, C], rate at distance d + 1 by the size of the queue."""
    cancel: np.ndarray
    """float64 [D, C], of one order."""
    market: np.ndarray
    """float64 [C], by the size of the queue that is hit."""
    far: np.ndarray
    """float64 [levels - D], sums of the limit rates beyond the tables."""
    unit: float
    """Shares that count as 1 in the size of a queue."""
    intensity: np.ndarray
    """float64 [6], or empty where `market` holds."""
    size_law: int
    limit_sizes: np.ndarray
    """float64: the size (constant), ln(1 - 1/mean) (geometric), sums of the weights (table)."""
    market_sizes: np.ndarray
    decays: np.ndarray
    """float64 [E], of the excitation."""
    jumps: np.ndarray
    """float64 [2, E], by which a market order raises the rate of its own and of the other side."""
    efficient_rate: float
    """Jumps of the efficient price by a tick, up or down."""
    efficient_pull: float
    """By which a jump back is likelier, per tick from the start."""
    informed: float
    warm_up: float
    interval: float
    """Minutes from one decision to the next; infinite if events decide."""
    events: int
    """Events from one decision to the next; out of reach if time decides."""
    latency: float
    latency_drawn: int
    from_mid: int
    takes: int
    """The maker can send market orders."""
    post_only: int
    maker_fee: float
    taker_fee: float
    position_limit: int
    reach: int
    """Ticks from the best price beyond which the maker does not quote."""
    depth: int
    horizons: np.ndarray
    """float64 [H]"""
    steps: int
    tick: float
    room: int
    """Orders that can rest at once."""
    every: int
    """Steps from one record of the book to the next."""
    changes: np.ndarray
    """int32 [M, 4], where a recording of the book is written (`tape.note_levels`); without room none is."""
    messages: np.ndarray
    """int64 [M, 6], where the tape is written (`tape.message`); without room none is."""
    times: np.ndarray
    """float64 [M], minutes, of the messages."""
    book: np.ndarray
    """int64 [M, 4 L], the L best levels after each message."""


class Book(NamedTuple):
    """The queues, the maker's account, and the tape: what functions that are called rather than inlined need."""

    levels: np.ndarray  # int64 [levels, 5], a price stands in row price & (levels - 1)
    orders: np.ndarray  # int64 [room, 4]
    meta: np.ndarray  # int64 [META]
    account: np.ndarray  # int64 [ACCOUNT]
    times: np.ndarray  # float64 [TIMES]
    tape: np.ndarray  # as Parameters.messages
    tape_times: np.ndarray  # as Parameters.times
    tape_levels: np.ndarray  # as Parameters.book


class State(NamedTuple):
    """One book, the rates of its events, and what its maker remembers and is about to do."""

    book: Book
    rates: np.ndarray  # float64 [KINDS]
    signals: np.ndarray  # float64 [H, 3]
    excitation: np.ndarray  # float64 [2, E], of the market orders that hit each side
    under_way: np.ndarray  # float64 [MOST_UNDER_WAY, 7]: decisions, and when each takes effect
    known: np.ndarray  # int64 [levels or 0, 3], the levels as recorded last: price, shares, the maker's


def parameters(
    market: Settings,
    every: int = 1,
    changes: np.ndarray = NO_ROWS,
    tape: tuple[np.ndarray, np.ndarray, np.ndarray] = (NO_MESSAGES, NO_TIMES, NO_DEPTH),
) -> Parameters:
    """The parameters of a market's settings.

    With `changes` int32 [M, 4] the book is recorded at decisions; with a `tape` of messages int64 [M, 6], times
    float64 [M] and book int64 [M, 4 L] every message and the L best levels after it are.
    """
    m, shape = market, (market.fitted, market.columns)
    far = m.far_rates
    resting = (sum(far) + sum(m.limit_rates)) / m.cancel_rates[-1]
    law = {"constant": CONSTANT, "geometric": GEOMETRIC, "table": TABLE}[m.size_law]
    decays = np.array(m.hawkes_decays, np.float64)
    moves = m.efficient_price != "none" and m.informed > 0
    reverts = m.efficient_price == "ornstein-uhlenbeck"
    return Parameters(
        rows=2 ** math.ceil(math.log2(8 * m.levels + 512)),
        mid=round(m.midprice / m.tick),
        limit=np.array(m.limit_rates).reshape(shape),
        cancel=np.array(m.cancel_rates).reshape(shape),
        market=np.array(m.market_rates),
        far=np.cumsum(far) if far else np.zeros(0),
        unit=m.unit,
        intensity=np.array(m.market_intensity if m.market_law == "spread-queue" else ()),
        size_law=law,
        limit_sizes=_sizes(law, m.limit_size, m.limit_size_table),
        market_sizes=_sizes(law, m.market_size, m.market_size_table),
        decays=decays,
        jumps=np.array([m.hawkes_same, m.hawkes_cross], np.float64).reshape(2, -1) * decays,
        efficient_rate=m.efficient_volatility**2 if moves else 0.0,
        efficient_pull=m.efficient_reversion / m.efficient_volatility**2 if reverts else 0.0,
        informed=m.informed if moves else 0.0,
        warm_up=m.warm_up,
        interval=m.decision_interval if m.decide_by == "time" else math.inf,
        events=m.decision_events if m.decide_by == "events" else 2**62,
        latency=m.latency if m.latency_law != "none" else 0.0,
        latency_drawn=int(m.latency_law == "exponential"),
        from_mid=int(m.distance_from == "mid"),
        takes=int(m.actions == "limit+market"),
        post_only=int(m.post_only),
        maker_fee=m.maker_fee,
        taker_fee=m.taker_fee,
        position_limit=m.position_limit,
        reach=4 * m.levels,
        depth=m.depth,
        horizons=np.array(m.horizons),
        steps=m.nt,
        tick=m.tick,
        room=int(8 * 2 * resting) + 4096,
        every=every,
        changes=changes,
        messages=tape[0],
        times=tape[1],
        book=tape[2],
    )


def _sizes(law: int, mean: float, weights: tuple[float, ...]) -> np.ndarray:
    if law == TABLE:
        return np.cumsum(weights) / math.fsum(weights)
    if law == CONSTANT:
        return np.array([mean])
    return np.array([math.log1p(-1.0 / mean) if mean > 1 else -math.inf])


@allocating
def memory(p):
    """The memory of one trajectory."""
    recorded = p.rows if p.changes.shape[0] > 0 else 0
    signals = np.zeros((p.horizons.shape[0], 3), np.float64)
    signals[:, HORIZON] = p.horizons
    book = Book(
        np.zeros((p.rows, 5), np.int64),
        np.empty((p.room, 4), np.int64),
        np.zeros(META, np.int64),
        np.zeros(ACCOUNT, np.int64),
        np.zeros(TIMES, np.float64),
        p.messages,
        p.times,
        p.book,
    )
    return State(
        book,
        np.zeros(KINDS, np.float64),
        signals,
        np.zeros((2, p.decays.shape[0]), np.float64),
        np.zeros((MOST_UNDER_WAY, 7), np.float64),
        np.zeros((recorded, 3), np.int64),
    )
