"""The quote surfaces of an episode: what the policy would quote over inventory, and the optimum beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmrl.evaluate.objective import objective_of

from mmrl.evaluate.quotes import TIMES, quotes_of
from mmrl.markets.avellaneda_stoikov.optimum import optimum
from mmrl.rollout.compiled import rollout
from mmrl.rollout.weights import PolicyWeights
from mmrl.runs.episodes import read_episode, write_episode
from mmrl.settings.sources import resolve


def linear(inputs: int, outputs: int, mean: float = 0.0) -> PolicyWeights:
    """A policy whose means are sums of its inputs with weights 0.01, 0.02, ..."""
    weight = 0.01 * np.arange(1, inputs * outputs + 1, dtype=np.float32).reshape(inputs, outputs)
    layers = [(weight, np.zeros(outputs, np.float32))]
    scale = np.full(inputs, mean, np.float32), np.ones(inputs, np.float32)
    return PolicyWeights(layers, np.zeros(outputs, np.float32), *scale)


def test_the_game_has_the_learned_quotes_beside_the_best(tmp_path: Path) -> None:
    config, _ = resolve({"market.name": "avellaneda-stoikov", "market.nt": 100, "training.nb": 5})
    weights = linear(2, 2)
    batch = rollout(config, weights, 1, 1, threads=1)
    best = optimum(config.market, objective_of(config))
    arrays = quotes_of(config, weights, batch, best)
    inventory = arrays["quotes_inventory"]
    assert inventory.min() == -inventory.max() and 0 in inventory and np.abs(inventory).max() >= 10
    np.testing.assert_allclose(arrays["quotes_time"], TIMES)
    p = config.policy
    for k, moment in enumerate(TIMES):
        row = int(moment * 100)
        for column, name in enumerate(("bid", "ask")):
            raw = np.clip(inventory, -10, 10) * (0.01, 0.02)[column] + (1 - row / 100) * (0.03, 0.04)[column]
            wanted = (p.as_delta_centre + p.as_delta_scale * raw) / config.market.k
            np.testing.assert_allclose(arrays[f"quotes_{name}"][k], wanted, rtol=1e-5)
            edge = np.abs(inventory) <= 5
            mine = best.delta[row, inventory[edge] + best.reach, column]
            np.testing.assert_allclose(arrays[f"optimum_{name}"][k][edge], mine, rtol=1e-6)
    bid, ask = arrays["optimum_bid"][0], arrays["optimum_ask"][0]
    assert bid[-1] > bid[0] and ask[0] > ask[-1]  # who holds shares buys dear and sells cheap
    write_episode(tmp_path, 3, arrays)
    np.testing.assert_array_equal(read_episode(tmp_path, 3)["optimum_bid"], arrays["optimum_bid"])
    assert not any(name.startswith("optimum") for name in quotes_of(config, weights, batch))


@pytest.mark.parametrize("observation", ["inventory", "state"])
def test_the_book_has_distances_and_sizes_at_its_mean_state(observation: str) -> None:
    config, _ = resolve({"market.nt": 50, "training.nb": 4, "market.observation": observation})
    inputs = 6 if observation == "inventory" else 5
    weights = linear(inputs, 4, mean=0.5)
    arrays = quotes_of(config, weights, rollout(config, weights, 1, 1, threads=1))
    inventory = arrays["quotes_inventory"]
    number = int(np.flatnonzero(inventory == 3)[0])
    seen = np.zeros(inputs)  # what is at its mean is normalised to 0
    seen[4] = 1.0 - 0.5 - 0.5
    if inputs == 6:
        seen[5] = 3 - 0.5
    mean = seen @ (0.01 * np.arange(1, inputs * 4 + 1).reshape(inputs, 4))
    p = config.policy
    wanted: dict[str, Any] = {
        "bid_size": round(p.size_centre + p.size_scale * mean[0]),
        "bid": p.delta_centre + p.delta_scale * mean[1],
        "ask_size": round(p.size_centre + p.size_scale * mean[2]),
        "ask": p.delta_centre + p.delta_scale * mean[3],
    }
    for name, value in wanted.items():
        assert arrays[f"quotes_{name}"][1, number] == pytest.approx(value, rel=1e-5)
    varies = np.ptp(arrays["quotes_bid"][1]) > 0
    assert varies == (observation == "inventory")


def test_a_categorical_policy_quotes_its_most_likely_choice() -> None:
    config, _ = resolve({"market.nt": 50, "training.nb": 4, "policy.kind": "categorical"})
    sizes, deltas = config.policy.size_grid, config.policy.delta_grid
    bias = np.zeros(2 * (len(sizes) + len(deltas)), np.float32)
    bias[2] = bias[len(sizes) + 4] = bias[len(sizes) + len(deltas) + 7] = bias[-1] = 5.0
    weights = linear(6, bias.size)
    weights = PolicyWeights([(0 * weights.layers[0][0], bias)], weights.log_std, weights.obs_mean, weights.obs_std)
    arrays = quotes_of(config, weights, rollout(config, weights, 1, 1, threads=1))
    assert set(arrays["quotes_bid_size"].ravel()) == {sizes[2]}
    assert set(arrays["quotes_bid"].ravel()) == {deltas[4]}
    assert set(arrays["quotes_ask_size"].ravel()) == {sizes[7]}
    assert set(arrays["quotes_ask"].ravel()) == {deltas[-1]}
