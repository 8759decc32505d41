"""The quotes of a policy over inventory at some times, beside the best ones: what an episode file keeps of them.

Shapes: K times, Q inventories.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mmrl.agents.learned import quote_table
from mmrl.markets.avellaneda_stoikov.optimum import REACH, Solution
from mmrl.rollout.trajectories import Trajectories
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.model import Config

Array = npt.NDArray[np.generic]

TIMES = (0.0, 0.5, 0.9)
"""Shares of the horizon."""
LEAST = 10  # inventories a side that are shown at least
MOST = 40  # points a side at most
USUAL = 0.99  # share of all steps whose inventories are shown


def quotes_of(
    config: Config, weights: PolicyWeights, batch: Trajectories, best: Solution | None = None
) -> dict[str, Array]:
    """Deterministic distances (bid, ask) [K, Q] of a policy over the inventories of a batch, and the best ones.

    On the book, where quotes depend on more than time and inventory, everything else is at its mean over the steps
    that the observations were normalised by; sizes are shares. NaN where a side does not quote.
    """
    inventory = visited(batch, REACH if config.market.name != "book" else None)
    arrays: dict[str, Array] = {"quotes_time": np.array(TIMES), "quotes_inventory": inventory}
    if config.market.name != "book":
        rows = (np.array(TIMES) * config.market.nt).astype(np.int64)
        learned = quote_table(config, weights, REACH)[rows][:, inventory + REACH]
        arrays |= {"quotes_bid": learned[..., 0], "quotes_ask": learned[..., 1]}
        if best is not None:
            at = np.clip(inventory, -best.reach, best.reach) + best.reach
            table = np.where(np.isfinite(best.delta), best.delta, np.nan)[rows][:, at]
            arrays |= {"optimum_bid": table[..., 0], "optimum_ask": table[..., 1]}
    else:
        actions = book_actions(config, weights, inventory, TIMES)
        names = ("quotes_bid_size", "quotes_bid", "quotes_ask_size", "quotes_ask")
        arrays |= {name: actions[..., column] for column, name in enumerate(names)}
    return {name: a.astype(np.float32) if a.dtype == np.float64 else a for name, a in arrays.items()}


def visited(batch: Trajectories, most: int | None) -> npt.NDArray[np.int32]:
    """Whole inventories [Q] on both sides of 0 that cover nearly all steps of a batch."""
    held = np.abs(batch.inventory[:: max(batch.nnz // 100_000, 1)])
    reach = max(int(np.quantile(held, USUAL)), LEAST)
    reach = min(reach, most) if most else reach
    return np.unique(np.rint(np.linspace(-reach, reach, 2 * min(reach, MOST) + 1))).astype(np.int32)


def book_actions(
    config: Config, weights: PolicyWeights, inventory: npt.NDArray[np.int32], times: Sequence[float]
) -> npt.NDArray[np.float64]:
    """(n_b, delta_b, n_a, delta_a) [K, Q, 4] in shares and currency at shares of the horizon, all else at its mean."""
    market, p = config.market, config.policy
    raw = np.broadcast_to(weights.obs_mean, (len(times), len(inventory), weights.obs_mean.size)).copy()
    raw[..., 4 * market.n_obs] = 1.0 - np.array(times)[:, None]
    if market.observation != "state":
        raw[..., 4 * market.n_obs + 1] = inventory
    outputs = weights.forward(weights.normalise(raw)).astype(np.float64)
    if p.kind == "gaussian":
        actions = np.array([p.size_centre, p.delta_centre] * 2) + np.array([p.size_scale, p.delta_scale] * 2) * outputs
    else:
        grids = [np.array(p.size_grid, np.float64), np.array(p.delta_grid)] * 2
        ends = np.cumsum([len(grid) for grid in grids])[:-1]
        parts = np.split(outputs, ends, axis=-1)
        actions = np.stack([grid[part.argmax(-1)] for grid, part in zip(grids, parts, strict=True)], axis=-1)
    actions[..., 0::2] = np.rint(actions[..., 0::2])
    actions[..., 1::2] = np.maximum(actions[..., 1::2], 0.0)
    return np.asarray(actions)
