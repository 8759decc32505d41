"""Which number of a tape each column of an observation is: columns are known by the names that specs give them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from mmrl.evaluate.replay.tape import Tape
from mmrl.markets.contract import Column, Spec
from mmrl.settings.errors import ConfigError

NS = {"ms": 1e6, "s": 1e9, "min": 6e10}
"""Nanoseconds of the units of time in which markets count."""


class Shows(IntEnum):
    """What a column shows; `a` and `b` are its numbers."""

    INVENTORY = 0
    TIME_LEFT = 1
    IMBALANCE = 2
    SPREAD = 3
    QUEUE = 4  # side, ticks behind the best
    FLOW = 5  # horizon
    MOVES = 6  # horizon
    OWN = 7  # side, rank
    OWN_BEHIND = 8  # side, rank
    AHEAD = 9  # side, rank
    TOUCH_SIZE = 10  # side, age
    TOUCH_DISTANCE = 11  # side, age
    MID_CHANGE = 12
    CASH = 13


_SIDE = {"bid": 0, "ask": 1}
_FORMS: tuple[tuple[re.Pattern[str], Shows], ...] = tuple(
    (re.compile(form), shows)
    for form, shows in (
        (r"imbalance of the best queues", Shows.IMBALANCE),
        (r"spread", Shows.SPREAD),
        (r"(bid|ask) queue(?:, (\d+) behind the best)?", Shows.QUEUE),
        (r"bought less sold over (\S+) (\w+)", Shows.FLOW),
        (r"moves of the mid over (\S+) (\w+)", Shows.MOVES),
        (r"own (bid|ask)(?: (\d+))?", Shows.OWN),
        (r"own (bid|ask)(?: (\d+))? behind the best", Shows.OWN_BEHIND),
        (r"shares ahead of own (bid|ask)(?: (\d+))?", Shows.AHEAD),
        (r"(bid|ask) size(?:, (\d+) before)?", Shows.TOUCH_SIZE),
        (r"(bid|ask) distance(?:, (\d+) before)?", Shows.TOUCH_DISTANCE),
        (r"mid less its start", Shows.MID_CHANGE),
        (r"cash", Shows.CASH),
    )
)


def columns_of(spec: Spec, tape: Tape, run: str) -> tuple[np.ndarray, np.ndarray]:
    """int64 [obs, 3] of (what, a, b) and the horizons [H] in nanoseconds.

    ConfigError naming the first column that a tape does not tell.
    """
    rows, horizons = [], list[float]()
    for column in spec.columns:
        shows, a, b = _shown(column, horizons, run)
        if shows == Shows.QUEUE and b > tape.behind:
            levels = "the best prices only" if tape.behind == 0 else f"{tape.behind} ticks behind the best at most"
            raise ConfigError(
                f"run {run} observes '{column.name}', and {', '.join(tape.files)} shows {levels}: "
                "use data with more levels, or a run with a smaller market.depth"
            )
        rows.append((int(shows), a, b))
    return np.array(rows, np.int64).reshape(-1, 3), np.array(horizons or [1.0], np.float64)


def _shown(column: Column, horizons: list[float], run: str) -> tuple[Shows, int, int]:
    if column.role == "inventory":
        return Shows.INVENTORY, 0, 0
    if column.role == "time left":
        return Shows.TIME_LEFT, 0, 0
    for form, shows in _FORMS:
        match = form.fullmatch(column.name)
        if not match:
            continue
        if shows in (Shows.FLOW, Shows.MOVES):
            span = float(match[1]) * NS[match[2]]
            if span not in horizons:
                horizons.append(span)
            return shows, horizons.index(span), 0
        if not match.groups():
            return shows, 0, 0
        number = int(match[2] or 0)
        ranked = shows in (Shows.OWN, Shows.OWN_BEHIND, Shows.AHEAD)
        return shows, _SIDE[match[1]], number - 1 if ranked and number else number
    raise ConfigError(f"run {run} observes '{column.name}', which no tape tells: it cannot be replayed")


def observes(columns: np.ndarray, shows: Sequence[Shows]) -> bool:
    """Whether one of these is among the columns."""
    return bool(np.isin(columns[:, 0], [int(each) for each in shows]).any())
