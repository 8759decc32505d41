"""Bounds that learning runs into let it come back: exploration, the scale of observations, the steps of Adam."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmrl.kernels.play import OBSERVATION_CLIP
from mmrl.learn.adam import Adam
from mmrl.learn.layout import Layout
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.policy import Policy
from mmrl.settings.errors import ConfigError
from mmrl.settings.groups import LOG_STD_BOUNDS
from mmrl.settings.sources import load_toml, resolve

LOW, HIGH = LOG_STD_BOUNDS


def push(policy: Policy, adam: Adam, slope: float, steps: int) -> float:
    """Steps of a constant gradient on the log standard deviation; returns where it is."""
    gradient = np.zeros_like(policy.numbers)
    gradient[: policy.free] = slope
    for _ in range(steps):
        adam.step(policy.numbers, gradient)
        policy.confine()
    return float(policy.log_std[0])


def normalise(normaliser: RunningNormaliser, raw: np.ndarray) -> np.ndarray:
    return np.clip((raw - normaliser.mean) / normaliser.std, -OBSERVATION_CLIP, OBSERVATION_CLIP).astype(np.float32)


@pytest.mark.parametrize(("outward", "bound", "start"), [(1.0, LOW, -4.9), (-1.0, HIGH, 1.9)])
def test_exploration_comes_back_from_its_bound(outward: float, bound: float, start: float) -> None:
    policy = Policy((1, 2, 1), log_std=[start])
    adam = Adam(policy.layout, policy.numbers, 0.01)
    assert push(policy, adam, outward, 500) == bound
    back = push(policy, adam, -outward, 300)
    assert LOW + 0.5 < back < HIGH - 0.5


def test_a_policy_of_an_earlier_version_is_put_within_the_bounds() -> None:
    policy = Policy((1, 2, 2), log_std=[0.0, 0.0])
    policy.restore({**policy.state_dict(), "log_std": np.array([-7.0, 2.5])})
    assert policy.log_std.tolist() == [LOW, HIGH]


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_divergence_is_not_hidden(kind: Any) -> None:
    policy = Policy((1, 2, 3), log_std=[0.0, 0.0, 0.0])
    policy.numbers = kind(policy.numbers)
    policy.log_std[:] = kind([np.inf, np.nan, -9.0])
    policy.confine()
    assert policy.log_std.tolist() == pytest.approx([np.inf, np.nan, LOW], nan_ok=True)


@pytest.mark.parametrize("value", [LOW - 0.1, HIGH + 0.1, -10.0, 3.0])
def test_no_start_beyond_what_can_be_used(value: float) -> None:
    with pytest.raises(ConfigError, match=r"policy.log_std = .* >= -5, <= 2"):
        resolve({"policy.log_std": value})
    assert resolve({"policy.log_std": LOW})[0].policy.log_std == LOW


def test_a_run_of_an_earlier_version_is_read_as_it_was_used() -> None:
    stored = load_toml("[policy]\nlog_std = -7.0\n")
    assert stored.config.policy.log_std == LOW and "policy.log_std = -7.0 is -5.0" in stored.note


@pytest.mark.parametrize(("scale", "shift"), [(1000.0, 5000.0), (1e-3, 0.0), (1.0, -1e6)])
def test_observations_clipped_for_a_while_are_seen_again(scale: float, shift: float) -> None:
    rng = np.random.default_rng(0)
    normaliser = RunningNormaliser(1, horizon=20 * 1000)
    for _ in range(30):
        normaliser.update(rng.normal(size=(1000, 1)))
    for _ in range(700):  # what is forgotten falls to 1/e in 20
        raw = shift + scale * rng.normal(size=(1000, 1))
        normaliser.update_normalised(normalise(normaliser, raw))
    assert normaliser.mean[0] == pytest.approx(shift, abs=3 * scale)
    assert normaliser.std[0] == pytest.approx(scale, rel=0.5)


@pytest.mark.parametrize("scale", [1e-12, 1e-9, 1.0, 1e9])
def test_columns_of_any_scale_are_seen(scale: float) -> None:
    rows = scale * np.random.default_rng(1).normal(size=(5000, 1))
    normaliser = RunningNormaliser(1)
    normaliser.update(rows)
    seen = normalise(normaliser, rows)
    assert seen.std() == pytest.approx(1.0, rel=0.01)
    normaliser.update(np.full((10, 1), 0.0))
    constant = RunningNormaliser(1)
    constant.update(np.full((100, 1), scale))
    assert constant.std[0] == 1.0


def test_adam_comes_back_from_one_enormous_gradient() -> None:
    weight = np.zeros(1, np.float32)
    adam = Adam(Layout({"weight": (1,)}), weight, 0.01)
    adam.step(weight, np.full(1, 1e6, np.float32))
    for _ in range(30_000):
        adam.step(weight, np.full(1, -1.0, np.float32))
    assert float(weight[0]) > 100.0


def test_an_update_ends_within_the_bounds() -> None:
    from mmrl.learn.trainer import Trainer

    given = {"market.name": "avellaneda-stoikov", "nt": 5, "nb": 4, "lr": 1.0, "entropy": 10.0, "log_std": 1.9}
    trainer = Trainer(resolve({**given, "run.threads": 1})[0])
    trainer.step()  # the entropy bonus pushes up, by 1 a step
    assert trainer.policy.log_std.tolist() == [HIGH, HIGH]
