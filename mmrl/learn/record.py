"""What one epoch looked like: its record in metrics.jsonl.

Shapes: N trajectories, T steps, nnz live steps (rows of the CSR batch).
"""

from __future__ import annotations

import numpy as np

from mmrl.rollout.arrays import host, mean, std
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
