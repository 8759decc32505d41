"""Volatility: published values of a day, hand-computed variances, and a known sigma under noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmrl.calibrate.volatility import Mids, interval_variance, mids, two_scale_variance, volatility
from mmrl.data.events import BID, LIMIT, NO_ORDER, Events
from mmrl.settings.errors import ConfigError
from tests.calibrate.tapes import OPEN_NS, Recovered, events_of

S = 10**9


def test_amzn_has_the_published_volatilities(amzn: Events) -> None:
    found = volatility(amzn)
    shares = [100 * each.annual.value for each in (found.tick, found.two_scale, found.five_minute)]
    assert [round(share, 1) for share in shares] == [27.1, 20.1, 21.7]
    assert found.signature_seconds[8] == 300
    assert found.signature[8] == found.five_minute
    assert found.five_minute.annual.blocks == 77


def test_mids_are_the_book_after_each_event() -> None:
    events = events_of([
        (0, LIMIT, BID, 1, 1, 0, 0, 0, 0),
        (1, LIMIT, BID, 1, 1, 100, 1, 102, 1),  # after the event at 0: mid 101
        (2, LIMIT, BID, 1, 1, 100, 9, 102, 1),  # the same mid
        (3, LIMIT, BID, 1, 1, 100, 1, 0, 0),  # no ask
        (5, LIMIT, BID, 1, 1, 103, 1, 102, 1),  # crossed
        (6, LIMIT, BID, 1, 1, 101, 1, 104, 1),  # after the event at 5: mid 102.5
        (8, LIMIT, BID, 1, 1, 101, 1, 104, 1),
    ])  # fmt: skip
    found = mids(events)
    assert ((found.time_ns - OPEN_NS) // S).tolist() == [0, 5]
    assert np.exp(found.log_mid) == pytest.approx([101, 102.5])
    assert found.mean_ticks == pytest.approx((5 * 101 + 3 * 102.5) / 8)


def test_intervals_take_the_last_mid_before_their_end() -> None:
    m = Mids(np.array([1, 9, 10, 25]) * S, np.array([0.0, 1.0, 3.0, 7.0]), 1.0, 1 * S, 40 * S)
    terms, ends = interval_variance(m, 10)
    # ends of the clock: 10 (1, since the mid at 10 comes with it), 20 (3), 30 (7), 40 (7)
    assert terms.tolist() == [4, 16, 0]
    assert ((ends + 1) // S).tolist() == [20, 30, 40]


def test_two_scales_by_a_slow_reference() -> None:
    """Zhang, Mykland & Ait-Sahalia: subsample every K-th mid from each of K starts, average, take the noise out."""
    x = np.cumsum(np.random.default_rng(0).normal(size=101))
    n, k = 100, 22  # 100 ** (2 / 3) = 21.5
    slow = np.mean([np.sum(np.diff(x[start::k]) ** 2) for start in range(k)])
    nbar = (n - k + 1) / k
    expected = (slow - nbar / n * np.sum(np.diff(x) ** 2)) / (1 - nbar / n)
    m = Mids(np.arange(101) * S, x, 1.0, 0, 100 * S)
    assert two_scale_variance(m)[0] == pytest.approx(expected, rel=1e-12)


def noisy(seed: int, noise: float) -> Events:
    """A day of some 20 000 moves at random times, of a mid near 10^6 ticks with noise in it."""
    rng = np.random.default_rng(seed)
    count, sigma = 20_000, 0.02
    time = np.sort(rng.integers(0, 23_400 * S, count))
    moves = rng.normal(size=count) * sigma * np.sqrt(np.diff(time, prepend=0) / (23_400 * S))
    log_mid = np.cumsum(moves) + noise * sigma / math.sqrt(count) * rng.normal(size=count)
    mid = np.rint(1e6 * np.exp(log_mid)).astype(np.int64)
    one = np.ones(count, np.int64)
    kinds, sides = np.full(count, LIMIT, np.int8), np.full(count, BID, np.int8)
    return Events(OPEN_NS + time, kinds, sides, mid, one, one * NO_ORDER, mid - 1, one, mid + 1, one, 0.01, 1.0, "", ())


def test_a_known_volatility_is_recovered() -> None:
    plain, under_noise, noise = Recovered(), Recovered(), []
    for seed in range(20):
        found = volatility(noisy(seed, 0.0))
        truth = 0.02 * math.sqrt(252)
        for name in ("tick", "two_scale", "five_minute"):
            plain.add(name, getattr(found, name).annual, truth)
        per_second = 0.02 / math.sqrt(23_400)
        plain.add("per second", found.five_minute.per_root_second, per_second)
        plain.add("ticks", found.two_scale.ticks_per_root_second, per_second * 1e6)
        found = volatility(noisy(seed, 0.5))
        for name in ("two_scale", "five_minute"):
            under_noise.add(name, getattr(found, name).annual, truth)
        assert found.tick.annual.z(truth) > 4, "noise inflates the variance of every move"
        noise.append(found.noise**2)
    assert np.mean(noise) == pytest.approx((0.5 * 0.02) ** 2 / 20_000, rel=0.2)
    plain.check(least=0.85)
    under_noise.check(least=0.85)


def test_refusals() -> None:
    short = [(t, LIMIT, BID, 1, 1, 100 + t % 2, 1, 102, 1) for t in range(500)]
    with pytest.raises(ConfigError, match="499 s of data: a 5-minute volatility needs at least 600"):
        volatility(events_of(short))
    with pytest.raises(ConfigError, match="0 events with both best prices"):
        mids(events_of([(t, LIMIT, BID, 1, 1, 100, 1, 0, 0) for t in range(9)]))
