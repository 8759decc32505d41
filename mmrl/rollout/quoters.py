"""Who quotes in a rollout: a learned policy, the market's heuristic, a fixed action, a table by time and inventory."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mmrl.rollout.weights import PolicyWeights


@dataclass(frozen=True)
class Quoter:
    """What decides the quotes; `fixed` and `table` are in market units (shares, currency), a number an axis."""

    kind: Literal["learned", "heuristic", "fixed", "table"] = "learned"
    weights: PolicyWeights | None = None
    deterministic: bool = False  # learned: the mean, or the most likely choice
    constant: tuple[float, ...] = ()
    table: npt.NDArray[np.float64] | None = None  # [rows, 2 Q + 1, A], q from -Q to Q


def learned(weights: PolicyWeights, deterministic: bool = False) -> Quoter:
    """The learned policy, sampled or at its mean."""
    return Quoter("learned", weights, deterministic)


def heuristic() -> Quoter:
    """The simple maker of the market's own, where it has one."""
    return Quoter("heuristic")


def fixed(*action: float) -> Quoter:
    """The same action at every step, in market units."""
    return Quoter("fixed", constant=action)


def table(actions: npt.NDArray[np.float64]) -> Quoter:
    """Actions by time and inventory [rows, 2 Q + 1, A]; the rows are spread evenly over an episode's steps."""
    return Quoter("table", table=np.ascontiguousarray(actions, np.float64))
