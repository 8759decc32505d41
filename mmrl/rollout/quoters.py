"""Who quotes in a rollout: a learned policy, the market's heuristic, a linear rule, a table by time and inventory."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mmrl.rollout.weights import PolicyWeights


@dataclass(frozen=True)
class Quoter:
    """What decides the quotes; `linear` and `table` are in market units (shares, currency), a number an axis."""

    kind: Literal["learned", "heuristic", "linear", "table"] = "learned"
    weights: PolicyWeights | None = None
    deterministic: bool = False  # learned: the mean, or the most likely choice
    linear: tuple[tuple[float, float, float], ...] = ()  # by axis: constant, per share held, per T left
    table: npt.NDArray[np.float64] | None = None  # [rows, 2 Q + 1, A], q from -Q to Q

    def linear_actions(
        self, inventory: npt.NDArray[np.integer], time_left: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Actions [K, Q, A] of a linear rule at times [K] (shares of T left) and inventories [Q]."""
        constant, per_share, per_time = np.array(self.linear).T
        return constant + per_share * inventory[:, None] + per_time * time_left[:, None, None]


def learned(weights: PolicyWeights, deterministic: bool = False) -> Quoter:
    """The learned policy, sampled or at its mean."""
    return Quoter("learned", weights, deterministic)


def heuristic() -> Quoter:
    """The simple maker of the market's own, where it has one."""
    return Quoter("heuristic")


def fixed(*action: float) -> Quoter:
    """The same action at every step, in market units."""
    return linear((constant, 0.0, 0.0) for constant in action)


def linear(rules: Iterable[tuple[float, float, float]]) -> Quoter:
    """Actions linear in inventory and time: by axis the constant, what a share held adds, and what all of T adds."""
    return Quoter("linear", linear=tuple(rules))


def table(actions: npt.NDArray[np.float64]) -> Quoter:
    """Actions by time and inventory [rows, 2 Q + 1, A]; the rows are spread evenly over an episode's steps."""
    return Quoter("table", table=np.ascontiguousarray(actions, np.float64))
