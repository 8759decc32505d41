"""One trajectory of the book market once more, from its random stream, with the whole book at every step.

It is the trajectory of the batch itself: the same kernel with the same weights draws the same numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmrl.markets.book import dynamics as diffusive
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import Quoter
from mmrl.rollout.trajectories import Trajectories
from mmrl.rollout.weights import PolicyWeights
from mmrl.runs.book_recording import BookReplay

STEPS = 2_000
"""Steps that are kept of a trajectory at most; of a longer one every second, third, ... is."""


def replay_book(
    config: Any, quoter: Quoter | PolicyWeights, seed: int, epoch: int, number: int, steps: int = STEPS
) -> BookReplay | None:
    """Trajectory `number` of (seed, epoch) with its book; None when it ended before its first step."""
    rules, numbers = diffusive.parameters(config.market)
    every = -(-config.market.nt // steps)
    room = 2 * int(rules[diffusive.R_LEVELS]) + 8 * steps
    while True:
        changes = np.full((room, 4), -1, np.int32)
        batch = rollout(
            config, quoter, seed, epoch, first=number, count=1, threads=1, changes=changes, every=every
        )  # fmt: skip
        if changes[-1, 0] < 0:
            break
        room *= 2
    kept = np.arange(0, batch.nnz, every, dtype=np.int32)
    changes = changes[(changes[:, 0] >= 0) & (changes[:, 0] < batch.nnz)]  # a discarded last step left its book
    if not len(kept):
        return None
    tick = config.market.tick
    return BookReplay(
        step=kept,
        dt=np.array([config.market.dt]),
        mid=batch.mid[kept],
        bid=batch.bid[kept],
        ask=batch.ask[kept],
        inventory=batch.inventory[kept],
        wealth=batch.wealth[kept],
        tick=np.array([tick]),
        offsets=np.concatenate([[0], np.searchsorted(changes[:, 0], kept, "right")]).astype(np.int32),
        price=changes[:, 1] + np.int32(numbers[diffusive.P_BASE]),
        shares=changes[:, 2].copy(),
        own=changes[:, 3].copy(),
        **_fills(batch, tick),
    )


def _fills(batch: Trajectories, tick: float) -> dict[str, np.ndarray]:
    """What the maker bought and sold in each step, from the changes of its inventory and its cash.

    Trades at the best quotes are told apart side by side, b - s being the change of inventory and s ask - b bid that of
    cash; where others happened, the step counts as one trade at its mean price.
    """
    change = np.diff(batch.inventory.astype(np.int64), append=int(batch.final_inventory[0]))
    cash = np.diff(batch.wealth, append=batch.final_wealth[0])
    bid, ask = batch.bid, batch.ask
    wide = np.maximum(ask - bid, tick)
    sold = np.maximum(np.rint((cash + change * bid) / wide).astype(np.int64), np.maximum(-change, 0))
    bought = sold + change
    at_best = np.abs(sold * ask - bought * bid - cash) < tick / 2
    bought = np.where(at_best, bought, np.maximum(change, 0))
    sold = np.where(at_best, sold, np.maximum(-change, 0))
    mean = np.abs(cash) / np.maximum(np.abs(change), 1)
    shares, price = np.stack([bought, -sold]), np.stack([np.where(at_best, bid, mean), np.where(at_best, ask, mean)])
    step, side = np.nonzero(shares.T)
    return {
        "fill_step": step.astype(np.int32),
        "fill_shares": shares[side, step].astype(np.int32),
        "fill_price": price[side, step].astype(np.float32),
    }
