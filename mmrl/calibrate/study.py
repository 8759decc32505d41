"""All estimates of one day together: what `mmrl calibrate` reports, and what the markets are fitted from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmrl.calibrate.depth import DepthProfile, depth_profile
from mmrl.calibrate.estimate import Estimate
from mmrl.calibrate.hawkes import Hawkes, fit_hawkes
from mmrl.calibrate.intensity import BOOK, TOKE_YOSHIDA, Exposure, Form, Intensity, exposure, fit_exposure
from mmrl.calibrate.intraday import Intraday, intraday
from mmrl.calibrate.profile import Profile, profile
from mmrl.calibrate.rates import QueueReactive, Rates, queue_reactive, rates
from mmrl.calibrate.sizes import OrderSizes, order_sizes
from mmrl.calibrate.volatility import Volatilities, volatility
from mmrl.data.events import ASK, BID, Events
from mmrl.settings.errors import ConfigError

DISTANCES = 10
"""From the opposite best price, at which rates are told apart."""
LONGEST = 10
"""Longest queue, in mean limit orders, that rates tell apart."""


@dataclass(frozen=True)
class Intensities:
    """One form of the rate of market orders by spread and queue, orders a second."""

    buys: Intensity
    sells: Intensity
    both: Intensity
    """One law for both sides."""


@dataclass(frozen=True)
class Study:
    """Estimates of one day. What the data are too few for is None, and `missing` says why."""

    events: Events
    profile: Profile
    unit: int
    """Lots in one unit of the intensity: the median limit order (a round lot of 100 shares, a contract)."""
    book: Intensities | None
    toke_yoshida: Intensities | None
    depth: DepthProfile | None
    rates: Rates | None
    queues: QueueReactive | None
    sizes: OrderSizes
    volatility: Volatilities | None
    hawkes: Hawkes | None
    intraday: Intraday
    missing: dict[str, str] = field(default_factory=dict)

    def needed(self, name: str, market: str) -> Any:
        """A result without which a market cannot be fitted; ConfigError says what the data lack."""
        if getattr(self, name) is None:
            raise ConfigError(f"--market {market} needs an estimate of {name}: {self.missing[name]}")
        return getattr(self, name)


def study(events: Events, exponentials: int = 2) -> Study:
    """Estimate all there is. Raises ConfigError where the book is never usable."""
    missing: dict[str, str] = {}

    def tried(name: str, estimate: Callable[[], Any]) -> Any:
        try:
            return estimate()
        except ConfigError as error:
            missing[name] = str(error)
            return None

    sizes = order_sizes(events)
    median = next((value for share, value in sizes.limit.quantiles if share == 0.5), 1.0)
    unit = max(int(median), 1)
    return Study(
        events=events,
        profile=profile(events),
        unit=unit,
        book=tried("book", lambda: intensities(events, unit, BOOK)),
        toke_yoshida=tried("toke_yoshida", lambda: intensities(events, unit, TOKE_YOSHIDA)),
        depth=tried("depth", lambda: depth_profile(events)),
        rates=tried("rates", lambda: rates(events, DISTANCES)),
        queues=tried("queues", lambda: queue_reactive(events, DISTANCES, LONGEST)),
        sizes=sizes,
        volatility=tried("volatility", lambda: volatility(events)),
        hawkes=tried("hawkes", lambda: fit_hawkes(events, exponentials)),
        intraday=intraday(events),
        missing=missing,
    )


def intensities(events: Events, unit: int, form: Form) -> Intensities:
    """A form fitted to each side, and to both as one law."""
    sides = {side: exposure(events, side) for side in (ASK, BID)}
    each = {side: fit_exposure(data, side, unit, form) for side, data in sides.items()}
    return Intensities(each[ASK], each[BID], fit_exposure(pooled(list(sides.values())), 0, unit, form))


def pooled(sides: list[Exposure]) -> Exposure:
    """The intervals of several sides as those of one, in the order of time."""
    names = ("time_ns", "seconds", "counts", "spread", "queue")
    joined = {name: np.concatenate([getattr(side, name) for side in sides]) for name in names}
    order = np.argsort(joined["time_ns"], kind="stable")
    return Exposure(**{name: column[order] for name, column in joined.items()}, left_out=sides[0].left_out)


def pair(estimate: Estimate, digits: int = 6) -> tuple[float, float]:
    """Value and error to some significant digits, as files show them."""
    return significant(estimate.value, digits), significant(estimate.error, 3)


def significant(value: float, digits: int = 6) -> float:
    """A number to some significant digits."""
    return float(f"{value:.{digits}g}")
