"""Returns and advantages: by hand, against a slow reference, and on constant rewards."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace as Space
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.learn import returns as returns_module
from mmrl.learn.discounting import discounted_sums
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.returns import (
    Diverged,
    bootstrap_values,
    learning_batch,
    monte_carlo_returns,
    normalised,
    per_unit_of_utility,
    potential,
    risk_adjusted,
    shaped_rewards,
)
from mmrl.learn.value import Regression, ValueFunction
from mmrl.rollout.arrays import following
from mmrl.rollout.trajectories import NoLiveSteps
from mmrl.settings.build import build


def settings_of(final: str = "none", discount: float = 0.5, limit: str = "ends", td: bool = False) -> Any:
    reward = Space(
        utility="custom", final_kind=final, discount=discount, time_limit=limit, cara_alpha=0.0, risk_aversion=0.1
    )
    return Space(reward=reward, training=Space(td=td, lambd=0.5), market=Space(nt=3))


def lambda_returns(
    reward: Any, value: Any, offsets: Any, beyond: Any, discount: float, lambd: float, aversion: float = 0.0
) -> Any:
    """The product's, from TD errors."""
    error = reward + discount * following(value, offsets, beyond) - value
    if aversion:
        error = risk_adjusted(error, aversion, None)
    return returns_module.lambda_returns(value, error, np.full(error.size, discount), offsets, lambd)


def test_monte_carlo_by_hand() -> None:
    # G_2 = 3, G_1 = 2 + 3/2, G_0 = 1 + 3.5/2; the second trajectory has one row, the third none
    reward, offsets, half = np.array([1.0, 2, 3, 7]), np.array([0, 3, 4, 4]), np.full(4, 0.5)
    got = monte_carlo_returns(reward, half, offsets, np.zeros(3))
    np.testing.assert_allclose(got, [2.75, 3.5, 3.0, 7.0])
    # worth 8 beyond the first, 4 beyond the second: G_2 = 3 + 8/2, G_1 = 2 + 7/2, G_0 = 1 + 5.5/2
    got = monte_carlo_returns(reward, half, offsets, np.array([8.0, 4, 100]), threads=2)
    np.testing.assert_allclose(got, [3.75, 5.5, 7.0, 9.0])
    np.testing.assert_array_equal(reward, [1, 2, 3, 7])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_with_lambda_1_no_value_of_a_row_counts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 6, 5))])
    reward, value = rng.normal(size=(2, offsets[-1]))
    beyond, discount = rng.normal(size=5), rng.uniform(0.5, 1.0)
    want = lambda_returns(reward, value, offsets, beyond, discount, 1.0)
    got = monte_carlo_returns(reward, np.full(reward.size, discount), offsets, beyond)
    np.testing.assert_allclose(got, want, atol=1e-12)


def test_td_lambda_by_hand() -> None:
    # lambda = 1/2, discount = 1/2, V = (10, 20, 40), nothing beyond the end:
    # G_2 = 3; G_1 = 2 + (40/2 + 3/2)/2 = 12.75; G_0 = 1 + (20/2 + 12.75/2)/2 = 9.1875
    got = lambda_returns(np.array([1.0, 2, 3]), np.array([10.0, 20, 40]), np.array([0, 3]), np.zeros(1), 0.5, 0.5)
    np.testing.assert_allclose(got, [9.1875, 12.75, 3.0])


def test_an_averse_value_is_the_certainty_equivalent() -> None:
    # one step pays 0 or 3 with equal odds: -ln((1 + e^-3) / 2) = 0.6446..., where the advantages average to 0
    sure = -np.log((1 + np.exp(-3.0)) / 2)
    reward, offsets = np.array([0.0, 3.0]), np.array([0, 1, 2])
    got = lambda_returns(reward, np.full(2, sure), offsets, np.zeros(2), 1.0, 0.5, 1.0)
    np.testing.assert_allclose(got - sure, [1 - np.exp(sure), 1 - np.exp(sure - 3)], rtol=1e-12)
    assert abs((got - sure).mean()) < 1e-12
    # little aversion changes little, and one disaster counts for no more than exp(3)
    np.testing.assert_allclose(lambda_returns(reward, np.zeros(2), offsets, np.zeros(2), 1.0, 0.5, 1e-9), reward)
    worst = lambda_returns(np.array([-1e9]), np.zeros(1), np.array([0, 1]), np.zeros(1), 1.0, 0.5, 0.5)
    np.testing.assert_allclose(worst, [-(np.exp(3) - 1) / 0.5])


def test_averse_returns_go_back_through_time() -> None:
    # aversion 1/2, lambda 1/2, V = (1, 2), rewards (0.5, 1): d_1 = 1 - 2, d_0 = 0.5 + 2 - 1, u(d) = 2 (1 - e^(-d/2))
    got = lambda_returns(np.array([0.5, 1]), np.array([1.0, 2]), np.array([0, 2]), np.zeros(1), 1.0, 0.5, 0.5)
    last, first = 2 * (1 - np.exp(0.5)), 2 * (1 - np.exp(-0.75))
    np.testing.assert_allclose(got, [1 + first + last / 2, 2 + last])


def test_centred_risk_is_the_certainty_equivalent_at_any_level_of_the_value() -> None:
    # one step pays 0 or 3 with equal odds: whatever V says, the mean of u is the certainty equivalent less V
    sure = -np.log((1 + np.exp(-3.0)) / 2)
    for level in (0.0, sure, -5.0, 40.0):
        error = np.array([0.0, 3.0]) - level
        got = risk_adjusted(error, 1.0, lambda target: np.full(2, target.mean()))
        np.testing.assert_allclose(got.mean(), sure - level, rtol=1e-12)
    # without centring only the fixed point is right
    assert risk_adjusted(np.array([0.0, 3.0]) + 5.0, 1.0, None).mean() == pytest.approx(1.0, abs=0.01)


def test_cara_rows_count_by_what_is_still_to_come(make_batch: Callable[..., Any]) -> None:
    """The returns of a final CARA utility are (1 - exp(-r (V_T - V_t))) / r, however much was earned before."""
    batch, config = make_batch([3, 0, 2], reward=np.array([0.0, 0, -2, 0, -3])), build({"reward": {"utility": "cara"}})
    rewards, factor = per_unit_of_utility(batch, config, None)
    got = discounted_sums(rewards, batch.offsets, factor)
    final = np.repeat(batch.final_value, [3, 0, 2])
    np.testing.assert_allclose(got, (1 - np.exp(-0.1 * (final - batch.value))) / 0.1, rtol=1e-9)
    unpaid = replace(batch, reward=np.array([0.0, 0, 0, 0, -3]))  # ended early: the utility of nothing, 0, is the best
    assert per_unit_of_utility(unpaid, config, None)[0][2] == pytest.approx(1 / 0.1)


def test_cara_rows_count_whatever_they_have_to_go(make_batch: Callable[..., Any]) -> None:
    """With an expected gain c_t the returns are (1 - exp(-r (V_T - V_t - c_t))) / r, c being 0 after the end."""
    batch, config = make_batch([3, 0, 2], reward=-np.ones(5)), build({"reward": {"utility": "cara"}})
    final, to_come = np.repeat(batch.final_value, [3, 0, 2]), np.array([7.0, 3.0, -1.0, 2.0, 5.0])
    seen: list[Any] = []

    def expected(target: Any) -> Any:
        seen.append(target)
        return to_come

    rewards, factor = per_unit_of_utility(batch, config, expected)
    np.testing.assert_allclose(seen, [final - batch.value], rtol=1e-12)
    got = discounted_sums(rewards, batch.offsets, factor)
    np.testing.assert_allclose(got, (1 - np.exp(-0.1 * (final - batch.value - to_come))) / 0.1, rtol=1e-9)


def test_cara_rows_take_the_expectation_over_the_moves_of_an_independent_mid(make_batch: Callable[..., Any]) -> None:
    """Two trajectories of a step whose mid went up and down by J: both count as the mean of their utilities."""
    config = build({"market": {"name": "avellaneda-stoikov", "nt": 50, "sigma": 3.0}, "reward": {"utility": "cara"}})
    jump, held, trade = 3.0 / np.sqrt(50), 4, 0.7
    batch = make_batch(
        [1, 1], cash=np.zeros(2), inventory=np.zeros(2, np.int32),
        mid=np.full(2, 100.0), final_mid=100.0 + np.array([jump, -jump]), time=np.zeros(2),
        final_value=trade + held * np.array([jump, -jump]), final_inventory=np.full(2, held, np.int32),
        final_time=np.full(2, 1 / 50), reward=-np.ones(2),
    )  # fmt: skip
    _, factor = per_unit_of_utility(batch, config, None)
    np.testing.assert_allclose(factor, np.exp(-0.1 * batch.final_value).mean(), rtol=1e-12)


def test_advantages_by_hand() -> None:
    # centred (-1, 0, 1) over the population deviation sqrt(2/3)
    found = normalised(np.array([1.0, 2, 3]), np.sqrt(2 / 3))
    np.testing.assert_allclose(found, np.array([-1, 0, 1]) * np.sqrt(1.5), rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 7), min_size=1, max_size=6),
    discount=st.floats(0.1, 1.0),
    lambd=st.floats(0.0, 1.0),
    seed=st.integers(0, 2**31),
)
def test_returns_equal_a_slow_sum(lengths: list[int], discount: float, lambd: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    reward, value, bootstrap = (
        rng.normal(size=offsets[-1]),
        rng.normal(size=offsets[-1]),
        rng.normal(size=len(lengths)),
    )
    got = lambda_returns(reward, value, offsets, bootstrap, discount, lambd)
    for n, length in enumerate(lengths):
        r = reward[offsets[n] : offsets[n + 1]]
        v = np.append(value[offsets[n] : offsets[n + 1]], bootstrap[n])
        for t in range(length):
            # G_t = V_t + sum_k (discount lambda)^k delta_{t+k}: another formula for the same number
            deltas = [r[k] + discount * v[k + 1] - v[k] for k in range(t, length)]
            slow = v[t] + sum((discount * lambd) ** k * delta for k, delta in enumerate(deltas))
            np.testing.assert_allclose(got[offsets[n] + t], slow, rtol=1e-9, atol=1e-9)


def test_the_residual_return_is_the_return_less_the_potential(make_batch: Callable[..., Any]) -> None:
    batch, config = make_batch([3, 1, 0, 2]), settings_of("value", 0.9)
    phi = potential(batch, config)
    np.testing.assert_allclose(phi[:3], batch.value[:3] * [0.81, 0.9, 1.0])
    whole = make_batch([3, 3])
    np.testing.assert_array_equal(potential(whole, config), 0.9 ** np.array([2.0, 1, 0, 2, 1, 0]) * whole.value)
    unequal = make_batch([2, 4])  # as many rows as planned, but not of each
    np.testing.assert_allclose(potential(unequal, config), 0.9 ** np.array([2.0, 1, 2, 1, 0, 0]) * unequal.value)
    nothing, ends = np.zeros(batch.nnz), np.zeros(batch.count)
    plain = lambda_returns(batch.reward, nothing, batch.offsets, ends, 0.9, 1.0)
    shaped = lambda_returns(shaped_rewards(batch, phi, 0.9), nothing, batch.offsets, ends, 0.9, 1.0)
    np.testing.assert_allclose(shaped, plain - phi, atol=1e-12)


def test_truncated_goes_on_where_terminated_stops(make_batch: Callable[..., Any]) -> None:
    # reward 1 a step for ever is worth 1 / (1 - 1/2) = 2 at any time; cut off, it still is
    batch = make_batch([3, 3], reward=np.ones(6), terminated=np.array([False, True]))
    beyond = bootstrap_values(batch, settings_of(limit="cuts"), np.full(2, 2.0))
    np.testing.assert_array_equal(beyond, [2, 0])
    for lambd in (0.3, 1.0):
        value = np.array([2.0, 2, 2, 1.75, 1.5, 1])
        got = lambda_returns(batch.reward, value, batch.offsets, beyond, 0.5, lambd)
        np.testing.assert_allclose(got, [2, 2, 2, 1.75, 1.5, 1])
    np.testing.assert_array_equal(bootstrap_values(batch, settings_of(), np.full(2, 2.0)), [0, 0])


def test_all_dead_at_the_first_step_is_reported(make_batch: Callable[..., Any]) -> None:
    with pytest.raises(NoLiveSteps, match="no live steps"):
        learning_batch(make_batch([0, 0]), settings_of(), None)


@pytest.mark.parametrize("lambd", [0.3, 0.95, 0.99])
@pytest.mark.parametrize("fits", [0, 1])
def test_advantages_are_the_lambda_returns_less_their_own_fit(
    make_batch: Callable[..., Any], lambd: float, fits: int
) -> None:
    """V is fitted to returns of a lambda of 0.95 at least, advantages count from those of the lambda asked for."""
    config = build({"training": {"td": True, "lambd": lambd}, "reward": {"utility": "linear", "discount": 0.9}})
    function = ValueFunction(3, np.random.default_rng(0))
    if fits:
        function.learn(np.random.default_rng(2).normal(size=function.weight.size))
    before = copy_of(function)
    batch = make_batch([40, 30, 50])
    found = learning_batch(batch, config, function)

    regression = Regression(before, batch.observation)
    rewards = shaped_rewards(batch, potential(batch, config), 0.9)
    for _ in range(1 if fits else returns_module.FIRST_SWEEPS):
        value = regression.predict(before.weight)
        weight = before.weight
        asked, fitted = (
            lambda_returns(rewards, value, batch.offsets, np.zeros(3), 0.9, x) for x in (lambd, max(lambd, 0.95))
        )
        before.learn(regression.fit(fitted))
    advantage = asked - regression.predict(regression.fit(asked))
    np.testing.assert_allclose(found.advantage, (advantage - advantage.mean()) / advantage.std(), atol=1e-5)
    np.testing.assert_allclose(function.weight, before.weight, rtol=1e-9, atol=1e-9)
    share = np.var(asked - regression.predict(weight)) / np.var(asked)
    assert (
        found.explained_variance == pytest.approx(1 - share, rel=1e-6) if fits else np.isnan(found.explained_variance)
    )


def copy_of(function: ValueFunction) -> ValueFunction:
    """Another one in the same state."""
    other = ValueFunction(3, np.random.default_rng(0))
    other.load_state_dict(function.state_dict())
    return other


def test_non_finite_rewards_are_named_and_leave_the_value_function_alone(make_batch: Callable[..., Any]) -> None:
    function = ValueFunction(3, np.random.default_rng(0))
    with pytest.raises(Diverged, match="reward is not finite"):
        learning_batch(make_batch([2], reward=np.array([1.0, np.inf])), settings_of(), function)
    assert function.fits == 0 and not function.weight.any()


@pytest.mark.parametrize(("td", "lambd"), [(False, 0.5), (True, 1.0), (True, 0.97)])
def test_a_value_function_of_numbers_that_are_none_is_named_though_no_return_is_made_of_it(
    make_batch: Callable[..., Any], td: bool, lambd: float
) -> None:
    function = ValueFunction(3, np.random.default_rng(0))
    config = build({"training": {"td": td, "lambd": lambd}})
    learning_batch(make_batch([40, 30]), config, function)
    function.weight[2] = np.nan
    with pytest.raises(Diverged, match="value function is not finite"):
        learning_batch(make_batch([40, 30]), config, function)


def test_merged_statistics_equal_those_of_all_rows() -> None:
    rows = np.random.default_rng(0).normal(1e6, 2.0, size=(1000, 3))
    running = RunningNormaliser(3)
    for part in np.split(rows, [1, 10, 400]):
        running.update(part)
    np.testing.assert_allclose(running.mean, rows.mean(0))
    np.testing.assert_allclose(running.var, rows.var(0), rtol=1e-6)


@pytest.mark.parametrize(("td", "lambd", "counted"), [(False, 0.5, True), (True, 1.0, True), (True, 0.97, False)])
def test_what_is_to_come_is_counted_only_where_no_value_goes_on_from_the_batch_before(
    make_batch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, td: bool, lambd: float, counted: bool
) -> None:
    """V of earlier batches is in units of their own c_t: bootstrapped from it, lambda = 0.97 fell from 94 to 20 %."""
    config = build({"reward": {"utility": "cara"}, "training": {"td": td, "lambd": lambd}})
    batch = make_batch([3, 2], reward=-np.ones(5))
    given: list[Any] = []

    def seen(batch_: Any, config_: Any, expected: Any) -> Any:
        given.append(expected)
        return per_unit_of_utility(batch_, config_, expected)

    monkeypatch.setattr(returns_module, "per_unit_of_utility", seen)
    columns = batch.observation.shape[1]
    learning_batch(batch, config, ValueFunction(columns, np.random.default_rng(0)))
    assert [expected is not None for expected in given] == [counted]


def test_cara_states_of_much_risk_do_not_rule_the_batch(make_batch: Callable[..., Any]) -> None:
    """Advantages per expected utility: a gain of the same share counts alike wherever it is made."""
    config = build({"reward": {"utility": "cara"}, "training": {"td": False}})
    rng, count = np.random.default_rng(0), 4000
    risky = np.arange(count) % 2 == 0
    gains = rng.normal(0.0, np.where(risky, 9.0, 1.0))
    observed = np.where(risky, 1.0, -1.0).astype(np.float32)[:, None]
    batch = make_batch(
        [1] * count, cash=np.zeros(count), mid=np.zeros(count), final_value=gains,
        reward=-np.ones(count), observation=observed, last_observation=observed,
    )  # fmt: skip
    found = learning_batch(batch, config, ValueFunction(1, np.random.default_rng(1))).advantage
    utility = -np.exp(-0.1 * gains)
    for kind in (risky, ~risky):  # each as far from its mean as in shares of that mean
        share = 1.0 - utility[kind] / utility[kind].mean()
        assert np.corrcoef(found[kind], share)[0, 1] > 0.999
    scales = [found[kind].std() / (utility[kind] / utility[kind].mean()).std() for kind in (risky, ~risky)]
    assert scales[0] == pytest.approx(scales[1], rel=0.02)
