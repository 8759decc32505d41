"""The messages of a market, up to a number or a time, from one seed."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mmrl.kernels.random import seed_stream
from mmrl.markets.contract import Messages, market_named, market_of
from mmrl.rollout.makers import maker_of
from mmrl.rollout.quoters import Quoter
from mmrl.rollout.streams import stream_seed
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config
from mmrl.settings.registry import markets


def refuse_without_tape(market: str) -> None:
    """Raise ConfigError for a market that has no messages."""
    if market_named(market).tape is None:
        able = [name for name in markets() if market_named(name).tape is not None]
        others = f"use --market {' or '.join(able)}" if able else "no market has"
        raise ConfigError(f"market '{market}' has no tape of messages: {others}")


def taped(
    config: Config, quoter: Quoter | None, seed: int, levels: int, events: int | None = None, time: float = math.inf
) -> Iterator[Messages]:
    """The first `events` messages, or those before a time (units of the market), in pieces of some megabytes.

    Without a quoter the market is left to its other traders.
    """
    refuse_without_tape(config.market.name)
    tape = market_of(config).tape
    assert tape is not None
    stream = np.empty(4, np.uint64)
    seed_stream(stream, stream_seed(seed, "tape"), 0, 0)
    maker = None if quoter is None else maker_of(config, quoter)
    left = math.inf if events is None else events
    for piece in tape.messages(config.market, stream, levels, maker):
        wanted = int(min(left, np.searchsorted(piece.time, time)))
        if wanted:
            yield Messages(*(column[:wanted] for column in piece))
        left -= wanted
        if wanted < len(piece.time) or left == 0:
            return
