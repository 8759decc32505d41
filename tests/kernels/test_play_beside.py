"""Eight trajectories beside each other: each is, to the last bit, what it is alone."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from mmrl.agents import agent, playing
from mmrl.kernels.instructions import LANES
from mmrl.kernels.play import OBSERVATION_CLIP, Draw, Ends, Rows, shared
from mmrl.kernels.play_beside import lanes_of
from mmrl.kernels.reward import Utility
from mmrl.markets.contract import market_of
from mmrl.rollout.buffers import Buffers, room_for_ends
from mmrl.rollout.compiled import rollout
from mmrl.rollout.law import parameters_of
from mmrl.rollout.makers import maker_of
from mmrl.rollout.quoters import Quoter, fixed, linear, table
from mmrl.rollout.rewards import reward_of
from mmrl.rollout.trajectories import Trajectories
from mmrl.settings.build import build
from mmrl.settings.model import Config

MARKET = {"name": "avellaneda-stoikov", "nt": 21, "start_inventory": 3}
REWARDS: dict[str, dict[str, Any]] = {
    **{utility.name.lower(): {"utility": utility.name.lower().replace("_", "-")} for utility in Utility},
    "inventory_penalty": {"utility": "inventory-penalty", "inventory_penalty": 0.2},
    "time": {"utility": "entropic", "add_time": True},
    "bonus": {"utility": "entropic", "add_inventory": True},
}


def config_of(reward: dict[str, Any] | None = None, **market: Any) -> Config:
    return build({"market": {**MARKET, **market}, "reward": reward or {"utility": "entropic"}})


def alone(config: Config, quoter: Quoter, count: int, first: int = 0) -> list[Trajectories]:
    """Trajectories of which no eight are left, so that they are played one by one."""
    return [rollout(config, quoter, 5, 3, first=first + n, count=1, threads=1) for n in range(count)]


def assert_same(batch: Trajectories, parts: list[Trajectories]) -> None:
    assert batch.count == len(parts)
    for field in fields(Trajectories):
        if field.name == "offsets":
            continue
        given = getattr(batch, field.name)
        if isinstance(given, np.ndarray):
            expected = np.concatenate([getattr(part, field.name) for part in parts])
            np.testing.assert_array_equal(given, expected, err_msg=field.name)


@pytest.mark.parametrize("count", [8, 9, 15, 16, 37])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_trajectories_beside_each_other_are_what_they_are_alone(count: int, threads: int) -> None:
    config = config_of()
    quoter = agent("avellaneda-stoikov", config)
    config = playing("avellaneda-stoikov", config)
    batch = rollout(config, quoter, 5, 3, first=2, count=count, threads=threads).validate()
    assert_same(batch, alone(config, quoter, count, first=2))
    assert batch.bought.any() and batch.sold.any()  # flows are recorded


@pytest.mark.parametrize("name", REWARDS)
def test_every_reward_is_the_same(name: str) -> None:
    config = config_of(REWARDS[name])
    quoter = fixed(0.4, 0.9)  # it sells less than it buys
    assert_same(rollout(config, quoter, 5, 3, count=8, threads=1), alone(config, quoter, 8))


@pytest.mark.parametrize("steps", [1, 7, 8, 9, 16, 23])
def test_the_last_steps_of_an_episode_that_fill_no_tile(steps: int) -> None:
    config = config_of(nt=steps)
    quoter = fixed(0.4, 0.5)
    assert_same(rollout(config, quoter, 5, 3, count=16, threads=1), alone(config, quoter, 16))


@pytest.mark.parametrize("fill", ["poisson", "linear"])
def test_quotes_by_a_rule_by_few_rows_and_beyond_the_edges_of_a_table(fill: str) -> None:
    config = config_of(fill=fill)
    rule = linear(np.array([[0.5, 0.02, 0.1], [0.6, -0.03, 0.2]]))
    rng = np.random.default_rng(0)
    for quoter in (rule, table(0.3 + rng.random((21, 5, 2))), table(0.3 + rng.random((4, 3, 2)))):
        assert_same(rollout(config, quoter, 5, 3, count=8, threads=1), alone(config, quoter, 8))


def test_a_table_in_any_order_of_memory() -> None:
    config, numbers = config_of(), np.random.default_rng(1).random((21, 5, 2))
    one = rollout(config, table(numbers), 5, 3, count=8, threads=1)
    other = rollout(config, table(np.asfortranarray(numbers)), 5, 3, count=8, threads=1)
    np.testing.assert_array_equal(one.reward, other.reward)


def test_inventories_whose_price_is_not_known_are_priced_as_alone() -> None:
    config = config_of(arrival=5e5, nt=300, sigma=0.5)
    quoter = fixed(-3.0, 9.0)  # buys in every step
    batch = rollout(config, quoter, 5, 3, count=8, threads=1)
    assert batch.final_inventory.min() > reward_of(config).prices.size
    assert_same(batch, alone(config, quoter, 8))


def test_observations_are_normalised_column_by_column_and_clipped() -> None:
    """Makers without a network see raw observations; the loop takes any."""
    config, quoter = config_of(), fixed(0.4, 0.5)
    maker = maker_of(config, quoter)._replace(
        mean=np.array([1.0, 0.25], np.float32), std=np.array([0.25, 0.05], np.float32)
    )
    found = []
    for count in (1, 8):
        rows, ends = Buffers().rows(8 * 21, 2, 2), room_for_ends(8, 2, 0)
        for first in range(0, 8, count):
            part = Rows(*(column[21 * first :] for column in rows)), Ends(*(column[first:] for column in ends))
            draw = shared(Draw(5, 3, first, count, 21))
            market_of(config).kernel(parameters_of(config.market), maker, reward_of(config), *part, draw)
        found.append((rows, ends))
    (rows, ends), (alone_rows, alone_ends) = found
    np.testing.assert_array_equal(rows.observation, alone_rows.observation)
    np.testing.assert_array_equal(ends.observation, alone_ends.observation)
    raw = rollout(config, quoter, 5, 3, count=8, threads=1)
    expected = np.clip((raw.observation - maker.mean) / maker.std, -OBSERVATION_CLIP, OBSERVATION_CLIP)
    np.testing.assert_allclose(rows.observation, expected, rtol=1e-6)
    assert (abs(rows.observation) == OBSERVATION_CLIP).any() and (abs(rows.observation) < 1.0).any()


def test_rows_written_again_and_without_flows() -> None:
    config, buffers = config_of(), Buffers(flows=False)
    for quoter in (fixed(0.4, 0.5), fixed(0.9, 0.3)):
        batch = rollout(config, quoter, 5, 3, count=24, threads=2, buffers=buffers)
        parts = alone(config, quoter, 24)
        for name in ("observation", "action", "log_prob", "reward", "time", "cash", "inventory", "mid", "bid", "ask"):
            expected = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_array_equal(getattr(batch, name), expected, err_msg=name)
        assert batch.bought.size == 0


def test_the_arrays_of_a_state_get_an_axis_of_eight() -> None:
    kind = lanes_of(np.dtype([("money", np.float64, (10,)), ("shares", np.int64, (4,))]))
    assert {name: kind[name].shape for name in kind.names or ()} == {"money": (10, LANES), "shares": (4, LANES)}
