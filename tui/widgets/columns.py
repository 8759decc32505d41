"""Columns of the list of runs for each terminal width, its sort orders and its filters by state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..run_index import Entry

COLUMNS = {
    "mark": (" ", 1),
    "state": ("STATE", 10),
    "name": ("NAME", 24),
    "market": ("MARKET", 6),
    "algorithm": ("LEARNER", 9),
    "epoch": ("EPOCH", 20),
    "value": ("FINAL VALUE", 14),
    "trend": ("TREND", 12),
    "optimality": ("OPTIMUM", 8),
    "speed": ("STEPS/S", 7),
    "age": ("AGE", 6),
}
LAYOUTS = (
    (138, tuple(COLUMNS)),
    (100, ("mark", "state", "name", "market", "epoch", "value", "trend", "optimality", "age")),
    (0, ("mark", "state", "name", "epoch", "value", "age")),
)
NUMBERS = ("value", "optimality", "speed", "age")
BARS_FROM = 100  # columns of the terminal from which progress is drawn as a bar
SORTS: dict[str, Callable[[Entry], Any]] = {
    "updated": lambda e: -(e.info.updated or 0),
    "name": lambda e: e.info.name.lower(),
    "state": lambda e: (not e.active, e.info.state),
    "value": lambda e: -(e.info.value_mean if e.info.value_mean is not None else float("-inf")),
    "epoch": lambda e: -e.info.epoch,
    "speed": lambda e: -(e.info.steps_per_second or 0),
    "optimality": lambda e: -(e.info.optimality or -1),
}
STATES: dict[str, Callable[[Entry], bool]] = {
    "all": lambda e: True,
    "active": lambda e: e.active,
    "finished": lambda e: e.info.state == "finished",
    "stopped": lambda e: e.info.state == "interrupted",
    "failed": lambda e: e.info.state in ("failed", "diverged", "crashed", "broken"),
    "good": lambda e: e.good,
}
