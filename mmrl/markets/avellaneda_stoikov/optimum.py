"""Exact values and the exact optimum of the discrete market of Avellaneda & Stoikov, by backward induction over (t, q).

Within a step of length dt a bid at distance b and an ask at distance a from the mid are filled independently, then the
mid moves by +-J, J = sigma sqrt(dt), with the inventory q' that is held by then. The objective is one of

    CARA             certainty equivalent -ln E exp(-gamma V_T) / gamma of V_T = X_T + q_T S_T
    running penalty  E[V_T - alpha q_T^2 - phi sum q'^2 dt]    (Cartea, Jaimungal & Penalva 2015, ch. 10; gamma = 0)

Either way the value is X + q S + theta(t, q). With what the step leaves after its fills,
    phi_t(q) = theta_{t+1}(q) - ln cosh(gamma q J) / gamma - phi q^2 dt,
and the costs of one more share, u = phi_t(q) - phi_t(q + 1), and one less, d = phi_t(q) - phi_t(q - 1),
    theta_t(q) = phi_t(q) - ln E exp(-gamma G) / gamma,    G = b - u, a - d, a + b or 0 by what was filled.
Nothing is exponentiated but differences, so nothing overflows. For a fixed ask the best bid solves
    k h(r) (exp(gamma x) - 1) / gamma = 1,    h(r) = r / (exp(r) - 1) (linear fills: 1),    r = A dt exp(-k b),
where x is the bid's distance from indifference: the left side rises with b, so the root is unique. Bid and ask are
solved in turn until neither moves: both can be filled in one step, so neither choice is independent of the other.

Shapes: N steps, 2 Q + 1 inventories from -Q to Q. At |q| = Q the side that would lead beyond does not quote.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmrl.markets.avellaneda_stoikov.recursion import Problem, evaluate, solve
from mmrl.markets.avellaneda_stoikov.settings import Settings
from mmrl.markets.contract import Objective, RangeTooNarrow
from mmrl.statistics.attempts import share_of_optimum

Float64 = npt.NDArray[np.float64]

TOLERANCE = 1e-5
"""Relative change of the value by a wider range of inventories that counts as none."""
MAX_INVENTORY = 60
"""Q unless told otherwise; raised where the optimum needs more. Only makers that let inventory run feel it."""
_LARGEST = 20_000  # inventories a side, beyond which the search for a sufficient Q gives up


@dataclass(frozen=True)
class Solution:
    """Value theta [N + 1, 2 Q + 1] and distances (bid, ask) [N, 2 Q + 1, 2], infinite where a side may not quote."""

    theta: Float64
    delta: Float64

    @property
    def max_inventory(self) -> int:
        """Q, the largest inventory."""
        return (self.theta.shape[1] - 1) // 2

    @property
    def value(self) -> float:
        """Value at the start: theta(0, 0)."""
        return float(self.theta[0, self.max_inventory])


def problem(market: Settings, objective: Objective) -> Problem:
    """What the recursion needs of a market and an objective."""
    return Problem(
        rate=market.arrival * market.dt,
        k=market.k,
        jump=market.sigma * math.sqrt(market.dt),
        dt=market.dt,
        gamma=objective.gamma,
        phi=objective.phi,
        alpha=objective.alpha,
        poisson=int(market.fill == "poisson"),
    )


def optimum(market: Settings, objective: Objective, max_inventory: int | None = None) -> Solution:
    """The best quotes and their value; `max_inventory` is Q, found by doubling when left out.

    Raises RangeTooNarrow when a given Q is too small for the value to be that of the unbounded problem.
    """
    p = problem(market, objective)
    most = market.nt  # one share a side and step: no inventory beyond it can occur
    if max_inventory is not None and max_inventory < 1:
        raise RangeTooNarrow(f"Q = {max_inventory} is too small: at least one share a side must be allowed")
    low = min(max_inventory or MAX_INVENTORY, most)
    narrow = Solution(*solve(p, market.nt, low))
    while low < most and low < _LARGEST:
        high = min(2 * low, most)
        wide = Solution(*solve(p, market.nt, high))
        if abs(wide.value - narrow.value) <= TOLERANCE * max(1.0, abs(wide.value)):
            break
        if max_inventory is not None:
            raise RangeTooNarrow(
                f"Q = {max_inventory} is too small: the optimum is {narrow.value:.4f} with |q| <= {low} "
                f"and {wide.value:.4f} with |q| <= {high}; use a larger Q"
            )
        low, narrow = high, wide
    return narrow


def value_of_quotes(
    market: Settings, objective: Objective, table: Float64, max_inventory: int = MAX_INVENTORY
) -> float:
    """Exact value of the quotes `table` [N, 2 R + 1, 2], (bid, ask) by step and inventory from -R to R.

    Beyond R the quotes at R are used, as the engines do; at |q| = `max_inventory` the side that leads beyond it does
    not quote.
    """
    delta = np.ascontiguousarray(table, np.float64)
    if delta.ndim != 3 or delta.shape[0] != market.nt or delta.shape[1] % 2 == 0 or delta.shape[2] != 2:
        raise ValueError(f"a table must be [{market.nt}, 2 Q + 1, 2], not {list(delta.shape)}")
    if np.isnan(delta).any():
        raise ValueError("a table of quotes must not hold NaN")
    low = min(max_inventory, market.nt)
    return float(evaluate(problem(market, objective), delta, low)[0, low])


def optimality(market: Settings, objective: Objective, table: Float64, best: float | None = None) -> float:
    """Value of the quotes divided by the optimum (computed when not given); NaN where that says nothing."""
    solution = optimum(market, objective) if best is None else None
    max_inventory = MAX_INVENTORY if solution is None else max(MAX_INVENTORY, solution.max_inventory)
    value = value_of_quotes(market, objective, table, max_inventory)
    share = share_of_optimum(value, solution.value if solution else best or 0.0)
    return math.nan if share is None else share
