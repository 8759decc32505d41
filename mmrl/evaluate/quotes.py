"""The quotes of a policy over inventory at some times, beside the optimal ones: what an episode file keeps of them.

Shapes: K times, Q inventories.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.agents.inputs import MAX_INVENTORY
from mmrl.agents.learned import actions
from mmrl.markets.contract import spec_of
from mmrl.rollout.trajectories import Trajectories
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.model import Config
from mmrl.statistics.quantiles import of_sorted

Array = npt.NDArray[np.generic]

TIMES = (0.0, 0.5, 0.9)
"""Shares of the horizon at which quotes are shown, everywhere."""
LEAST = 10  # inventories a side that are shown at least
MOST = 40  # points a side at most
USUAL = 0.99  # share of all steps whose inventories are shown


def quotes_of(config: Config, weights: PolicyWeights, batch: Trajectories, optimum: Any = None) -> dict[str, Array]:
    """Deterministic quotes [K, Q] of a policy over the inventories of a batch, and the optimal distances if given.

    Distances are `quotes_bid` and `quotes_ask`, sizes (where the maker chooses them) `quotes_bid_size` and
    `quotes_ask_size`, those of further orders and other axes `quotes_` and their name. NaN where a side does not quote.
    """
    spec = spec_of(config)
    inventory = visited(batch, MAX_INVENTORY if spec.exact_optimum else None)
    arrays: dict[str, Array] = {"quotes_time": np.array(TIMES), "quotes_inventory": inventory}
    rows = (np.array(TIMES) * spec.steps).astype(np.int64)
    found = actions(config, weights, inventory, 1.0 - np.array(TIMES))
    for k, axis in enumerate(spec.axes):
        first = {"distance": axis.side, "size": f"{axis.side}_size"} if not axis.rank else {}
        name = first.get(axis.kind, axis.name.replace(" ", "_"))
        arrays[f"quotes_{name}"] = found[..., k]
    if optimum is not None:
        at = np.clip(inventory, -optimum.max_inventory, optimum.max_inventory) + optimum.max_inventory
        table = np.where(np.isfinite(optimum.delta), optimum.delta, np.nan)[rows][:, at]
        arrays |= {"optimum_bid": table[..., 0], "optimum_ask": table[..., 1]}
    return {name: a.astype(np.float32) if a.dtype == np.float64 else a for name, a in arrays.items()}


def visited(batch: Trajectories, most: int | None) -> npt.NDArray[np.int32]:
    """Whole inventories [Q] on both sides of 0 that cover nearly all steps of a batch."""
    held = np.sort(np.abs(batch.inventory[:: max(batch.nnz // 100_000, 1)]))
    furthest = max(int(of_sorted(held, USUAL)), LEAST)
    furthest = min(furthest, most) if most else furthest
    return np.unique(np.rint(np.linspace(-furthest, furthest, 2 * min(furthest, MOST) + 1))).astype(np.int32)
