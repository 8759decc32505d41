"""The value function: least squares against numpy, extremes of the batch, memory, its state."""

from __future__ import annotations

import numpy as np
import pytest

from mmrl.learn import value as module
from mmrl.learn.value import NEWEST, RIDGE, SCARCE, Regression, ValueFunction, solved


def function_of(inputs: int = 2, seed: int = 0) -> ValueFunction:
    return ValueFunction(inputs, np.random.default_rng(seed))


def normal(rows: int, inputs: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, inputs)).astype(np.float32)


def phi_of(function: ValueFunction, observation: np.ndarray) -> np.ndarray:
    s = observation.astype(np.float64)
    hidden = np.tanh(s @ function.direction + function.offset)
    return np.column_stack([hidden, s, s**2, np.ones(len(s))])


def curve(observation: np.ndarray) -> np.ndarray:
    x, y = observation.astype(np.float64).T
    return 1000.0 + 30 * y - 5 * np.abs(x) ** 1.5 * (1 + 0.3 * y)


@pytest.mark.parametrize("size", [1, 2, 77])
def test_systems_are_solved_by_their_factor(size: int) -> None:
    rng = np.random.default_rng(size)
    half, right = rng.normal(size=(size, size)), rng.normal(size=size)
    system = half @ half.T + 0.1 * np.eye(size)
    np.testing.assert_allclose(solved(np.linalg.cholesky(system), right), np.linalg.solve(system, right), rtol=1e-9)


@pytest.mark.parametrize("rows", [40, 5000])
def test_a_fit_is_ridge_regression(rows: int) -> None:
    function, observation = function_of(), normal(rows, 2)
    target, regression = curve(observation), Regression(function, observation)
    x = phi_of(function, observation)
    gram = x.T @ x / rows + np.diag([RIDGE + SCARCE * x.shape[1] / rows] * (x.shape[1] - 1) + [0.0])
    want = x @ (np.linalg.solve(gram, x.T @ (target - target.mean()) / rows)) + target.mean()
    np.testing.assert_allclose(regression.predict(regression.fit(target)), want, atol=0.02)  # single precision


def test_it_follows_an_even_function_that_is_not_smooth() -> None:
    function, observation = function_of(), normal(20_000, 2)
    target, regression = curve(observation), Regression(function, observation)
    error = regression.predict(regression.fit(target)) - target
    assert error.std() < 0.02 * target.std()


def test_more_rows_than_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    function, observation = function_of(), normal(30_001, 2)
    target = curve(observation)
    whole = Regression(function, observation)
    want = whole.predict(whole.fit(target))
    monkeypatch.setattr(module, "LARGEST_FIT", 10_000)
    part = Regression(function, observation)
    assert part.rows == 7_501  # every fourth
    got = part.predict(part.fit(target))
    assert got.shape == want.shape and np.abs(got - want).mean() < 0.02 * target.std()


@pytest.mark.parametrize("largest", [100_000, 1_000])
def test_what_weights_leave_unexplained(largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variance of what is left over that of the target, on the rows that are fitted; NaN of a constant."""
    monkeypatch.setattr(module, "LARGEST_FIT", largest)
    function, observation = function_of(), normal(3_000, 2)
    target = curve(observation) + np.random.default_rng(0).normal(0, 20, 3_000)
    regression = Regression(function, observation)
    weight = regression.fit(target)
    weight[-1] += 1e6  # a level changes no variance
    left = (target - regression.predict(weight))[:: regression.step]
    assert 0.01 < left.var() / target[:: regression.step].var() < 0.99
    want = left.var() / target[:: regression.step].var()
    assert regression.unexplained(target, weight) == pytest.approx(want, rel=1e-3)
    known = regression.varying(weight)
    given = regression.fitted_of(known)
    assert len(given) == regression.rows
    assert regression.unexplained(target, weight, given) == regression.unexplained(target, weight)
    np.testing.assert_array_equal(known + weight[-1], regression.predict(weight))
    assert np.isnan(regression.unexplained(np.full(3_000, 5.0), weight))


def test_the_first_fit_counts_whole_and_later_ones_by_their_weight() -> None:
    function = function_of()
    one, two = np.full_like(function.weight, 1.0), np.full_like(function.weight, 2.0)
    function.learn(one)
    np.testing.assert_array_equal(function.weight, one)
    function.learn(two)
    np.testing.assert_allclose(function.weight, np.full_like(one, 1 + NEWEST))
    assert function.fits == 2


def test_its_state_goes_on() -> None:
    function, other, observation = function_of(seed=1), function_of(seed=2), normal(100, 2)
    function.learn(Regression(function, observation).fit(curve(observation)))
    other.load_state_dict(function.state_dict())
    one, two = (f.features().sums(observation, f.weight) for f in (other, function))
    np.testing.assert_array_equal(one, two)
    with pytest.raises(ValueError, match="other observations"):
        function_of(3).load_state_dict(function.state_dict())
