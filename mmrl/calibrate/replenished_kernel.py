"""What happens in the market `book` among traders who send limit orders (`replenished.py`), event by event.

Times are seconds, prices levels of the queues, sizes lots of the data.
"""

import math
from typing import NamedTuple

import numpy as np

from mmrl.data.events import ASK, BID, CANCEL, LIMIT, TRADE
from mmrl.kernels.jit import inlined, kernel
from mmrl.kernels.random import normal, uniform
from mmrl.markets.book.dynamics import arrival_rate
from mmrl.markets.book.settings import MS

MID_STEP = 0.05
"""Seconds after which the mid, a Brownian motion, is looked at again."""
NANO = 1e9
BUY, SELL = 0, 1
"""Sides of the book: of bids, of asks."""
NOW, MID = 0, 1
TIME, KIND, SIDE, PRICE, SIZE, BID_PRICE, BID_SIZE, ASK_PRICE, ASK_SIZE = range(9)
COLUMNS = 9


class Background(NamedTuple):
    """Those who send limit orders."""

    limit: np.ndarray
    """[D] a second and side, at distance 1, 2, ... from the opposite best price."""
    cancel: np.ndarray
    """[D] a second, of each lot there, in orders; the last holds beyond."""
    limit_sizes: np.ndarray
    """[N, 2]: sizes, and the share of orders that are no larger."""
    cancel_sizes: np.ndarray


class Scale(NamedTuple):
    """What turns settings into levels and lots."""

    root: float
    """Levels that the mid moves in a root of a second."""
    drift: float
    tick: float
    lots: float
    """Of a share."""


class State(NamedTuple):
    """The book, its mid and its time."""

    numbers: np.ndarray  # [2] time, mid
    queues: np.ndarray  # int64 [2, levels] lots at each price of a side
    best: np.ndarray  # int64 [2]; of an empty side the last that there was
    lots: np.ndarray  # int64 [2] of a side
    rates: np.ndarray  # [6] limit orders, cancellations, market orders that hit: of bids, of asks
    stream: np.ndarray


@kernel
def play(p, others, scale, s, until, out):
    """Play to a time; returns how many events there were. What finds no room is left out."""
    count = np.int64(0)
    while s.numbers[NOW] < until:
        step = min(MID_STEP, until - s.numbers[NOW])
        mid = s.numbers[MID] + scale.drift * step + scale.root * math.sqrt(step) * normal(s.stream)
        s.numbers[MID] = min(max(mid, 1.0), s.queues.shape[1] - 2.0)
        count = _cross(s, out, count)
        end = s.numbers[NOW] + step
        while True:
            total = _rates(p, others, s, scale)
            wait = -math.log(1.0 - uniform(s.stream)) / total
            if not s.numbers[NOW] + wait < end:
                break
            s.numbers[NOW] += wait
            r, kind = uniform(s.stream) * total, 0
            while kind < 5 and r >= s.rates[kind]:
                r -= s.rates[kind]
                kind += 1
            side = kind % 2
            if kind < 2:
                count = _limit(others, s, side, r, out, count)
            elif kind < 4:
                count = _cancel(others, s, side, r, out, count)
            else:
                n = p.order_sizes.shape[0]
                shares = p.order_sizes[np.int64(uniform(s.stream) * n)] if n > 0 else 1
                last = 0 if side == BUY else s.queues.shape[1] - 1
                if not p.walks:
                    last = s.best[side]
                count = _take(s, side, np.int64(shares * scale.lots), last, out, count)
        s.numbers[NOW] = end
    return count


@inlined
def _rates(p, others, s, scale):
    """Fill the rates of all kinds of events; returns their sum."""
    total = 0.0
    distances = others.limit.shape[0]
    for side in range(2):
        outwards = 2 * side - 1
        far, gone, price = s.lots[side], 0.0, s.best[1 - side]
        for i in range(distances):
            price += outwards
            there = s.queues[side, price] if 0 <= price < s.queues.shape[1] else 0
            gone += others.cancel[i] * there
            far -= there
        s.rates[side] = 0.0
        for i in range(distances):
            s.rates[side] += others.limit[i]
        s.rates[2 + side] = gone + others.cancel[distances - 1] * far
        away = (s.best[side] - s.numbers[MID]) * outwards * scale.tick
        queue = s.queues[side, s.best[side]]
        s.rates[4 + side] = MS * arrival_rate(p, away, queue / scale.lots)
        total += s.rates[side] + s.rates[2 + side] + s.rates[4 + side]
    return total


@inlined
def _write(s, kind, side, price, size, out, count):
    """Append an event, with the book before it."""
    if count < out.shape[0]:
        row = out[count]
        row[TIME] = np.int64(s.numbers[NOW] * NANO)
        row[KIND], row[SIDE], row[PRICE], row[SIZE] = kind, BID if side == BUY else ASK, price, size
        row[BID_PRICE], row[BID_SIZE] = s.best[BUY], s.queues[BUY, s.best[BUY]]
        row[ASK_PRICE], row[ASK_SIZE] = s.best[SELL], s.queues[SELL, s.best[SELL]]
    return count + 1


@inlined
def _size(s, sizes):
    u, low, high = uniform(s.stream), 0, sizes.shape[0] - 1
    while low < high:
        middle = (low + high) // 2
        if u < sizes[middle, 1]:
            high = middle
        else:
            low = middle + 1
    return np.int64(sizes[low, 0])


@inlined
def _remove(s, side, price, size):
    """Lots leave a price; the best price moves on if it was the last there."""
    s.queues[side, price] -= size
    s.lots[side] -= size
    if s.lots[side] > 0:
        while s.queues[side, s.best[side]] == 0:
            s.best[side] += 2 * side - 1


@inlined
def _limit(others, s, side, r, out, count):
    i = 0
    while i < others.limit.shape[0] - 1 and r >= others.limit[i]:
        r -= others.limit[i]
        i += 1
    price = s.best[1 - side] + (2 * side - 1) * (i + 1)
    if side == BUY:
        price = min(price, np.int64(math.floor(s.numbers[MID])))
    else:
        price = max(price, np.int64(math.ceil(s.numbers[MID])))
    if s.lots[1 - side] > 0:  # a side that the mid has left behind is not traded with, but crossed
        price = min(price, s.best[SELL] - 1) if side == BUY else max(price, s.best[BUY] + 1)
    if not 0 <= price < s.queues.shape[1]:
        return count
    size = _size(s, others.limit_sizes)
    count = _write(s, LIMIT, side, price, size, out, count)
    if s.lots[side] == 0 or (price - s.best[side]) * (2 * side - 1) < 0:
        s.best[side] = price
    s.queues[side, price] += size
    s.lots[side] += size
    return count


@inlined
def _cancel(others, s, side, r, out, count):
    price, step, last = s.best[1 - side], 2 * side - 1, others.cancel.shape[0] - 1
    left, i = s.lots[side], -1
    while left > 0:
        price += step
        i += 1
        there = s.queues[side, price]
        rate = others.cancel[min(i, last)] * there
        left -= there
        if there > 0 and (r < rate or left == 0):  # without any left only rounding made the rate
            size = min(_size(s, others.cancel_sizes), there)
            count = _write(s, CANCEL, side, price, size, out, count)
            _remove(s, side, price, size)
            break
        r -= rate
    return count


@inlined
def _take(s, side, size, last, out, count):
    """Execute up to `size` lots of a side, best first and no further than a price."""
    while size > 0 and s.lots[side] > 0 and (last - s.best[side]) * (2 * side - 1) >= 0:
        price = s.best[side]
        there = min(size, s.queues[side, price])
        count = _write(s, TRADE, side, price, there, out, count)
        _remove(s, side, price, there)
        size -= there
    return count


@inlined
def _cross(s, out, count):
    """The orders that the mid has passed are executed."""
    mid = s.numbers[MID]
    count = _take(s, BUY, s.lots[BUY], np.int64(math.floor(mid)) + 1, out, count)
    return _take(s, SELL, s.lots[SELL], np.int64(math.ceil(mid)) - 1, out, count)
