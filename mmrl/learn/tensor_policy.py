"""A policy by torch, on any device: to simulate by the tensor engine, and to differentiate by autograd."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mmrl.learn.policy import NETWORK, SKIP, Policy


def tensor(column: Tensor | np.ndarray) -> Tensor:
    """A column as a tensor, in its own memory."""
    return torch.from_numpy(column) if isinstance(column, np.ndarray) else column


def outputs(policy: Policy, observation: Tensor, numbers: Tensor | None = None) -> Tensor:
    """Means or logits [rows, outputs] of normalised observations [rows, obs], of other numbers than the policy's if
    they are given."""
    held = policy.layout.named(tensor(policy.numbers) if numbers is None else numbers)
    hidden, last = observation, len(policy.sizes) - 2
    for k in range(last + 1):
        name = f"{NETWORK}linear.{k}"
        hidden = torch.nn.functional.linear(hidden, held[f"{name}.weight"], held[f"{name}.bias"])
        hidden = hidden if k == last else torch.tanh(hidden)
    return hidden + torch.nn.functional.linear(observation, held[SKIP])


def log_prob_entropy(
    policy: Policy, observation: Tensor, action: Tensor, numbers: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Log-probability of the actions [rows, A] and entropy, summed over action dimensions, each [rows]."""
    numbers = tensor(policy.numbers) if numbers is None else numbers
    found = outputs(policy, observation, numbers)
    if not policy.choices:
        log_std = numbers[: policy.free]
        constant = -0.5 * np.log(2 * np.pi) * found.shape[-1] - log_std.sum()
        standard = (action - found) * torch.exp(-log_std)
        log_prob = constant - 0.5 * (standard * standard).sum(-1)
        entropy = (log_std + 0.5 * np.log(2 * np.pi * np.e)).sum()
        return log_prob, entropy.expand(log_prob.shape)
    log_prob, entropy = torch.zeros_like(found[:, 0]), torch.zeros_like(found[:, 0])
    for k, part in enumerate(found.split(policy.choices, dim=-1)):
        logs = part.log_softmax(-1)
        log_prob = log_prob + logs.gather(-1, action[:, k : k + 1].long()).squeeze(-1)
        entropy = entropy - (logs.exp() * logs).sum(-1)
    return log_prob, entropy


@torch.no_grad()
def sample(policy: Policy, observation: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Actions [rows, A] and their log-probabilities [rows]; no gradient."""
    found = outputs(policy, observation)
    if not policy.choices:
        log_std = tensor(policy.log_std)
        noise = torch.empty_like(found).normal_(generator=generator)
        log_prob = -0.5 * (noise * noise).sum(-1) - 0.5 * np.log(2 * np.pi) * found.shape[-1] - log_std.sum()
        return found + log_std.exp() * noise, log_prob
    actions, log_prob = [], torch.zeros_like(observation[:, 0])
    for part in found.split(policy.choices, dim=-1):
        logs = part.log_softmax(-1)
        # Gumbel maximum: no host round trip, unlike multinomial's checks
        noise = torch.empty_like(logs).exponential_(generator=generator)
        index = (logs - noise.log()).argmax(-1, keepdim=True)
        actions.append(index.to(observation.dtype))
        log_prob = log_prob + logs.gather(-1, index).squeeze(-1)
    return torch.cat(actions, -1), log_prob
