"""Figures of merit of an agent from simulated trajectories, chunk by chunk, so that memory does not grow with them.

Per trajectory: `summarise` reduces its rows to a few numbers; `figures` turns those of all trajectories into one row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.evaluate.reduction import Columns, Moves, Sums, reduce
from mmrl.markets.contract import Objective, Part, Spec
from mmrl.rollout.threads import each
from mmrl.rollout.trajectories import Trajectories
from mmrl.statistics.intervals import deviation, half_width

Float64 = npt.NDArray[np.float64]
TAIL = 0.01
LEAST_SHARE = 0.1
"""Of the samples that must carry a certainty equivalent, as their effective number."""
UNRELIABLE = "unreliable"
UNPRICED = Moves(0.0, 0.0, 0)


@dataclass(frozen=True)
class Summary:
    """What is kept of N trajectories: float64 [N] each, money in currency."""

    value: Float64  # W_T + I_T S_T
    inventory: Float64  # at the end
    steps: Float64
    spread_sum: Float64  # quoted spread, over the steps
    inventory_abs_sum: Float64  # before each step
    square_time_sum: Float64  # of the inventory after each step, squared, times the length of the step
    price: Float64  # of the mid's moves, for CARA utility; 0 where they are not priced
    fills: Float64  # shares traded
    revaluation: Float64  # inventory times the moves of the mid
    drawdown: Float64  # largest fall of W + I S from its highest point so far
    split: Float64  # [N, S], parts of the profit that the market tells apart


def moves_of(spec: Spec, objective: Objective) -> Moves:
    """How the mid's moves are priced: not at all where they depend on fills, or without CARA utility."""
    if not spec.mid_moves or objective.gamma <= 0:
        return UNPRICED
    return Moves(objective.gamma, spec.volatility**2, int(spec.mid_moves == "two-point"))


def summarise(batch: Trajectories, moves: Moves = UNPRICED, threads: int = 1) -> Summary:
    """Reduce a batch, on so many threads."""
    sums = Sums(*np.zeros((len(Sums._fields), batch.count)))
    columns = Columns(*(getattr(batch, name) for name in Columns._fields))
    threads = min(threads, batch.count)

    def part(k: int) -> None:
        reduce(columns, moves, batch.count * k // threads, batch.count * (k + 1) // threads, sums)

    each(part, threads, threads)
    split = np.zeros((batch.count, 0)) if batch.split is None else batch.split
    return Summary(batch.final_value, batch.final_inventory.astype(np.float64), *sums, split)


def joined(parts: list[Summary]) -> Summary:
    """The trajectories of several summaries as one."""
    names = Summary.__dataclass_fields__
    return Summary(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def mean_interval(sample: Float64, scale: float | None = None) -> tuple[float, list[float] | None]:
    """Mean and its 95 % interval (None where there is none); `scale`: of what the numbers are differences of."""
    mean, half = float(sample.mean()), half_width(sample, scale)
    return mean, [mean - half, mean + half] if math.isfinite(half) else None


@dataclass(frozen=True)
class Estimate:
    """A point with its 95 % interval (None where there is none), and how many samples carry it."""

    value: float
    interval: list[float] | None
    effective_samples: float
    samples: int

    @property
    def reliable(self) -> bool:
        """Whether the interval can be believed: a mean that a few samples decide has no normal error."""
        return self.effective_samples >= LEAST_SHARE * self.samples


def certainty_equivalent(value: Float64, gamma: float) -> Estimate:
    """-ln E exp(-gamma V) / gamma, its interval by the delta method, and the mean's effective sample size (Kish)."""
    exponent = -gamma * value
    top = float(exponent.max())
    weights = np.exp(exponent - top)
    mean, interval = mean_interval(weights)
    ce = -(top + math.log(mean)) / gamma
    samples = float(weights.sum() ** 2 / np.square(weights).sum())
    if interval is not None:
        half = (interval[1] - mean) / mean / gamma
        interval = [ce - half, ce + half]
    return Estimate(ce, interval, samples, value.size)


def objective_value(s: Summary, objective: Objective) -> Estimate:
    """Estimate of what `optimum` computes exactly: CARA certainty equivalent, or mean less penalties.

    Where the mid's moves were priced, which nothing else depends on then, the exponential's expectation over them is
    taken exactly, given the fills: exp(-gamma q dm) has the mean exp(gamma price).
    """
    score = s.value - objective.alpha * s.inventory**2 - objective.phi * s.square_time_sum
    if objective.gamma <= 0:
        return Estimate(*mean_interval(score), float(score.size), score.size)
    if s.price.any():
        score = score - s.revaluation - s.price
    return certainty_equivalent(score, objective.gamma)


def figures(s: Summary, objective: Objective, split: Sequence[Part] = ()) -> dict[str, Any]:
    """One row: every figure that simulation gives; None where it does not exist.

    UNRELIABLE stands for a certainty equivalent that too few samples carry. The value is the sum of `pnl_spread`,
    `pnl_inventory` and the parts of `split` that are taken from the spread; other parts are shares of `pnl_inventory`.
    """
    value, interval = mean_interval(s.value)
    ce = objective_value(s, objective)
    several = s.value.size > 1
    spread = deviation(s.value, ddof=1) if several else None
    worst = np.sort(s.value)[: max(1, math.ceil(TAIL * s.value.size))]
    steps = max(float(s.steps.sum()), 1.0)
    revaluation = float(s.revaluation.mean())
    parts = {f"pnl_{part.key}": float(s.split[:, k].mean()) for k, part in enumerate(split)}
    taken = sum(parts[f"pnl_{part.key}"] for part in split if part.of == "spread")
    return {
        "spread_mean": float(s.spread_sum.sum()) / steps,
        "value_mean": value,
        "value_ci": interval,
        "value_std": spread,
        "inventory_mean": float(s.inventory.mean()),
        "inventory_std": float(s.inventory.std(ddof=1)) if several else None,
        "fills_mean": float(s.fills.mean()),
        "ce": ce.value if ce.reliable else UNRELIABLE,
        "ce_ci": ce.interval if ce.reliable else None,
        "ce_effective_samples": ce.effective_samples,
        "quantile_01": float(np.quantile(s.value, TAIL)),
        "cvar_01": float(worst.mean()),
        "sharpe": value / spread if spread else None,
        "max_drawdown": float(s.drawdown.mean()),
        "inventory_abs_mean": float(s.inventory_abs_sum.sum()) / steps,
        "pnl_spread": value - revaluation - taken,
        "pnl_inventory": revaluation,
        **parts,
    }
