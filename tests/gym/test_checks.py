"""What an environment is given is checked: errors of gymnasium where it has them, else one line with the remedy."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium", reason="gymnasium is not installed: pip install '.[gymnasium]'")
from gymnasium.error import ClosedEnvironmentError, ResetNeeded  # noqa: E402
from gymnasium.vector import AutoresetMode, SyncVectorEnv  # noqa: E402

import mmrl.gym  # noqa: E402
from mmrl.gym.envs import MarketEnv, MarketVectorEnv  # noqa: E402
from mmrl.settings.errors import ConfigError  # noqa: E402
from mmrl.settings.market_about import gymnasium_name  # noqa: E402
from mmrl.settings.registry import markets  # noqa: E402

GAME = "mmrl/AvellanedaStoikov-v0"
SHORT: dict[str, Any] = {"nt": 6, "threads": 1}
ANY: Any = MarketVectorEnv
"""Given what its types forbid."""
NOTHING = np.zeros((2, 2), np.float32)


def two(mode: Any = "NextStep", **settings: Any) -> MarketVectorEnv:
    return MarketVectorEnv("avellaneda-stoikov", 2, autoreset_mode=mode, **{**SHORT, **settings})


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_step_before_the_first_reset_or_after_close_is_refused(mode: AutoresetMode) -> None:
    envs = two(mode)
    with pytest.raises(ResetNeeded, match="2 environments have not begun: call reset"):
        envs.step(NOTHING)
    envs.reset(seed=1)
    envs.step(NOTHING)
    envs.close()
    for call in (lambda: envs.step(NOTHING), envs.reset):
        with pytest.raises(ClosedEnvironmentError, match="closed: make another one"):
            call()


def test_so_it_is_in_a_single_environment() -> None:
    env = MarketEnv("avellaneda-stoikov", **SHORT)
    with pytest.raises(ResetNeeded, match="the environment has not begun: call reset"):
        env.step(NOTHING[0])
    env.reset(seed=1)
    env.close()
    for call in (lambda: env.step(NOTHING[0]), env.reset):
        with pytest.raises(ClosedEnvironmentError):
            call()


def test_so_it_is_in_the_environment_of_stable_baselines() -> None:
    pytest.importorskip("stable_baselines3", reason="stable-baselines3 is not installed")
    from mmrl.gym.sb3 import MarketVecEnv

    envs = MarketVecEnv(mmrl.Config.of("avellaneda-stoikov", **SHORT), 2)
    with pytest.raises(ResetNeeded):
        envs.step(NOTHING)
    envs.reset()
    envs.step(NOTHING)
    envs.close()
    for call in (lambda: envs.step(NOTHING), envs.reset):
        with pytest.raises(ClosedEnvironmentError):
            call()
    with pytest.raises(ConfigError, match="an environment takes a Config, not 'quickstart'"):
        MarketVecEnv("quickstart", 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_first_reset_of_some_leaves_the_others_to_be_begun(mode: AutoresetMode) -> None:
    """And then a seed is for those that begin, as gymnasium's own vector of single environments has it."""
    envs = two(mode)
    _, info = envs.reset(seed=3, options={"reset_mask": np.array([True, False])})
    assert info["_wealth"].tolist() == [True, False]
    with pytest.raises(ResetNeeded, match="1 environments have not begun"):
        envs.step(NOTHING)
    envs.reset(seed=9, options={"reset_mask": np.array([False, True])})
    mids = [envs.step(NOTHING)[-1]["mid"] for _ in range(5)]
    own = []
    for seed in (3, 9):
        whole = two(mode)
        whole.reset(seed=seed)
        own.append([whole.step(NOTHING)[-1]["mid"] for _ in range(5)])
    for k in range(5):
        assert mids[k].tolist() == [own[0][k][0], own[1][k][1]]  # trajectory 0 of seed 3, trajectory 1 of seed 9
    assert not np.array_equal(own[0], own[1])


def test_resets_of_some_with_seeds_are_those_of_single_environments() -> None:
    sync = SyncVectorEnv([lambda: gymnasium.make(GAME, **SHORT)] * 3, autoreset_mode="Disabled")
    ours = gymnasium.make_vec(
        GAME, num_envs=3, vectorization_mode="vector_entry_point", autoreset_mode="Disabled", **SHORT
    )
    action, some = np.zeros((3, 2), np.float32), np.array([True, False, True])
    found = []
    for envs in (sync, ours):
        envs.reset(seed=[1, 2, 3])
        envs.step(action)
        observation, info = envs.reset(seed=[5, 6, 7], options={"reset_mask": some})
        rows = [observation, info["wealth"], info["_wealth"]]
        for _ in range(5):
            found_now = envs.step(action)
            rows += [*found_now[:4], found_now[4]["mid"]]
        found.append(rows)
    for theirs, own in zip(*found, strict=True):
        assert np.array_equal(theirs, own)
    assert found[1][2].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"seed": 5}, "seed = 5 has no effect on an environment: give it to reset(seed=...)"),
        ({"ne": 3}, "ne = 3 has no effect on an environment: it is for mmrl.train"),
        ({"lr": 0.1}, "lr = 0.1 has no effect"),
        ({"nb": 7}, "nb = 7 has no effect"),
        ({"layers": 3}, "layers = 3 has no effect"),
        ({"results": "zzz"}, "results = 'zzz' has no effect on an environment: it writes no files: drop it"),
        ({"name": "x"}, "name = 'x' has no effect"),
        ({"device": "cpu"}, "device = 'cpu' has no effect on an environment: an environment runs on the CPU"),
        ({"engine": "compiled"}, "engine = 'compiled' has no effect"),
        ({"policy": "categorical"}, "choose action_units='choices'"),
        ({"discount": 0.9}, "discount = 0.9 has no effect"),
        ({"sgma": 1}, "did you mean"),
        ({"book_size": 5}, "only book has it: drop it, or make mmrl/Book-v0"),
    ],
)
def test_keywords_that_do_nothing_are_refused(given: dict[str, Any], said: str) -> None:
    for make in (gymnasium.make, gymnasium.make_vec):
        with pytest.raises(ConfigError, match=re.escape(said)) as error:
            make(GAME, **given)
        assert "\n" not in str(error.value)


def test_the_name_of_an_environment_says_its_market() -> None:
    with pytest.raises(ConfigError, match=re.escape("drop it, or make mmrl/Book-v0")):
        gymnasium.make(GAME, market="book")
    with pytest.raises(ConfigError, match=r"make mmrl/Name-v0 \(`mmrl markets` lists the names\)"):
        gymnasium.make(GAME, market="bok")


def test_grids_are_settings_of_choices() -> None:
    made: Any = gymnasium.make(GAME, action_units="choices", delta_grid=[0.5, 1.0, 1.5], **SHORT)
    assert made.action_space.nvec.tolist() == [3, 3]
    with pytest.raises(ConfigError, match="has no effect"):
        gymnasium.make(GAME, delta_grid=[0.5, 1.0])
    for market in ("book", "order-flow"):
        assert market in markets()
        assert (
            gymnasium.make(gymnasium_name(market), action_units="choices", nt=5, threads=1).action_space.nvec.min() > 1
        )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ANY("avellaneda-stoikov", 2.5), "num_envs = 2.5 is not allowed: it must be a whole number"),
        (lambda: MarketVectorEnv("avellaneda-stoikov", True), "num_envs = True"),
        (lambda: two("x"), "autoreset_mode = 'x' is not allowed: it must be one of NextStep, SameStep, Disabled"),
        (lambda: two().reset(seed=1.5), "seed = 1.5 is not allowed: it must be a whole number >= 0"),  # type: ignore[arg-type]
        (lambda: two().reset(seed=-1), "seed = -1"),
        (lambda: two().reset(seed=[1, 2, 3]), "seed = [1, 2, 3] is not allowed"),
        (lambda: two().reset(seed=[1, -2]), "seed = -2"),
        (lambda: two().reset(options={"reset_mask": [True, False]}), "it must be a boolean numpy array of shape (2,)"),
        (lambda: two().reset(options={"reset_mask": np.array([1, 0])}), "it must be a boolean numpy array"),
        (lambda: two().reset(options={"reset_mask": np.array([True])}), "it must be a boolean numpy array"),
        (lambda: two().reset(options={"reset_mask": np.zeros(2, bool)}), "which one must"),
        (lambda: two().reset(options={"reset_masc": np.ones(2, bool)}), "unknown key 'reset_masc': did you mean"),
        (lambda: two().reset(options=3), "options = 3 is not allowed: it must be a dict"),  # type: ignore[arg-type]
        (lambda: MarketEnv("avellaneda-stoikov").reset(seed=1.5), "seed = 1.5"),  # type: ignore[arg-type]
        (lambda: MarketEnv("avellaneda-stoikov").reset(options={"a": 1}), "options: unknown key 'a': there are none"),
    ],
)
def test_wrong_values_are_told_in_one_line(call: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)) as error:
        call()
    assert "\n" not in str(error.value)


def test_seeds_of_numpy_are_seeds() -> None:
    one, other = two(), two()
    one.reset(seed=np.int64(4))  # type: ignore[arg-type]
    other.reset(seed=4)
    assert [one.step(NOTHING)[-1]["mid"].tolist() for _ in range(4)] == [
        other.step(NOTHING)[-1]["mid"].tolist() for _ in range(4)
    ]


@pytest.mark.parametrize(
    ("units", "action", "said"),
    [
        ("choices", [0.7, 0.2], "actions must be whole numbers"),
        ("scaled", [1j, 0], "actions must be real numbers, not complex128"),
        ("scaled", ["a", "b"], "actions must be real numbers"),
        ("scaled", [[0.0], [0.0, 1.0]], "actions must be an array [2], not"),
        ("scaled", [0.0, 0.0, 0.0], "actions must be an array [2], not [3]"),
    ],
)
def test_wrong_actions_are_refused(units: str, action: Any, said: str) -> None:
    env = MarketEnv("avellaneda-stoikov", action_units=units, **SHORT)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=re.escape(said)) as error:
        env.step(action)
    assert "\n" not in str(error.value)
    envs = two(action_units=units)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="actions must be"):
        envs.step([action, action])  # type: ignore[arg-type]
