"""The tape of a fitted market as events of the data's units, to be looked at as the data are."""

from __future__ import annotations

import math

import numpy as np

from mmrl.calibrate.fits import file_of
from mmrl.calibrate.study import Study
from mmrl.data.events import CANCEL, LIMIT, TRADE, Events
from mmrl.markets.contract import Messages, market_of, spec_of
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config
from mmrl.tape.lobster import OPENING, SECONDS
from mmrl.tape.stream import taped

KINDS = np.array([-1, LIMIT, CANCEL, CANCEL, TRADE], np.int8)
"""By LOBSTER's types of messages."""
SECOND = 1_000_000_000


def simulated_beside(found: Study, config: Config, seconds: float, seed: int, lots: int = 1) -> Events:
    """The market without a maker, in ticks and lots of the data. `lots` of them are one share of the market.

    A market whose other traders send no limit orders stands among those of the data: `replenished` in its file of
    fits/. Raises ConfigError for a market without an order book.
    """
    if market_of(config).tape is not None:
        return simulated(config, seconds, seed, lots, found.events.tick)
    among = getattr(file_of(config.market.name), "replenished", None)
    if among is None:
        raise ConfigError(
            f"the market '{config.market.name}' has no order book to compare with data: fit one that has and check it "
            "(mmrl calibrate DATA --market order-flow -o FILE)"
        )
    events: Events = among(config.market, found, seconds, seed, lots)
    return events


def simulated(config: Config, seconds: float, seed: int, lots: int = 1, tick: float | None = None) -> Events:
    """The market without a maker. `lots` of the data are one share of the market; prices in `tick`, by default its own.

    Raises ConfigError for a market without a tape.
    """
    unit = SECONDS[spec_of(config).time_unit]
    pieces = list(taped(config, None, seed, 1, time=seconds / unit))
    m = Messages(*(np.concatenate(columns) for columns in zip(*pieces, strict=True)))
    tape = market_of(config).tape
    assert tape is not None
    own = tape.tick(config.market)
    ratio = 1 if tick is None else max(round(own / tick), 1)
    ask, ask_size, bid, bid_size = (np.append(0, m.levels[:-1, column]) for column in range(4))
    time = round(OPENING * SECOND) + np.rint(m.time * unit * SECOND).astype(np.int64)
    prices = (m.price * ratio, bid * ratio, ask * ratio)
    sizes = (m.shares * lots, bid_size * lots, ask_size * lots)
    return Events(
        time, KINDS[m.kind], m.direction.astype(np.int8), prices[0], sizes[0], m.order, prices[1], sizes[1], prices[2],
        sizes[2], own if tick is None or math.isclose(own, tick) else tick, 1.0, "", (),
    )  # fmt: skip
