"""Markets fitted to tapes whose law is known, the seeding of the book, and distances of stylised facts."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.calibrate.estimate import Estimate, Goodness
from mmrl.calibrate.facts import DISTRIBUTION, KURTOSIS, RATIOS, Fact, facts
from mmrl.calibrate.fits import Fitted, Wanted, fit, fittable
from mmrl.calibrate.fits.book import RATES, SEEDS, equally_likely, nearest, orders_at_best
from mmrl.calibrate.half_hour import at_half_hour
from mmrl.calibrate.intraday import Course, Intraday
from mmrl.calibrate.market_orders import market_orders
from mmrl.calibrate.realism import Distance, Score, distance, realism
from mmrl.calibrate.simulated import simulated
from mmrl.calibrate.sizes import sizes
from mmrl.calibrate.source import clock, cut, moment, source
from mmrl.calibrate.study import study
from mmrl.commands.calibrate import as_plain, calibrate, check, report
from mmrl.data.events import ASK, LIMIT, TRADE, Events
from mmrl.markets.book import dynamics as law
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError
from mmrl.settings.market_file import market_toml
from tests.calibrate.tapes import events_of, order_flow


def test_a_known_order_flow_is_fitted_and_can_be_simulated() -> None:
    limit, cancel = (1.85, 1.51, 1.09, 0.88, 0.77), (0.71, 0.81, 0.68, 0.56, 0.47)
    events, _ = order_flow(3, 60_000, limit_rates=limit, cancel_rates=cancel, market_rates=(0.94,))
    found = study(events)
    fitted = fit("order-flow", found, Wanted(exponentials=0))
    for name, truth in (("limit_rates", limit), ("cancel_rates", cancel), ("market_rates", (0.94,))):
        for value, error, wanted in zip(fitted.settings[name], fitted.errors[name], truth, strict=False):
            assert abs(value - wanted) < 4 * error, (name, value, error, wanted)
    again = simulated(build({"market": fitted.settings}), 60_000.0, 1)
    assert 59_000e9 < again.time_ns[-1] - again.time_ns[0] < 60_000e9
    assert len(market_orders(again)) / 1000 == pytest.approx(2 * 0.94, rel=0.1)  # both sides, a minute


def test_seeds_of_the_book_stand_as_far_from_the_mid_as_a_simple_simulation_says() -> None:
    x = 0.5 + 0.25 * np.random.default_rng(1).standard_normal((20_000, SEEDS))
    drawn = np.where(x < 0, np.inf, x).min(axis=1)
    assert nearest() == pytest.approx(drawn.mean(), abs=4 * drawn.std() / math.sqrt(20_000))
    density = SEEDS * math.exp(-2) / math.sqrt(2 * math.pi) * 4 / 100.0  # normal density at -2, per tick of S = 100
    counts = np.random.default_rng(2).poisson(density, 200_000)
    assert orders_at_best(100.0) == pytest.approx(counts[counts > 0].mean(), rel=0.01)


def test_equally_likely_sizes_keep_the_mean() -> None:
    size = np.array([1] * 10 + [3] * 5 + [20] * 5)
    found = equally_likely(sizes(np.arange(20) * 10**9, size))
    assert found == [1] * 10 + [3] * 5 + [20] * 5


def test_the_book_counts_orders_in_ticks_and_lots() -> None:
    b = (0.3, -1.0, 0.2, -0.4, 0.1, 0.05)
    rules = {"name": "book", "arrivals": "orders", "intensity": list(b), "lot": 100, "tick": 0.02}
    p = law.parameters(build({"market": rules}).market)  # type: ignore[arg-type]
    x, y = math.log1p(2.0), math.log1p(3.0)
    power = b[0] + b[1] * x + b[2] * x * x + b[3] * min(y, 2.0) + b[4] * min(y, 2.0) ** 2 + b[5] * math.log1p(2.0 + 3.0)
    assert law.arrival_rate(p, 0.04, 300) == pytest.approx(math.exp(power) / 1000)
    furthest = math.expm1(0.95 / 0.4)  # the parabola -(1 - 0.05) x + 0.2 x^2 is lowest there
    assert law.arrival_rate(p, 0.02 * furthest * 1.5, 300) == pytest.approx(law.arrival_rate(p, 0.02 * furthest, 300))


def alternating(minutes: int) -> Events:
    """A mid that moves a tick up and down every second, a market order with each move; sizes 2."""
    rows = []
    for second in range(60 * minutes):
        up = second % 2
        book = (100 + up, 2, 102 + up, 2)
        rows.append((second + 0.25, LIMIT, ASK, 102 + up, 2, *book))
        rows.append((second + 0.5, TRADE, ASK if up == 0 else -ASK, 102 + up if up == 0 else 100 + up, 2, *book))
    return events_of(rows)


def test_facts_of_a_tape_that_can_be_reckoned_by_hand() -> None:
    found = facts(alternating(10))
    values = {name: fact.values(fact.sums.sum(axis=0)) for name, fact in found.items()}
    assert values["spread"][1] == 1.0 and values["spread"].sum() == 1.0  # two ticks
    assert values["kurtosis of 1 s returns"][0] == pytest.approx(1.0)  # all moves are as large
    assert values["autocorrelation of 1 s returns"][:2] == pytest.approx([-1.0, 1.0])
    assert values["autocorrelation of order signs"][:2] == pytest.approx([-1.0, 1.0])
    assert values["volatility signature"][0] == pytest.approx(1.0) and values["volatility signature"][1] == 0.0


def test_a_tape_is_at_no_distance_from_itself_and_far_from_another() -> None:
    tape, _ = order_flow(1, 6_000)
    other, _ = order_flow(2, 6_000, market_rates=(6.0,))
    same = {score.fact: score for score in realism(tape, tape)}
    far = {score.fact: score for score in realism(tape, other)}
    assert all(not score.distance.l1 > 0 for score in same.values())
    assert far["spread"].distance.l1 > 2 * far["spread"].floor.l1 and not far["spread"].met
    assert far["spread"].distance.low <= far["spread"].distance.l1 <= far["spread"].distance.high
    assert all(len(score.at) == len(score.data) == len(score.model) for score in far.values())
    assert all(data == model or math.isnan(data) for s in same.values() for _, data, model in s.beside())
    assert same["spread"].distance.wasserstein == 0.0 < far["spread"].distance.wasserstein
    d = far["spread"].distance
    assert d.wasserstein_low <= d.wasserstein <= d.wasserstein_high and d.wasserstein_low < d.wasserstein_high
    for name in ("volatility signature", "autocorrelation of order signs"):
        assert same[name].distance.wasserstein == 0.0 < far[name].distance.wasserstein
        assert far[name].distance.wasserstein_low < far[name].distance.wasserstein_high


def test_distances_of_curves_and_of_kurtosis_by_hand() -> None:
    """Wasserstein is that of the values by block: 1 and 3 are as far from 2 and 2 as they can be at the same mean."""
    rng = np.random.default_rng(0)

    def curve(*blocks: tuple[float, float]) -> Fact:
        sums = np.array([[a, b, 1.0, 1.0] if math.isfinite(b) else [a, 0.0, 1.0, 0.0] for a, b in blocks])
        return Fact(RATIOS, sums, np.ones(2), np.array([1.0, 2.0]))

    found = distance(curve((1, 0), (3, 4)), curve((2, 1), (2, 1)), rng)
    # first point: means 2 and 2; second: 2 and 1. By block 1 and (1 + 3) / 2 apart.
    assert [found.l1, found.wasserstein] == pytest.approx([(0 + 1) / 2, (1 + 2) / 2])
    found = distance(curve((1, math.nan), (3, 4)), curve((2, 1), (2, 1), (2, 1)), rng)
    assert found.wasserstein == pytest.approx((1 + 3) / 2)  # the block without a value says nothing
    one, other = (
        Fact(KURTOSIS, np.array([[4.0, 4.0, 4.0 * k] for k in ks]), np.ones(1), np.ones(1)) for ks in ((1, 9), (3, 3))
    )
    found = distance(one, other, rng)
    assert found.l1 == pytest.approx(math.log(5 / 3))
    assert found.wasserstein == pytest.approx(math.log(3))


def test_a_fact_in_few_numbers() -> None:
    apart = Distance(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    spread = Score("spread", DISTRIBUTION, (1.0, 2.0, 3.0), (0.6, 0.3, 0.1), (0.2, 0.7, 0.1), apart, apart, None)
    assert spread.beside() == [("median", 1.0, 2.0), ("90 %", 2.0, 2.0)]
    curve = Score("response", RATIOS, (0.1, 1.0, 30.0), (0.2, 0.3, 0.4), (0.5, 0.6, 0.7), apart, apart, None)
    assert curve.beside() == [("0.1", 0.2, 0.5), ("30", 0.4, 0.7)]
    assert Score("kurtosis", KURTOSIS, (10.0,), (7.0,), (3.0,), apart, apart, None).beside() == [("10", 7.0, 3.0)]


def test_what_cannot_be_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    tape, _ = order_flow(1, 3_000)
    out = tmp_path / "m.toml"
    for market, wanted, said in (
        ("toy", Wanted(), "cannot be fitted"),
        ("book", Wanted(queue_sizes=3), "--queue-sizes = 3 has no effect"),
    ):
        with pytest.raises(ConfigError, match=said):
            calibrate(tape, market, wanted, str(out), False, True)
    with pytest.raises(ConfigError, match="no folder"):
        calibrate(tape, "book", Wanted(), str(tmp_path / "absent" / "m.toml"), False, True)
    assert list(tmp_path.iterdir()) == []
    assert fittable() == ["avellaneda-stoikov", "book", "order-flow"]


def test_json_tells_where_notes_were_met_and_how_well_each_fit_does() -> None:
    tape = replace(alternating(12), notes={"gaps": 2}, places={"gaps": ("a.csv:7", "a.csv:9")})
    found = study(tape)
    fitted = fit("order-flow", study(order_flow(1, 3_000)[0]), Wanted(exponentials=0))
    plain = json.loads(json.dumps(as_plain(found, fitted, {}), allow_nan=False))
    assert plain["notes"] == {"gaps": 2} and plain["places"] == {"gaps": ["a.csv:7", "a.csv:9"]}
    assert plain["fits"]["sizes.market.fit"] == {"figure": "KS distance to geometric", "value": 0.5, "perfect": 0.0}
    about = {"files": ["a.csv"], "format": "lobster", "date": "", "from": "", "to": ""}
    assert "note: 2 gaps, first at a.csv:7" in list(report(found, fitted, about, 80))


def test_a_market_without_an_order_book_is_not_checked(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text(market_toml({"name": "avellaneda-stoikov"}, {}, {"files": ["a.csv"], "sha256": ["0"]}))
    with pytest.raises(ConfigError, match=r"--check m\.toml: the market 'avellaneda-stoikov' has no order book"):
        check(order_flow(1, 3_000)[0], str(file), 0, True)
    with pytest.raises(ConfigError, match=r"--check .*absent\.toml cannot be read"):
        check(alternating(12), str(tmp_path / "absent.toml"), 0, True)


def test_a_fitted_book_is_checked_among_the_limit_orders_of_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tape, _ = order_flow(1, 6_000)
    file = tmp_path / "m.toml"
    calibrate(tape, "book", Wanted(), str(file), False, True)
    capsys.readouterr()
    check(tape, str(file), 0, True)
    scores = {fact["fact"]: fact for fact in json.loads(capsys.readouterr().out)["facts"]}
    assert len(scores) == 14 and scores["sizes of limit orders"]["met"]
    assert sum(fact["met"] for fact in scores.values()) >= 5


def test_times_of_the_day() -> None:
    assert moment("23:00", "--from") == 82_800 * 10**9 and moment("09:30:00.5", "--to") == 34_200_500_000_000
    assert clock(34_200 * 10**9) == "09:30:00" and clock(86_400 * 10**9) == "24:00:00"
    for text in ("9", "25:00", "10:60", "x:y"):
        with pytest.raises(ConfigError, match="--from"):
            moment(text, "--from")
    events = alternating(1)
    with pytest.raises(ConfigError, match="--from 09:40 is after the data, which end at 09:30:59: give an earlier"):
        cut(events, "09:40", None)
    with pytest.raises(ConfigError, match="--from 09:40 is not before --to 09:35"):
        cut(events, "09:40", "09:35")


def test_a_book_of_coins_has_shares_of_many_lots() -> None:
    """Sizes in lots of 1e-8 coins: the same market as in whole coins of a hundred shares each."""
    whole, _ = order_flow(3, 20_000)
    names = ("size", "bid_size", "ask_size")
    coins, shares = (
        replace(whole, **{name: getattr(whole, name) * factor for name in names}, lot=lot)
        for factor, lot in ((10**8, 1e-8), (100, 1.0))
    )
    found = {events.lot: fit("book", study(events)) for events in (coins, shares)}
    assert found[1e-8].lots == 10**6 and found[1.0].lots == 1
    assert found[1e-8].settings["lot"] == 100 == found[1.0].settings["lot"]
    for name in ("book_size", "order_sizes", "intensity", "seed_spread"):
        assert found[1e-8].settings[name] == pytest.approx(found[1.0].settings[name], rel=1e-3, abs=1e-3), name
    build({"market": found[1e-8].settings})
    assert source(study(coins), found[1e-8])["lots_of_a_share"] == 10**6


@pytest.mark.slow
def test_json_of_amzn_has_the_published_coefficients(amzn: Events) -> None:
    found = study(amzn)
    fitted = fit("order-flow", found, Wanted(exponentials=0))
    plain = json.loads(json.dumps(as_plain(found, fitted, source(found, fitted)), allow_nan=False))
    assert plain["buys"]["intensity"] == pytest.approx([1.687, -2.148, 0.290, -0.750, 0.408, -0.059], abs=6e-4)
    assert plain["buys"]["log_likelihood_gain"] == pytest.approx(1063, abs=0.5)
    assert plain["estimates"]["volatility.two_scale.annual"]["value"] == pytest.approx(0.201, abs=5e-4)
    book = fit("book", found).settings
    assert book["lot"] == 100 and np.mean(book["order_sizes"]) == pytest.approx(93.04, abs=0.5)


def test_a_half_hour_scales_the_rates_and_leaves_the_rest() -> None:
    rules: dict[str, Any] = {"limit_rates": (2.0, 1.0, 1.0), "cancel_rates": (0.7, 0.7, 0.7), "market_rates": (0.5,)}
    tape, _ = order_flow(3, 20_000, size_law="geometric", market_size=4.0, **rules)
    hour, t = 3600 * 10**9, tape.time_ns
    turn = int(t[0]) + hour  # from then on everything happens three times as fast
    events = replace(tape, time_ns=np.where(t < turn, t, turn + (t - turn) // 3))
    expected = 3 * (events.time_ns[-1] - events.time_ns[0]) / (t[-1] - t[0])
    found = study(events)
    course = found.intraday.market
    at = found.intraday.start_s.index(39_600.0)
    assert course.relative[at] == pytest.approx(expected, rel=0.15)
    for market, without, names in (
        ("order-flow", Wanted(exponentials=0), {"limit_rates", "cancel_rates", "market_rates", "limit_scale"}),
        ("avellaneda-stoikov", Wanted(), {"arrival"}),
    ):
        whole, then = fit(market, found, without), fit(market, found, replace(without, half_hour="11:00"))
        changed = {name for name, value in then.settings.items() if value != whole.settings[name]}
        assert changed == names & set(whole.settings) and changed
        assert then.method.endswith("rates of 11:00:00 to 11:30:00")
    assert then.settings["arrival"] / whole.settings["arrival"] == pytest.approx(course.relative[at], rel=1e-4)
    own = [whole.errors["arrival"] / whole.settings["arrival"], course.rates[at].error / course.rates[at].value]
    assert then.errors["arrival"] / then.settings["arrival"] == pytest.approx(math.hypot(*own), rel=0.02)
    with pytest.raises(
        ConfigError, match="--half-hour 18:00:00 is not in the data: they have half hours from 09:30:00"
    ):
        fit("avellaneda-stoikov", found, Wanted(half_hour="18:00"))


def test_the_logarithm_of_a_rate_moves_by_the_logarithm_of_the_factor() -> None:
    flat = Goodness("", 1.0, 1.0)
    course = Course((Estimate(1.0, 0.1, 6), Estimate(3.0, 0.6, 6)), (0.5, 1.5), flat, flat)
    day = Intraday((34_200.0, 36_000.0), course, course, course)
    fitted = Fitted(
        {"intensity": [0.5, -1.0], "fill_curve": [3.0, 0.2]}, {"intensity": [0.3, 0.2], "fill_curve": [0.1, 0.02]}, "m"
    )
    then = at_half_hour(fitted, RATES, day, 36_000 * 10**9)
    assert then.settings["intensity"] == [pytest.approx(0.5 + math.log(1.5), rel=1e-5), -1.0]
    assert then.errors["intensity"] == [pytest.approx(math.hypot(0.3, 0.2), rel=1e-2), 0.2]
    assert then.settings["fill_curve"] == [3.0, pytest.approx(0.3)]
    assert then.errors["fill_curve"] == [0.1, pytest.approx(0.3 * math.hypot(0.1, 0.2), rel=1e-2)]
