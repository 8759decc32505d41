"""The loss of PPO (Schulman et al. 2017) and REINFORCE and its gradient over many rows.

`accumulate` differentiates by autograd on any device; on a CPU `mmrl.learn.compiled_pass` does the same sums in
compiled code. Both leave the mean gradient over the rows in the parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmrl.learn import compiled_pass
from mmrl.learn.compiled_pass import LOG_RATIO_BOUND
from mmrl.learn.policy import CategoricalPolicy, GaussianPolicy, Network, Policy, network_weights
from mmrl.learn.returns import LearningBatch
from mmrl.settings.model import Config

STATISTICS = ("policy_loss", "entropy", "kl", "clip_fraction")
CHUNK = 16_384  # rows whose activations stay in the cache of an accelerator or a CPU


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
    t = config.training
    size = int(batch.log_prob.shape[0] if part is None else part.shape[0])
    order = np.arange(size) if part is None else part.numpy()
    rows = compiled_pass.Rows(*(getattr(batch, name).numpy() for name in compiled_pass.Rows._fields))
    log_std, groups = np.zeros(0, np.float32), np.zeros(0, np.int64)
    if isinstance(policy, GaussianPolicy):
        log_std = policy.log_std_vector().detach().numpy()
    elif isinstance(policy, CategoricalPolicy):
        groups = np.array(policy.choices, np.int64)
    ppo = compiled_pass.NOCLIP if t.noclip else compiled_pass.CLIP
    rule = compiled_pass.REINFORCE if t.algorithm == "reinforce" else ppo
    sums = compiled_pass.gradient(
        rows,
        order,
        network_weights(policy.network),
        compiled_pass.Loss(log_std, groups, rule, t.clip, coefficient),
        threads,
    )
    _leave(policy.network, sums.policy / size)
    if isinstance(policy, GaussianPolicy):
        policy.log_std.grad = torch.from_numpy(sums.log_std / size - coefficient).float()
    return (sums.totals / size).tolist()


def _leave(network: Network, flat: np.ndarray) -> None:
    """Cut a vector of gradients into the parameters' own."""
    parts = torch.from_numpy(flat).split([p.numel() for p in network.in_order])
    for parameter, part in zip(network.in_order, parts, strict=True):
        parameter.grad = part.view(parameter.shape)
