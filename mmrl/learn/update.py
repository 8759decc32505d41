"""One update of policy and value network from a batch: PPO's surrogate (Schulman et al. 2017) or REINFORCE.

The loss is a mean over live steps: no step that was not lived is ever touched.
"""

from __future__ import annotations

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

__all__ = ["Diverged", "UpdateStats", "make_optimiser", "policy_loss", "update"]


@dataclass(frozen=True)
class UpdateStats:
    """Diagnostics of one update; kl, clip_fraction and entropy are those of the last pass."""

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

    Raises Diverged before the optimiser's step, so that no parameter has moved by a non-finite number.
    REINFORCE moves the policy in the first pass only: later ones would no longer be on-policy.
    """
    t = config.training
    coefficient = t.entropy if entropy is None else entropy
    rows, device = int(batch.log_prob.shape[0]), batch.observation.device
    named = _named_parameters(policy, network)
    optimiser.zero_grad()
    losses: list[list[float]] = []
    norms: list[float] = []
    last = [0.0] * len(STATISTICS)
    active, passes = True, 0
    for sweep in range(t.update_freq):
        active = active and not (t.algorithm == "reinforce" and sweep > 0)
        if not active and network is None:
            break
        sums = np.zeros(len(STATISTICS))
        for part in _minibatches(rows, t.minibatches, rng, device):
            size = rows if part is None else int(part.shape[0])
            numbers = accumulate(policy if active else None, network, batch, part, config, coefficient, threads)
            if active and t.target_kl and numbers[3] > 1.5 * t.target_kl:
                active = False
                _drop_gradients(policy)
                if network is None:
                    break
            norms.append(_clip(policy, network, t.max_grad_norm, numbers, named))
            optimiser.step()
            optimiser.zero_grad()
            losses.append(numbers)
            sums += np.asarray(numbers) * (size / rows)
        if active:
            passes, last = sweep + 1, sums.tolist()
    _check_finite([(f"parameter {name}", p) for name, p in named])
    mean = np.mean(losses, axis=0) if losses else np.zeros(len(STATISTICS))
    if passes:
        mean[0] = np.mean([one[0] for one in losses[: passes * t.minibatches]])
    return UpdateStats(
        policy_loss=float(mean[0]),
        value_loss=float(mean[1]),
        entropy=float(last[2]),
        kl=float(last[3]),
        clip_fraction=float(last[4]),
        explained_variance=batch.explained_variance,
        grad_norm=float(np.mean(norms)) if norms else 0.0,
        passes=passes,
    )


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
