"""Who quotes in a rollout: a learned policy, the market's heuristic, a linear rule, a table by time and inventory,
or one by time and all that is observed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mmrl.rollout.weights import PolicyWeights


@dataclass(frozen=True)
class Quoter:
    """What decides the quotes; `linear` and `table` are in market units (shares, currency), a number an axis."""

    kind: Literal["learned", "heuristic", "linear", "table", "observed"] = "learned"
    weights: PolicyWeights | None = None
    deterministic: bool = False  # learned: the mean, or the most likely choice
    linear: tuple[tuple[float, float, float], ...] = ()  # by axis: constant, per share held, per T left
    table: npt.NDArray[np.float64] | None = None  # [rows, 2 Q + 1, A], q from -Q to Q
    places: npt.NDArray[np.int64] | None = None  # observed: [obs, 3], lowest, highest, stride of whole numbers
    chosen: npt.NDArray[np.uint8] | None = None  # observed: [rows, places], a row of the menu
    menu: npt.NDArray[np.float64] | None = None  # observed: [choices, A]

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


def observed(places: npt.NDArray[np.int64], chosen: npt.NDArray[np.uint8], menu: npt.NDArray[np.float64]) -> Quoter:
    """Actions of a menu [choices, A] by time and observation [rows, places].

    The place of an observation is the sum over its columns of stride * (whole number - lowest), by `places` [obs, 3] of
    (lowest, highest, stride); numbers beyond count as the nearest that is told apart, stride 0 leaves a column out.
    """
    return Quoter("observed", places=places, chosen=chosen, menu=menu)
