"""Who quotes in a rollout: the learned policy, the naive agent, a fixed action or a table over (t, q)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mmrl.rollout.weights import PolicyWeights

GAUSSIAN, CATEGORICAL, NAIVE, FIXED, TABLE = range(5)


@dataclass(frozen=True)
class Quoter:
    """What decides the quotes; `fixed` and `table` are in market units (shares, currency)."""

    kind: Literal["learned", "naive", "fixed", "table"] = "learned"
    weights: PolicyWeights | None = None
    deterministic: bool = False  # learned: the mean, or the most likely choice
    constant: tuple[float, ...] = ()  # fixed: (n_b, delta_b, n_a, delta_a), or (delta_b, delta_a)
    table: npt.NDArray[np.float64] | None = None  # q from -Q to Q; game [nt, 2 Q + 1, 2], book [rows, 2 Q + 1, 4]


def learned(weights: PolicyWeights, deterministic: bool = False) -> Quoter:
    """The learned policy, sampled or at its mean."""
    return Quoter("learned", weights, deterministic)


def naive() -> Quoter:
    """The lineage's naive agent of the book: n ~ Poisson(3/4 q), delta ~ N(delta, delta/4) per side."""
    return Quoter("naive")


def fixed(*action: float) -> Quoter:
    """The same action at every step, in market units."""
    return Quoter("fixed", constant=action)


def table(deltas: npt.NDArray[np.float64]) -> Quoter:
    """Distances (bid, ask) by time step and inventory [nt, 2 Q + 1, 2], in currency.

    On the book (n_b, delta_b, n_a, delta_a) [rows, 2 Q + 1, 4], the rows spread evenly over the trajectory.
    """
    return Quoter("table", table=np.ascontiguousarray(deltas, np.float64))
