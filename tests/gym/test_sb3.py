"""stable-baselines3 learns in our environments, and what it learned is graded beside our own runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cli
import mmrl
from mmrl.agents import check
from mmrl.markets.contract import spec_of
from mmrl.settings.errors import ConfigError

sb3 = pytest.importorskip("stable_baselines3", reason="stable-baselines3 is not installed")


@pytest.fixture(scope="module")
def vec() -> Any:
    from mmrl.gym.sb3 import MarketVecEnv

    return MarketVecEnv


def saved(
    vec: Any, path: Path, units: str = "scaled", market: str = "avellaneda-stoikov", **ppo: Any
) -> tuple[Any, str]:
    config = mmrl.Config.of(market if market == "avellaneda-stoikov" else None, market=market, nt=20, threads=1)
    settings = {"n_steps": 20, "batch_size": 40, "seed": 0, "device": "cpu", **ppo}
    model = sb3.PPO("MlpPolicy", vec(config, 4, units), **settings)
    model.learn(160)
    model.save(path)
    return model, f"sb3:{path}"


def test_the_vector_environment_is_the_engine(vec: Any) -> None:
    from mmrl.gym.envs import MarketVectorEnv

    config = mmrl.Config.of("avellaneda-stoikov", nt=4, threads=1)
    ours, theirs = vec(config, 3), MarketVectorEnv("avellaneda-stoikov", 3, autoreset_mode="SameStep", nt=4, threads=1)
    ours.seed(7)
    assert np.array_equal(ours.reset(), theirs.reset(seed=7)[0])
    action = np.full((3, 2), 0.2, np.float32)
    for step in range(9):
        observation, reward, done, infos = ours.step(action)
        other = theirs.step(action)
        assert np.array_equal(observation, other[0]) and np.array_equal(reward, other[1].astype(np.float32))
        assert done.tolist() == [step in (3, 7)] * 3
        if done[0]:
            assert np.array_equal(infos[0]["terminal_observation"], other[4]["final_obs"][0])
            assert infos[0]["TimeLimit.truncated"] is False
            assert infos[1]["wealth"] == other[4]["final_info"]["wealth"][1]


@pytest.mark.parametrize("units", ["scaled", "policy", "choices"])
def test_its_quotes_are_those_of_the_model(units: str, vec: Any, tmp_path: Path) -> None:
    """At some inventories and times, by the formula of the action's units."""
    from mmrl.agents import agent, playing

    model, name = saved(vec, tmp_path / "model.zip", units)
    config = mmrl.Config.of("avellaneda-stoikov", nt=20)
    table = agent(name, config).table
    spec = spec_of(playing(name, config))
    assert table is not None and table.shape == (20, 121, 2)
    for q, t in ((0, 0), (-7, 4), (13, 19)):
        left = 1 - t / 20
        action, _ = model.predict(np.array([q, left], np.float32), deterministic=True)
        for k, axis in enumerate(spec.axes):
            fade = np.tanh(left / spec.fading)
            if units == "choices":
                expected = axis.grid[int(action[k])] + axis.grid_skew * q * fade
            else:
                expected = axis.centre + axis.scale * (3 if units == "scaled" else 1) * action[k] + axis.skew * q * fade
            assert table[t, q + 60, k] == pytest.approx(expected, rel=1e-5), (q, t, k)


def test_what_cannot_be_read_is_refused(vec: Any, tmp_path: Path) -> None:
    config = mmrl.Config.of("avellaneda-stoikov")
    _, name = saved(vec, tmp_path / "model.zip")
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    for wrong, words in (
        ("sb3", "write sb3:FILE.zip"),
        (f"sb3:{tmp_path}/none.zip", "No such file"),
        (f"sb3:{tmp_path}/bad.zip", "is not a model that stable-baselines3 saved"),
        (f"{name},{tmp_path}/bad.zip", "is not a model"),
    ):
        with pytest.raises(ConfigError, match=words):
            check(wrong, config)
    with pytest.raises(ConfigError, match="was trained on 'avellaneda-stoikov' and cannot quote on 'book'"):
        mmrl.evaluate(name, config=mmrl.Config.of("quickstart"), trajectories=2)


@pytest.mark.nightly
def test_a_network_plays_in_a_larger_market(vec: Any, tmp_path: Path) -> None:
    """The first actions in the compiled engine are those that the model predicts for what it observes."""
    from mmrl.agents import agent, playing
    from mmrl.rollout.compiled import rollout

    model, name = saved(vec, tmp_path / "model.zip", market="book")
    config = playing(name, mmrl.Config.of(market="book", nt=20))
    batch = rollout(config, agent(name, config), 1, 0, count=3, threads=1)
    quoter = agent(name, config)
    assert quoter.weights is not None
    predicted, _ = model.predict(
        batch.observation * quoter.weights.obs_std + quoter.weights.obs_mean, deterministic=True
    )
    np.testing.assert_allclose(batch.action, 3.0 * predicted, rtol=1e-4, atol=1e-4)


@pytest.mark.nightly
def test_ppo_reaches_95_percent_of_the_optimum(vec: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the skew by which untrained quotes are nearly optimal; graded exactly by `mmrl evaluate`."""
    from stable_baselines3.common.vec_env import VecNormalize

    config = mmrl.Config.of("avellaneda-stoikov", skew="none", threads=1)
    env = VecNormalize(vec(config, 50), gamma=1.0)
    settings = {"n_steps": 200, "batch_size": 1000, "n_epochs": 5, "gamma": 1.0, "gae_lambda": 0.9, "seed": 0}
    network = {"net_arch": [32, 32], "log_std_init": -1.5}
    model = sb3.PPO(
        "MlpPolicy", env, device="cpu", learning_rate=lambda left: 3e-3 * left, policy_kwargs=network, **settings
    )
    before = graded(model, env, tmp_path, capsys)
    model.learn(250_000)
    after = graded(model, env, tmp_path, capsys)
    print(f"optimality before {before:.4f}, after {after:.4f}")
    assert before < 0.8 < 0.95 <= after


def graded(model: Any, env: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> float:
    """What `mmrl evaluate` says of a model, on the market without a skew."""
    model.save(folder / "model.zip")
    env.save(str(folder / "statistics.pkl"))
    name = f"sb3:{folder / 'model.zip'},{folder / 'statistics.pkl'}"
    line = f"evaluate --market avellaneda-stoikov --agent {name} --agent optimum --trajectories 500 --json"
    with pytest.raises(SystemExit):
        cli.main(line.split())
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows[0]["agent"] == name and rows[1]["optimality"] == pytest.approx(1)
    return float(rows[0]["optimality"])
