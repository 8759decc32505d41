"""The parameters and the state of an order book, and where what stands in the state's arrays.

Prices are levels of the ladder: ticks above `base`, the mid a float in the same unit; times are steps.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from mmrl.kernels.jit import inlined, record_type
from mmrl.kernels.random import poisson_sums
from mmrl.markets.book.order_book import META, SIZE, TIME
from mmrl.markets.book.settings import MS, Settings

NOTHING = np.empty((0, 4), np.int32)


class Parameters(NamedTuple):
    """The rules and numbers of a book; lengths in ticks, times in steps unless named otherwise."""

    maker_owns_seeds: int
    drops_crossed: int
    walks: int
    """Market orders go beyond the best price."""
    refills: int
    shows_lot: int
    """The size at the touch is that of the first lot, stale until a whole lot is gone."""
    priority: int
    discards: int
    """The step that empties the book leaves no trace."""
    rounds_to_nearest: int
    uniform: int
    book_size: int
    steps: int
    levels: int
    states: int
    """Last states that are observed."""
    extras: int
    """Columns observed beside the states and the time left."""
    mid: float
    base: int
    """Ticks of level 0."""
    tick: float
    """Currency."""
    drift: float
    scale: float
    spread: float
    dt: float
    """Milliseconds."""
    b0: float
    b1: float
    b2: float
    b3: float
    b4: float
    b5: float
    log_size_limit: float
    distance_limit: float
    per_currency: float
    """Units of distance of the arrival rate in one of currency."""
    per_share: float
    """Units of its size in one share."""
    size_powers: np.ndarray
    """float64 [SIZES]: b0 + b3 y + b4 y^2 by the shares, where y = ln(1 + shares * per_share)."""
    order_sizes: np.ndarray
    """int64: sizes of market orders, equally likely; none where the rate counts shares."""
    seed_mean: float
    """Shares of a seeded order."""
    seed_sums: np.ndarray
    """Its `poisson_sums`; empty where they are too many."""
    every: int
    """Steps from one record of the book to the next."""
    changes: np.ndarray
    """int32 [M, 4], where a recording of the book is written (`note_levels`); without room nothing is recorded."""


class State(NamedTuple):
    """One book and the account of its maker."""

    ladder: np.ndarray  # int32 [levels, 4]
    lots: np.ndarray  # int32 [lots, 3]
    held: np.ndarray  # uint64 [words(levels)]
    core: Any  # a record of CORE; with these four it is a Book
    known: np.ndarray  # int64 [levels or 0, 2], the levels as recorded last
    listed: np.ndarray  # uint64 [words(levels) or 0], a bit for each of these that held shares


# Places in State.account: what stands, then the flows of the step, then what stood before it.
CASH, INVENTORY, BOUGHT, SOLD, PAID, RECEIVED, CASH_BEFORE, INVENTORY_BEFORE, CLOCK, NOTED = range(10)
ACCOUNT = 10
# Places in State.numbers, levels but for the revaluation (currency).
MID, QUOTED_BID, QUOTED_ASK, REVALUATION = range(4)
NUMBERS = 4
# What is seen of the touch, in the book's meta: sizes that the lineage rule leaves stale until a whole lot is gone.
SEEN_BID, SEEN_ASK = 9, 10

SIZES = 1024
"""Sizes of a best quote whose part of the arrival rate is tabulated."""
CORE = record_type(
    [
        ("meta", np.int64, (META,)),  # of the book
        ("account", np.int64, (ACCOUNT,)),  # ticks and shares
        ("numbers", np.float64, (NUMBERS,)),
        ("seen", np.float64, (4,)),  # the newest state as observed
    ]
)
"""What has one size whatever the settings: a record, which compiled code passes as one address."""

MAX_SHARES = np.int64(1_000_000)
REFILL = np.int64(100)
MAX_SEEDS = 1000
MAX_ORDERS = np.int64(10_000)
"""Market orders of one side in a step."""


def parameters(market: Settings, every: int = 1, changes: np.ndarray = NOTHING) -> Parameters:
    """The parameters of a market's settings; with `changes` int32 [M, 4] the book of the trajectories is recorded."""
    half = math.ceil(market.half_ladder) + 10
    mid = market.midprice / market.tick
    base = math.floor(mid) - half
    orders = market.arrivals == "orders"
    per_share = 1.0 / market.lot if orders else 1.0
    b0 = market.intensity[0] - (math.log(MS) if orders else 0.0)
    seed_mean = 2.0 * market.book_size / 1000.0
    y = np.minimum(np.log1p(np.arange(SIZES) * per_share), market.log_size_limit)
    return Parameters(
        maker_owns_seeds=int(market.owner == "maker"),
        drops_crossed=int(market.crossed == "dropped"),
        walks=int(market.market_order == "walk"),
        refills=int(market.exhausted == "refilled"),
        shows_lot=int(market.touch_size == "lot"),
        priority=SIZE if market.priority == "size" else TIME,
        discards=int(market.emptying_step == "discarded" and not market.uniform),
        rounds_to_nearest=int(market.rounding == "nearest"),
        uniform=int(market.uniform),
        book_size=market.book_size,
        steps=market.nt,
        levels=2 * half + 1,
        states=market.n_obs,
        extras={"state": 0, "inventory": 1, "full": 3}[market.observation],
        mid=mid - base,
        base=base,
        tick=market.tick,
        drift=market.drift * market.dt / market.tick,
        scale=market.volatility * market.dt**0.5 / market.tick,
        spread=market.seed_spread / market.tick,
        dt=market.dt,
        b0=b0,
        b1=market.intensity[1],
        b2=market.intensity[2],
        b3=market.intensity[3],
        b4=market.intensity[4],
        b5=market.intensity[5],
        log_size_limit=market.log_size_limit,
        distance_limit=market.distance_limit,
        per_currency=1.0 / market.tick if orders else 1.0,
        per_share=per_share,
        size_powers=b0 + market.intensity[3] * y + market.intensity[4] * y * y,
        order_sizes=np.array(market.order_sizes if orders else (), np.int64),
        seed_mean=seed_mean,
        seed_sums=poisson_sums(seed_mean),
        every=every,
        changes=changes,
    )


@inlined
def lot_capacity(p):
    """Lots that can be alive at once: the seeds, two orders and two refills a step."""
    return 2 * MAX_SEEDS + 4 * p.steps + 16
