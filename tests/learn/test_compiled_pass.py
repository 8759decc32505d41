"""The gradient by hand in compiled code equals autograd's, whatever the number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmrl.learn import precompile
from mmrl.learn.compiled_pass import Weights
from mmrl.learn.gradient import accumulate
from mmrl.learn.policy import Policy, make_policy
from mmrl.learn.returns import LearningBatch
from mmrl.learn.team import Team
from mmrl.learn.tensor_gradient import by_autograd
from mmrl.settings.groups import LOG_STD_BOUNDS
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve


def settings(**given: Any) -> Config:
    return resolve(given, None, None, {})[0]


def case(config: Config, rows: int) -> tuple[Policy, LearningBatch]:
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    policy = make_policy(config, seed=3)
    policy.numbers += 0.3 * rng.normal(size=policy.numbers.shape).astype(np.float32)
    observation, noise, advantage = (rng.normal(size=(rows, n)).astype(np.float32) for n in (6, 1, 1))
    action, log_prob = (column.numpy() for column in policy.sample(torch.from_numpy(observation)))
    # Another policy acted: ratios well inside and well outside the clip range, some beyond the bound.
    log_prob = log_prob + 0.3 * noise[:, 0]
    log_prob[::50] += 30.0
    return policy, LearningBatch(observation, action, log_prob, advantage[:, 0])


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
@pytest.mark.parametrize("rule", [{}, {"noclip": True}, {"algorithm": "reinforce"}])
@pytest.mark.parametrize(("rows", "layers", "size"), [(1, 1, 8), (300, 2, 16), (5001, 3, 7)])
def test_equals_autograd(kind: str, rule: dict[str, Any], rows: int, layers: int, size: int) -> None:
    config = settings(**{"policy.kind": kind, "layers": layers, "layer_size": size, **rule})
    policy, batch = case(config, rows)
    part = np.random.default_rng(5).permutation(rows)[: max(1, rows // 2)]
    want_numbers = by_autograd(policy, batch, part, config, 0.01)
    want = policy.gradient
    with Team(2) as team:
        got_numbers = accumulate(policy, batch, part, config, 0.01, team)
    assert policy.gradient is not want and isinstance(want, np.ndarray)
    assert got_numbers == pytest.approx(want_numbers, rel=2e-4, abs=1e-5)
    scale = max(float(np.abs(want).max()), 1.0)
    for name, array in policy.layout.named(policy.gradient).items():
        np.testing.assert_allclose(array, policy.layout.named(want)[name], rtol=1e-4, atol=2e-6 * scale, err_msg=name)


def test_a_log_std_at_its_bound_has_a_gradient() -> None:
    config = settings()
    policy, batch = case(config, 200)
    policy.log_std[:2] = LOG_STD_BOUNDS
    for differentiate in (accumulate, by_autograd):
        differentiate(policy, batch, None, config, 0.0)
        assert (policy.gradient[:2] != 0).all()


def test_a_network_without_all_of_its_weights_is_refused() -> None:
    """Compiled code does not notice: it would read and write beyond the vector."""
    sizes = np.array([3, 4, 2], np.int64)
    Weights(np.zeros(4 * 4 + 5 * 2 + 3 * 2, np.float32), sizes).require_all()
    with pytest.raises(ValueError, match=r"layers \[3, 4, 2\] has 32 weights, not 26"):
        Weights(np.zeros(4 * 4 + 5 * 2, np.float32), sizes).require_all()
    precompile.main()
