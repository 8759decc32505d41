"""The loss of PPO (Schulman et al. 2017) and REINFORCE and its gradient over many rows.

`accumulate` differentiates by autograd on any device; on a CPU `mmrl.learn.compiled_pass`, on CUDA `cuda_pass` do the
same sums in compiled code. All leave the mean gradient over the rows in the parameters.
"""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmrl.learn import compiled_pass
from mmrl.learn.compiled_pass import LOG_RATIO_BOUND
from mmrl.learn.policy import CategoricalPolicy, GaussianPolicy, Network, Policy, network_sizes, network_weights
from mmrl.learn.returns import LearningBatch
from mmrl.markets.contract import spec_of
from mmrl.settings.model import Config

STATISTICS = ("policy_loss", "entropy", "kl", "clip_fraction")
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


def prepare(policy: Policy, config: Config) -> float:
    """Compile the kernel of a policy on CUDA, by the gradient of one row; returns the seconds it took."""
    began, device = time.perf_counter(), policy.network.in_order[0].device
    if device.type == "cuda":
        spec = spec_of(config)
        observation, action = (torch.zeros(1, n, device=device) for n in (len(spec.columns), len(spec.axes)))
        number = torch.zeros(1, device=device)
        accumulate(policy, LearningBatch(observation, action, number, number), None, config, config.training.entropy)
        policy.zero_grad()
    return time.perf_counter() - began


def accumulate(
    policy: Policy,
    batch: LearningBatch,
    part: Tensor | None,
    config: Config,
    coefficient: float,
    threads: int = 1,
) -> list[float]:
    """Leave the mean gradient over the rows `part` (None: all) in the parameters; returns means of STATISTICS.

    `coefficient` weighs the entropy bonus.
    """
    if batch.observation.device.type == "cpu" and batch.observation.dtype == torch.float32:
        return _compiled(policy, batch, part, config, coefficient, threads)
    if batch.observation.is_cuda and batch.observation.dtype == torch.float32:
        return _on_cuda(policy, batch, part, config, coefficient)
    return _by_autograd(policy, batch, part, config, coefficient)


def _by_autograd(
    policy: Policy,
    batch: LearningBatch,
    part: Tensor | None,
    config: Config,
    coefficient: float,
    chunk: int = CHUNK,
) -> list[float]:
    size = int(batch.log_prob.shape[0] if part is None else part.shape[0])
    totals = torch.zeros(len(STATISTICS), device=batch.observation.device)
    for start in range(0, size, chunk):
        rows: Any = slice(start, min(start + chunk, size))
        if part is not None:
            rows = part[rows]
        observation = batch.observation[rows]
        log_prob, entropies = policy.log_prob_entropy(observation, batch.action[rows])
        each, log_ratio = policy_loss(log_prob, batch.log_prob[rows], batch.advantage[rows], config)
        policy_sum, entropy_sum = each.sum(), entropies.sum()
        ((policy_sum - coefficient * entropy_sum) / size).backward()
        ratio_less_one = log_ratio.expm1()
        kl_sum = (ratio_less_one - log_ratio).sum()  # Schulman's low-variance estimator, never negative
        clipped = (ratio_less_one.abs() > config.training.clip).sum()
        sums = (policy_sum, entropy_sum, kl_sum, clipped.to(policy_sum.dtype))
        totals += torch.stack([s.detach() for s in sums])
    return [total / size for total in totals.tolist()]  # the minibatch's only host round trip besides the norm


def _compiled(
    policy: Policy,
    batch: LearningBatch,
    part: Tensor | None,
    config: Config,
    coefficient: float,
    threads: int,
) -> list[float]:
    size = int(batch.log_prob.shape[0] if part is None else part.shape[0])
    order = np.arange(size) if part is None else part.numpy()
    log_std, groups = policy.log_std_vector().detach().numpy(), np.array(_choices(policy), np.int64)
    loss = _loss(log_std, groups, config, coefficient)
    sums = compiled_pass.gradient(batch.rows, order, network_weights(policy.network), loss, threads)
    _leave(policy.network, torch.from_numpy(sums.policy / size))
    if isinstance(policy, GaussianPolicy):
        policy.log_std.grad = torch.from_numpy(sums.log_std / size - coefficient).float()
    return (sums.totals / size).tolist()


def _on_cuda(
    policy: Policy, batch: LearningBatch, part: Tensor | None, config: Config, coefficient: float
) -> list[float]:
    from mmrl.learn import cuda_pass

    flat = torch.cat([p.detach().reshape(-1) for p in policy.network.in_order])
    sizes = network_sizes(policy.network)
    if find_spec("numba_cuda") is None or not cuda_pass.threads_for(sizes, len(flat)):
        return _by_autograd(policy, batch, part, config, coefficient, max(LARGE // max(sizes), 1))
    size = int(batch.log_prob.shape[0] if part is None else part.shape[0])
    rows = compiled_pass.Rows(*(getattr(batch, name) for name in compiled_pass.Rows._fields))
    log_std = policy.log_std_vector().detach().to(flat.device)
    loss = _loss(log_std, torch.tensor(_choices(policy), dtype=torch.int64, device=flat.device), config, coefficient)
    sums: Any = cuda_pass.gradient(rows, part, flat, sizes, loss)
    _leave(policy.network, (sums.policy / size).float())
    if isinstance(policy, GaussianPolicy):
        policy.log_std.grad = (sums.log_std / size - coefficient).float()
    return [total / size for total in sums.totals.tolist()]


def _choices(policy: Policy) -> tuple[int, ...]:
    return policy.choices if isinstance(policy, CategoricalPolicy) else ()


def _loss(log_std: Any, groups: Any, config: Config, coefficient: float) -> compiled_pass.Loss:
    """What the policy is trained by, of arrays or of tensors."""
    t = config.training
    ppo = compiled_pass.NOCLIP if t.noclip else compiled_pass.CLIP
    rule = compiled_pass.REINFORCE if t.algorithm == "reinforce" else ppo
    return compiled_pass.Loss(log_std, groups, rule, t.clip, coefficient)


def _leave(network: Network, flat: Tensor) -> None:
    """Cut a vector of gradients into the parameters' own."""
    at = 0
    for parameter in network.in_order:
        first, at = at, at + parameter.numel()
        parameter.grad = flat[first:at].view(parameter.shape)
