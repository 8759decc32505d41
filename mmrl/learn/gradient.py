"""The gradient of the loss of PPO (Schulman et al. 2017) and REINFORCE over many rows.

`accumulate` leaves the mean over the rows in the policy: on a CPU by `mmrl.learn.compiled_pass`, elsewhere by
`tensor_gradient`.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from mmrl.learn import compiled_pass
from mmrl.learn.policy import Policy
from mmrl.learn.returns import LearningBatch
from mmrl.learn.team import Pass, Team
from mmrl.markets.contract import spec_of
from mmrl.rollout.arrays import Column, placed
from mmrl.settings.model import Config

STATISTICS = ("policy_loss", "entropy", "kl", "clip_fraction")


def prepare(policy: Policy, config: Config, device: str) -> float:
    """Compile the kernel of a policy on CUDA, by the gradient of one row; returns the seconds it took."""
    began = time.perf_counter()
    if device == "cuda":
        spec = spec_of(config)
        shapes = ((1, len(spec.columns)), (1, len(spec.axes)), (1,), (1,))
        row = LearningBatch.of(placed(np.zeros(shape, np.float32), device) for shape in shapes)
        accumulate(policy, row, None, config, config.training.entropy)
        policy.gradient = None
    return time.perf_counter() - began


def accumulate(
    policy: Policy,
    batch: LearningBatch,
    part: Column | None,
    config: Config,
    coefficient: float,
    team: Team | None = None,
) -> list[float]:
    """Leave the mean gradient over the rows `part` (None: all) in the policy; returns means of STATISTICS.

    `coefficient` weighs the entropy bonus, `team` are the threads of the update that the step is part of.
    """
    if isinstance(policy.numbers, np.ndarray):
        return compiled(policy, batch, part, config, coefficient, team)
    from mmrl.learn import tensor_gradient

    on_cuda = policy.numbers.is_cuda and tensor_gradient.has_kernel(policy)
    differentiate = tensor_gradient.by_kernel if on_cuda else tensor_gradient.by_autograd
    return differentiate(policy, batch, part, config, coefficient)


def compiled(
    policy: Policy,
    batch: LearningBatch,
    part: Any,
    config: Config,
    coefficient: float,
    team: Team | None,
) -> list[float]:
    """What `accumulate` does, in compiled code."""
    size = len(batch.log_prob if part is None else part)
    order = np.arange(size) if part is None else part

    def begin(looking: bool = False) -> Pass:
        loss = loss_of(policy.log_std, np.array(policy.choices, np.int64), config, coefficient)
        network = compiled_pass.Weights(policy.network, np.array(policy.sizes, np.int64))
        return Pass(batch.rows, network, loss, 1 if team is None else team.threads, looking)

    key = (policy, policy.numbers, batch, config)
    sums = (begin() if team is None else team.pass_of(key, coefficient, begin)).sums(order)
    policy.gradient = gradient = np.empty(policy.numbers.size, np.float32)
    gradient[: policy.free] = sums.log_std / size - coefficient
    gradient[policy.free :] = sums.policy / size
    return [total / size for total in sums.totals.tolist()]


def loss_of(log_std: Any, groups: Any, config: Config, coefficient: float) -> compiled_pass.Loss:
    """What a policy is trained by, of arrays or of tensors."""
    t = config.training
    ppo = compiled_pass.NOCLIP if t.noclip else compiled_pass.CLIP
    rule = compiled_pass.REINFORCE if t.algorithm == "reinforce" else ppo
    return compiled_pass.Loss(log_std, groups, rule, t.clip, coefficient)
