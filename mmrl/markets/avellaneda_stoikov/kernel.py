"""The compiled rollout of the market of Avellaneda & Stoikov."""

import numpy as np

from mmrl.kernels.jit import scalar_kernel
from mmrl.kernels.play import no_heuristic, no_split, play, scratch
from mmrl.markets.avellaneda_stoikov.dynamics import STATE, account, act, advance, observe, reset


@scalar_kernel
def rollout(p, maker, reward, rows, ends, draw):
    """Roll out trajectories of a shared draw until none is left."""
    s, x = np.zeros(1, STATE), scratch(maker, rows)
    play(reset, observe, act, advance, account, no_heuristic, no_split, p, s[0], maker, reward, rows, ends, draw, x)
    s[0].shares[0] = 0  # used until here: a record alone does not keep the memory in which it lies
