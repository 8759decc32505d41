"""The compiled rollout of the market of Avellaneda & Stoikov."""

from typing import NamedTuple

import numpy as np

from mmrl.kernels.jit import inlined, vector_kernel
from mmrl.kernels.play import no_heuristic, no_split, scratch
from mmrl.kernels.play_beside import TILE, WORK, lanes_of, play_beside
from mmrl.kernels.turning import on_stack
from mmrl.markets.avellaneda_stoikov.dynamics import STATE, account, act, advance, observe, reset

LANES_OF_STATE = lanes_of(STATE)


class Lane(NamedTuple):
    """The state of one of the trajectories that are played beside each other."""

    money: np.ndarray
    shares: np.ndarray


@inlined
def lane_of(m, lane):
    """Its arrays, out of those of all."""
    return Lane(m.money[:, lane], m.shares[:, lane])


@vector_kernel
def rollout(p, maker, reward, rows, ends, draw):
    """Roll out trajectories of a shared draw until none is left."""
    s, x = np.zeros(1, STATE), scratch(maker, rows)
    m, work, tile = on_stack(LANES_OF_STATE), on_stack(WORK), on_stack(TILE)
    play_beside(
        reset, observe, act, advance, account, no_heuristic, no_split, p, s[0], maker, reward, rows, ends, draw, x,
        lane_of, m, work, tile,
    )  # fmt: skip
    s[0].shares[0] = 0  # used until here: a record alone does not keep the memory in which it lies
