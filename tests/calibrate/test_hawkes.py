"""The Hawkes process: a quadratic reference, finite differences, scipy, and known parameters recovered."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from mmrl.calibrate.excitation import pass_over
from mmrl.calibrate.hawkes import Marks, fit_hawkes, fit_marks, marks, waits
from mmrl.calibrate.residuals import kolmogorov_smirnov
from mmrl.data.events import BID, Events
from mmrl.settings.errors import ConfigError
from tests.calibrate.tapes import OPEN_NS, Recovered, events_of, order_flow

TIME = np.array([0.3, 0.3, 1.1, 1.15, 2.0, 4.7])
SIDE = np.array([0, 1, 1, 0, 0, 1])
END = 5.5
VALUES = np.array([0.4, 0.3, 0.2, 0.35, 0.1, 0.05, 0.8, 6.0])
"""mu, mu, same of two exponentials, cross, decays."""


def rate(values: np.ndarray, side: int, at: float, before: int) -> float:
    """Straight from the definition."""
    mu, (same, cross, beta) = values[:2], values[2:].reshape(3, -1)
    total = mu[side]
    for t, s in zip(TIME[:before], SIDE[:before], strict=True):
        n = same if s == side else cross
        total += float((n * beta * np.exp(-beta * (at - t))).sum())
    return total


def log_likelihood(values: np.ndarray) -> float:
    same, cross, beta = values[2:].reshape(3, -1)
    logs = sum(math.log(rate(values, s, t, i)) for i, (t, s) in enumerate(zip(TIME, SIDE, strict=True)))
    excited = sum(float(((same + cross) * -np.expm1(-beta * (END - t))).sum()) for t in TIME)
    return logs - float(values[:2].sum()) * END - excited


def test_one_pass_is_the_double_sum() -> None:
    log_rate, integral, _ = pass_over(TIME, SIDE, END, VALUES, 2)
    expected = [math.log(rate(VALUES, s, t, i)) for i, (t, s) in enumerate(zip(TIME, SIDE, strict=True))]
    np.testing.assert_allclose(log_rate, expected, rtol=1e-13)
    assert log_rate.sum() - integral.sum() == pytest.approx(log_likelihood(VALUES), rel=1e-13)
    # the wait from 2 to 4.7 by the trapezoidal rule
    grid = np.linspace(2.0, 4.7, 20_001)
    for side in range(2):
        rates = [rate(VALUES, side, u, 5) for u in grid]
        assert integral[5, side] == pytest.approx(np.trapezoid(rates, grid), rel=1e-6)


def test_the_gradient_is_that_of_finite_differences() -> None:
    gradient = pass_over(TIME, SIDE, END, VALUES, 2)[2].sum(axis=0)
    for i in range(len(VALUES)):
        step = np.zeros(len(VALUES))
        step[i] = 1e-6
        difference = (log_likelihood(VALUES + step) - log_likelihood(VALUES - step)) / 2e-6
        assert gradient[i] == pytest.approx(difference, rel=1e-6), i


def test_pieces_of_the_gradient_are_those_of_time() -> None:
    """A log-likelihood up to an event is the sum of its pieces, so that scores can be summed by block."""
    whole = pass_over(TIME, SIDE, END, VALUES, 2)[2]
    part = pass_over(TIME[:4], SIDE[:4], float(TIME[4]), VALUES, 2)[2]
    np.testing.assert_allclose(whole[:4], part[:4], rtol=1e-13)


def simulated(seed: int, values: np.ndarray, end: float) -> Marks:
    """Ogata's thinning (1981)."""
    rng = np.random.default_rng(seed)
    mu, (same, cross, beta) = values[:2], values[2:].reshape(3, -1)
    level = np.zeros((2, len(beta)))
    time: list[float] = []
    side: list[int] = []
    now = 0.0
    rates = mu + (level * beta) @ same + (level[::-1] * beta) @ cross
    while True:
        bound = rates.sum()
        wait = rng.exponential(1 / bound)
        now += wait
        if now >= end:
            return Marks(np.array(time), np.array(side), OPEN_NS, end)
        level *= np.exp(-beta * wait)
        rates = mu + (level * beta) @ same + (level[::-1] * beta) @ cross
        u = rng.random() * bound
        if u < rates.sum():
            s = int(u >= rates[0])
            time.append(now)
            side.append(s)
            level[s] += 1
            rates = mu + (level * beta) @ same + (level[::-1] * beta) @ cross


TRUTH = np.array([0.08, 0.06, 0.25, 0.3, 0.1, 0.05, 0.05, 2.0])


@pytest.mark.nightly
def test_known_parameters_are_recovered() -> None:
    recovered, p_values = Recovered(), []
    for seed in range(20):
        found = fit_marks(simulated(seed, TRUTH, 23_400.0), 2)
        assert found.converged
        recovered.add_all("mu", found.mu, TRUTH[:2])
        recovered.add_all("same", found.same, TRUTH[2:4])
        recovered.add_all("cross", found.cross, TRUTH[4:6])
        recovered.add_all("decay", found.decays, TRUTH[6:])
        recovered.add("branching", found.branching, 0.7)
        p_values.append(found.residuals.p_value)
    recovered.check()
    assert np.mean(np.array(p_values) > 0.01) >= 0.9


@pytest.mark.slow
def test_the_excited_orders_of_order_flow_are_recovered() -> None:
    """Rates and decays of the market are per minute."""
    recovered = Recovered()
    for seed in range(20):
        events, _ = order_flow(
            500 + seed, 40_000, hawkes_decays=(3.0,), hawkes_same=(0.45,), hawkes_cross=(0.15,), market_rates=(0.6,)
        )
        found = fit_hawkes(events, exponentials=1)
        recovered.add_all("mu", [mu.times(60) for mu in found.mu], (0.6, 0.6))
        recovered.add("same", found.same[0], 0.45)
        recovered.add("cross", found.cross[0], 0.15)
        recovered.add("decay", found.decays[0].times(60), 3.0)
    recovered.check()


def test_the_fit_is_the_maximum_that_scipy_finds() -> None:
    data = simulated(1, TRUTH, 4_000.0)
    found = fit_marks(data, 2)

    def cost(logs: np.ndarray) -> tuple[float, np.ndarray]:
        values = np.exp(logs)
        log_rate, integral, gradient = pass_over(data.time, data.side, data.end, values, 2)
        return float(integral.sum() - log_rate.sum()), -gradient.sum(axis=0) * values

    theirs = minimize(cost, np.log(TRUTH), jac=True, method="L-BFGS-B", options={"gtol": 1e-8, "ftol": 1e-15})
    assert found.log_likelihood == pytest.approx(-theirs.fun, abs=1e-4)
    np.testing.assert_allclose(found.values(), np.exp(theirs.x), rtol=2e-3)


def test_residuals_tell_a_wrong_law() -> None:
    data = simulated(2, TRUTH, 10_000.0)
    right = pass_over(data.time, data.side, data.end, TRUTH, 2)[1]
    assert kolmogorov_smirnov(waits(data.side, right)).p_value > 0.01
    slow = TRUTH * [1, 1, 1, 1, 1, 1, 1, 0.1]
    wrong = pass_over(data.time, data.side, data.end, slow, 2)[1]
    assert kolmogorov_smirnov(waits(data.side, wrong)).p_value < 1e-6


def test_amzn_is_excited(amzn: Events) -> None:
    found = fit_hawkes(amzn, exponentials=2)
    assert found.orders == 6591 and found.converged
    assert 0.5 < found.branching.value < 1
    assert found.gain > 15_000
    assert found.decays[0].value < found.decays[1].value


def test_refusals() -> None:
    data = marks(events_of([(t, 2, BID, 100, 1, 100, 5, 101, 5) for t in range(60)]))
    with pytest.raises(ConfigError, match="60 market orders to sell and 0 to buy"):
        fit_marks(data)
    with pytest.raises(ConfigError, match="exponentials = 9: allowed are 1 to 8"):
        fit_marks(data, 9)
