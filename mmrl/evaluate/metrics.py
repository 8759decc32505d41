"""Figures of merit of an agent from simulated trajectories, chunk by chunk, so that memory does not grow with them.

Per trajectory: `summarise` reduces its rows to a few numbers; `figures` turns those of all trajectories into one row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.evaluate.reduction import Columns, Sums, reduce
from mmrl.markets.contract import Objective
from mmrl.rollout.trajectories import Trajectories

Float64 = npt.NDArray[np.float64]
Z95 = 1.959963984540054
TAIL = 0.01


@dataclass(frozen=True)
class Summary:
    """What is kept of N trajectories: float64 [N] each, money in currency."""

    value: Float64  # W_T + I_T S_T
    inventory: Float64  # at the end
    steps: Float64
    spread_sum: Float64  # quoted spread, over the steps
    inventory_abs_sum: Float64  # before each step
    square_time_sum: Float64  # of the inventory after each step, squared, times the length of the step
    fills: Float64  # shares traded
    revaluation: Float64  # inventory times the moves of the mid
    drawdown: Float64  # largest fall of W + I S from its highest point so far


def summarise(batch: Trajectories) -> Summary:
    """Reduce a batch."""
    sums = Sums(*np.zeros((len(Sums._fields), batch.count)))
    reduce(Columns(*(getattr(batch, name) for name in Columns._fields)), sums)
    return Summary(batch.final_value, batch.final_inventory.astype(np.float64), *sums)


def joined(parts: list[Summary]) -> Summary:
    """The trajectories of several summaries as one."""
    names = Summary.__dataclass_fields__
    return Summary(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def mean_interval(sample: Float64) -> tuple[float, list[float] | None]:
    """Mean and its 95 % interval (None for a single number)."""
    mean = float(sample.mean())
    if sample.size < 2:
        return mean, None
    half = Z95 * float(sample.std(ddof=1)) / math.sqrt(sample.size)
    return mean, [mean - half, mean + half]


def certainty_equivalent(value: Float64, gamma: float) -> tuple[float, list[float] | None]:
    """-ln E exp(-gamma V) / gamma and its 95 % interval by the delta method."""
    exponent = -gamma * value
    top = float(exponent.max())
    mean, interval = mean_interval(np.exp(exponent - top))
    ce = -(top + math.log(mean)) / gamma
    if interval is None:
        return ce, None
    half = (interval[1] - mean) / mean / gamma
    return ce, [ce - half, ce + half]


def objective_value(s: Summary, objective: Objective) -> tuple[float, list[float] | None]:
    """Estimate and interval of what `optimum` computes exactly: CARA certainty equivalent, or mean less penalties."""
    score = s.value - objective.alpha * s.inventory**2 - objective.phi * s.square_time_sum
    return certainty_equivalent(score, objective.gamma) if objective.gamma > 0 else mean_interval(score)


def figures(s: Summary, objective: Objective) -> dict[str, Any]:
    """One row: every figure that simulation gives; None where it does not exist."""
    value, interval = mean_interval(s.value)
    ce, ce_interval = objective_value(s, objective)
    several = s.value.size > 1
    deviation = float(s.value.std(ddof=1)) if several else None
    worst = np.sort(s.value)[: max(1, math.ceil(TAIL * s.value.size))]
    steps = max(float(s.steps.sum()), 1.0)
    revaluation = float(s.revaluation.mean())
    return {
        "spread_mean": float(s.spread_sum.sum()) / steps,
        "value_mean": value,
        "value_ci": interval,
        "value_std": deviation,
        "inventory_mean": float(s.inventory.mean()),
        "inventory_std": float(s.inventory.std(ddof=1)) if several else None,
        "fills_mean": float(s.fills.mean()),
        "ce": ce,
        "ce_ci": ce_interval,
        "quantile_01": float(np.quantile(s.value, TAIL)),
        "cvar_01": float(worst.mean()),
        "sharpe": value / deviation if deviation else None,
        "max_drawdown": float(s.drawdown.mean()),
        "inventory_abs_mean": float(s.inventory_abs_sum.sum()) / steps,
        "pnl_spread": value - revaluation,
        "pnl_inventory": revaluation,
    }
