"""Rows of trajectories reduced to a few numbers each, in one pass of compiled code."""

from typing import NamedTuple

import numpy as np

from mmrl.kernels.jit import kernel
from mmrl.kernels.reward import price_of_move


class Columns(NamedTuple):
    """What the reduction reads of the rows [nnz] and ends [N] of a batch."""

    offsets: np.ndarray
    time: np.ndarray
    cash: np.ndarray
    inventory: np.ndarray
    mid: np.ndarray
    bid: np.ndarray
    ask: np.ndarray
    bought: np.ndarray
    sold: np.ndarray
    revaluation: np.ndarray
    final_time: np.ndarray
    final_inventory: np.ndarray
    final_value: np.ndarray


class Moves(NamedTuple):
    """The mid's moves, and the risk aversion by which they are priced."""

    gamma: float
    variance: float
    """Per unit of time; 0: not priced."""
    two_point: int
    """As in `price_of_move`."""


class Sums(NamedTuple):
    """What is kept of each trajectory [N]."""

    steps: np.ndarray
    spread: np.ndarray
    inventory_abs: np.ndarray
    square_time: np.ndarray
    """Sum of the inventory after each step, squared, times the length of the step."""
    price: np.ndarray
    """CARA price of the mid's moves, over the steps."""
    fills: np.ndarray
    revaluation: np.ndarray
    drawdown: np.ndarray


@kernel
def reduce(b, moves, first, end, out):
    """Reduce the rows of trajectories first .. end - 1 of `b` (Columns) to the numbers in `out` (Sums)."""
    for n in range(first, end):
        spread = inventory_abs = square_time = price = revaluation = fills = fall = 0.0
        top = -1e300
        for k in range(b.offsets[n], b.offsets[n + 1]):
            last = k + 1 == b.offsets[n + 1]
            held = float(b.final_inventory[n] if last else b.inventory[k + 1])
            elapsed = (b.final_time[n] if last else b.time[k + 1]) - b.time[k]
            spread += b.ask[k] - b.bid[k]
            inventory_abs += abs(b.inventory[k])
            square_time += held * held * elapsed
            if moves.variance > 0.0:
                price += price_of_move(held, moves.gamma, moves.variance, elapsed, moves.two_point)
            fills += b.bought[k] + b.sold[k]
            revaluation += b.revaluation[k]
            value = b.cash[k] + b.inventory[k] * b.mid[k]
            top = max(top, value)
            fall = max(fall, top - value)
        out.steps[n] = b.offsets[n + 1] - b.offsets[n]
        out.spread[n] = spread
        out.inventory_abs[n] = inventory_abs
        out.square_time[n] = square_time
        out.price[n] = price
        out.fills[n] = fills
        out.revaluation[n] = revaluation
        out.drawdown[n] = max(fall, top - b.final_value[n])
