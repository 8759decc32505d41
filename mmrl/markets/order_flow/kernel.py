"""The compiled rollout of the order flow."""

from mmrl.kernels.jit import kernel
from mmrl.kernels.play import play, scratch
from mmrl.markets.order_flow.dynamics import account, act, advance, join, observe, reset
from mmrl.markets.order_flow.state import memory


@kernel
def rollout(p, maker, reward, rows, ends, draw):
    """Roll out the trajectories of `draw`; returns the rows written."""
    s = memory(p)
    x = scratch(maker, rows)
    return play(reset, observe, act, advance, account, join, p, s, maker, reward, rows, ends, draw, x)
