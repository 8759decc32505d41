"""Errors by block against hand-computed cases and statsmodels; residuals against scipy; estimates by name."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from mmrl.calibrate.blocks import SECOND, dispersion, ratio, seconds_of_blocks
from mmrl.calibrate.estimate import Estimate, by_name
from mmrl.calibrate.minimise import minimise
from mmrl.calibrate.poisson import regress
from mmrl.calibrate.residuals import between_events, kolmogorov_smirnov


def test_a_ratio_by_hand() -> None:
    # 12 / 6 = 2; blocks move it by (2 - 4) / 6, (10 - 8) / 6; variance 2 / 1 * (4 + 4) / 36
    found = ratio(np.array([2.0, 0.0, 10.0]), np.array([2.0, 0.0, 4.0]))
    assert (found.value, found.blocks) == (2.0, 2)
    assert found.error == pytest.approx(math.sqrt(16 / 36))
    assert math.isnan(ratio(np.zeros(3), np.zeros(3)).value)
    assert math.isnan(ratio(np.array([3.0]), np.array([2.0])).error)


def test_dispersion_by_hand() -> None:
    # expected 4 and 8: (1 / 4 + 1 / 8) / 1
    assert dispersion(np.array([5.0, 7.0]), np.array([1.0, 2.0])) == pytest.approx(0.375)


def test_seconds_of_blocks_begin_and_end_within_one() -> None:
    assert seconds_of_blocks(100 * SECOND, 650 * SECOND).tolist() == [200, 300, 50]


def test_the_interval_uses_students_t() -> None:
    assert Estimate(1.0, 2.0, 12).half == pytest.approx(2 * stats.t.ppf(0.975, 11), rel=1e-5)
    assert math.isnan(Estimate(1.0, 2.0, 9).half)
    assert Estimate(3.0, 0.5, 20).times(-2) == Estimate(-6.0, 1.0, 20)
    assert Estimate(3.0, 0.5, 20).z(2.0) == 2


def test_estimates_have_names() -> None:
    @dataclass(frozen=True)
    class Inner:
        k: Estimate
        note: str = "x"

    @dataclass(frozen=True)
    class Outer:
        inner: Inner
        rates: tuple[Estimate, ...]
        by: dict[str, Estimate]

    one, two = Estimate(1.0), Estimate(2.0)
    found = dict(by_name(Outer(Inner(one), (one, two), {"bid": two})))
    assert found == {"inner.k": one, "rates.1": one, "rates.2": two, "by.bid": two}


@pytest.mark.parametrize("count", [5, 60, 3000])
def test_kolmogorov_smirnov_is_scipys(count: int) -> None:
    draws = np.random.default_rng(count).exponential(1.05, count)
    found, theirs = kolmogorov_smirnov(draws), stats.kstest(draws, "expon")
    assert found.distance == pytest.approx(theirs.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(theirs.pvalue, abs=0.03 if count < 10 else 0.005)
    assert found.count == count


def test_waits_begin_at_the_first_event() -> None:
    assert between_events(np.array([1.0, 2.0, 4.0, 8.0, 16.0]), np.array([1, 2, 4])).tolist() == [4, 24]


@pytest.fixture
def clustered() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    design = np.column_stack([np.ones(4000), rng.normal(size=(4000, 3))])
    seconds = rng.exponential(size=4000) + 1e-3
    counts = rng.poisson(np.exp(design @ [0.5, -0.3, 0.2, 0.8]) * seconds).astype(float)
    return design, counts, seconds, np.repeat(np.arange(40), 100)


def test_the_regression_is_statsmodels(clustered: tuple[np.ndarray, ...]) -> None:
    design, counts, seconds, _ = clustered
    found = regress(design, counts, seconds)
    model = sm.GLM(counts, design, sm.families.Poisson(), offset=np.log(seconds))
    plain = model.fit(tol=1e-14, maxiter=200)
    np.testing.assert_allclose(found.coefficients, plain.params, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.inverse, plain.cov_params(), rtol=1e-8)
    assert found.log_likelihood - found.constant == pytest.approx(plain.llf - plain.llnull, abs=1e-7)


def test_a_column_that_tells_nothing_new_is_left_out(clustered: tuple[np.ndarray, ...]) -> None:
    design, counts, seconds, _ = clustered
    doubled = np.column_stack([design, design[:, 1] - 2 * design[:, 2]])
    found, plain = regress(doubled, counts, seconds), regress(design, counts, seconds)
    assert found.coefficients[4] == 0 and np.isnan(found.inverse[4]).all()
    np.testing.assert_allclose(found.coefficients[:4], plain.coefficients, rtol=1e-12)


def test_bfgs_finds_the_bottom_of_a_bent_valley() -> None:
    def rosenbrock(x: np.ndarray) -> tuple[float, np.ndarray]:
        a, b = 1 - x[0], x[1] - x[0] ** 2
        return a * a + 100 * b * b, np.array([-2 * a - 400 * x[0] * b, 200 * b])

    point, reached = minimise(rosenbrock, np.array([-1.2, 1.0]))
    assert reached
    np.testing.assert_allclose(point, 1, atol=1e-8)
    assert not minimise(rosenbrock, np.array([-1.2, 1.0]), steps=3)[1]
