"""One trajectory once more, from its random stream, with the whole order book at every step.

It is the trajectory of the batch itself: the same kernel with the same weights draws the same numbers.
"""

from __future__ import annotations

import numpy as np

from mmrl.kernels.play import Draw
from mmrl.markets.contract import market_of, spec_of
from mmrl.rollout.compiled import simulate
from mmrl.rollout.quoters import Quoter
from mmrl.rollout.trajectories import Trajectories
from mmrl.rollout.weights import PolicyWeights
from mmrl.runs.book_recording import BookRecording
from mmrl.settings.model import Config

STEPS = 2_000
"""Steps that are kept of a trajectory at most; of a longer one every second, third, ... is."""


def record_book(
    config: Config, quoter: Quoter | PolicyWeights, seed: int, epoch: int, number: int, steps: int = STEPS
) -> BookRecording | None:
    """Trajectory `number` of (seed, epoch) with its book.

    None when it ended before its first step, or where the market has no book to record.
    """
    recording = market_of(config).recording
    if recording is None:
        return None
    nt = spec_of(config).steps
    every = -(-nt // steps)
    room = recording.usual_room(config.market, min(steps, nt))
    while True:
        changes = np.full((room, 4), -1, np.int32)
        parameters = recording.parameters(config.market, every, changes)
        batch = simulate(config, quoter, parameters, Draw(seed, epoch, number, 1, nt), workers=1)
        if changes[-1, 0] < 0:
            break
        room *= 2
    kept = np.arange(0, batch.nnz, every, dtype=np.int32)
    changes = changes[(changes[:, 0] >= 0) & (changes[:, 0] < batch.nnz)]  # a discarded last step left its book
    if not len(kept):
        return None
    return BookRecording(
        step=kept,
        time=batch.time[kept],
        mid=batch.mid[kept],
        bid=batch.bid[kept],
        ask=batch.ask[kept],
        inventory=batch.inventory[kept],
        wealth=batch.cash[kept],
        tick=np.array([recording.tick(config.market)]),
        offsets=np.concatenate([[0], np.searchsorted(changes[:, 0], kept, "right")]).astype(np.int32),
        price=changes[:, 1].astype(np.int64) + recording.lowest_price(parameters),
        shares=changes[:, 2].copy(),
        own=changes[:, 3].copy(),
        **_fills(batch),
    )


def _fills(batch: Trajectories) -> dict[str, np.ndarray]:
    """What the maker bought (shares > 0) and sold in each step, at its mean price."""
    shares, money = np.stack([batch.bought, -batch.sold]), np.stack([batch.paid, batch.received])
    step, side = np.nonzero(shares.T)
    traded = shares[side, step]
    return {
        "fill_step": step.astype(np.int32),
        "fill_time": batch.time[step],
        "fill_shares": traded.astype(np.int32),
        "fill_price": money[side, step] / np.abs(traded),
    }
