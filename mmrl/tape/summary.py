"""What a tape shows, summed up while it passes: rates by kind and distance, spread, depth, moves of the mid.

A market order is the executions of one time and side. Spread and depth are means over time. A distance is counted in
ticks from the opposite best price before the message; where that side is empty a message counts in the whole rate only.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from mmrl.markets.contract import Messages

SUBMISSION, EXECUTION = 1, 4
SIDES = {"bid": 1, "ask": -1}
KINDS = {"limit_orders": (SUBMISSION,), "cancellations": (2, 3)}
MARKET_ORDERS = "market_orders"


class Summary:
    """Sums over all messages but the first, before which the book is unknown."""

    def __init__(self, levels: int) -> None:
        self._last: Messages | None = None
        self._messages = 0
        self._elapsed = 0.0
        self._count: Counter[tuple[str, str]] = Counter()
        self._shares: Counter[tuple[str, str]] = Counter()
        self._near: dict[tuple[str, str], Counter[int]] = {(k, side): Counter() for k in KINDS for side in SIDES}
        self._spread: Counter[int] = Counter()
        self._depth = np.zeros((levels, 2))
        self._moves: Counter[str] = Counter()
        self._mid = np.zeros(0, np.int64)  # twice the last known mid, ticks

    def add(self, piece: Messages) -> None:
        """Messages that follow those before."""
        self._messages += len(piece.time)
        self._follow(piece.levels)
        if self._last is not None:
            piece = Messages(*(np.concatenate(pair) for pair in zip(self._last, piece, strict=True)))
        self._last = Messages(*(column[-1:] for column in piece))
        before, lasted = piece.levels[:-1], np.diff(piece.time)
        self._elapsed += float(lasted.sum())
        self._weigh(before, lasted)
        self._sort(piece, before)

    def _follow(self, book: np.ndarray) -> None:
        both = (book[:, 1] > 0) & (book[:, 3] > 0)
        mids = np.concatenate([self._mid, (book[:, 0] + book[:, 2])[both]])
        moves = np.diff(mids)
        self._moves["up"] += int((moves > 0).sum())
        self._moves["down"] += int((moves < 0).sum())
        self._mid = mids[-1:]

    def _weigh(self, book: np.ndarray, lasted: np.ndarray) -> None:
        both = (book[:, 1] > 0) & (book[:, 3] > 0)
        ticks, where = np.unique(book[both, 0] - book[both, 2], return_inverse=True)
        times = np.bincount(where, lasted[both], len(ticks))
        for spread, time in zip(ticks.tolist(), times.tolist(), strict=True):
            self._spread[spread] += time
        self._depth += (lasted @ book[:, 1::2]).reshape(-1, 2)

    def _sort(self, piece: Messages, before: np.ndarray) -> None:
        kind, side, shares = piece.kind[1:], piece.direction[1:], piece.shares[1:]
        executed = kind == EXECUTION
        follows = executed & (piece.kind[:-1] == EXECUTION) & (np.diff(piece.time) == 0)
        follows &= side == piece.direction[:-1]
        for name, direction in SIDES.items():
            here = executed & (side == direction)
            self._count[MARKET_ORDERS, name] += int((here & ~follows).sum())
            self._shares[MARKET_ORDERS, name] += int(shares[here].sum())
            opposite = before[:, 0:2] if direction > 0 else before[:, 2:4]
            distance = (opposite[:, 0] - piece.price[1:]) * direction
            for what, kinds in KINDS.items():
                here = np.isin(kind, kinds) & (side == direction)
                self._count[what, name] += int(here.sum())
                self._shares[what, name] += int(shares[here].sum())
                self._near[what, name].update(distance[here & (opposite[:, 1] > 0)].tolist())

    def figures(self) -> dict[str, Any]:
        """Plain values, ready for JSON; None where the tape is too short for a rate."""
        events, moves = sum(self._count.values()), sum(self._moves.values())
        known = sum(self._spread.values())
        bids, asks = self._per_time(self._depth[:, 1]), self._per_time(self._depth[:, 0])
        return {
            "messages": self._messages,
            "events": events,
            "elapsed": self._elapsed,
            "duration_mean": self._elapsed / events if events else None,
            **{what: {side: self._rates(what, side) for side in SIDES} for what in (*KINDS, MARKET_ORDERS)},
            "spread": {
                "mean": sum(ticks * time for ticks, time in self._spread.items()) / known if known else None,
                "share_of_time": {str(ticks): time / known for ticks, time in sorted(self._spread.items()) if known},
            },
            "depth": {"bid": bids, "ask": asks},
            "mid": {
                "rate": self._per_time([moves])[0],
                "up": self._moves["up"] / moves if moves else None,
                "down": self._moves["down"] / moves if moves else None,
            },
        }

    def _rates(self, what: str, side: str) -> dict[str, Any]:
        key = what, side
        found: dict[str, Any] = {"rate": self._per_time([self._count[key]])[0]}
        found["mean_shares"] = self._shares[key] / self._count[key] if self._count[key] else None
        if key in self._near:
            near = sorted(self._near[key])
            rates = self._per_time([self._near[key][ticks] for ticks in near])
            found["by_distance"] = dict(zip(map(str, near), rates, strict=True))
        return found

    def _per_time(self, sums: Any) -> list[float | None]:
        return [float(x) / self._elapsed if self._elapsed > 0 else None for x in sums]
