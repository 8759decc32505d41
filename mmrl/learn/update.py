"""One update of the policy from a batch: PPO's surrogate (Schulman et al. 2017) or REINFORCE.

The loss is a mean over live steps: no step that was not lived is ever touched.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from mmrl.learn.adam import Adam
from mmrl.learn.gradient import STATISTICS, accumulate
from mmrl.learn.minibatches import minibatches
from mmrl.learn.policy import Policy
from mmrl.learn.returns import Diverged, LearningBatch
from mmrl.learn.team import Team
from mmrl.rollout.arrays import Column, copied, library
from mmrl.settings.model import Config

NOCLIP_KL = 0.01
"""Largest KL divergence of an update without clipping, unless `target_kl` says otherwise."""
BACKTRACKS = 10

Gradient = Callable[[Policy, LearningBatch, Column | None, Config, float, Team], list[float]]
"""What `accumulate` does, here or shared with other processes."""

__all__ = ["Diverged", "UpdateStats", "make_optimiser", "update"]


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


def make_optimiser(policy: Policy, config: Config) -> Adam:
    """Adam over the policy's numbers."""
    return Adam(policy.layout, policy.numbers, config.training.lr)


def update(
    policy: Policy,
    optimiser: Adam,
    batch: LearningBatch,
    config: Config,
    rng: np.random.Generator,
    entropy: float | None = None,
    team: Team | None = None,
    gradient: Gradient = accumulate,
) -> UpdateStats:
    """Run the passes over a batch; `entropy` overrides the coefficient of the config, `gradient` computes each step's.

    REINFORCE moves the policy once, by the gradient of the whole batch: any further step would be off-policy.
    PPO stops the passes where a minibatch shows a KL divergence above `target_kl`; without clipping, where nothing else
    holds the policy near the one that acted, the update ends with a line search back to `NOCLIP_KL` (as in Schulman et
    al., Trust Region Policy Optimization, 2015, appendix C).
    Raises Diverged before the optimiser's step, so that no parameter has moved by a non-finite number.
    """
    t = config.training
    coefficient = t.entropy if entropy is None else entropy
    rows = len(batch.log_prob)
    device = "cpu" if isinstance(batch.log_prob, np.ndarray) else batch.log_prob.device.type
    team = team or Team()
    taken = _Taken()
    norms: list[float] = []
    before = copied(policy.numbers)
    unclipped = t.algorithm == "ppo" and t.noclip
    bound = t.target_kl or (NOCLIP_KL if unclipped else math.inf)

    def step(part: Column | None, sweep: int) -> bool:
        """One step of the optimiser; False, and the policy stays, where the KL divergence is beyond its bound."""
        numbers = gradient(policy, batch, part, config, coefficient, team)
        inside = numbers[STATISTICS.index("kl")] <= bound
        if inside or not np.isfinite(numbers).all():
            norms.append(_clip(t.max_grad_norm, numbers, policy))
            optimiser.step(policy.numbers, policy.gradient)
            policy.confine()
            taken.add(numbers, rows if part is None else len(part), sweep)
        return inside

    passes, parts = (1, 1) if t.algorithm == "reinforce" else (t.update_freq, t.minibatches)
    active = True
    with team:
        for sweep, drawn in enumerate(minibatches(rows, parts, passes, rng, device, team.threads)):
            for part in drawn:
                active = active and step(part, sweep)
        if unclipped:
            _search_back(policy, before, batch, config, bound, team, gradient)
    _check_finite("parameter", policy.parameters)
    if not bool(library(optimiser.square).isfinite(optimiser.square).all()):  # its steps would be of length 0 for ever
        raise Diverged("second moment of the optimiser")
    return UpdateStats(
        **taken.statistics(),
        value_loss=batch.value_loss,
        explained_variance=batch.explained_variance,
        grad_norm=float(np.mean(norms)) if norms else 0.0,
        passes=taken.passes,
    )


class _Taken:
    """What the steps of an update showed, weighted by their rows."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int, list[float]]] = []

    def add(self, numbers: list[float], size: int, sweep: int) -> None:
        """One step: the means that `accumulate` gave over `size` rows."""
        self.steps.append((sweep, size, numbers))

    @property
    def passes(self) -> int:
        """Passes in which the policy moved."""
        return len({sweep for sweep, _, _ in self.steps})

    def statistics(self) -> dict[str, float]:
        """Losses over all steps; entropy, kl and clip fraction over those of the last pass that moved the policy."""
        if not self.steps:
            return dict.fromkeys(STATISTICS, 0.0)
        last = [(size, numbers) for sweep, size, numbers in self.steps if sweep == self.steps[-1][0]]
        means = np.average([numbers for _, numbers in last], axis=0, weights=[size for size, _ in last])
        found = dict(zip(STATISTICS, means.tolist(), strict=True))
        sizes = [size for _, size, _ in self.steps]
        return found | {"policy_loss": float(np.average([n[0] for *_, n in self.steps], weights=sizes))}


def _search_back(
    policy: Policy,
    before: Column,
    batch: LearningBatch,
    config: Config,
    bound: float,
    team: Team,
    gradient: Gradient,
) -> None:
    """Halve the way from the numbers `before` until the KL divergence over the batch is within its bound."""
    for _ in range(BACKTRACKS):
        kl = gradient(policy, batch, None, config, 0.0, team)[STATISTICS.index("kl")]
        if kl <= bound:
            return
        policy.numbers[:] = 0.5 * (policy.numbers + before)
    policy.numbers[:] = before


def _clip(limit: float, numbers: list[float], policy: Policy) -> float:
    """Check loss and gradient, scale the gradient to a norm of at most `limit` (0: any), return the norm before."""
    norm = _norm(policy.gradient)
    if not (np.isfinite(numbers[0]) and math.isfinite(norm)):
        # a bad parameter makes a bad loss and a bad gradient: name the cause where it can be seen
        _check_finite("parameter", policy.parameters)
        if not np.isfinite(numbers[0]):
            raise Diverged("policy loss")
        _check_finite("gradient of", policy.layout.named(policy.gradient))
    if 0 < limit < norm:  # as torch.nn.utils.clip_grad_norm_ does
        policy.gradient *= limit / (norm + 1e-6)
    return norm


def _norm(vector: Column) -> float:
    """The Euclidean norm, finite only where all numbers are."""
    if isinstance(vector, np.ndarray):
        return math.sqrt(np.square(vector, dtype=np.float64).sum())
    return float(vector.norm())


def _check_finite(what: str, named: dict[str, Column]) -> None:
    """Raise Diverged naming the first of a policy's arrays that is not finite."""
    for name, column in named.items():
        if not bool(library(column).isfinite(column).all()):
            raise Diverged(f"{what} policy.{name}")
