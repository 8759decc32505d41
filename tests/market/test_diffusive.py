"""The book market: arrival rates, seeding and the lineage's reference values."""

import numpy as np
import pytest

from mmrl.config import Config, build
from mmrl.market import book as law
from mmrl.market import diffusive
from mmrl.market.random import normal, poisson, seed_stream
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import Quoter, fixed, naive

LINEAGE = {
    "owner": "maker",
    "crossed": "dropped",
    "market_order": "walk",
    "exhausted": "refilled",
    "touch_size": "lot",
    "priority": "size",
    "emptying_step": "discarded",
    "rounding": "nearest",
}


@pytest.mark.parametrize(("delta", "q", "rate"), [(0, 1, 274.976), (0.1, 10, 8.972), (1, 20, 0.654), (5, 100, 0.00122)])
def test_intensity(delta: float, q: int, rate: float) -> None:
    _, numbers = diffusive.parameters(Config().market)
    assert diffusive.intensity(numbers, float(delta), q) == pytest.approx(rate, abs=5e-4 if rate > 0.01 else 5e-6)
    assert diffusive.intensity(numbers, 0.5, 0) == 0.0


def test_seeding_statistics() -> None:
    rules, numbers = diffusive.parameters(Config().market)
    ladder = np.empty((rules[diffusive.R_LEVELS], 4), np.int64)
    lots = np.empty((diffusive.lot_capacity(rules), 3), np.int64)
    meta, account, state = np.zeros(law.META, np.int64), np.zeros(2, np.int64), np.empty(4, np.uint64)
    shares, distance = [], []
    for index in range(300):
        seed_stream(state, 3, 0, index)
        mid = diffusive.seed(ladder, lots, meta, rules, numbers, state, account)
        shares.append(meta[law.SIDE_TOTAL])
        distance.append((mid - meta[law.BEST]) * 0.01)
        assert not account.any()
        assert 0 < meta[law.BEST] <= mid <= meta[law.BEST + 1]
    assert np.mean(shares) == pytest.approx(4835, abs=30)
    assert np.mean(distance) == pytest.approx(0.39, abs=0.06)
    assert np.std(distance) == pytest.approx(0.27, abs=0.1)


@pytest.mark.parametrize(
    ("quoter", "value", "sd"),
    [
        (fixed(0, 0, 0, 0), 1299, 134),
        (naive(), 9012, 368),
        (fixed(5, 0.5, 5, 0.5), 31748, 1336),
        (fixed(10, 1.0, 10, 1.0), 7437, 369),
        (fixed(1, 0.01, 1, 0.01), 45715, 2004),
    ],
    ids=["nothing", "naive", "5@0.50", "10@1.00", "1@0.01"],
)
def test_lineage_reference_values(quoter: Quoter, value: float, sd: float) -> None:
    config = build({"market": {"nt": 500, **LINEAGE}})
    batch = rollout(config, quoter, seed=1, epoch=0, count=200, threads=1)
    own_error = batch.final_value.std() / np.sqrt(batch.count)
    error = np.hypot(sd / np.sqrt(10), own_error)
    assert batch.final_value.mean() == pytest.approx(value, abs=3 * error)


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
