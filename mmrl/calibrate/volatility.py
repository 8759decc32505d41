"""Volatility of the mid from one day. The drift cannot be estimated from a day, and is fixed at 0.

Realised variance of every move is inflated by the noise of the order book; the two-scale estimator of Zhang, Mykland &
Ait-Sahalia (Journal of the American Statistical Association 100, 2005) takes it out; 5-minute returns hardly see it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmrl.calibrate.blocks import SECOND, Floats, Ints, block_sums, estimates, numbered
from mmrl.calibrate.estimate import Estimate, Goodness
from mmrl.data.events import NO_SIZE, Events
from mmrl.settings.errors import ConfigError

DAYS_A_YEAR = 252
FIVE_MINUTES = 300
SIGNATURE_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)


@dataclass(frozen=True)
class Volatility:
    """A volatility in the units in which it is used."""

    annual: Estimate
    """Share of the price a year of 252 such days: 0.2 is 20 %. What lies outside the data counts as quiet."""
    per_root_second: Estimate
    """Share of the price in a second."""
    ticks_per_root_second: Estimate
    """Ticks in a second, at the mean mid."""


@dataclass(frozen=True)
class Volatilities:
    """Three estimates of one day, and by interval."""

    tick: Volatility
    """From every move of the mid."""
    two_scale: Volatility
    five_minute: Volatility
    signature_seconds: tuple[float, ...]
    signature: tuple[Volatility, ...]
    """From returns over each interval: level at long intervals, rising at short ones where there is noise."""
    noise: float
    """Standard deviation of the noise in one log mid, from what tick returns have too much."""
    fit: Goodness
    """Two-scale variance over that of 5-minute returns."""


@dataclass(frozen=True)
class Mids:
    """The log mid after each event that moved it, the first one included."""

    time_ns: Ints
    log_mid: Floats
    mean_ticks: float
    """Mean over time."""
    start_ns: int
    end_ns: int


def mids(events: Events) -> Mids:
    """Moves of the mid: the book before an event is the book after the one before it.

    Books with an empty side or crossed prices are passed over. Raises ConfigError for less than two mids.
    """
    whole = (events.bid_size != NO_SIZE) & (events.ask_size != NO_SIZE) & (events.ask_price > events.bid_price)
    whole[:1] = False
    rows = np.flatnonzero(whole)
    if len(rows) < 2:
        raise ConfigError(f"{len(rows)} events with both best prices: a volatility needs at least 2; give more data")
    twice = (events.bid_price + events.ask_price)[rows]
    time = events.time_ns[rows - 1]
    lasted = np.diff(np.append(time, events.time_ns[-1])) / SECOND
    mean = float((twice * lasted).sum() / lasted.sum()) / 2 if lasted.any() else float(twice[0]) / 2
    moved = np.append(True, np.diff(twice) != 0)
    return Mids(time[moved], np.log(twice[moved] / 2), mean, int(time[0]), int(events.time_ns[-1]))


def tick_variance(m: Mids) -> tuple[Floats, Ints]:
    """Squared returns from move to move, and the time at which each ends."""
    return np.diff(m.log_mid) ** 2, m.time_ns[1:]


def two_scale_variance(m: Mids) -> tuple[float, float]:
    """The variance (1 - nbar/n)^-1 (RV_avg,K - nbar/n RV_all), K = n^(2/3), and its standard error; n moves of the mid.

    Zhang, Mykland & Ait-Sahalia (2005), equation 64. Returns over K moves reach across blocks of five minutes, so the
    error is that of their theorem 4: 4/3 of K/n times the quarticity, estimated by the same returns' fourth powers in
    the time of the moves, and 8 n/K^2 times the squared variance of the noise.
    """
    n = len(m.log_mid) - 1
    k = max(1, round(n ** (2 / 3)))
    nbar = (n - k + 1) / k
    if k < 2 or nbar >= n:
        raise ConfigError(f"{n} moves of the mid: a two-scale volatility needs at least 3; give more data")
    slow = m.log_mid[k:] - m.log_mid[:-k]
    fast = float((np.diff(m.log_mid) ** 2).sum())
    variance = (float((slow**2).sum()) / k - nbar / n * fast) / (1 - nbar / n)
    noise = noise_variance(fast, variance, n)
    return variance, math.sqrt(4 / 9 * float((slow**4).sum()) / k + 8 * n / k**2 * noise**2)


def noise_variance(fast: float, variance: float, moves: int) -> float:
    """Variance of the noise in one log mid, from what the realised variance of all moves has too much."""
    return max(fast - variance, 0.0) / (2 * moves)


def interval_variance(m: Mids, seconds: float) -> tuple[Floats, Ints]:
    """Squared returns between the ends of whole intervals of the clock: N intervals have N - 1 returns.

    The last mid of an interval counts as its end, so the first return begins at the end of the first interval.
    """
    step = round(seconds * SECOND)
    ends = np.arange(m.start_ns // step + 1, -(-m.end_ns // step) + 1) * step
    # a mid that comes exactly at the end of an interval belongs to the next one
    last = np.searchsorted(m.time_ns, ends, side="left") - 1
    return np.diff(m.log_mid[last]) ** 2, ends[1:] - 1


def volatility(events: Events) -> Volatilities:
    """Tick-by-tick, two-scale and 5-minute volatility of the mid, and the signature plot (Andersen et al. 2000).

    Errors of the realised variances from the spread of the 5-minute blocks; of longer intervals each is a block. Raises
    ConfigError for less than ten minutes.
    """
    m = mids(events)
    seconds = (m.end_ns - m.start_ns) / SECOND
    if seconds < 2 * FIVE_MINUTES:
        raise ConfigError(f"{seconds:g} s of data: a 5-minute volatility needs at least {2 * FIVE_MINUTES}")
    lengths = [length for length in SIGNATURE_SECONDS if 2 * length <= seconds]
    fast, time = tick_variance(m)
    moved, blocks = numbered(np.append(m.start_ns, time))
    five, _ = interval_variance(m, FIVE_MINUTES)
    variance, error = two_scale_variance(m)
    return Volatilities(
        tick=_volatility(m, _total(block_sums(fast, moved[1:], blocks)), seconds),
        two_scale=_volatility(m, Estimate(variance, error, blocks), seconds),
        five_minute=_by_interval(m, FIVE_MINUTES),
        signature_seconds=tuple(float(length) for length in lengths),
        signature=tuple(_by_interval(m, length) for length in lengths),
        noise=math.sqrt(noise_variance(float(fast.sum()), variance, len(fast))),
        fit=Goodness("two-scale over 5-minute variance", variance / float(five.sum()) if five.any() else math.nan, 1.0),
    )


def _by_interval(m: Mids, length: float) -> Volatility:
    terms, time = interval_variance(m, length)
    seconds = len(terms) * length
    if length < FIVE_MINUTES:
        block, blocks = numbered(time)
        terms = block_sums(terms, block, blocks)
    return _volatility(m, _total(terms), seconds)


def _total(terms: Floats) -> Estimate:
    """The sum of the blocks' variances [G], with the error that their spread shows."""
    return estimates(np.array([terms.sum()]), (terms - terms.mean())[:, None])[0]


def _volatility(m: Mids, variance: Estimate, seconds: float) -> Volatility:
    """From a day's variance, of which `seconds` are covered."""
    root = math.sqrt(max(variance.value, 0.0))
    sigma = Estimate(root, variance.error / (2 * root) if root else math.nan, variance.blocks)
    second = sigma.times(1 / math.sqrt(seconds))
    return Volatility(sigma.times(math.sqrt(DAYS_A_YEAR)), second, second.times(m.mean_ticks))
