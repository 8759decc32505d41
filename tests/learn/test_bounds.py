"""Bounds that learning runs into let it come back: exploration, the scale of observations, the steps of Adam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mmrl.learn.adam import Adam
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.policy import GaussianPolicy
from mmrl.settings.errors import ConfigError
from mmrl.settings.groups import LOG_STD_BOUNDS
from mmrl.settings.sources import load_toml, resolve

LOW, HIGH = LOG_STD_BOUNDS


def push(policy: GaussianPolicy, adam: Adam, slope: float, steps: int) -> float:
    """Steps of a constant gradient on the log standard deviation; returns where it is."""
    for _ in range(steps):
        policy.log_std.grad = torch.full_like(policy.log_std, slope)
        adam.step()
        policy.confine()
    return float(policy.log_std[0].detach())


@pytest.mark.parametrize(("outward", "bound", "start"), [(1.0, LOW, -4.9), (-1.0, HIGH, 1.9)])
def test_exploration_comes_back_from_its_bound(outward: float, bound: float, start: float) -> None:
    policy = GaussianPolicy(1, 1, 1, 2, log_std=start)
    adam = Adam([{"params": [policy.log_std], "lr": 0.01}])
    assert push(policy, adam, outward, 500) == bound
    back = push(policy, adam, -outward, 300)
    assert LOW + 0.5 < back < HIGH - 0.5


def test_a_policy_of_an_earlier_version_is_put_within_the_bounds() -> None:
    policy = GaussianPolicy(1, 2, 1, 2, log_std=0.0)
    policy.load_state_dict({**policy.state_dict(), "log_std": torch.tensor([-7.0, 2.5])})
    assert policy.log_std.tolist() == [LOW, HIGH]


def test_divergence_is_not_hidden() -> None:
    policy = GaussianPolicy(1, 2, 1, 2, log_std=0.0)
    with torch.no_grad():
        policy.log_std.copy_(torch.tensor([torch.inf, torch.nan]))
    policy.confine()
    assert not policy.log_std.isfinite().any()


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
        raw = torch.from_numpy(shift + scale * rng.normal(size=(1000, 1)))
        normaliser.update_normalised(normaliser.normalise(raw).numpy())
    assert normaliser.mean[0] == pytest.approx(shift, abs=3 * scale)
    assert normaliser.std[0] == pytest.approx(scale, rel=0.5)


@pytest.mark.parametrize("scale", [1e-12, 1e-9, 1.0, 1e9])
def test_columns_of_any_scale_are_seen(scale: float) -> None:
    rows = scale * np.random.default_rng(1).normal(size=(5000, 1))
    normaliser = RunningNormaliser(1)
    normaliser.update(rows)
    seen = normaliser.normalise(torch.from_numpy(rows)).numpy()
    assert seen.std() == pytest.approx(1.0, rel=0.01)
    normaliser.update(np.full((10, 1), 0.0))
    constant = RunningNormaliser(1)
    constant.update(np.full((100, 1), scale))
    assert constant.std[0] == 1.0


def test_adam_comes_back_from_one_enormous_gradient(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    adam = Adam([{"params": [weight], "lr": 0.01}])
    weight.grad = torch.full((1,), 1e6)
    adam.step()
    for _ in range(30_000):
        weight.grad = torch.full((1,), -1.0)
        adam.step()
    assert float(weight.detach()) > 100.0


def test_an_update_ends_within_the_bounds() -> None:
    from mmrl.learn.trainer import Trainer

    given = {"market.name": "avellaneda-stoikov", "nt": 5, "nb": 4, "lr": 1.0, "entropy": 10.0, "log_std": 1.9}
    trainer = Trainer(resolve({**given, "run.threads": 1})[0])
    trainer.step()  # the entropy bonus pushes up, by 1 a step
    assert trainer.policy.log_std_vector().tolist() == [HIGH, HIGH]
