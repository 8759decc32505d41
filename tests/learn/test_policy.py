"""The linear map beside the network: in torch, numpy and the kernel, and in checkpoints from before there was one."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from mmrl.learn.policy import SKIP, make_policy, network_weights
from mmrl.learn.trainer import Trainer
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve


def small(**given: Any) -> Config:
    given = {"nb": 4, "nt": 20, "threads": 1, "start_inventory": 10, **given}
    return resolve(given, None, "avellaneda-stoikov", {})[0]


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
def test_kernel_and_torch_agree(kind: str) -> None:
    trainer = Trainer(small(policy=kind))
    with torch.no_grad():
        trainer.policy.network.skip.weight.normal_()
    batch = trainer.rollout(1).numpy()
    seen, action = torch.as_tensor(batch.observation), torch.as_tensor(batch.action)
    log_prob = trainer.policy.log_prob_entropy(seen, action)[0].detach().numpy()
    np.testing.assert_allclose(batch.log_prob, log_prob, atol=1e-4)
    outputs = trainer.policy.weights(trainer.normaliser).forward(batch.observation)
    np.testing.assert_allclose(outputs, trainer.policy(seen).detach().numpy(), atol=1e-4)


def test_quotes_lean_without_bound() -> None:
    policy = Trainer(small()).policy
    with torch.no_grad():
        for parameter in policy.network.linear.parameters():
            parameter.mul_(100.0)  # all hidden units saturate
        policy.network.skip.weight[:] = torch.tensor([[0.5, 0.0], [-0.5, 0.0]])
    far = policy(torch.tensor([[4.0, 0.0], [8.0, 0.0]])).detach()
    torch.testing.assert_close(far[1] - far[0], torch.tensor([2.0, -2.0]))


def test_a_run_from_before_there_was_a_linear_map_goes_on() -> None:
    config = small()
    before, after = Trainer(config), Trainer(config)
    before.step()
    state = before.state_dict()
    state["policy"] = {name: value.clone() for name, value in state["policy"].items()}
    state["policy"].pop(SKIP)
    state["optimiser"] = {name: values[:-1] for name, values in state["optimiser"].items()}
    after.load_state_dict(state)
    assert not after.policy.network.skip.weight.any()
    for name, value in state["policy"].items():
        assert torch.equal(after.policy.state_dict()[name], value)
    saved = after.state_dict()["optimiser"]
    assert saved["steps"][:-1] == state["optimiser"]["steps"] and saved["steps"][-1] == 0
    assert all(torch.equal(a, b) for a, b in zip(saved["mean"], state["optimiser"]["mean"], strict=False))
    after.step()
    assert after.epoch == 2 and after.policy.network.skip.weight.any()


def test_a_networks_numbers_are_those_that_it_has_now() -> None:
    """Its memory is remembered: not that of a network from which it was copied, nor what it had before."""
    network = make_policy(Config.of("quickstart")).network
    first = network_weights(network).flat.copy()
    other = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1.0)
    np.testing.assert_array_equal(network_weights(network).flat, first)
    np.testing.assert_array_equal(network_weights(other).flat, first + np.float32(1.0))
    other.load_state_dict(network.state_dict())
    np.testing.assert_array_equal(network_weights(other).flat, first)
    for parameter in other.parameters():
        parameter.data = torch.full_like(parameter, 2.0)  # as moving it to a device does
    np.testing.assert_array_equal(network_weights(other).flat, np.full_like(first, 2.0))
