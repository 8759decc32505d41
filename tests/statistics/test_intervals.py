"""Every interval that is printed or drawn covers: 92 to 98 % of 400 seeds, where the truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from mmrl.evaluate.metrics import certainty_equivalent, mean_interval
from mmrl.learn.record import batch_record
from mmrl.rollout.trajectories import Trajectories
from mmrl.statistics.intervals import LEAST, deviation, half_width, ratio_half_width, recorded_half, student_t

SEEDS = 400
Draw = Callable[[np.random.Generator, int], np.ndarray]


def covers(share: float) -> bool:
    return 0.92 <= share <= 0.98


def covered(draw: Draw, mean: float, count: int) -> float:
    """Share of seeds whose interval holds the mean."""
    found = 0
    for seed in range(SEEDS):
        middle, interval = mean_interval(draw(np.random.default_rng(seed), count))
        found += interval is not None and interval[0] <= mean <= interval[1] and interval[0] < middle < interval[1]
    return found / SEEDS


def ruin(rng: np.random.Generator, count: int) -> np.ndarray:
    """What a maker earns who is ruined in one of twenty games."""
    return np.where(rng.random(count) < 0.05, -10.0, rng.normal(0.0, 1.0, count))


LAWS: list[tuple[str, Draw, float, int]] = [
    ("normal", lambda rng, n: rng.normal(3.0, 2.0, n), 3.0, 10),
    ("normal", lambda rng, n: rng.normal(3.0, 2.0, n), 3.0, 1000),
    ("exponential", lambda rng, n: rng.exponential(1.0, n), 1.0, 10),
    ("exponential", lambda rng, n: -rng.exponential(1.0, n), -1.0, 20),
    ("lognormal", lambda rng, n: rng.lognormal(0.0, 0.5, n), math.exp(0.125), 20),
    ("lognormal", lambda rng, n: rng.lognormal(0.0, 1.0, n), math.exp(0.5), 50),
    ("ruin", ruin, -0.5, 100),
    ("one in a hundred differs", lambda rng, n: (rng.random(n) < 0.01) * 5.0, 0.05, 2000),
]


@pytest.mark.parametrize(("name", "draw", "mean", "count"), LAWS, ids=[f"{law[0]} {law[3]}" for law in LAWS])
def test_interval_of_a_mean_covers_it(name: str, draw: Draw, mean: float, count: int) -> None:
    """Mean value, penalised objectives, reward."""
    assert covers(covered(draw, mean, count))


def test_interval_of_a_paired_difference_covers_it() -> None:
    """Two agents of common luck: the difference is skewed and a hundred times smaller than what either earns."""

    def difference(rng: np.random.Generator, count: int) -> np.ndarray:
        luck = rng.normal(50.0, 10.0, count)
        return (luck + 0.1 * rng.exponential(1.0, count)) - luck

    assert covers(covered(difference, 0.1, 20))
    width = [2 * half_width(difference(np.random.default_rng(seed), 20)) for seed in range(50)]
    assert np.mean(width) < 0.2  # that of independent games would be 13


@pytest.mark.parametrize("count", [20, 100, 500])
@pytest.mark.parametrize("spread", [0.3, 1.0, 1.3])
def test_interval_of_a_certainty_equivalent_covers_it(spread: float, count: int) -> None:
    """Normal values have CE = mean - gamma variance / 2; `spread` is gamma times their deviation."""
    gamma, found, given = 0.5, 0, 0
    for seed in range(SEEDS):
        value = np.random.default_rng(seed).normal(100.0, spread / gamma, count)
        estimate = certainty_equivalent(value, gamma)
        if estimate.reliable:
            assert estimate.interval is not None
            given += 1
            found += estimate.interval[0] <= 100.0 - spread**2 / gamma / 2 <= estimate.interval[1]
    assert given > SEEDS / 2 and covers(found / given)


def batches(make: Callable[..., Trajectories], seed: int) -> Trajectories:
    """40 games of 5 to 60 steps; steps of a game are alike, and short games differ most."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(5, 61, 40)
    rows = int(lengths.sum())
    level = np.repeat(lengths / 10 + 60 / lengths * rng.exponential(1.0, 40), lengths)
    mid = np.full(rows, 100.0)
    half = level / 100 + rng.exponential(0.1, rows)
    inventory = np.rint(level + rng.normal(0, 3, rows)).astype(np.int32)
    return make(
        lengths.tolist(),
        mid=mid,
        bid=mid - half,
        ask=mid + half,
        inventory=inventory,
        reward=rng.exponential(1.0, rows).astype(np.float64),
        final_value=50.0 * rng.exponential(1.0, 40),
    )


def test_intervals_of_a_training_epoch_cover(make_trajectories: Callable[..., Trajectories]) -> None:
    """Reward, value, and the means of inventory and spread over all steps, which are ratios."""
    length, square = 32.5, float(np.mean(np.arange(5, 61) ** 2))
    level = (square / 10 + 60) / length  # of a step: longer games have more of them
    truth = {"reward": length, "value": 50.0, "inventory": level, "spread": 2 * (level / 100 + 0.1)}
    found = dict.fromkeys(truth, 0)
    for seed in range(SEEDS):
        record = batch_record(batches(make_trajectories, seed))
        for name, mean in truth.items():
            found[name] += abs(record[f"{name}_mean"] - mean) <= record[f"{name}_half"]
    assert all(covers(count / SEEDS) for count in found.values()), found


def test_where_no_interval_can_be_right_there_is_none() -> None:
    assert math.isnan(half_width(np.arange(LEAST - 1.0))) and not math.isnan(half_width(np.arange(float(LEAST))))
    assert math.isnan(half_width(np.full(100, 3.0)))  # equal numbers: rare others were not seen
    assert math.isnan(half_width(np.full(100, np.nan))) and mean_interval(np.ones(50)) == (1.0, None)
    assert math.isnan(ratio_half_width(np.ones(20), np.zeros(20)))


def test_without_skewness_it_is_that_of_student() -> None:
    sample = np.concatenate([np.arange(1.0, 11.0), -np.arange(1.0, 11.0)])
    low, high = stats.t.interval(0.95, 19, loc=0.0, scale=stats.sem(sample))
    assert half_width(sample) == pytest.approx(high, rel=1e-5) and low == -high
    for count in (LEAST, 15, 100, 10**6):
        assert student_t(count) == pytest.approx(stats.t.ppf(0.975, count - 1), abs=2e-5)


def test_hall_by_his_formula() -> None:
    """The end that reaches further solves g(T) = t, g(T) = T + s T^2 / 3 rn + s^2 T^3 / 27 n + s / 6 rn."""
    sample = np.random.default_rng(3).exponential(1.0, 30)
    s, n = float(stats.skew(sample)), 30
    T = -half_width(sample) / float(stats.sem(sample))  # the mean's upper end is at negative T for s > 0
    g = T + s * T**2 / (3 * n**0.5) + s**2 * T**3 / (27 * n) + s / (6 * n**0.5)
    assert g == pytest.approx(-float(stats.t.ppf(0.975, 29)), rel=1e-6)


def test_records_of_earlier_versions_keep_their_standard_error() -> None:
    assert recorded_half({"value_half": 2.0, "value_se": 1.0, "trajectories": 20}) == 2.0
    older = recorded_half({"value_se": 1.0, "trajectories": 20})
    assert older == pytest.approx(2.0930, abs=1e-4)  # t of 19 degrees of freedom
    assert recorded_half({"value_se": 1.0, "trajectories": 5}) is None and recorded_half({}) is None


def test_what_differs_by_rounding_alone_is_equal() -> None:
    """Trajectories without chance sum to values such as 26.49 +- 4e-13: neither an interval nor a risk."""
    sums = np.array([np.sum(np.full(20, 26.49) / 20 * (1 + k * 1e-15)) for k in range(-30, 31)])
    assert sums.std() > 0 and deviation(sums) == 0.0 and math.isnan(half_width(sums))
    assert math.isnan(ratio_half_width(sums, np.ones(sums.size)))
    real = 26.49 + 1e-9 * np.random.default_rng(0).standard_normal(60)
    assert deviation(real, ddof=1) == real.std(ddof=1) and 0 < half_width(real) < 1e-9
    assert 0 < ratio_half_width(real, np.ones(real.size)) < 1e-9
