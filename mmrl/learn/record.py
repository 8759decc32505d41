"""What one epoch looked like: the record of metrics.jsonl and the profile of episodes/*.npz.

Shapes: N trajectories, T steps, nnz live steps (rows of the CSR batch).
"""

from __future__ import annotations

import numpy as np

from mmrl.rollout.arrays import host, mean, std
from mmrl.rollout.threads import each
from mmrl.rollout.trajectories import Trajectories
from mmrl.statistics.intervals import half_width, ratio_half_width
from mmrl.statistics.quantiles import of_sorted

QUANTILES = {"q10": 0.1, "q90": 0.9}


def batch_record(batch: Trajectories) -> dict[str, float]:
    """Rewards, values, inventory and spread of a batch; value is V_T = W_T + I_T S_T in currency.

    Rows are summed up where they lie, on the host or on CUDA.

    `reward` is summed over each trajectory; inventory and spread are averaged over all live steps. Quantiles are
    those of the trajectories: of their rewards, final values, and means of inventory and spread. `half` is half of a
    mean's 95 % interval.
    """
    lengths = host(batch.lengths)
    count = len(lengths)
    spread = batch.ask - batch.bid
    final_value, final_inventory = host(batch.final_value), host(batch.final_inventory)
    rewards, held, wide = (batch.segment_sum(rows) for rows in (batch.reward, batch.inventory, spread))
    with np.errstate(invalid="ignore", divide="ignore"):  # a trajectory of no step has no mean
        each = {"reward": rewards, "value": final_value, "inventory": held / lengths, "spread": wide / lengths}
    return {
        "trajectories": count,
        "steps": batch.nnz,
        "reward_mean": float(rewards.mean()),
        "reward_std": float(rewards.std()),
        "value_mean": float(final_value.mean()),
        "value_std": float(final_value.std()),
        "inventory_mean": mean(batch.inventory),
        "inventory_std": std(batch.inventory),
        "inventory_abs_mean": mean(abs(batch.inventory)),
        "final_inventory_mean": float(final_inventory.mean()),
        "final_inventory_std": float(final_inventory.std()),
        "spread_mean": mean(spread),
        "spread_std": std(spread),
        "length_mean": float(lengths.mean()),
        "terminated": int(batch.terminated.sum()),
        "reward_half": half_width(rewards),
        "value_half": half_width(final_value),
        "inventory_half": ratio_half_width(held, lengths),
        "spread_half": ratio_half_width(wide, lengths),
        **_quantiles(each),
    }


def _quantiles(each: dict[str, np.ndarray]) -> dict[str, float]:
    """Quantiles of the trajectories that lived; one of no step has no mean."""
    lived = {name: np.sort(values[np.isfinite(values)]).tolist() for name, values in each.items()}
    return {f"{name}_{end}": of_sorted(row, share) for name, row in lived.items() for end, share in QUANTILES.items()}


def episode_profile(batch: Trajectories, points: int = 400, threads: int = 1) -> dict[str, np.ndarray]:
    """Per-time mean, standard error and 5 % / 95 % quantiles over the trajectories alive, and one trajectory.

    At most `points` steps are kept, evenly spaced; the trajectory is the longest of the batch.
    """
    starts, lengths = batch.offsets[:-1], np.diff(batch.offsets)
    longest = int(lengths.argmax())
    steps = np.unique(np.linspace(0, lengths[longest] - 1, min(points, lengths[longest])).astype(np.int64))
    alive = lengths[:, None] > steps  # [N, points]
    rows = np.where(alive, starts[:, None] + steps, 0)
    names = ("mid", "bid", "ask", "inventory", "cash", "time")
    found = each(lambda k: getattr(batch, names[k])[rows].astype(np.float64), len(names), threads)
    held = dict(zip(names, found, strict=True))
    time, cash = held.pop("time"), held.pop("cash")
    held |= {"value": cash + held["inventory"] * held["mid"], "spread": held["ask"] - held["bid"], "wealth": cash}
    count = alive.sum(axis=0)
    profile = {"alive": count, "time": _moments(np.where(alive, time, np.nan))}
    shown, samples = list(held), list(held.values())
    sample = _Sample(alive, count)
    for k, arrays in enumerate(each(lambda k: sample.over_trajectories(samples[k]), len(samples), threads)):
        profile |= {f"{shown[k]}_{what}": array for what, array in arrays.items()}
        profile[f"replay_{shown[k]}"] = samples[k][longest].copy()
    return profile


def _moments(moments: np.ndarray) -> np.ndarray:
    """The moments [points] of steps [N, points]: their mean where steps differ in length from one trajectory to the
    next."""
    first = np.nanmin(moments, axis=0)
    same = first == np.nanmax(moments, axis=0)
    return first if same.all() else np.where(same, first, np.nanmean(moments, axis=0))


class _Sample:
    """Which trajectories are alive [N, points], and how many [points]."""

    def __init__(self, alive: np.ndarray, count: np.ndarray) -> None:
        self.alive, self.root, self.whole = alive, np.sqrt(count), bool((count == len(alive)).all())

    def over_trajectories(self, sample: np.ndarray) -> dict[str, np.ndarray]:
        """Mean, standard error and quantiles of numbers [N, points] over the trajectories alive."""
        mean, std = np.mean, np.std
        if not self.whole:
            mean, std, sample = np.nanmean, np.nanstd, np.where(self.alive, sample, np.nan)
        ordered = np.sort(sample.T.copy(), axis=1)  # NaN last
        last = np.full(len(ordered), ordered.shape[1] - 1)
        if np.isnan(ordered[:, -1]).any():
            last = np.maximum(last - np.isnan(ordered).sum(axis=1), 0)
        low, high = (_of_sorted(ordered, last, share) for share in (0.05, 0.95))
        middle = mean(sample, axis=0)
        error = std(sample, axis=0, mean=middle[None]) / self.root
        return {"mean": middle, "se": error, "q05": low, "q95": high}


def _of_sorted(rows: np.ndarray, last: np.ndarray, share: float) -> np.ndarray:
    """A quantile [points] of each of some sorted rows [points, N] up to the number at `last` [points], to the last bit
    that of numpy.quantile, which takes five times as long."""
    place = share * last
    below, row = place.astype(np.int64), np.arange(len(rows))
    low, high, beyond = rows[row, below], rows[row, np.minimum(below + 1, last)], place - below
    return np.where(beyond < 0.5, low + (high - low) * beyond, high - (high - low) * (1 - beyond))
