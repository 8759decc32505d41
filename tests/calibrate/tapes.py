"""Events by hand, events of the market `order-flow`, and how well known parameters are recovered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mmrl.calibrate.estimate import Estimate
from mmrl.data.events import CANCEL, LIMIT, NO_ORDER, TRADE, Events
from mmrl.markets.contract import Messages
from mmrl.settings.build import build
from mmrl.tape.stream import taped

OPEN_NS = 34_200 * 10**9
KINDS = np.array([-1, LIMIT, CANCEL, CANCEL, TRADE], np.int8)
MOST_ERRORS = 4.0


def events_of(rows: Sequence[Sequence[float]], tick: float = 0.01, lot: float = 1.0, start_ns: int = OPEN_NS) -> Events:
    """Rows of (seconds since the start, kind, side, price, size, bid, bid size, ask, ask size), the book before."""
    t, kind, side, price, size, *book = np.array(rows, np.float64).T
    time = start_ns + np.rint(t * 1e9).astype(np.int64)
    order = np.full(len(t), NO_ORDER)
    p, z, b, bz, a, az = (np.rint(column).astype(np.int64) for column in (price, size, *book))
    return Events(
        time, kind.astype(np.int8), side.astype(np.int8), p, z, order, b, bz, a, az, tick, lot, "2020-01-02", ()
    )


def order_flow(seed: int, count: int, levels: int = 1, **settings: Any) -> tuple[Events, Messages]:
    """A tape of the market `order-flow` without a maker, as events, and as it came."""
    config = build({"market": {"name": "order-flow", **settings}})
    pieces = list(taped(config, None, seed, levels, count))
    m = Messages(*(np.concatenate(columns) for columns in zip(*pieces, strict=True)))
    ask, ask_size, bid, bid_size = (np.append(0, m.levels[:-1, column]) for column in range(4))
    time = OPEN_NS + np.rint(m.time * 60e9).astype(np.int64)
    kind, side = KINDS[m.kind], m.direction.astype(np.int8)
    return Events(time, kind, side, m.price, m.shares, m.order, bid, bid_size, ask, ask_size, 0.01, 1.0, "", ()), m


class Recovered:
    """Estimates of known parameters over seeds: none may be far off, and intervals must hold what they promise."""

    def __init__(self) -> None:
        self.z: dict[str, list[float]] = {}
        self.held: list[bool] = []

    def add(self, name: str, estimate: Estimate, truth: float) -> None:
        self.z.setdefault(name, []).append(estimate.z(truth))
        self.held.append(abs(estimate.value - truth) <= estimate.half)

    def add_all(self, name: str, found: Iterable[Estimate], truths: Iterable[float]) -> None:
        for number, (estimate, truth) in enumerate(zip(found, truths, strict=True), 1):
            self.add(f"{name} {number}", estimate, truth)

    def check(self, least: float = 0.88) -> None:
        """|z| < 4 everywhere, no parameter off on average, and coverage of the 95 % intervals."""
        coverage = float(np.mean(self.held))
        for name, z in self.z.items():
            print(f"{name}: mean z {np.mean(z):+.2f}, largest |z| {np.max(np.abs(z)):.2f}")
            assert np.max(np.abs(z)) < MOST_ERRORS, (name, z)
            assert abs(np.mean(z)) * np.sqrt(len(z)) < MOST_ERRORS, f"{name} is biased: mean z {np.mean(z):.2f}"
        print(f"coverage of the 95 % intervals: {coverage:.3f} of {len(self.held)}")
        assert coverage >= least, coverage
