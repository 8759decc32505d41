"""What keeps a run from learning is said at once, in one line with the remedy, once; healthy runs hear nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.display.json_lines import JsonView
from mmrl.rollout.trajectories import Trajectories
from mmrl.settings.fields import field
from mmrl.settings.model import Config
from mmrl.settings.sources import presets, resolve
from mmrl.training.diagnostics import EPOCHS, RECORDED, Diagnostics
from mmrl.training.start import train

Make = Callable[..., Trajectories]
STEPS = 40


@pytest.fixture
def batch(make_trajectories: Make) -> Make:
    """A healthy batch of 20 trajectories, columns by keyword replaced: fills, different rewards, no bound reached."""

    def made(config: Config, length: int = STEPS, **columns: Any) -> Trajectories:
        rng = np.random.default_rng(1)
        count, rows = 20, 20 * length
        usual = {
            "reward": rng.normal(size=rows),
            "action": rng.normal(size=(rows, 4)).astype(np.float32),
            "inventory": rng.integers(-3, 4, rows).astype(np.int32),
            "cash": rng.normal(size=rows),
            "final_value": np.linspace(1000.0, 1600.0, count),
        }
        return make_trajectories([length] * count, actions=4, **{**usual, **columns})

    return made


def config_of(preset: str = "quickstart", **more: Any) -> Config:
    return resolve({"nt": STEPS, **more}, preset=preset)[0]


def said(config: Config, batch: Trajectories, **record: Any) -> dict[str, str]:
    return Diagnostics().look(config, batch, record)


@pytest.mark.parametrize("preset", presets())
def test_a_healthy_batch_hears_nothing(preset: str, batch: Make) -> None:
    config = resolve({}, preset=preset)[0]
    assert said(config, batch(config), explained_variance=math.nan) == {}


def cara(batch: Make, aversion: float, alpha: float = 0.0) -> dict[str, str]:
    config = resolve({"nt": STEPS, "utility": "cara", "risk_aversion": aversion, "cara_alpha": alpha})[0]
    made = batch(config)
    made.reward[:] = 0.0
    made.reward[made.offsets[1:] - 1] = alpha - np.exp(-aversion * made.final_value)
    return said(config, made)


def test_a_utility_that_underflows_is_told_with_the_risk_aversion_that_does_not(batch: Make) -> None:
    line = cara(batch, 0.1)["reward"]
    assert "cannot be told from 0" in line and "r is 0.1" in line
    assert "set --risk-aversion to about 0.0008" in line
    assert cara(batch, 0.0008) == {}
    assert "cannot be told from 1," in cara(batch, 0.1, alpha=1.0)["reward"]
    assert "reward" in cara(batch, 10.0)  # exp(-13000) is 0 in double precision too


def test_one_bad_trajectory_does_not_hide_an_underflow(batch: Make) -> None:
    config = resolve({"nt": STEPS, "utility": "cara"})[0]
    made = batch(config)
    made.reward[:] = 0.0
    made.reward[made.offsets[1:] - 1] = -np.exp(-0.1 * made.final_value)
    made.reward[STEPS - 1] = -1.0
    assert set(said(config, made)) == {"reward"}


@pytest.mark.parametrize(("paid", "told"), [(0.0, "the same, 0,"), (3.0, "the same, 120,"), (1e-42, "the same, 0,")])
def test_a_constant_reward_is_told(paid: float, told: str, batch: Make) -> None:
    config = config_of()
    line = said(config, batch(config, reward=np.full(20 * STEPS, paid)))["reward"]
    assert told in line and "--utility, --immediate, --final" in line


def test_rewards_that_single_precision_tells_apart_are_not_constant(batch: Make) -> None:
    config = config_of()
    rows = np.full(20 * STEPS, 1.0)
    rows[::STEPS] += 1e-5 * np.arange(20)
    assert said(config, batch(config, reward=rows)) == {}
    rows[::STEPS] = 1.0 + 1e-8 * np.arange(20)
    assert "reward" in said(config, batch(config, reward=rows))


def test_no_fills_is_told_and_not_also_a_constant_reward(batch: Make) -> None:
    config = config_of()
    still = {"inventory": np.zeros(20 * STEPS, np.int32), "cash": np.zeros(20 * STEPS), "reward": np.zeros(20 * STEPS)}
    found = said(config, batch(config, **still))
    assert list(found) == ["fills"] and found["fills"].startswith("no order was filled in 20 trajectories: ")
    assert found["fills"].endswith("(--delta-centre, --size-centre)")
    game = config_of("avellaneda-stoikov")
    assert said(game, batch(game, **still))["fills"].endswith("(--delta-centre)")
    one = {**still, "inventory": np.r_[np.zeros(20 * STEPS - 1, np.int32), np.int32(1)]}
    assert "fills" not in said(config, batch(config, **one))


def test_trajectories_that_all_end_at_once_are_told(batch: Make) -> None:
    config, dead = config_of(), np.ones(20, bool)
    assert "ended within 2 of 40 steps" in said(config, batch(config, length=2, terminated=dead))["dead"]
    assert said(config, batch(config, length=3, terminated=dead)) == {}
    assert said(config, batch(config, length=2, terminated=np.r_[dead[1:], False])) == {}


def test_quotes_beyond_what_the_market_takes_are_told(batch: Make) -> None:
    from mmrl.markets.contract import spec_of

    config = config_of()
    axes = spec_of(config).axes
    distances = [k for k, axis in enumerate(axes) if axis.kind == "distance"]
    action = np.zeros((20 * STEPS, len(axes)), np.float32)
    edge = -axes[distances[0]].centre / axes[distances[0]].scale
    action[:, distances] = edge - 0.1
    line = said(config, batch(config, action=action))["saturated distance"]
    assert "distances" in line and "below 0" in line and "--delta-centre" in line
    action[: 20 * STEPS // 50, distances[0]] = edge + 0.1  # 2 % of one side
    assert said(config, batch(config, action=action)) == {}
    game = config_of("avellaneda-stoikov")  # takes quotes on either side of the mid
    assert said(game, batch(game, action=np.full((20 * STEPS, 4), -1e3, np.float32))) == {}


def test_a_value_function_that_explains_nothing_is_told_after_some_epochs(batch: Make) -> None:
    config, diagnostics = config_of(), Diagnostics()
    made = batch(config)

    def after(*explained: float) -> list[dict[str, str]]:
        return [diagnostics.look(config, made, {"explained_variance": e}) for e in explained]

    assert after(math.nan, *[0.0] * (EPOCHS - 1), 0.02, *[-0.5] * (EPOCHS - 1)) == [{}] * 2 * EPOCHS
    assert list(after(0.0)[0]) == ["value"]
    assert after(0.0, 0.0) == [{}, {}]
    plain = resolve({"noadv": True})[0]
    diagnostics = Diagnostics()
    assert [diagnostics.look(plain, made, {"explained_variance": 0.0}) for _ in range(2 * EPOCHS)] == [{}] * 2 * EPOCHS


def test_a_policy_that_becomes_another_one_in_an_epoch_is_told(batch: Make) -> None:
    config = config_of()
    assert "leap" not in said(config, batch(config), kl=0.9)
    assert "leap" not in said(config, batch(config), kl=math.nan)
    line = said(config, batch(config), kl=18.96)["leap"]
    assert "by a KL divergence of 19 where" in line and line.endswith("lower --lr")


def test_flags_in_the_lines_exist(batch: Make) -> None:
    import re

    from mmrl.training import diagnostics

    text = Path(diagnostics.__file__).read_text()
    for name in re.findall(r"--([a-z][a-z-]+)", text):
        assert name == "help-all" or field(f"--{name}")


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose quotes nobody takes, interrupted by its target after two epochs and expanded by two."""
    root = tmp_path_factory.mktemp("results")
    flags = {"market": "avellaneda-stoikov", "delta_centre": 60.0, "nt": 10, "nb": 4, "ne": 2, "threads": 1}
    config, origins = resolve({**flags, "results": str(root), "plot_after": 0, "name": "far"})
    with (root / "out").open("w") as out:
        for load, expand in ((None, 0), (str(root / "far"), 2)):
            assert train(config, origins, load=load, expand=expand, view=JsonView(out, out)) == 0
    return root / "far"


def test_a_run_says_it_once_in_the_log_and_in_the_record(far: Path) -> None:
    records = [json.loads(line) for line in (far / "metrics.jsonl").read_text().splitlines()]
    assert [list(r.get(RECORDED, {})) for r in records] == [["fills"], [], [], []]
    said = (far.parent / "out").read_text()
    assert said.count("epoch 1: no order was filled in 4 trajectories") == 1


def test_the_live_view_keeps_it_in_sight(far: Path) -> None:
    from mmrl.display.frame import Frame
    from mmrl.display.progress import Progress

    progress = Progress()
    progress.say("paused")
    progress.say("epoch 1: no order was filled in 4 trajectories: quote nearer to the mid", lasting=True)
    rows = Frame(progress).rows(40, 24, colour=False)
    assert len(rows) == 24 and all(len(row) == 40 for row in rows)
    assert [row.strip() for row in rows[-4:-2]] == [
        "epoch 1: no order was filled in 4",
        "trajectories: quote nearer to the mid",
    ]
    assert "paused" in rows[-2]
    assert len(Frame(progress).rows(40, 2, colour=False)) == 2


@pytest.mark.parametrize(("rate", "told"), [(1.0, 1), (0.003, 0)])
def test_too_large_a_learning_rate_is_told_once_by_training(rate: float, told: int, tmp_path: Path) -> None:
    flags = {"nt": 50, "nb": 20, "ne": 3, "lr": rate, "threads": 1, "results": str(tmp_path), "name": "leaps"}
    config, origins = resolve({**flags, "plot_after": 0}, preset="quickstart")
    with (tmp_path / "out").open("w") as out:
        assert train(config, origins, load=None, expand=0, view=JsonView(out, out)) == 0
    lines = [json.loads(line) for line in (tmp_path / "leaps" / "metrics.jsonl").read_text().splitlines()]
    assert sum("leap" in record.get(RECORDED, {}) for record in lines) == told
    assert (tmp_path / "out").read_text().count("epoch 1: the policy became another one") == told
