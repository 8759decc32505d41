"""Reads metrics.jsonl of a run as it grows, as columns and events; writes nothing."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.plots.charts import half_widths
from mmrl.plots.pixels import Floats
from mmrl.plots.text import printable
from mmrl.runs.atomic import BrokenRun, open_plain
from mmrl.runs.control import LABELS

BATCH = 2_000  # rows parsed at once, so that a long history does not block the screen
CHUNK = 1 << 20


@dataclass
class Tail:
    """Complete lines appended to a file since the last read; starts again when the file was replaced."""

    path: Path
    offset: int = 0
    inode: int = -1
    rest: bytes = b""

    def lines(self, limit: int = CHUNK) -> tuple[list[bytes], bool]:
        """New lines among the next `limit` bytes, and whether the earlier lines are no longer valid."""
        try:
            descriptor = open_plain(self.path)
        except (OSError, BrokenRun):
            reset = self.inode != -1
            self.offset, self.inode, self.rest = 0, -1, b""
            return [], reset
        try:
            facts = os.fstat(descriptor)
            reset = self.inode != -1 and (facts.st_ino != self.inode or facts.st_size < self.offset)
            if reset:
                self.offset, self.rest = 0, b""
            self.inode = facts.st_ino
            if facts.st_size == self.offset:
                return [], reset
            data = os.pread(descriptor, limit, self.offset)
        finally:
            os.close(descriptor)
        self.offset += len(data)
        data = self.rest + data
        whole = data.rfind(b"\n") + 1
        self.rest = data[whole:][-CHUNK:]
        return data[:whole].splitlines(), reset


@dataclass
class Metrics:
    """metrics.jsonl as columns [epochs]; a missing value, null or text is NaN."""

    path: Path
    count: int = 0
    version: int = 0
    events: list[tuple[float, str]] = field(default_factory=list)
    warnings: list[tuple[float, str]] = field(default_factory=list)
    _columns: dict[str, Floats] = field(default_factory=dict)
    _halves: dict[str, Floats] = field(default_factory=dict)  # of the 95 % intervals, computed so far
    _waiting: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tail = Tail(self.path)

    def poll(self) -> bool:
        """Read new rows, at most BATCH; True when something changed."""
        if not self._waiting:
            self._waiting, reset = self.tail.lines()
            if reset:
                self.count, self._columns, self._halves = 0, {}, {}
                self.events.clear()
                self.warnings.clear()
                self.version += 1
        else:
            reset = False
        batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        before = self.count
        for line in batch:
            self._take(line)
        self.version += self.count != before
        return reset or self.count != before

    @property
    def behind(self) -> bool:
        """Whether more rows wait to be parsed."""
        return bool(self._waiting)

    def column(self, key: str) -> Floats:
        """One metric over the epochs read so far."""
        found = self._columns.get(key)
        return np.full(self.count, np.nan) if found is None else found[: self.count]

    def keys(self) -> list[str]:
        """Names of all metrics that ever had a value."""
        return list(self._columns)

    def last(self, key: str) -> float:
        """The newest finite value of a metric, or NaN."""
        values = self.column(key)[-512:]
        good = values[np.isfinite(values)]
        return float(good[-1]) if len(good) else math.nan

    def _take(self, line: bytes) -> None:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(record, dict) or _number(record.get("epoch")) is None:
            return
        row = self.count
        for key, value in record.items():
            number = _number(value)
            if number is None:
                continue
            column = self._columns.get(key)
            if column is None or row >= len(column):
                grown = np.full(max(256, 2 * row), np.nan)
                if column is not None:
                    grown[: len(column)] = column
                self._columns[key] = column = grown
            column[row] = number
        self.count = row + 1
        if isinstance(record.get("event"), dict):
            text = ", ".join(f"{LABELS.get(k, k)} {v}" for k, v in list(record["event"].items())[:4])
            self.events.append((float(record["epoch"]), printable(text)[:80]))

        if isinstance(record.get("warnings"), dict):
            epoch = float(record["epoch"])
            self.warnings += [(epoch, printable(text)[:400]) for text in list(record["warnings"].values())[:8]]

    def quantiles(self, metric: str) -> tuple[Floats, Floats] | None:
        """10 % and 90 % quantiles over the trajectories, if the run has them."""
        low, high = self.column(f"{metric}_q10"), self.column(f"{metric}_q90")
        return (low, high) if np.isfinite(low).any() and np.isfinite(high).any() else None

    def value_and_half(self, metric: str) -> tuple[Floats, Floats | None]:
        """A metric and half of the 95 % interval of its mean."""
        if f"{metric}_mean" not in self._columns:
            return self.column(metric), None
        known = self._halves.get(metric, np.empty(0))
        new = slice(len(known), self.count)
        half = np.concatenate([known, half_widths(lambda key: self.column(key)[new], metric)])
        self._halves[metric] = half
        return self.column(f"{metric}_mean"), half if np.isfinite(half).any() else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number
