"""The numpy market that foreign learners train in is mmrl's own: step by step, in distribution, and by exact value."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from benchmarks.vector_market import VectorMarket
from mmrl.agents.learned import quote_table
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.policy import GaussianPolicy, make_policy
from mmrl.markets.avellaneda_stoikov import dynamics, optimum
from mmrl.markets.contract import Objective
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import learned
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve
from tests.conftest import game_of


def game(**changes: object) -> Config:
    return resolve({"threads": 1, **changes}, None, "avellaneda-stoikov", {})[0]


def leaning(config: Config) -> PolicyWeights:
    """A policy that is far from its centre, so that every part of what an action means counts."""
    policy, normaliser = make_policy(config), RunningNormaliser(2)
    assert isinstance(policy, GaussianPolicy)
    rng = np.random.default_rng(3)
    with torch.no_grad():
        for parameter in policy.network.parameters():
            if parameter.ndim == 2:
                parameter.add_(torch.from_numpy(rng.normal(size=tuple(parameter.shape))), alpha=0.3)
    normaliser.var = np.array([16.0, 0.08])
    normaliser.mean = np.array([0.0, 0.5])
    return policy.weights(normaliser)


def played(config: Config, weights: PolicyWeights, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rewards [N] of whole trajectories, and inventories [N] at their end, of the policy's means."""
    market = VectorMarket(config, count, seed)
    observation, total, ended = market.reset(), np.zeros(count), False
    while not ended:
        action = weights.forward(weights.normalise(observation.astype(np.float32))).astype(np.float64)
        observation, reward, ended = market.step(action)
        total += reward
    return total, market.inventory


@pytest.mark.parametrize("utility", ["entropic", "mean-variance"])
@pytest.mark.parametrize("changes", [{}, {"skew": "none", "fill": "linear", "sigma": 3.0, "nt": 50}])
def test_every_step_is_that_of_the_market(utility: str, changes: dict[str, object]) -> None:
    config = game(utility=utility, **changes)
    batch = rollout(config, learned(leaning(config)), seed=5, epoch=1, count=40)
    market = VectorMarket(config, 40, 0)
    scale = leaning(config)
    raw = batch.observation * scale.obs_std + scale.obs_mean
    np.testing.assert_allclose(market.reset(), raw.reshape(40, -1, 2)[:, 0], atol=1e-5)
    for t in range(config.market.nt):
        rows = batch.offsets[:-1] + t
        np.testing.assert_allclose(market.observation(), raw[rows], atol=2e-5)
        distances = market.distances(batch.action[rows].astype(np.float64), market.inventory)
        np.testing.assert_allclose(batch.mid[rows] - distances[:, 0], batch.bid[rows], atol=1e-5)
        np.testing.assert_allclose(batch.mid[rows] + distances[:, 1], batch.ask[rows], atol=1e-5)
        up = batch.after("mid")[rows] > batch.mid[rows]
        filled = np.stack([batch.bought[rows], batch.sold[rows]], axis=1) == 1
        np.testing.assert_allclose(market.settle(distances, filled, up), batch.reward[rows], atol=1e-5)
    np.testing.assert_array_equal(market.inventory, batch.final_inventory)
    assert market.clock == config.market.nt and np.abs(market.inventory).max() > 3


@pytest.mark.parametrize("fill", ["poisson", "linear"])
def test_fills_are_as_likely(fill: str) -> None:
    config = game(fill=fill)
    deltas = np.array([-50.0, -1.0, 0.0, 0.4, 3.0, 40.0])
    parameters = dynamics.parameters(game_of(config))
    want = [dynamics.fill_probability.py_func(parameters, delta) for delta in deltas]
    np.testing.assert_allclose(VectorMarket(config, 1, 0).fill_probability(deltas), want, rtol=1e-12)


def test_same_policy_same_distribution_and_exact_value() -> None:
    config = game(utility="mean-variance", start_inventory=0)
    weights, count = leaning(config), 8000
    total, inventory = played(config, weights, count, seed=1)
    batch = rollout(config, learned(weights, deterministic=True), seed=2, epoch=0, count=count)
    assert ks_2samp(total, batch.segment_sum(batch.reward)).pvalue > 1e-3
    assert ks_2samp(inventory, batch.final_inventory).pvalue > 1e-3
    penalty = 0.5 * config.market.gamma * game_of(config).sigma ** 2
    exact = optimum.value_of_quotes(game_of(config), Objective(phi=penalty), quote_table(config, weights, 60), 60)
    assert total.mean() == pytest.approx(exact, abs=4 * total.std() / math.sqrt(count))
    assert total.std() / math.sqrt(count) < 0.005 * exact


def test_starts_follow_the_numbers_of_the_trajectories() -> None:
    market = VectorMarket(game(start_inventory=2), 7, 0)
    first, second = market.reset(), market.reset()
    np.testing.assert_array_equal(np.concatenate([first, second])[:, 0], [0, -2, 0, -1, 0, 0, 0, 1, 0, 2, 0, -2, 0, -1])
    assert (second[:, 1] == 1.0).all()


def test_other_games_are_refused() -> None:
    with pytest.raises(ValueError, match="one of entropic, mean-variance"):
        VectorMarket(game(utility="linear"), 1, 0)


def test_environment_of_stable_baselines3() -> None:
    pytest.importorskip("stable_baselines3")
    from benchmarks.sb3_env import Sb3Market

    config = game(nt=2)
    env, twin = Sb3Market(VectorMarket(config, 4, 9), 20.0), VectorMarket(config, 4, 9)
    np.testing.assert_array_equal(env.reset(), twin.reset().astype(np.float32))
    action = np.full((4, 2), 0.3)
    for ended in (False, True):
        observation, reward, done, infos = env.step(action)
        want, paid, _ = twin.step(action)
        assert done.tolist() == [ended] * 4
        np.testing.assert_array_equal(reward, paid.astype(np.float32))
    np.testing.assert_array_equal([info["terminal_observation"] for info in infos], want.astype(np.float32))
    np.testing.assert_array_equal(observation, twin.reset().astype(np.float32))
