"""The compiled rollout of the toy market."""

import numpy as np

from mmrl.kernels.jit import kernel
from mmrl.kernels.play import no_heuristic, play, scratch
from toy_market.dynamics import STATE, account, act, advance, observe, reset


@kernel
def rollout(p, maker, reward, rows, ends, draw):
    """Roll out the trajectories of `draw`; returns the rows written."""
    s = np.zeros(1, STATE)[0]
    x = scratch(maker, rows)
    return play(reset, observe, act, advance, account, no_heuristic, p, s, maker, reward, rows, ends, draw, x)
