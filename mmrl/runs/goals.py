"""The objective of a sweep and what each of its trials has reached, read again only when a file changes."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import open_plain, read_plain
from mmrl.runs.history import METRICS_LIMIT
from mmrl.runs.listing import RunInfo
from mmrl.settings.goal import Goal, goal_of

SPEC = "sweep.toml"
"""In the folder of a sweep, which has the name of its group."""
METRICS = "metrics.jsonl"
_SPECS, _TRIALS = 64, 10_000
_END = 256
"""Bytes before the place up to which a file was read, by which it is known again."""


@dataclass(frozen=True)
class Spec:
    """What the folder of a sweep says of it."""

    goal: Goal
    search: dict[str, Any]
    """Ranges and choices by the names of settings, as they are written."""


def sweep_of(infos: Sequence[RunInfo]) -> Path | None:
    """The folder of the sweep whose trials some runs are; None where they are none."""
    if not infos or not infos[0].group:
        return None
    folder = Path(infos[0].folder).parent / infos[0].group
    return folder if (folder / SPEC).is_file() else None


def spec_of_sweep(folder: Path) -> Spec | None:
    """The spec of a sweep; None where it cannot be read."""
    return _spec(folder / SPEC, *_stamp(folder / SPEC))


def reached(info: RunInfo, goal: Goal) -> float | None:
    """The objective that a trial has reached so far; None where it has none."""
    path = Path(info.folder) / METRICS
    values = _values(path, goal.metric)
    stamp = _stamp(path)
    if values.stamp != stamp:
        values.stamp = stamp
        values.read_on(path, goal)
    return goal.value_of(values.found)


def objective_of(info: RunInfo) -> tuple[str | None, float | None]:
    """The objective of a trial, as the spec of its sweep has it, and what it has reached; None for other runs."""
    folder = sweep_of([info])
    spec = spec_of_sweep(folder) if folder else None
    return (spec.goal.name, reached(info, spec.goal)) if spec else (None, None)


def ranked_by(infos: Sequence[RunInfo], goal: Goal, finished_first: bool = True) -> list[RunInfo]:
    """Trials from the best to the worst; first those that have finished, then what others have reached so far."""

    def place(info: RunInfo) -> tuple[Any, ...]:
        value = reached(info, goal)
        return value is None, finished_first and info.state != "finished", *goal.order(value)

    return sorted(infos, key=place)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _sound(wanted: Any) -> bool:
    """Whether a setting is searched as a spec has it: choices, or a range."""
    if isinstance(wanted, list):
        return len(wanted) > 0
    if not isinstance(wanted, dict):
        return False
    low, high = wanted.get("low"), wanted.get("high")
    if isinstance(low, bool) or isinstance(high, bool):
        return False
    if not isinstance(low, int | float) or not isinstance(high, int | float) or not max(abs(low), abs(high)) < 1e300:
        return False
    return bool(low < high and (wanted.get("log") is not True or low > 0))


@lru_cache(_SPECS)
def _spec(path: Path, *_: int) -> Spec | None:
    try:
        table = tomllib.loads(read_plain(path, 1_000_000).decode("utf-8"))
        search = table.get("search")
        if not isinstance(search, dict) or not search or not all(map(_sound, search.values())):
            return None
        return Spec(goal_of(table), search)
    except (OSError, ValueError, RecursionError):
        return None


class _Values:
    """The objective of the epochs of a trial, as far as its file has been read."""

    def __init__(self) -> None:
        self.stamp = (-1, -1)
        self.found: list[float] = []
        self._read, self._end = 0, b""

    def read_on(self, path: Path, goal: Goal) -> None:
        """Read what was appended; all of it where the file is another one, or was cut."""
        try:
            with os.fdopen(open_plain(path), "rb") as file:
                file.seek(max(self._read - len(self._end), 0))
                if file.read(len(self._end)) != self._end:
                    self.found, self._read, self._end = [], 0, b""
                    file.seek(0)
                text = file.read(METRICS_LIMIT)
        except (OSError, ValueError):
            self.found, self._read, self._end = [], 0, b""
            return
        text = text[: text.rfind(b"\n") + 1]
        self._read, self._end = self._read + len(text), (self._end + text)[-_END:]
        for line in text.splitlines():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            value = goal.at(record) if isinstance(record, dict) else None
            if value is not None:
                self.found.append(value)


@lru_cache(_TRIALS)
def _values(path: Path, metric: str) -> _Values:
    return _Values()
