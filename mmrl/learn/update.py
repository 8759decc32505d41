"""One update of policy and value network from a batch: PPO's surrogate (Schulman et al. 2017) or REINFORCE.

The loss is a mean over live steps: no step that was not lived is ever touched.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmrl.learn.adam import Adam
from mmrl.learn.gradient import STATISTICS, accumulate, policy_loss
from mmrl.learn.policy import Policy, ValueNetwork
from mmrl.learn.returns import Diverged, LearningBatch
from mmrl.settings.model import Config

NOCLIP_KL = 0.01
"""Largest KL divergence of an update without clipping, unless `target_kl` says otherwise."""
BACKTRACKS = 10

__all__ = ["Diverged", "UpdateStats", "make_optimiser", "policy_loss", "update"]


@dataclass(frozen=True)
class UpdateStats:
    """Diagnostics of one update; kl, clip_fraction and entropy are those of the last pass that moved the policy."""

    policy_loss: float
    value_loss: float
    entropy: float
    kl: float
    clip_fraction: float
    explained_variance: float
    grad_norm: float
    passes: int

    def record(self) -> dict[str, float]:
        """The diagnostics as plain numbers by name."""
        return asdict(self)


def make_optimiser(policy: Policy, network: ValueNetwork | None, config: Config) -> Adam:
    """Adam with one parameter group for the policy and, when there is one, one for the value network."""
    t = config.training
    groups: list[dict[str, Any]] = [{"params": list(policy.parameters()), "lr": t.lr}]
    if network is not None:
        groups.append({"params": list(network.parameters()), "lr": t.value_lr or t.lr})
    return Adam(groups)


def update(
    policy: Policy,
    network: ValueNetwork | None,
    optimiser: Adam,
    batch: LearningBatch,
    config: Config,
    rng: np.random.Generator,
    entropy: float | None = None,
    threads: int = 1,
) -> UpdateStats:
    """Run the passes over a batch; `entropy` overrides the coefficient of the config.

    REINFORCE moves the policy once, by the gradient of the whole batch: any further step would be off-policy.
    PPO stops the passes where a minibatch shows a KL divergence above `target_kl`; without clipping, where nothing else
    holds the policy near the one that acted, the update ends with a line search back to `NOCLIP_KL` (as in Schulman et
    al., Trust Region Policy Optimization, 2015, appendix C).
    Raises Diverged before the optimiser's step, so that no parameter has moved by a non-finite number.
    """
    t = config.training
    coefficient = t.entropy if entropy is None else entropy
    rows, device = int(batch.log_prob.shape[0]), batch.observation.device
    named = _named_parameters(policy, network)
    optimiser.zero_grad()
    taken, norms = _Taken(), []
    before = [p.detach().clone() for p in policy.parameters()]
    unclipped = t.algorithm == "ppo" and t.noclip
    bound = t.target_kl or (NOCLIP_KL if unclipped else math.inf)

    def step(moving: Policy | None, learner: ValueNetwork | None, part: Tensor | None, sweep: int) -> bool:
        """One step of the optimiser; False, and the policy stays, where the KL divergence is beyond its bound."""
        size = rows if part is None else int(part.shape[0])
        numbers = accumulate(moving, learner, batch, part, config, coefficient, threads)
        inside = moving is None or numbers[3] <= bound
        if not inside:
            _drop_gradients(policy)
        if inside or learner is not None:
            norms.append(_clip(policy, learner, t.max_grad_norm, numbers, named))
            optimiser.step()
        optimiser.zero_grad()
        taken.add(numbers, size, sweep, moving is not None and inside, learner is not None)
        return inside

    active, reinforce = True, t.algorithm == "reinforce"
    for sweep in range(t.update_freq):
        for part in _minibatches(rows, 1 if reinforce and sweep == 0 else t.minibatches, rng, device):
            if active or network is not None:
                active = step(policy if active else None, network, part, sweep) and active
        active = active and not reinforce
    if unclipped:
        _search_back(policy, before, batch, config, bound, threads)
    _check_finite([(f"parameter {name}", p) for name, p in named])
    return UpdateStats(
        **taken.statistics(),
        explained_variance=batch.explained_variance,
        grad_norm=float(np.mean(norms)) if norms else 0.0,
        passes=taken.passes,
    )


class _Taken:
    """What the steps of an update showed, weighted by their rows."""

    def __init__(self) -> None:
        self.policy: list[tuple[int, int, list[float]]] = []
        self.value: list[tuple[int, float]] = []

    def add(self, numbers: list[float], size: int, sweep: int, moved: bool, learned: bool) -> None:
        """One step: the means that `accumulate` gave over `size` rows."""
        if moved:
            self.policy.append((sweep, size, numbers))
        if learned:
            self.value.append((size, numbers[1]))

    @property
    def passes(self) -> int:
        """Passes in which the policy moved."""
        return len({sweep for sweep, _, _ in self.policy})

    def statistics(self) -> dict[str, float]:
        """Losses over all steps; entropy, kl and clip fraction over those of the last pass that moved the policy."""
        found = dict.fromkeys(STATISTICS, 0.0)
        if self.policy:
            sizes = [size for _, size, _ in self.policy]
            found["policy_loss"] = float(np.average([numbers[0] for *_, numbers in self.policy], weights=sizes))
            last = [(size, numbers) for sweep, size, numbers in self.policy if sweep == self.policy[-1][0]]
            means = np.average([numbers for _, numbers in last], axis=0, weights=[size for size, _ in last])
            found |= dict(zip(STATISTICS[2:], means[2:].tolist(), strict=True))
        if self.value:
            losses = [loss for _, loss in self.value]
            found["value_loss"] = float(np.average(losses, weights=[size for size, _ in self.value]))
        return found


@torch.no_grad()
def _search_back(
    policy: Policy, before: list[Tensor], batch: LearningBatch, config: Config, bound: float, threads: int
) -> None:
    """Halve the way from the parameters `before` until the KL divergence over the batch is within its bound."""
    for _ in range(BACKTRACKS):
        with torch.enable_grad():
            kl = accumulate(policy, None, batch, None, config, 0.0, threads)[3]
        _drop_gradients(policy)
        if kl <= bound:
            return
        for parameter, start in zip(policy.parameters(), before, strict=True):
            parameter.copy_(0.5 * (parameter + start))
    for parameter, start in zip(policy.parameters(), before, strict=True):
        parameter.copy_(start)


def _minibatches(rows: int, parts: int, rng: np.random.Generator, device: torch.device) -> Iterator[Tensor | None]:
    """Row indices of each minibatch of one pass, a random partition; None stands for all rows in order.

    Indices rise within a minibatch: its rows are summed anyway, and memory is read in its own order.
    """
    if parts <= 1 or rows <= 1:
        yield None
        return
    parts = min(parts, rows)
    label = np.arange(rows, dtype=np.int32) % parts
    rng.shuffle(label)
    for k in range(parts):
        yield torch.from_numpy(np.flatnonzero(label == k)).to(device)


def _clip(
    policy: Policy,
    network: ValueNetwork | None,
    limit: float,
    numbers: list[float],
    named: list[tuple[str, Tensor]],
) -> float:
    """Check all numbers, scale each network's gradient to `limit`, return the norm before."""
    for name, number in zip(STATISTICS[:2], numbers, strict=False):
        if not np.isfinite(number):
            # a bad parameter makes a bad loss: name the cause where it can be seen
            _check_finite([(f"parameter {key}", p) for key, p in named])
            raise Diverged(name.replace("_", " "))
    _check_finite([(f"gradient of {name}", p.grad) for name, p in named if p.grad is not None])
    _check_finite([(f"parameter {name}", p) for name, p in named])
    modules: list[nn.Module] = [policy] if network is None else [policy, network]
    norms = [nn.utils.clip_grad_norm_(m.parameters(), limit if limit > 0 else float("inf")) for m in modules]
    return float(torch.stack(norms).norm())


def _check_finite(tensors: list[tuple[str, Tensor]]) -> None:
    """Raise Diverged naming the first non-finite tensor; one host round trip if there is none."""
    if not tensors or bool(torch.stack([t.detach().isfinite().all() for _, t in tensors]).all()):
        return
    for name, tensor in tensors:
        if not bool(tensor.isfinite().all()):
            raise Diverged(name)


def _named_parameters(policy: Policy, network: ValueNetwork | None) -> list[tuple[str, Tensor]]:
    """All trained tensors with the names that error messages use."""
    named: list[tuple[str, Tensor]] = [(f"policy.{n}", p) for n, p in policy.named_parameters()]
    if network is not None:
        named += [(f"value.{n}", p) for n, p in network.named_parameters()]
    return named


def _drop_gradients(module: nn.Module) -> None:
    for parameter in module.parameters():
        parameter.grad = None
