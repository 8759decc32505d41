"""The book market: arrival rates, seeding and the lineage's reference values."""

import math

import numpy as np
import pytest
from scipy import stats

from mmrl.agents.learned import in_market_units
from mmrl.kernels.random import normal, poisson, seed_stream
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.policy import make_policy
from mmrl.markets.book import dynamics as law
from mmrl.markets.book import order_book as book
from mmrl.markets.contract import spec_of
from mmrl.rollout.compiled import rollout
from mmrl.rollout.engines import make_engine
from mmrl.rollout.quoters import Quoter, fixed, heuristic
from mmrl.settings.build import build
from mmrl.settings.model import Config
from mmrl.settings.sources import nested, read_preset, replaced
from tests.conftest import book_of
from tests.markets.book.stage import Book

ONE_A_MS = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
COEFFICIENTS = (7.2, -2.13, -0.8, -2.3, 0.167, -0.1)


def plain_rate(delta: float, q: int) -> float:
    """The arrival rate as it is written down."""
    x, y, (b0, b1, b2, b3, b4, b5) = math.log(1 + delta), math.log(1 + q), COEFFICIENTS
    return math.exp(b0 + b1 * x + b2 * x**2 + b3 * y + b4 * y**2 + b5 * math.log(1 + delta + q))


@pytest.mark.parametrize(
    ("delta", "q", "printed"), [(0.0, 1, 274.976), (0.1, 10, 8.972), (1.0, 20, 0.654), (5.0, 100, None)]
)
def test_intensity(delta: float, q: int, printed: float | None) -> None:
    """Rates as printed in the literature, but for the last: there it is 0.002, the formula gives 0.00122."""
    p = law.parameters(book_of(Config()))
    assert law.arrival_rate(p, delta, q) == pytest.approx(plain_rate(delta, q), rel=1e-12)
    assert printed is None or plain_rate(delta, q) == pytest.approx(printed, abs=5e-4)
    assert law.arrival_rate(p, delta, 0) == 0.0
    other = (1.0, -0.5, 0.2, -0.3, -0.1, 0.4)
    p = law.parameters(book_of(build({"market": {"intensity": other}})))
    power = np.dot(other, [1, *(math.log(1 + delta) ** k for k in (1, 2)), 0, 0, 0])
    power += np.dot(other[3:], [math.log(1 + q), math.log(1 + q) ** 2, math.log(1 + delta + q)])
    assert law.arrival_rate(p, delta, q) == pytest.approx(math.exp(power), rel=1e-12)


def test_seeding_statistics() -> None:
    config = build({"market": {"priority": "size"}})  # so that lots of one price stay apart
    shares, distance, size, orders = [], [], [], []
    for index in range(300):
        seeded = Book(config, seed=3, number=index)
        seeded.reset()
        meta, best = seeded.s.core["meta"], seeded.s.core["meta"][book.BEST : book.BEST + 2]
        shares += meta[book.SIDE_TOTAL : book.SIDE_TOTAL + 2].tolist()
        distance += [(seeded.mid - best[0]) * 0.01, (best[1] - seeded.mid) * 0.01]
        size += seeded.s.ladder[best, book.TOTAL].tolist()
        free, spare = 0, meta[book.FREE]
        while spare >= 0:
            free, spare = free + 1, seeded.s.lots[spare, book.NEXT]
        orders.append((meta[book.FRESH] - free) / 2)
        assert not seeded.s.core["account"].any()
        assert 0 < best[0] <= seeded.mid <= best[1]
    assert np.mean(orders) == pytest.approx(242, abs=2)
    assert np.mean(shares) == pytest.approx(4835, abs=30)
    assert np.mean(distance) == pytest.approx(0.39, abs=0.05)
    assert np.std(distance) == pytest.approx(0.27, abs=0.06)
    assert np.mean(size) == pytest.approx(16, abs=1)


@pytest.mark.parametrize(
    ("quoter", "value", "sd", "length"),
    [
        (fixed(0, 0, 0, 0), 1299, 134, None),
        (heuristic(), 9012, 368, None),
        (fixed(5, 0.5, 5, 0.5), 31748, 1336, None),
        (fixed(10, 1.0, 10, 1.0), 7437, 369, None),
        (fixed(1, 0.01, 1, 0.01), 45715, 2004, 18),
    ],
    ids=["nothing", "naive", "5@0.50", "10@1.00", "1@0.01"],
)
def test_lineage_reference_values(quoter: Quoter, value: float, sd: float, length: int | None) -> None:
    config = replaced(build(nested(read_preset("lineage"))), {"market.nt": 500})
    batch = rollout(config, quoter, seed=1, epoch=0, count=200, threads=1)
    own_error = batch.final_value.std() / np.sqrt(batch.count)
    error = np.hypot(sd / np.sqrt(10), own_error)
    assert batch.final_value.mean() == pytest.approx(value, abs=3 * error)
    if length:
        assert batch.terminated.all() and batch.lengths.mean() == pytest.approx(length, abs=1.5)


@pytest.mark.parametrize("rule", ["owner", "crossed", "market_order", "exhausted", "touch_size", "priority"])
def test_presets_name_every_rule(rule: str) -> None:
    lineage, default = build(nested(read_preset("lineage"))).market, build(nested(read_preset("default"))).market
    assert getattr(lineage, rule) != getattr(default, rule)
    assert getattr(default, rule) == getattr(Config().market, rule)


def test_two_milliseconds_at_a_time_give_the_same_market() -> None:
    """Half as many steps of twice the length: the law of the mid is the same normal, and so is the flow of orders."""
    calm = {"intensity": ONE_A_MS, "owner": "maker", "market_order": "walk", "crossed": "dropped", "volatility": 0.02}
    ends = {}
    for dt, nt in ((1.0, 40), (2.0, 20)):
        config = build({"market": {"dt": dt, "nt": nt, "drift": 0.003, **calm}})
        batch = rollout(config, fixed(0, 0, 0, 0), seed=int(dt), epoch=0, count=1500, threads=1)
        assert batch.lengths.min() == nt
        exact = stats.norm(533 + 0.003 * 40, 0.02 * np.sqrt(40))
        assert stats.kstest(batch.final_mid, exact.cdf).pvalue > 1e-3
        ends[dt] = batch
    assert stats.ks_2samp(ends[1.0].final_mid, ends[2.0].final_mid).pvalue > 1e-3
    assert stats.ks_2samp(ends[1.0].final_inventory, ends[2.0].final_inventory).pvalue > 1e-3
    for batch in ends.values():  # buys and sells: Poisson(40) each
        assert batch.final_inventory.var() == pytest.approx(80, rel=0.15)


def test_streams() -> None:
    state = np.empty(4, np.uint64)
    seed_stream(state, 5, 1, 2)
    draws = np.array([normal(state) for _ in range(20_000)])
    assert abs(draws.mean()) < 0.03 and abs(draws.std() - 1) < 0.02 and abs((draws**4).mean() - 3) < 0.3
    for rate in (0.3, 20.0, 1200.0, 5e4):
        counts = np.array([poisson(state, rate, 10**9) for _ in range(4000)])
        assert counts.mean() == pytest.approx(rate, abs=4 * np.sqrt(rate / 4000))
        assert counts.var() == pytest.approx(rate, rel=0.12)
    assert max(poisson(state, 300.0, 2) for _ in range(10)) == 2


@pytest.mark.parametrize("engine", ["compiled", "tensor"])
@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
def test_skewed_sizes_shed_the_position(engine: str, kind: str) -> None:
    """A policy that has learned nothing lets its inventory run; skewed, it returns, as its sizes at action 0 say."""
    ends = {}
    for skew in (0.0, 1.0):
        config = build(
            {
                "market": {"nt": 200, "size_skew": skew},
                "policy": {"kind": kind, "log_std": -1.0} if kind == "gaussian" else {"kind": kind},
                "run": {"engine": engine, "threads": 1},
            }
        )
        policy, seen = make_policy(config), RunningNormaliser(len(spec_of(config).columns))
        batch = make_engine(config).rollout(policy, seen, seed=1, epoch=0, count=60).numpy()
        ends[skew] = float(np.sqrt(np.mean(batch.final_inventory.astype(float) ** 2)))
    assert ends[1.0] < 15 < 20 < ends[0.0]
    bid, ask = (axis for axis in spec_of(config).axes if axis.kind == "size")
    zero, held = np.zeros((2, 4)), np.array([7.0, -2.0])
    if kind == "gaussian":
        np.testing.assert_array_equal(in_market_units(config, zero, held)[:, [0, 2]], [[-4, 10], [5, 1]])
    assert (bid.skew, ask.skew, bid.grid_skew, ask.grid_skew) == (-1.0, 1.0, -1.0, 1.0)
