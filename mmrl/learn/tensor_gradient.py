"""The gradient on other devices than a CPU: on CUDA by a kernel, else by autograd of torch."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from mmrl.learn.compiled_pass import LOG_RATIO_BOUND
from mmrl.learn.gradient import STATISTICS, loss_of
from mmrl.learn.policy import Policy
from mmrl.learn.returns import LearningBatch
from mmrl.learn.tensor_policy import log_prob_entropy, tensor
from mmrl.rollout.arrays import beside
from mmrl.settings.model import Config

CHUNK = 16_384
"""Rows whose activations stay in the cache of a CPU."""
LARGE = 1 << 26
"""Numbers that the activations of a layer may be on CUDA, where few large operations are faster than many small."""


def policy_loss(log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, config: Config) -> tuple[Tensor, Tensor]:
    """Loss of each row [rows] and the log-ratio to the acting policy [rows], which carries no gradient."""
    t = config.training
    log_ratio = (log_prob - old_log_prob).clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND)
    if t.algorithm == "reinforce":
        return -log_prob * advantage, log_ratio.detach()
    ratio = log_ratio.exp()
    gain = ratio * advantage
    if not t.noclip:
        gain = torch.minimum(gain, ratio.clamp(1.0 - t.clip, 1.0 + t.clip) * advantage)
    return -gain, log_ratio.detach()


def by_autograd(
    policy: Policy, batch: LearningBatch, part: Any, config: Config, coefficient: float, chunk: int | None = None
) -> list[float]:
    """What `accumulate` does on any device, in chunks of rows."""
    observation, action, old, advantage = map(tensor, batch.rows)
    numbers = tensor(policy.numbers).detach().requires_grad_()
    chunk = chunk or (max(LARGE // max(policy.sizes), 1) if numbers.is_cuda else CHUNK)
    size = len(old if part is None else part)
    totals = torch.zeros(len(STATISTICS), device=observation.device)
    for start in range(0, size, chunk):
        rows: Any = slice(start, min(start + chunk, size))
        if part is not None:
            rows = tensor(part[rows])
        log_prob, entropies = log_prob_entropy(policy, observation[rows], action[rows], numbers)
        each, log_ratio = policy_loss(log_prob, old[rows], advantage[rows], config)
        policy_sum, entropy_sum = each.sum(), entropies.sum()
        ((policy_sum - coefficient * entropy_sum) / size).backward()
        ratio_less_one = log_ratio.expm1()
        kl_sum = (ratio_less_one - log_ratio).sum()  # Schulman's low-variance estimator, never negative
        clipped = (ratio_less_one.abs() > config.training.clip).sum()
        sums = (policy_sum, entropy_sum, kl_sum, clipped.to(policy_sum.dtype))
        totals += torch.stack([s.detach() for s in sums])
    policy.gradient = beside(numbers.grad, policy.numbers)
    return [total / size for total in totals.tolist()]  # the minibatch's only host round trip besides the norm


def has_kernel(policy: Policy) -> bool:
    """Whether the network is small enough for the kernel of CUDA, and numba-cuda there."""
    if find_spec("numba_cuda") is None:
        return False
    from mmrl.learn import cuda_pass

    return cuda_pass.threads_for(policy.sizes, len(policy.network)) > 0


def by_kernel(policy: Policy, batch: LearningBatch, part: Any, config: Config, coefficient: float) -> list[float]:
    """What `accumulate` does on CUDA, in one kernel."""
    from mmrl.learn import cuda_pass

    size = len(batch.log_prob if part is None else part)
    choices = torch.tensor(policy.choices, dtype=torch.int64, device=policy.numbers.device)
    loss = loss_of(policy.log_std, choices, config, coefficient)
    sums: Any = cuda_pass.gradient(batch.rows, part, policy.network, policy.sizes, loss)
    policy.gradient = torch.cat([sums.log_std[: policy.free] / size - coefficient, sums.policy / size]).float()
    return [total / size for total in sums.totals.tolist()]
