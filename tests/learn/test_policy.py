"""The linear map beside the network: in torch, numpy and the kernel, and in checkpoints from before there was one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmrl.learn.policy import SKIP, Policy
from mmrl.learn.tensor_policy import log_prob_entropy, outputs
from mmrl.learn.trainer import Trainer
from mmrl.rollout.arrays import host
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve


def small(**given: Any) -> Config:
    given = {"nb": 4, "nt": 20, "threads": 1, "start_inventory": 10, **given}
    return resolve(given, None, "avellaneda-stoikov", {})[0]


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
def test_kernel_and_torch_agree(kind: str) -> None:
    trainer = Trainer(small(policy=kind))
    skip = trainer.policy.parameters[SKIP]
    skip[:] = np.random.default_rng(0).normal(size=skip.shape)
    batch = trainer.rollout(1).numpy()
    seen, action = torch.as_tensor(batch.observation), torch.as_tensor(batch.action)
    log_prob = log_prob_entropy(trainer.policy, seen, action)[0]
    np.testing.assert_allclose(batch.log_prob, log_prob, atol=1e-4)
    found = trainer.policy.weights(trainer.normaliser).forward(batch.observation)
    np.testing.assert_allclose(found, outputs(trainer.policy, seen), atol=1e-4)


def test_quotes_lean_without_bound() -> None:
    policy = Trainer(small()).policy
    policy.network[:] *= 100.0  # all hidden units saturate
    policy.parameters[SKIP][:] = [[0.5, 0.0], [-0.5, 0.0]]
    far = outputs(policy, torch.tensor([[4.0, 0.0], [8.0, 0.0]]))
    torch.testing.assert_close(far[1] - far[0], torch.tensor([2.0, -2.0]))


def test_a_run_from_before_there_was_a_linear_map_goes_on() -> None:
    config = small()
    before, after = Trainer(config), Trainer(config)
    before.step()
    state = before.state_dict()
    state["policy"].pop(SKIP)
    named, own = before.optimiser.layout.named, state["optimiser"]
    own |= {name: list(named(own[name]).values())[:-1] for name in ("mean", "square")}  # there were lists then
    own["steps"].pop()
    more = {"steps": 7, "mean": np.ones(3, np.float32), "square": np.ones(3, np.float32)}  # the value network's
    after.load_state_dict({**state, "optimiser": {name: [*own[name], more[name]] for name in more}})
    assert not after.policy.parameters[SKIP].any()
    for name, value in state["policy"].items():
        np.testing.assert_array_equal(after.policy.parameters[name], value)
    saved = after.state_dict()["optimiser"]
    assert saved["steps"] == [*own["steps"], 0]
    for name in ("mean", "square"):
        *kept, new = named(saved[name]).values()
        assert all(np.array_equal(a, b) for a, b in zip(kept, own[name], strict=True)) and not new.any()
    after.step()
    assert after.epoch == 2 and after.policy.parameters[SKIP].any()


@pytest.mark.parametrize("device", ["cpu", "tensor"])
def test_a_state_is_a_copy_and_that_of_other_networks_is_refused(device: str) -> None:
    policy = Policy((3, 4, 2), log_std=[0.5, -0.5], seed=1)
    if device == "tensor":
        policy.numbers = torch.from_numpy(policy.numbers)
    state = policy.state_dict()
    assert list(state) == [
        "log_std", "network.linear.0.weight", "network.linear.0.bias", "network.linear.1.weight",
        "network.linear.1.bias", SKIP,
    ]  # fmt: skip
    before = host(policy.numbers).copy()
    policy.numbers[:] = 1.0
    np.testing.assert_array_equal(np.concatenate([host(array).ravel() for array in state.values()]), before)
    policy.restore(state)
    np.testing.assert_array_equal(policy.numbers, before)
    assert type(policy.log_std) is type(policy.numbers) and policy.log_std.tolist() == [0.5, -0.5]
    with pytest.raises(ValueError, match=r"network.linear.0.weight is not of shape \[5, 3\]"):
        Policy((3, 5, 2), log_std=[0.5, -0.5]).restore(state)
    with pytest.raises(ValueError, match="log_std is not of shape"):
        policy.restore({name: array for name, array in state.items() if name != "log_std"})
