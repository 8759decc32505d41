"""The Hawkes process of all kinds of events: likelihood against a slow reference, known parameters, refusals."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmrl.calibrate.blocks import Floats, Ints
from mmrl.calibrate.estimate import Estimate
from mmrl.calibrate.excitation_kinds import KINDS, STREAMS, integrals, pass_over
from mmrl.calibrate.facts import mids
from mmrl.calibrate.fits import Wanted, fit
from mmrl.calibrate.fits.order_flow import settled
from mmrl.calibrate.hawkes_kinds import MARKET_KIND, HawkesKinds, fit_kinds, marks
from mmrl.calibrate.residuals import Residuals
from mmrl.calibrate.study import study
from mmrl.data.events import ASK, CANCEL, LIMIT, NO_SIZE, TRADE
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError
from tests.calibrate.tapes import events_of, order_flow

DECAYS = (2.0, 40.0)
"""A second."""
NUMBERS = np.array([
    [[0.10, 0.05, 0.20, 0.02, 0.02, 0.05],
     [0.05, 0.10, 0.05, 0.02, 0.03, 0.02],
     [0.02, 0.02, 0.25, 0.01, 0.01, 0.05]],
    [[0.05, 0.20, 0.10, 0.02, 0.05, 0.02],
     [0.10, 0.10, 0.10, 0.05, 0.02, 0.05],
     [0.02, 0.02, 0.20, 0.01, 0.02, 0.02]],
])  # fmt: skip
"""By exponential; rows: limit orders, cancellations, market orders that are excited by one of each kind, of their side,
then of the other."""


def drawn(count: int, exponentials: int, seed: int) -> tuple[Floats, Ints, Floats]:
    """Waits, streams and values of no law at all."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.05, 0.4, KINDS + 18 * exponentials)
    return (
        rng.exponential(0.5, count),
        rng.integers(0, STREAMS, count),
        np.concatenate([values, np.sort(rng.uniform(0.3, 5.0, exponentials))]),
    )


def naive(wait: Floats, stream: Ints, last: float, values: Floats, exponentials: int) -> tuple[float, Floats]:
    """Log-likelihood and integrals [n + 1, 6], pair by pair."""
    mu, decays = values[:KINDS], values[KINDS + 18 * exponentials :]
    numbers = values[KINDS : KINDS + 18 * exponentials].reshape(exponentials, KINDS, KINDS, 2)
    time = np.append(np.cumsum(wait), wait.sum() + last)
    value, found = 0.0, np.zeros((len(wait) + 1, STREAMS))
    for i, now in enumerate(time):
        before = time[i - 1] if i else 0.0
        for k in range(STREAMS):
            found[i, k] = mu[k // 2] * (now - before)
            rate = mu[k // 2]
            for m in range(i):
                n = numbers[:, k // 2, stream[m] // 2, (k ^ stream[m]) & 1]
                a, b = np.exp(-decays * (before - time[m])), np.exp(-decays * (now - time[m]))
                found[i, k] += (n * (a - b)).sum()
                rate += (n * decays * b).sum()
            if i < len(wait) and stream[i] == k:
                value += math.log(rate)
    return value - found.sum(), found


def test_likelihood_integrals_and_gradient_agree_with_pairs_of_events() -> None:
    wait, stream, values = drawn(14, 2, 1)
    block = np.repeat([0, 1], [7, 8])
    value, gradient = pass_over(wait, stream, 0.7, block, 2, values, 2)
    expected, found = naive(wait, stream, 0.7, values, 2)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(integrals(wait, stream, 0.7, values, 2), found, rtol=1e-11)
    for k in range(len(values)):
        ends = []
        for sign in (1, -1):
            moved = values.copy()
            moved[k] += sign * 1e-6
            ends.append(naive(wait, stream, 0.7, moved, 2)[0])
        assert gradient.sum(axis=0)[k] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-6), k
    _, first = pass_over(wait[:7], stream[:7], 0.0, np.zeros(8, np.int64), 1, values, 2)
    np.testing.assert_allclose(gradient[0], first[0], rtol=1e-12)  # waits of the first block, and nothing else


def thinned(mu: Floats, seconds: float, seed: int) -> tuple[Floats, Ints]:
    """Times and streams of the process of NUMBERS and DECAYS, by thinning (Ogata 1981), on both sides."""
    rng, decays = np.random.default_rng(seed), np.array(DECAYS)
    jumps = NUMBERS.reshape(2, KINDS, 2, KINDS).transpose(0, 1, 3, 2) * decays[:, None, None, None]
    felt = np.array([[jumps[:, k // 2, j // 2, (k ^ j) & 1] for k in range(STREAMS)] for j in range(STREAMS)])
    level, now, base = np.zeros((STREAMS, 2)), 0.0, np.repeat(mu, 2)
    times: list[float] = []
    streams: list[int] = []
    while True:
        bound = base.sum() + level.sum()
        wait = rng.exponential(1 / bound)
        now += wait
        if now > seconds:
            return np.array(times), np.array(streams)
        level *= np.exp(-decays * wait)
        rates = base + level.sum(axis=1)
        if rng.uniform() * bound < rates.sum():
            k = int(np.searchsorted(np.cumsum(rates), rng.uniform() * rates.sum()))
            times.append(now)
            streams.append(k)
            level += felt[k]


def test_known_parameters_are_recovered() -> None:
    mu = np.array([0.5, 0.4, 0.1])
    kinds = np.array([LIMIT, CANCEL, TRADE])
    z: list[float] = []
    for seed in (1, 2):
        times, streams = thinned(mu, 3_000.0, seed)
        book = (100, 5, 101, 5)
        rows = [
            (t, kinds[k // 2], ASK if k % 2 else -ASK, 100 + k % 2, 1, *book)
            for t, k in zip(times, streams, strict=True)
        ]
        found = fit_kinds(events_of(rows), exponentials=2)
        assert found.converged and found.residuals.distance < 0.02
        truth = NUMBERS.reshape(2, KINDS, 2, KINDS).transpose(0, 1, 3, 2).ravel()
        everything = [
            *zip(found.mu, mu, strict=True),
            *zip(found.numbers, truth, strict=True),
            *zip(found.decays, DECAYS, strict=True),
        ]
        z += [e.z(t) for e, t in everything if math.isfinite(e.error)]
        assert found.branching == pytest.approx(
            np.abs(np.linalg.eigvals(NUMBERS.reshape(2, KINDS, 2, KINDS).sum((0, 2)))).max(), abs=0.05
        )
    assert max(map(abs, z)) < 4.5 and np.mean(np.abs(z) < 1.96) > 0.85 and abs(np.mean(z)) < 0.4


def test_executions_of_one_market_order_are_one_event_in_the_order_of_the_source() -> None:
    book = (100, 5, 101, 5)
    found = marks(
        events_of(
            [
                (0.0, LIMIT, -ASK, 100, 1, *book),
                (1.0, TRADE, ASK, 101, 5, *book),
                (1.0, TRADE, ASK, 102, 2, *book),
                (1.0, CANCEL, -ASK, 100, 1, *book),
                (3.0, LIMIT, ASK, 101, 1, *book),
            ]
        )
    )
    assert found.stream.tolist() == [0, 2 * MARKET_KIND + 1, 2, 1]
    assert found.wait == pytest.approx([1e-6, 1.0, 1e-6, 2.0]) and found.last == 0.0


def test_cancellations_belong_to_where_their_order_was_sent() -> None:
    book = (100, 5, 101, 5)
    rows = [
        (0.0, LIMIT, ASK, 101, 1, *book),
        (1.0, LIMIT, ASK, 104, 1, *book),  # four ticks from the bid
        (2.0, CANCEL, ASK, 101, 1, 97, 5, 101, 5),  # it was sent at one, and is four away now
        (3.0, CANCEL, ASK, 104, 1, 102, 5, 104, 5),  # it was sent at four, and is two away now
        (4.0, CANCEL, ASK, 102, 1, *book),  # nobody saw it come
        (5.0, CANCEL, ASK, 105, 1, *book),
        (6.0, TRADE, ASK, 101, 1, *book),
    ]
    events = replace(events_of(rows), order=np.array([1, 2, 1, 2, 3, 4, 5]))
    found = marks(events, furthest=2)
    assert found.stream.tolist() == [1, 3, 3, 5]
    assert np.cumsum(found.wait) == pytest.approx([0.0, 2.0, 4.0, 6.0], abs=1e-5)


RULES: dict[str, Any] = {
    "limit_rates": (3.0, 2.0),
    "cancel_rates": (0.25, 0.25),
    "market_rates": (0.5,),
    "hawkes_decays": (60.0,),
    "hawkes_kinds": "all",
    "hawkes_matrix": tuple(0.8 * x for x in (NUMBERS[0] + NUMBERS[1]).ravel()),
}


@pytest.mark.nightly
def test_a_market_whose_events_excite_each_other_is_fitted_and_stays_as_it_was() -> None:
    tape, _ = order_flow(1, 30_000, levels=5, **RULES)
    found = study(tape)
    assert found.rates is not None and found.rates.deep
    fitted = fit("order-flow", found, Wanted(exponentials=1, hawkes_kinds="all"))
    build({"market": fitted.settings})  # refuses what cannot be
    assert fitted.settings["hawkes_decays"][0] == pytest.approx(60.0, rel=0.15)
    np.testing.assert_allclose(fitted.settings["hawkes_matrix"], RULES["hawkes_matrix"], atol=0.05)
    again, _ = order_flow(2, 30_000, 1, **{k: v for k, v in fitted.settings.items() if k not in ("name", "levels")})
    for one, other in ((tape, again),):
        sizes = [float(np.mean(events.bid_size[5_000:])) for events in (one, other)]
        waits = [float(np.diff(events.time_ns).mean()) for events in (one, other)]
        assert sizes[1] == pytest.approx(sizes[0], rel=0.2) and waits[1] == pytest.approx(waits[0], rel=0.1)


def test_rates_that_keep_queues_steady() -> None:
    def law(number: float) -> HawkesKinds:
        mu = tuple(Estimate(x) for x in (0.9, 0.3, 0.1))
        return HawkesKinds(mu, (1.0, 0.4, 0.2), (Estimate(number),) * 18, (), 0, 0, 0, Residuals(0, 0, 0), True)

    # what is not traded is cancelled: 1 - 1.5 * 0.2
    rates, steady = settled(law(0.0), 1.5)
    assert rates == pytest.approx((1.0, 0.7, 0.2)) and steady
    # each kind is excited by 0.05 of each kind and side, 1.9 events a second
    rates, steady = settled(law(0.05), 1.5)
    assert rates == pytest.approx((1.0 - 0.19, 0.7 - 0.19, 0.2 - 0.19)) and steady
    assert settled(law(0.06), 1.5) == ((0.9, 0.3, 0.1), False)  # market orders would be fewer than none: the fit's own


def test_what_cannot_be_fitted_is_refused() -> None:
    tape, _ = order_flow(1, 3_000)
    behind = np.where(tape.side == ASK, tape.price - tape.ask_price, tape.bid_price - tape.price) > 0
    columns: dict[str, Any] = {
        name: column[~behind] for name, column in vars(tape).items() if isinstance(column, np.ndarray)
    }
    shallow = study(replace(tape, **columns))
    with pytest.raises(ConfigError, match="needs data of all orders, these are of the best prices"):
        fit("order-flow", shallow, Wanted(hawkes_kinds="all"))
    with pytest.raises(ConfigError, match="--hawkes-kinds has no effect with --exponentials 0"):
        fit("order-flow", shallow, Wanted(exponentials=0, hawkes_kinds="all"))
    with pytest.raises(ConfigError, match="exponentials = 9: allowed are 1 to 8"):
        fit_kinds(tape, 9)
    with pytest.raises(ConfigError, match="0 market orders: a Hawkes process of all kinds needs 50 of each"):
        fit_kinds(replace(tape, kind=np.where(tape.kind == TRADE, CANCEL, tape.kind)))


def test_where_a_side_is_empty_the_mid_is_the_last_one() -> None:
    rows = [(k, LIMIT, ASK, 101, 1, 100, 5, 102, 5) for k in range(5)]
    events = events_of(rows)
    size, price = events.ask_size.copy(), events.ask_price.copy()
    size[2], price[2] = NO_SIZE, 2**62
    assert mids(replace(events, ask_size=size, ask_price=price)).tolist() == [101.0] * 5
    size[:] = NO_SIZE
    assert np.isnan(mids(replace(events, ask_size=size))).all()
