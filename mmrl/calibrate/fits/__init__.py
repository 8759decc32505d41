"""What each market takes from the data: one file a market, called as it is, with a function `fit`, and `replenished` if
its own traders send no limit orders (`simulated_beside`)."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from mmrl.calibrate.intensity import TOKE_YOSHIDA
from mmrl.calibrate.study import Study
from mmrl.settings.errors import ConfigError


@dataclass(frozen=True)
class Fitted:
    """Settings of a market, the standard error of those that have one, and how they were found."""

    settings: dict[str, Any]
    errors: dict[str, Any]
    method: str
    form: str = TOKE_YOSHIDA.name
    """Of the intensity of market orders, which a report shows first."""
    lots: int = 1
    """Lots of the data that a share of the market stands for: of order-flow a unit of the study."""


@dataclass(frozen=True)
class Rate:
    """A setting that is proportional to the rate of limit or of market orders."""

    setting: str
    course: str
    """`limit` or `market`: whose course over the day it follows."""
    entry: int | None = None
    """The only entry of a list that is a rate; None: all are, or it is a number."""
    logarithm: bool = False
    """It holds the logarithm of the rate."""


@dataclass(frozen=True)
class Wanted:
    """What a user chooses; None: the default of the market."""

    queue_sizes: int | None = None
    """Longest queue that rates tell apart, in mean limit orders; 0: rates do not depend on queues."""
    exponentials: int | None = None
    """Of the excitation; 0: none."""
    hawkes_kinds: str | None = None
    """What excites: "market" orders, or "all" kinds of events."""
    half_hour: str | None = None
    """When it begins (HH:MM), if the market shall have the rates of a half hour, not those of the whole span."""

    efficient_price: str | None = None
    """"fitted" or "none": whether orders lean towards a price that nobody sees."""

    def refuse_all(self, market: str) -> None:
        """ConfigError for choices that a market does not have."""
        for option, value in (
            ("--queue-sizes", self.queue_sizes),
            ("--exponentials", self.exponentials),
            ("--hawkes-kinds", self.hawkes_kinds),
            ("--efficient-price", self.efficient_price),
        ):
            if value is not None:
                raise ConfigError(f"{option} = {value} has no effect on the market {market}: drop it")


def fittable() -> list[str]:
    """Names of the markets that can be fitted."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def file_of(market: str) -> ModuleType | None:
    """Its file here, or None."""
    return importlib.import_module(f"{__name__}.{market.replace('-', '_')}") if market in fittable() else None


def fit(market: str, found: Study, wanted: Wanted = Wanted()) -> Fitted:
    """A market that agrees with a day. ConfigError where the market or the data do not do."""
    module = file_of(market)
    if module is None:
        raise ConfigError(f"--market {market} cannot be fitted to data: use {', '.join(fittable())}")
    fitted: Fitted = module.fit(found, wanted)
    if wanted.half_hour is None:
        return fitted
    from mmrl.calibrate.half_hour import at_half_hour
    from mmrl.calibrate.source import moment

    return at_half_hour(fitted, module.RATES, found.intraday, moment(wanted.half_hour, "--half-hour"))
