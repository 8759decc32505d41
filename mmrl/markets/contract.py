"""What a market says of itself (`Spec`), and where its files are found (`Market`).

Nothing here imports numba or torch: forms, lists and charts ask these questions too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from mmrl.settings.errors import ConfigError
from mmrl.settings.market import MarketSettings
from mmrl.settings.model import Config
from mmrl.settings.registry import markets, part, settings_class

CLOSED_FORM = "closed-form"
"""Stands for all agents that need nothing but bid and ask distances and a `fill_curve`."""
TABS = ("charts", "episode", "quotes", "config", "log")
"""Tabs of a run that every market shows."""


@dataclass(frozen=True)
class Column:
    """A column of the observation; `role` is "inventory" or "time left" where it is one of them."""

    name: str
    unit: str = ""
    role: str = ""
    signed: bool = False
    """Whether it changes its sign where the sides are exchanged."""
    twin: str = ""
    """Name of the column that shows the same of the other side."""


@dataclass(frozen=True)
class Part:
    """A part of the profit: `of` tells whether it is taken from the spread, or is a share of the inventory's part."""

    key: str
    label: str
    of: Literal["spread", "inventory"]


@dataclass(frozen=True)
class Axis:
    """A dimension of the action: what one number of the policy means in the market.

    Gaussian: centre + scale * action + skew * inventory. Categorical: a choice of the grid + grid_skew * inventory.
    The skew may fade towards the end (`Spec.fade`).
    """

    name: str
    kind: str
    """"size" or "distance"."""
    side: str
    """"bid" or "ask"."""
    unit: str
    centre: float
    scale: float
    skew: float = 0.0
    grid: tuple[float, ...] = ()
    grid_skew: float = 0.0
    start: tuple[float, ...] = ()
    """Logits of the grid's choices with which a categorical policy starts; empty: all are as likely."""
    low: float = -math.inf
    """The market takes no less."""
    whole: bool = False
    """The market rounds to whole numbers."""
    rank: int = 0
    """Of which order of its side, where the maker has several."""

    def as_taken(self, values: np.ndarray) -> np.ndarray:
        """Values as the market takes them: rounded and bounded."""
        return np.maximum(np.rint(values) if self.whole else values, self.low)


@dataclass(frozen=True)
class Spec:
    """A market with its settings, as everybody outside its folder sees it; money in currency."""

    name: str
    short: str
    """For narrow columns."""
    prefix: str
    """Of the generated names of its runs."""
    time_unit: str
    columns: tuple[Column, ...]
    axes: tuple[Axis, ...]
    steps: int
    """Of an episode, at most."""
    end_time: float
    """T, in units of time."""
    price: float
    """At the start; the wealth reward is scaled by it."""
    volatility: float
    """Standard deviation of the mid over a unit of time."""
    agents: tuple[str, ...]
    """That can play here; CLOSED_FORM stands for many."""
    usual_agents: tuple[str, ...]
    """That an evaluation shows when none is named."""
    parameters: tuple[str, ...]
    """Settings that an evaluation prints."""
    from_mid: Mapping[str, Any] = field(default_factory=dict)
    """Settings with which distances count from the mid, as closed forms mean them, where they may count otherwise."""
    tabs: tuple[str, ...] = TABS
    heuristic: bool = False
    """Whether the market has a simple maker of its own."""
    fading: float = 0.0
    """Share of T over which the skew of all axes fades towards the end; 0: it does not."""
    split: tuple[Part, ...] = ()
    """Parts of the profit that the market tells apart, beyond spread and inventory."""
    mid_moves: Literal["", "normal", "two-point"] = ""
    """Law of the mid's moves, of standard deviation `volatility` by the square root of time, where nothing else depends
    on them; "two-point": up or down by it in every step."""
    mirrored: bool = False
    """Whether both sides follow one law: with -q for q and the sides exchanged the market is the same."""
    exact_optimum: bool = False
    """Whether `optimum.py` solves it; its policies see nothing but inventory and time left."""
    exact_states: bool = False
    """Whether `optimum.py` solves it by all that the maker observes, and knows what any maker of its menu is worth."""
    unsolved: str = ""
    """Why `optimum.py` does not solve it with these settings, as a line for the user."""
    table_rows: int = 0
    """Times in a table of quotes; 0: one a step."""
    tensor_lacks: str = ""
    """What the tensor engine does not have of these settings, as a line for the user."""
    memory: float = 2e8
    """Bytes of a process that trains in it, without steps and without torch."""
    trajectory_memory: float = 0.0
    """Bytes of one trajectory while it is simulated, beside its rows; one a thread is."""
    tensor_memory: float = 0.0
    """The same in the tensor engine, which simulates all trajectories of an epoch at once."""
    recording_memory: float = 0.0
    """Bytes that recording the book of a trajectory takes."""
    solution_memory: float = 0.0
    """Bytes that solving the market and grading a policy exactly take for each step."""
    memory_remedy: str = ""
    """What the user can change to need less of these, e.g. "raise market.tick"."""

    def fade(self, left: Any) -> Any:
        """What the skew is multiplied by with a share `left` of the time left: tanh(left / fading)."""
        return np.tanh(left / self.fading) if self.fading else left * 0.0 + 1.0

    def column_of(self, role: str) -> int | None:
        """Where the column of a role stands, None where the market does not show it."""
        return next((k for k, column in enumerate(self.columns) if column.role == role), None)

    def axis_of(self, kind: str, side: str) -> int | None:
        """Where the first axis of a kind and side stands, None where the market has none."""
        return next((k for k, axis in enumerate(self.axes) if (axis.kind, axis.side) == (kind, side)), None)

    @property
    def distances(self) -> list[int]:
        """Where the distances (bid, ask) stand among the axes."""
        return [k for side in ("bid", "ask") if (k := self.axis_of("distance", side)) is not None]

    @property
    def has_sizes(self) -> bool:
        """Whether the maker chooses how many shares it quotes."""
        return any(axis.kind == "size" for axis in self.axes)

    @property
    def rows(self) -> int:
        """Times in a table of quotes by time and inventory."""
        return self.table_rows or self.steps


@dataclass(frozen=True)
class Objective:
    """What an exact solver maximises: CARA utility (gamma > 0) or the mean (gamma = 0), less inventory penalties."""

    gamma: float = 0.0
    phi: float = 0.0
    """Running penalty on q^2 per unit of time."""
    alpha: float = 0.0
    """Penalty on q_T^2."""

    def __post_init__(self) -> None:
        for name in ("gamma", "phi", "alpha"):
            number = getattr(self, name)
            if not (math.isfinite(number) and number >= 0):
                raise ValueError(f"{name} = {number} is not allowed: it must be a finite number >= 0")


class Messages(NamedTuple):
    """A piece of a market's tape: M messages, and the L best levels of the book after each.

    A level that does not exist has no shares.
    """

    time: np.ndarray
    """float64 [M], units of time since the tape began."""
    kind: np.ndarray
    """int64 [M]: 1 submission, 2 partial cancellation, 3 deletion, 4 execution."""
    order: np.ndarray
    """int64 [M], number of the resting order."""
    shares: np.ndarray
    price: np.ndarray
    """int64 [M], ticks."""
    direction: np.ndarray
    """int64 [M], of the resting order: 1 for a bid, -1 for an ask."""
    owner: np.ndarray
    """int64 [M], whose order it is: 0 others', 1 the maker's, 2 others', executed by the maker."""
    levels: np.ndarray
    """int64 [M, 4 L]: ask price (ticks), shares, bid price, shares, by level."""


class RangeTooNarrow(ValueError):
    """The range of inventories |q| <= Q that a solver was given distorts the value."""


def cara(gamma: float) -> Objective:
    """Certainty equivalent of exponential utility; refuses gamma <= 0."""
    if not gamma > 0:
        raise ValueError(f"gamma = {gamma} is not allowed: CARA utility needs a number > 0")
    return Objective(gamma=gamma)


@dataclass(frozen=True)
class Market:
    """One market: its files, imported when they are first needed.

    settings.py: `Settings`; spec.py: `spec(settings)`, `fill_curve(settings)` or `fill_experiment(settings)`;
    dynamics.py: `parameters(settings)`; kernel.py: `rollout`; and where it has them tensor.py: `TensorMarket`,
    optimum.py, recording.py, messages.py.
    """

    name: str

    def _required(self, file: str) -> ModuleType:
        module = part(self.name, file)
        if module is None:
            raise ConfigError(f"market {self.name} has no file {file}.py")
        return module

    def spec(self, settings: MarketSettings) -> Spec:
        """What the market says of itself with these settings."""
        found: Spec = self._required("spec").spec(settings)
        return found

    @property
    def fill_curve(self) -> Callable[[Any], tuple[float, float]] | None:
        """(k, A) of its settings: orders at distance delta are filled about A exp(-k delta) times a unit of time."""
        return getattr(self._required("spec"), "fill_curve", None)

    @property
    def fill_experiment(self) -> Callable[[Any], tuple[Any, tuple[float, ...]]] | None:
        """Of its settings, where there is no `fill_curve`: those with which fills are measured, at which distances."""
        return getattr(self._required("spec"), "fill_experiment", None)

    @property
    def dynamics(self) -> ModuleType:
        """Its law as compiled functions; imports numba."""
        return self._required("dynamics")

    @property
    def kernel(self) -> Any:
        """Its compiled rollout; imports numba."""
        return self._required("kernel").rollout

    @cached_property
    def tensor(self) -> Any:
        """Its law as tensor operations, a class, or None; imports torch."""
        module = part(self.name, "tensor")
        return None if module is None else module.TensorMarket

    @property
    def optimum(self) -> ModuleType | None:
        """The solver of its exact optimum, or None."""
        return part(self.name, "optimum")

    @property
    def recording(self) -> ModuleType | None:
        """What records its order book, or None."""
        return part(self.name, "recording")

    @property
    def tape(self) -> ModuleType | None:
        """What writes its messages, or None: `messages(settings, stream, levels, maker)` yields `Messages` for ever,
        `tick(settings)` is the smallest price step in currency, `kernels(with_a_maker)` the compiled functions needed.
        """
        return part(self.name, "messages")


@cache
def market_named(name: str) -> Market:
    """The market of a name."""
    return Market(name)


def market_of(config: Config) -> Market:
    """The market of a config."""
    return market_named(config.market.name)


def spec_of(config: Config) -> Spec:
    """What the market of a config says of itself."""
    return _spec(config.market)


@lru_cache(maxsize=64)
def _spec(settings: Any) -> Spec:
    """Remembered: it is asked for several times a rollout, and takes as long as thousands of steps."""
    return market_named(settings.name).spec(settings)


@cache
def usual_spec(name: str) -> Spec | None:
    """What a market says of itself with its default settings; None for a name that is no market's here."""
    return market_named(name).spec(settings_class(name)()) if name in markets() else None
