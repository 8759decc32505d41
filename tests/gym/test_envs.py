"""The environments as gymnasium sees them."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium", reason="gymnasium is not installed: pip install '.[gymnasium]'")
from gymnasium.utils.env_checker import check_env  # noqa: E402
from gymnasium.vector import AutoresetMode, SyncVectorEnv  # noqa: E402

import mmrl.gym  # noqa: E402
from mmrl.gym.envs import MarketEnv, MarketVectorEnv  # noqa: E402
from mmrl.settings.errors import ConfigError  # noqa: E402
from mmrl.settings.market_about import gymnasium_name  # noqa: E402
from mmrl.settings.registry import markets  # noqa: E402

GAME = "mmrl/AvellanedaStoikov-v0"
SHORT: dict[str, Any] = {"nt": 6, "threads": 1}


def test_every_market_has_its_name() -> None:
    assert [gymnasium_name(name) for name in ("book", "avellaneda-stoikov", "order-flow")] == [
        "mmrl/Book-v0",
        GAME,
        "mmrl/OrderFlow-v0",
    ]
    assert all(gymnasium_name(name) in gymnasium.registry for name in markets())
    before = dict(gymnasium.registry)
    mmrl.gym.register()  # again
    assert gymnasium.registry == before


def test_registering_loads_nothing_heavy() -> None:
    script = (
        "import sys, mmrl.gym.registration as r\nr.register()\n"
        "assert not {'torch', 'numba'} & set(sys.modules), 'heavy'\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)


def checked(name: str, **settings: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(name, **settings)
        check_env(env.unwrapped)
        env.close()


def test_the_checks_of_gymnasium() -> None:
    checked(GAME, **SHORT)
    checked(GAME, **SHORT, action_units="choices")


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["mmrl/Book-v0", "mmrl/OrderFlow-v0"])
def test_the_checks_of_gymnasium_for_larger_markets(name: str) -> None:
    checked(name, nt=20)


@pytest.mark.nightly
@pytest.mark.parametrize("name", [GAME, "mmrl/Book-v0", "mmrl/OrderFlow-v0"])
def test_the_checks_of_sb3(name: str) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker", reason="stable-baselines3 is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(gymnasium.make(name, nt=20).unwrapped)


def test_an_episode() -> None:
    env = gymnasium.make(GAME, **SHORT)
    first, info = env.reset(seed=5)
    assert first.tolist() == [0, 1] and info == {"wealth": 0.0, "inventory": 0, "mid": 100.0}
    total, wealth = 0.0, []
    for step in range(6):
        observation, reward, terminated, truncated, info = env.step(np.zeros(2, np.float32))
        assert (terminated, truncated) == (step == 5, False)  # the maker sees the time: the end is an end
        assert observation.tolist() == pytest.approx([info["inventory"], 1 - (step + 1) / 6])
        total += reward
        wealth.append(info["wealth"])
    assert len(set(wealth)) > 3
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.unwrapped.step(np.zeros(2, np.float32))
    second = env.reset()[0].tolist()
    third = [env.step(np.zeros(2, np.float32))[1] for _ in range(6)]
    env.reset(seed=5)
    assert sum(env.step(np.zeros(2, np.float32))[1] for _ in range(6)) == total  # the same seed, the same numbers
    assert env.reset()[0].tolist() == second
    assert [env.step(np.zeros(2, np.float32))[1] for _ in range(6)] == third
    assert sum(third) != total


def test_settings_are_keywords() -> None:
    env: Any = gymnasium.make(GAME, sigma=3, utility="mean-variance", time_limit="cuts", nt=2).unwrapped
    config = env.config
    assert (config.market.sigma, config.reward.utility, config.market.nt) == (3.0, "mean-variance", 2)
    assert config.market.start_inventory == 10  # of the preset of the market's name
    env.reset(seed=0)
    assert [env.step(np.zeros(2, np.float32))[2:4] for _ in range(2)] == [(False, False), (False, True)]
    for wrong, words in (
        ({"sgma": 1}, "did you mean"),
        ({"nt": 0}, "nt = 0 is not allowed"),
        ({"action_units": "x"}, "action_units = 'x' is not allowed: it must be one of scaled, policy"),
        ({"preset": "quickstart"}, "quickstart"),
    ):
        with pytest.raises(ConfigError, match=words):
            gymnasium.make(GAME, **wrong)


def test_none_among_seeds_is_no_seed() -> None:
    """The environment goes on, as one alone does after `reset()`."""
    envs = gymnasium.make_vec(GAME, num_envs=3, vectorization_mode="vector_entry_point", **SHORT)
    alone = gymnasium.make(GAME, **SHORT)
    envs.reset(seed=[4, 9, 2])
    envs.reset(seed=[5, None, 2])
    found = []
    action = np.zeros((3, 2), np.float32)
    for env, act, seeds in ((envs, action, None), *((alone, action[0], each) for each in ([5], [9, None], [2]))):
        for seed in seeds or []:
            env.reset(seed=seed)
        found.append(np.array([env.step(act)[4]["mid"] for _ in range(SHORT["nt"])]))
    assert np.array_equal(found[0].T, found[1:])
    assert len({tuple(each) for each in found[1:]}) == 3


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_many_at_once_are_many_single_ones(mode: AutoresetMode) -> None:
    """Gymnasium's own vector of single environments: the same numbers, flags and infos in every mode of resets."""
    count = 3
    seeds: list[int | None] = [4, 9, 2]
    sync = SyncVectorEnv([lambda: gymnasium.make(GAME, **SHORT)] * count, autoreset_mode=mode)
    ours = gymnasium.make_vec(
        GAME, num_envs=count, vectorization_mode="vector_entry_point", autoreset_mode=mode, **SHORT
    )
    assert isinstance(ours.unwrapped, MarketVectorEnv)
    assert ours.metadata["autoreset_mode"] == mode
    assert ours.single_observation_space == sync.single_observation_space and ours.action_space == sync.action_space
    rng = np.random.default_rng(0)
    pairs: list[Any] = [(sync.reset(seed=seeds), ours.reset(seed=seeds))]
    for _ in range(20):
        action = rng.uniform(-1, 1, (count, 2)).astype(np.float32)
        pairs.append((sync.step(action), ours.step(action)))
        over = pairs[-1][0][2] | pairs[-1][0][3]
        if mode is AutoresetMode.DISABLED and over.any():
            with pytest.raises(gymnasium.error.ResetNeeded):
                ours.unwrapped.step(action)
            options = {"reset_mask": over}
            pairs.append((sync.reset(options=dict(options)), ours.reset(options=dict(options))))
    for theirs, own in pairs:
        for a, b in zip(theirs[:-1], own[:-1], strict=True):
            assert np.array_equal(a, b) and a.dtype == b.dtype and a.shape == b.shape
        same(theirs[-1], own[-1])
    assert sum(bool(np.any(found[2])) for found, _ in pairs if len(found) == 5) >= 2


def same(theirs: Any, own: Any) -> None:
    """Equal infos, nested ones included."""
    assert theirs.keys() == own.keys()
    for name, value in theirs.items():
        if isinstance(value, dict):
            same(value, own[name])
        elif value.dtype == object:
            for a, b in zip(value, own[name], strict=True):
                assert (a is None and b is None) or np.array_equal(a, b)
        else:
            assert np.array_equal(value, own[name]), name


def test_one_seed_for_all_is_the_batch_of_the_engine() -> None:
    from mmrl.rollout.compiled import rollout
    from mmrl.rollout.quoters import fixed
    from mmrl.rollout.streams import stream_seed

    env: Any = gymnasium.make_vec(
        GAME, num_envs=50, vectorization_mode="vector_entry_point", action_units="market", **SHORT
    )
    env.reset(seed=8)
    for _ in range(6):
        info = env.step(np.full((50, 2), 0.6))[-1]
    batch = rollout(env.unwrapped.config, fixed(0.6, 0.6), stream_seed(8, "market"), 0, count=50)
    assert np.array_equal(info["wealth"], batch.final_value) and np.ptp(info["wealth"]) > 1
    assert np.array_equal(info["inventory"], batch.final_inventory)


def test_without_a_seed_every_start_is_another() -> None:
    first, second = (MarketVectorEnv("avellaneda-stoikov", 2, **SHORT) for _ in range(2))
    first.reset()
    second.reset()
    assert first.engine.copies.seed[0] != second.engine.copies.seed[0]
    single = MarketEnv("avellaneda-stoikov", **SHORT)
    single.reset()
    assert single.engine.copies.seed[0] not in (first.engine.copies.seed[0], second.engine.copies.seed[0])
