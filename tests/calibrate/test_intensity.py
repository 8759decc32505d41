"""Market orders by spread and queue: the published coefficients, statsmodels, hand-computed cases, known laws."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from mmrl.calibrate.blocks import block_of
from mmrl.calibrate.intensity import BOOK, FORMS, TOKE_YOSHIDA, Form, exposure, fit_exposure, fit_intensity, residuals
from mmrl.calibrate.intervals import window
from mmrl.calibrate.market_orders import market_orders
from mmrl.calibrate.poisson import regress
from mmrl.data.events import ASK, BID, HALT, HIDDEN, LIMIT, NO_ORDER, TRADE, Events
from mmrl.settings.errors import ConfigError
from tests.calibrate.tapes import OPEN_NS, Recovered, events_of

BOOK_ROW = (100, 5, 102, 7)


def test_executions_of_one_time_and_side_are_one_order() -> None:
    events = events_of([
        (0, LIMIT, BID, 100, 5, *BOOK_ROW),
        (1, TRADE, ASK, 102, 3, *BOOK_ROW),
        (1, HIDDEN, ASK, 102, 9, *BOOK_ROW),
        (1, TRADE, ASK, 104, 4, *BOOK_ROW),
        (1, TRADE, BID, 100, 1, *BOOK_ROW),
        (1, TRADE, BID, 98, 1, *BOOK_ROW),
        (2, TRADE, ASK, 102, 2, *BOOK_ROW),
    ])  # fmt: skip
    found = market_orders(events)
    assert (found.row.tolist(), found.side.tolist()) == ([1, 4, 6], [ASK, BID, ASK])
    assert (found.size.tolist(), found.furthest.tolist()) == ([7, 2, 2], [104, 98, 102])
    assert market_orders(events, "rows").row.tolist() == [1, 3, 4, 6]
    assert len(market_orders(events_of([(0, LIMIT, BID, 100, 5, *BOOK_ROW)]))) == 0


def test_amzn_has_6591_market_orders(amzn: Events) -> None:
    assert (amzn.kind == TRADE).sum() == 8974
    assert len(market_orders(amzn)) == 6591


def test_amzn_has_the_published_coefficients(amzn: Events) -> None:
    found = fit_intensity(amzn, ASK, queue_unit=100)
    values = [round(b.value, 3) for b in found.coefficients]
    assert values == [1.687, -2.148, 0.290, -0.750, 0.408, -0.059]
    assert found.gain == pytest.approx(1063, abs=0.5)
    assert found.left_out == 0
    # merged by time alone, 10 orders that met hidden ones are no longer divided
    merged = fit_exposure(exposure(amzn, ASK, "time"), ASK, 100)
    assert (found.orders, merged.orders) == (3325, 3315)
    for a, b in zip(found.coefficients, merged.coefficients, strict=True):
        assert abs(a.value - b.value) < 0.1 * a.error


@pytest.mark.parametrize("side", [BID, ASK])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_amzn_agrees_with_statsmodels(amzn: Events, side: int, form: Form) -> None:
    """Coefficients to 1e-10, and the sandwich of statsmodels by the same 5-minute blocks."""
    data = exposure(amzn, side)
    data = replace(data, seconds=np.maximum(data.seconds, 1e-9))  # statsmodels takes logs of them
    found = fit_exposure(data, side, 100, form)
    model = sm.GLM(data.counts, data.design(form, 100), sm.families.Poisson(), offset=np.log(data.seconds))
    start = [b.value for b in found.coefficients]
    blocks = {"groups": block_of(data.time_ns), "df_correction": False, "use_correction": False}
    theirs = model.fit(start_params=start, tol=1e-15, maxiter=50, cov_type="cluster", cov_kwds=blocks)
    np.testing.assert_allclose(start, theirs.params, rtol=0, atol=1e-10)
    errors = [b.error for b in found.coefficients]
    assert {b.blocks for b in found.coefficients} == {78}
    np.testing.assert_allclose(errors, theirs.bse * math.sqrt(78 / 77), rtol=1e-6)
    assert found.gain == pytest.approx(theirs.llf - model.fit(maxiter=1).llnull, abs=1e-5)


def test_two_states_give_their_own_rates() -> None:
    """Buys: 2 in 4 s at spread 1, 1 in 8 s at spread 3; the queue never moves, so only the constant and ln S count."""
    near, far = (100, 5, 101, 7), (100, 5, 103, 7)
    events = events_of([
        (0, LIMIT, BID, 99, 1, *near),
        (1, TRADE, ASK, 101, 1, *near),
        (3, TRADE, ASK, 101, 1, *near),
        (4, LIMIT, BID, 99, 1, *near),
        (6, TRADE, BID, 100, 1, *far),
        (9, TRADE, ASK, 103, 1, *far),
        (12, LIMIT, BID, 99, 1, *far),
    ])  # fmt: skip
    found = fit_intensity(events, ASK, queue_unit=1)
    assert found.rate([1, 3], 7) == pytest.approx([2 / 4, 1 / 8])
    assert found.coefficients[0].value == pytest.approx(math.log(1 / 2))
    assert found.coefficients[1].value == pytest.approx(math.log(1 / 4) / math.log(3))
    assert [b.value for b in found.coefficients[2:]] == [0, 0, 0, 0]
    assert found.seconds == 12
    assert found.log_likelihood == pytest.approx(2 * math.log(0.5) + math.log(0.125) - 3)
    assert found.gain == pytest.approx(2 * math.log(0.5) + math.log(0.125) - 3 * math.log(3 / 12))


def test_intervals_without_a_usable_book_do_not_count() -> None:
    events = events_of([
        (0, LIMIT, BID, 99, 1, *BOOK_ROW),
        (1, TRADE, ASK, 102, 1, *BOOK_ROW),
        (2, TRADE, ASK, 102, 1, 100, 5, 0, 0),
        (4, TRADE, ASK, 102, 1, 103, 5, 102, 7),
        (8, HALT, 0, -1, 0, *BOOK_ROW),
        (9, LIMIT, ASK, 102, 1, *BOOK_ROW),
        (10, HALT, 0, 0, 0, *BOOK_ROW),
        (11, LIMIT, ASK, 102, 1, *BOOK_ROW),
        (12, HALT, 0, 1, 0, *BOOK_ROW),
        (16, TRADE, ASK, 102, 1, *BOOK_ROW),
        (32, TRADE, ASK, 102, 1, *BOOK_ROW),
    ])  # fmt: skip
    data = exposure(events, ASK)
    # the halt from 8 to 12 s, the missing ask and the crossed book do not count
    assert data.seconds.tolist() == [1, 4, 4, 16]
    assert data.counts.tolist() == [1, 0, 1, 1]
    assert data.left_out == 6


def test_a_window_has_the_events_within() -> None:
    events = events_of([(t, LIMIT, BID, 100 + t, 1, *BOOK_ROW) for t in range(10)])
    found = window(events, OPEN_NS + 3 * 10**9, OPEN_NS + 6 * 10**9)
    assert found.price.tolist() == [103, 104, 105]
    assert (len(found), found.tick) == (3, 0.01)
    with pytest.raises(ConfigError, match="1 events from 34209 to 34300 s since midnight: at least 2 are needed"):
        window(events, OPEN_NS + 9 * 10**9, OPEN_NS + 100 * 10**9)


def test_columns_are_those_of_the_two_markets() -> None:
    s, q = np.array([4.0]), np.array([6.0])
    book = [float(column[0]) for column in BOOK.columns(s, q)]
    ln = math.log
    assert book == pytest.approx([1, ln(3), ln(3) ** 2, ln(7), ln(7) ** 2, ln(9)])
    toke = [float(column[0]) for column in TOKE_YOSHIDA.columns(s, q)]
    assert toke == pytest.approx([1, ln(4), ln(4) ** 2, ln(7), ln(7) ** 2, ln(4) * ln(7)])


def test_refusals(tape: Events) -> None:
    with pytest.raises(ConfigError, match="queue_unit = 0 lots: allowed are numbers > 0"):
        fit_intensity(tape, ASK, queue_unit=0)
    one_side = events_of([(t, TRADE, ASK, 102, 1, *BOOK_ROW) for t in range(9)])
    with pytest.raises(ConfigError, match="0 events in 8 s"):
        fit_intensity(one_side, BID, queue_unit=1)


COEFFICIENTS = {"toke-yoshida": (-1.0, -0.8, 0.1, -0.4, 0.1, 0.15), "book": (0.2, -1.1, 0.2, -0.5, -0.1, 0.3)}


def simulated(seed: int, form: Form, hours: float = 6.5) -> Events:
    """The spread and the best ask are drawn anew at rate 1/2 a second; buys arrive between at the form's rate."""
    rng = np.random.default_rng(seed)
    turns = np.cumsum(rng.exponential(2.0, int(hours * 1800)))
    spread, queue = rng.integers(1, 9, len(turns)).astype(float), rng.geometric(0.1, len(turns)).astype(float)
    columns = form.columns(spread, queue)
    rate = np.exp(sum(b * column for b, column in zip(COEFFICIENTS[form.name], columns, strict=True)))
    lasts = np.diff(turns, append=turns[-1])
    counts = rng.poisson(rate * lasts)
    state = np.repeat(np.arange(len(turns)), counts)
    at = turns[state] + lasts[state] * rng.random(len(state))
    time = np.concatenate([turns, at])
    # the event at which a state begins still sees the one before
    seen = np.concatenate([np.maximum(np.arange(len(turns)) - 1, 0), state])
    order = np.argsort(time, kind="stable")
    kind = np.where(order < len(turns), LIMIT, TRADE).astype(np.int8)
    side = np.where(order < len(turns), BID, ASK).astype(np.int8)
    bid, one = np.full(len(time), 1000), np.ones(len(time), np.int64)
    ask = bid + spread[seen[order]].astype(np.int64)
    queue_seen = queue[seen[order]].astype(np.int64)
    time_ns = OPEN_NS + np.rint(time[order] * 1e9).astype(np.int64)
    return Events(time_ns, kind, side, bid, one, one * NO_ORDER, bid, one, ask, queue_seen, 0.01, 1.0, "", ())


@pytest.fixture(scope="module")
def tape() -> Events:
    return simulated(0, TOKE_YOSHIDA)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_known_coefficients_are_recovered(form: Form) -> None:
    recovered, p_values = Recovered(), []
    for seed in range(20):
        found = fit_intensity(simulated(seed, form), ASK, queue_unit=1, form=form)
        recovered.add_all("b", found.coefficients, COEFFICIENTS[form.name])
        p_values.append(found.residuals.p_value)
        assert found.gain > 100
    recovered.check()
    # of residuals of the right law, one in a hundred tests fails at 1 %
    assert np.mean(np.array(p_values) > 0.01) >= 0.9


def test_a_state_that_lasts_no_time_tells_no_coefficient() -> None:
    design = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    with pytest.raises(ConfigError, match="1 events do not tell 2 coefficients apart: give more data"):
        regress(design, np.array([1.0, 0.0, 0.0]), np.array([1.0, 1.0, 0.0]))


def test_residuals_tell_a_wrong_law(tape: Events) -> None:
    """The law itself, and one that takes wide spreads to be busy."""
    data = exposure(tape, ASK)
    right = np.array(COEFFICIENTS["toke-yoshida"])
    design = data.design(TOKE_YOSHIDA, 1)
    assert residuals(data, np.exp(design @ right)).p_value > 0.01
    assert residuals(data, np.exp(design @ (right * [1, -1, 1, 1, 1, 1]))).p_value < 1e-6
