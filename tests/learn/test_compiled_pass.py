"""The gradient by hand in compiled code equals autograd's, whatever the number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmrl.learn import gradient, precompile
from mmrl.learn.compiled_pass import Weights
from mmrl.learn.policy import GaussianPolicy, Policy, make_policy
from mmrl.learn.returns import LearningBatch
from mmrl.settings.groups import LOG_STD_BOUNDS
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve


def settings(**given: Any) -> Config:
    return resolve(given, None, None, {})[0]


def case(config: Config, rows: int) -> tuple[Policy, LearningBatch]:
    torch.manual_seed(3)
    policy = make_policy(config)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    observation = torch.randn(rows, 6)
    action, log_prob = policy.sample(observation)
    # Another policy acted: ratios well inside and well outside the clip range, some beyond the bound.
    log_prob = log_prob + 0.3 * torch.randn(rows)
    log_prob[::50] += 30.0
    return policy, LearningBatch(observation, action, log_prob, torch.randn(rows))


def gradients(*modules: torch.nn.Module) -> list[torch.Tensor]:
    found = [p.grad.clone() for m in modules for p in m.parameters() if p.grad is not None]
    for module in modules:
        module.zero_grad()
    return found


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
@pytest.mark.parametrize("rule", [{}, {"noclip": True}, {"algorithm": "reinforce"}])
@pytest.mark.parametrize(("rows", "layers", "size"), [(1, 1, 8), (300, 2, 16), (5001, 3, 7)])
def test_equals_autograd(kind: str, rule: dict[str, Any], rows: int, layers: int, size: int) -> None:
    config = settings(**{"policy.kind": kind, "layers": layers, "layer_size": size, **rule})
    policy, batch = case(config, rows)
    part = torch.randperm(rows)[: max(1, rows // 2)]
    want_numbers = gradient._by_autograd(policy, batch, part, config, 0.01)
    want = gradients(policy)
    got_numbers = gradient._compiled(policy, batch, part, config, 0.01, threads=2)
    got = gradients(policy)
    scale = max(float(g.abs().max()) for g in want)
    assert got_numbers == pytest.approx(want_numbers, rel=2e-4, abs=1e-5)
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-6 * max(scale, 1.0))


def test_a_log_std_at_its_bound_has_a_gradient() -> None:
    config = settings()
    policy, batch = case(config, 200)
    assert isinstance(policy, GaussianPolicy)
    with torch.no_grad():
        policy.log_std[0], policy.log_std[1] = LOG_STD_BOUNDS
    for accumulate in (gradient._compiled, gradient._by_autograd):
        accumulate(policy, batch, None, config, 0.0, 1)
        assert policy.log_std.grad is not None and (policy.log_std.grad[:2] != 0).all()


def test_does_not_depend_on_the_number_of_threads() -> None:
    config = settings()
    policy, batch = case(config, 20_000)
    found = []
    for threads in (1, 2, 3):
        numbers = gradient._compiled(policy, batch, None, config, 0.0, threads)
        found.append((numbers, gradients(policy)))
    for numbers, grads in found[1:]:
        assert numbers == found[0][0]
        assert all(torch.equal(a, b) for a, b in zip(grads, found[0][1], strict=True))


def test_a_network_without_all_of_its_weights_is_refused() -> None:
    """Compiled code does not notice: it would read and write beyond the vector."""
    sizes = np.array([3, 4, 2], np.int64)
    Weights(np.zeros(4 * 4 + 5 * 2 + 3 * 2, np.float32), sizes).require_all()
    with pytest.raises(ValueError, match=r"layers \[3, 4, 2\] has 32 weights, not 26"):
        Weights(np.zeros(4 * 4 + 5 * 2, np.float32), sizes).require_all()
    precompile.main()
