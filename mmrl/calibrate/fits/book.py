"""`book` from a day: six-coefficient law and sizes of market orders, volatility, and a book like that of the data.

The book is seeded once. `seed_spread` and `book_size` are what make its mean spread and mean size at the best prices
those of the data. About `SEEDS` orders a side stand at distances S/2 + (S/4) N(0, 1) from the mid, of which those below
0 are gone; so the mean distance of the nearest is S c, with c = E min, and each order has as many shares as the size at
the best divided by the mean number of orders there.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from mmrl.calibrate.estimate import Estimate
from mmrl.calibrate.fits import Fitted, Rate, Wanted
from mmrl.calibrate.intensity import BOOK
from mmrl.calibrate.sizes import Sizes
from mmrl.calibrate.study import Study, pair, significant
from mmrl.data.events import Events
from mmrl.markets.book.settings import Settings
from mmrl.settings.market import MarketSettings

SEEDS = 250
"""Orders a side: `book_size` shares in pairs of orders of book_size / 500 shares each."""
SHARES_OF_ORDER = 2 / 1000
UNIT = 100
"""Shares of the median limit order, where a lot is a small part of a coin."""
STEP_MS = 1000.0
STEPS = 300
SIZES = 20
"""Market orders have one of so many sizes."""
RATES = (Rate("intensity", "market", entry=0, logarithm=True), Rate("fill_curve", "market", entry=1))


def fit(found: Study, wanted: Wanted) -> Fitted:
    """The settings and their errors."""
    market = "book"
    wanted.refuse_all(market)
    law = found.needed("book", market).both
    tick, day = found.events.tick, found.profile
    sigma = found.needed("volatility", market).two_scale.ticks_per_root_second.times(tick / math.sqrt(1000.0))
    spread = day.spread.times(tick / (2 * nearest()))
    at_best = orders_at_best(spread.value / tick)
    depth = Estimate(
        (day.bid_depth.value + day.ask_depth.value) / 2, math.hypot(day.bid_depth.error, day.ask_depth.error) / 2
    )
    share = lots_of_a_share(found)
    shares = depth.times(1 / (at_best * SHARES_OF_ORDER * share))
    profile = found.needed("depth", market)
    curve = [pair(profile.k.times(1 / tick)), pair(profile.a.times(1 / 1000.0))]
    coefficients = [pair(b) for b in law.coefficients]
    volatility, seeds = pair(sigma), pair(spread)
    return Fitted(
        {
            "name": market,
            "dt": STEP_MS,
            "nt": STEPS,
            "midprice": significant(day.mid),
            "tick": day.tick_size,
            "drift": 0.0,
            "volatility": volatility[0],
            "seed_spread": seeds[0],
            "book_size": max(round(shares.value), 1),
            "arrivals": "orders",
            "intensity": [value for value, _ in coefficients],
            "lot": max(round(found.unit / share), 1),
            "order_sizes": equally_likely(found.sizes.market, share),
            "market_order": "walk",
            "fill_curve": [value for value, _ in curve],
        },
        {
            "volatility": volatility[1],
            "seed_spread": seeds[1],
            "book_size": significant(shares.error, 3),
            "intensity": [error for _, error in coefficients],
            "fill_curve": [error for _, error in curve],
        },
        "intensity: Poisson regression of both sides, errors clustered by 5 minutes; volatility: two scales; "
        f"seeds: spread and size at the best prices{f'; a share is {share} lots' if share > 1 else ''}",
        BOOK.name,
        share,
    )


def replenished(settings: MarketSettings, found: Study, seconds: float, seed: int, lots: int) -> Events:
    """The market without a maker, among limit orders and cancellations as the data have them."""
    from mmrl.calibrate import replenished as among  # it compiles

    return among.replenished(cast(Settings, settings), among.background(found), found.events, seconds, seed, lots)


def lots_of_a_share(found: Study) -> int:
    """1, or of fractional sizes (a lot of 1e-8 coins) as many that the median limit order has `UNIT` shares."""
    return max(found.unit // UNIT, 1) if found.events.lot < 1 else 1


def nearest() -> float:
    """c: the mean distance of the nearest seeded order, over S: the integral of P(no order nearer than x S)."""
    x = np.linspace(0.0, 1.0, 20_001)
    nearer = np.array([_normal(4 * v - 2) for v in x]) - _normal(-2.0)
    return float(np.trapezoid((1 - nearer) ** SEEDS, x))


def orders_at_best(spread_ticks: float) -> float:
    """Mean number of orders at the best price, if it has one: Poisson, with the density of orders at distance 0."""
    density = SEEDS * math.exp(-2.0) / math.sqrt(2 * math.pi) * 4 / spread_ticks
    return density / -math.expm1(-density)


def equally_likely(sizes: Sizes, share: int = 1) -> list[int]:
    """`SIZES` sizes that stand for the distribution, in shares of so many lots: each is the mean of as large a part of
    the orders, at least 1."""
    below = np.concatenate([[0.0], np.cumsum(sizes.weights)])
    shares = np.concatenate([[0.0], np.cumsum(np.array(sizes.weights) * np.array(sizes.values))])
    cuts = np.interp(np.linspace(0.0, below[-1], SIZES + 1), below, shares)
    return [max(round(float(mean) / share), 1) for mean in np.diff(cuts) * SIZES / below[-1]]


def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
