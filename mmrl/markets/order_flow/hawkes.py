"""The numbers of a Hawkes process over six kinds of events: who excites whom, how strongly, and the rates that follow.

Kinds are (limit orders, cancellations, market orders) of each side; market orders are of the side that they hit. K
holds how many events of a kind one of a kind excites directly. Both sides are alike, so it has blocks (S, C; C, S) of
the same and the other side, and sums over the sides have the matrix S + C.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mmrl.markets.order_flow.settings import Settings

KINDS = 3
NUMBERS = 2 * KINDS**2
"""Of `hawkes_matrix`, for each exponential."""


def branching_numbers(s: Settings) -> np.ndarray:
    """Events of a kind that one of a kind excites directly, on its own and the other side: float64 [3, 3, 2, E]."""
    count = len(s.hawkes_decays)
    if s.hawkes_kinds == "all":
        given = np.reshape(np.array(s.hawkes_matrix, np.float64), (count, KINDS, 2, KINDS))
        return given.transpose(1, 3, 2, 0)
    numbers = np.zeros((KINDS, KINDS, 2, count))
    numbers[-1, -1] = np.array([s.hawkes_same, s.hawkes_cross], np.float64).reshape(2, count)
    return numbers


def branching_ratio(s: Settings) -> float:
    """The spectral radius of K, which is that of S + C, since no number is below 0."""
    return _radius(branching_numbers(s).sum((2, 3)))


def order_ratio(s: Settings) -> float:
    """The branching ratio of limit and market orders, if each limit order ends in a cancellation, which excites too."""
    return _radius(branching_numbers(s).sum((2, 3))[[0, 2]] @ np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))


def _radius(matrix: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def base_rates(s: Settings) -> tuple[float, float]:
    """About how many limit orders and market orders a minute there would be on each side without excitation."""
    column = min(1, s.queue_sizes)
    market = s.market_rates[column] if s.market_law == "table" else math.exp(min(s.market_intensity[0], 50.0))
    return sum(s.limit_rates[column :: s.columns]) + sum(s.far_rates), market


def stationary_rates(s: Settings) -> tuple[float, float, float]:
    """About how many limit orders, cancellations and market orders a minute there are on each side: (I - K)^-1 mu.

    All that arrives is traded or cancelled again: this settles the rate of cancellations, whose mu grows with the
    orders that rest.
    """
    traded = s.mean_sizes[1] / s.mean_sizes[0]
    three_of_two = np.array([[1.0, 0.0], [1.0, -traded], [0.0, 1.0]])  # cancellations = limit - traded * market orders
    excited = branching_numbers(s).sum((2, 3))[[0, 2]] @ three_of_two
    limit, market = np.linalg.solve(np.eye(2) - excited, base_rates(s))
    return float(limit), float(max(limit - traded * market, 0.0)), float(market)
