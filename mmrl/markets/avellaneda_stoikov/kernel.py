"""The compiled rollout of the market of Avellaneda & Stoikov."""

import numpy as np

from mmrl.kernels.jit import kernel
from mmrl.kernels.play import no_heuristic, no_split, play, scratch
from mmrl.markets.avellaneda_stoikov.dynamics import MONEY, State, account, act, advance, observe, reset


@kernel
def rollout(p, maker, reward, rows, ends, draw):
    """Roll out the trajectories of `draw`; returns the rows written."""
    s = State(np.zeros(MONEY, np.float64), np.zeros(4, np.int64))
    x = scratch(maker, rows)
    return play(reset, observe, act, advance, account, no_heuristic, no_split, p, s, maker, reward, rows, ends, draw, x)
