"""The market `book` among traders who send and cancel limit orders as the data do, so that its book does not run empty.

Mid, crossed orders and market orders are those of the market's settings; limit orders at distance i from the opposite
best price at rate lambda(i), each mean order there cancelled at rate theta(i), are those of a day (Cont, Stoikov &
Talreja, Operations Research 58(3), 2010), their sizes too. Nobody quotes beyond the mid: such an order rests at the
nearest price on its own side of it. Times are seconds, prices and distances ticks of the data, sizes its lots.
"""

from __future__ import annotations

import math

import numpy as np

from mmrl.calibrate.blocks import Floats
from mmrl.calibrate.fits import Wanted, fit
from mmrl.calibrate.replenished_kernel import (
    ASK_PRICE,
    ASK_SIZE,
    BID_PRICE,
    BID_SIZE,
    BUY,
    COLUMNS,
    KIND,
    NOW,
    PRICE,
    SELL,
    SIDE,
    SIZE,
    TIME,
    Background,
    Scale,
    State,
    play,
)
from mmrl.calibrate.sizes import Sizes
from mmrl.calibrate.study import Study
from mmrl.data.events import NO_ORDER, Events
from mmrl.kernels.random import seed_stream
from mmrl.markets.book.settings import MS, Settings
from mmrl.markets.book.state import parameters
from mmrl.rollout.streams import stream_seed
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError

WARM_UP = 600.0
PIECE = 60.0
MOST_EVENTS = 1_000_000
"""In a piece."""
MOST_TICKS = 10_000_000
MARGIN = 1_000
"""Ticks that prices may reach beyond ten standard deviations of the mid."""


def background(found: Study) -> Background:
    """What a day says of limit orders and cancellations. ConfigError where it says nothing."""
    flow = build({"market": fit("order-flow", found, Wanted(queue_sizes=0, exponentials=0)).settings}).market
    limit = np.array([*flow.limit_rates, *flow.far_rates]) / 60.0  # type: ignore[attr-defined]
    theta = np.array(flow.cancel_rates) / 60.0  # type: ignore[attr-defined]
    cancel = np.append(theta, np.full(len(limit) - len(theta), theta[-1]))
    sizes = found.sizes
    return Background(limit, cancel / sizes.cancel.mean.value, _drawn(sizes.limit), _drawn(sizes.cancel))


def _drawn(sizes: Sizes) -> Floats:
    return np.stack([np.array(sizes.values, np.float64), np.cumsum(sizes.weights)], axis=1)


def replenished(
    settings: Settings, others: Background, like: Events, seconds: float, seed: int, lots: int = 1
) -> Events:
    """The market without a maker. `lots` of the data are one share of it; prices are ticks of the data (`like`)."""
    root = settings.volatility * math.sqrt(MS) / like.tick  # ticks in a root of a second
    drift = settings.drift * MS / like.tick
    half = math.ceil(10 * root * math.sqrt(WARM_UP + seconds) + abs(drift) * (WARM_UP + seconds)) + MARGIN
    if half > MOST_TICKS:
        raise ConfigError(
            f"market.volatility = {settings.volatility:g} moves the mid by {half} ticks, too far: lower it"
        )
    mid = round(settings.midprice / like.tick)
    stream = np.empty(4, np.uint64)
    seed_stream(stream, stream_seed(seed, "tape"), 0, 0)
    best = np.array([half, half + 1], np.int64)
    queues = np.zeros((2, 2 * half + 2), np.int64)
    queues[BUY, half] = queues[SELL, half + 1] = max(round(others.limit_sizes[:, 0].mean()), 1)
    state = State(np.array([-WARM_UP, half + 0.5]), queues, best, queues.sum(axis=1), np.zeros(6), stream)
    out = np.empty((MOST_EVENTS, COLUMNS), np.int64)
    law, scale = parameters(settings), Scale(root, drift, like.tick, float(lots))
    pieces = []
    while state.numbers[NOW] < seconds:
        until = min(state.numbers[NOW] + PIECE, seconds)
        count = play(law, others, scale, state, until, out)
        if count > len(out):
            raise ConfigError(
                f"more than {len(out)} events in {PIECE:g} s are too many to simulate: lower market.intensity"
            )
        if until > 0:
            pieces.append(out[:count].copy())
    rows = np.concatenate(pieces)
    for column in (PRICE, BID_PRICE, ASK_PRICE):
        rows[:, column] += mid - half
    return Events(
        rows[:, TIME] + like.time_ns[0], rows[:, KIND].astype(np.int8), rows[:, SIDE].astype(np.int8), rows[:, PRICE],
        rows[:, SIZE], np.full(len(rows), NO_ORDER, np.int64), rows[:, BID_PRICE], rows[:, BID_SIZE],
        rows[:, ASK_PRICE], rows[:, ASK_SIZE], like.tick, like.lot, "", (),
    )  # fmt: skip
