"""Means over seeds: Student's t by scipy, the interquartile mean by hand, its bootstrap interval by all resamples."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from mmrl.statistics.seeds import SMALL, bootstrap_interval, interquartile_mean, mean_half


@pytest.mark.parametrize("count", [2, 3, 5, 9, 10, 30])
def test_the_interval_of_a_mean_is_that_of_student(count: int) -> None:
    values = np.random.default_rng(count).normal(3.0, 2.0, count)
    mean, half = mean_half(values.tolist())
    low, high = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    assert mean == pytest.approx(values.mean()) and half == pytest.approx((high - low) / 2, rel=1e-4)


def test_small_quantiles() -> None:
    assert pytest.approx([stats.t.ppf(0.975, freedom) for freedom in range(1, 9)], abs=1e-4) == SMALL


def test_a_mean_by_hand() -> None:
    """1, 2, 6: mean 3, deviation sqrt((4 + 1 + 9) / 2) = sqrt 7, half 4.3027 sqrt(7 / 3)."""
    mean, half = mean_half([1.0, 2.0, 6.0])
    assert mean == 3.0 and half == pytest.approx(4.3027 * math.sqrt(7 / 3))


def test_one_number_has_no_interval_and_none_no_mean() -> None:
    mean, half = mean_half([4.0])
    assert mean == 4.0 and math.isnan(half)
    assert all(map(math.isnan, mean_half([])))


def test_the_interquartile_mean_by_hand() -> None:
    """Of eight scores two are left out on either side, of five one, of three none."""
    assert interquartile_mean(np.array([100.0, 1, 2, 3, 4, 5, 60, -100])) == pytest.approx((2 + 3 + 4 + 5) / 4)
    assert interquartile_mean(np.array([9.0, 1, 2, 3, -50])) == pytest.approx(2.0)
    assert interquartile_mean(np.array([0.0, 3.0, 9.0])) == pytest.approx(4.0)
    assert interquartile_mean(np.array([9.0, 1, 2, 3, -50])) == stats.trim_mean([9.0, 1, 2, 3, -50], 0.25)


def quantiles(strata: list[list[float]]) -> tuple[float, float]:
    """Ends of the interval by every resample there is, each as likely as any other."""
    ways = itertools.product(*(itertools.product(scores, repeat=len(scores)) for scores in strata))
    found = [float(interquartile_mean(np.array([score for part in way for score in part]))) for way in ways]
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


@pytest.mark.parametrize("strata", [[[1.0, 2.0, 4.0, 8.0]], [[0.0, 1.0, 5.0], [10.0, 11.0, 12.5]]])
def test_the_bootstrap_interval_is_that_of_all_resamples(strata: list[list[float]]) -> None:
    """256 and 729 resamples; the second case tells strata from one pool, which would reach much further."""
    middle, low, high = bootstrap_interval([np.array(scores) for scores in strata], resamples=40_000)
    every = np.array([score for scores in strata for score in scores])
    assert middle == float(interquartile_mean(every))
    assert (low, high) == pytest.approx(quantiles(strata), abs=0.13)
    pooled = bootstrap_interval([every], resamples=40_000)
    assert len(strata) == 1 or pooled[2] - pooled[1] > 1.5 * (high - low)


def test_one_run_has_no_interval() -> None:
    middle, low, high = bootstrap_interval([np.array([2.0])])
    assert middle == 2.0 and math.isnan(low) and math.isnan(high)
