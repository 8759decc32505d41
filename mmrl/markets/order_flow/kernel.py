"""The compiled rollout of the order flow."""

import numpy as np

from mmrl.kernels.jit import kernel
from mmrl.kernels.play import play, scratch
from mmrl.markets.order_flow.dynamics import account, act, advance, join, observe, reset, split
from mmrl.markets.order_flow.state import BOOK, LEVEL, LIVE, ORDER, State


@kernel
def rollout(p, maker, reward, rows, ends, draw):
    """Roll out trajectories of a shared draw until none is left."""
    recorded = p.rules.rows if p.changes.shape[0] > 0 else 0
    books = np.zeros(1, BOOK)
    s = State(
        books[0],
        np.zeros(p.rules.rows, LEVEL),
        np.zeros(p.rules.room, ORDER),
        p.tape,
        np.zeros((recorded, 3), np.int64),
    )
    x = scratch(maker, rows)
    play(reset, observe, act, advance, account, join, split, p, s, maker, reward, rows, ends, draw, x)
    books[0].meta[LIVE] = 0  # used until here: a record alone does not keep the memory in which it lies
