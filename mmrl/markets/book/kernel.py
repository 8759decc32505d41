"""The compiled rollout of the order book."""

import numpy as np

from mmrl.kernels.jit import scalar_kernel
from mmrl.kernels.play import no_split, play, scratch
from mmrl.markets.book.dynamics import account, act, advance, mirror, observe, reset
from mmrl.markets.book.order_book import words
from mmrl.markets.book.state import CORE, State, lot_capacity


@scalar_kernel
def rollout(p, maker, reward, rows, ends, draw):
    """Roll out trajectories of a shared draw until none is left."""
    recorded = p.levels if p.changes.shape[0] > 0 else 0
    core = np.zeros(1, CORE)
    s = State(
        np.zeros((p.levels, 4), np.int32),
        np.zeros((lot_capacity(p), 3), np.int32),
        np.zeros(words(p.levels), np.uint64),
        core[0],
        np.zeros((recorded, 2), np.int64),
        np.zeros(words(p.levels) if recorded > 0 else 0, np.uint64),
    )
    x = scratch(maker, rows)
    play(reset, observe, act, advance, account, mirror, no_split, p, s, maker, reward, rows, ends, draw, x)
    core[0].meta[0] = 0  # used until here: a record alone does not keep the memory in which it lies
