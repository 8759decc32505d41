"""The objective of a sweep and what each of its trials has reached, read again only when a file changes."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import read_plain
from mmrl.runs.history import read_metrics
from mmrl.runs.store import RunInfo
from mmrl.settings.goal import Goal, goal_of

SPEC = "sweep.toml"
"""In the folder of a sweep, which has the name of its group."""
METRICS = "metrics.jsonl"
_SPECS, _TRIALS = 64, 10_000


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
    return _reached(path, goal, *_stamp(path))


def ranked_by(infos: Sequence[RunInfo], goal: Goal) -> list[RunInfo]:
    """Trials from the best to the worst: first those that have finished, then what others have reached so far."""

    def place(info: RunInfo) -> tuple[Any, ...]:
        value = reached(info, goal)
        return value is None, info.state != "finished", *goal.order(value)

    return sorted(infos, key=place)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@lru_cache(_SPECS)
def _spec(path: Path, *_: int) -> Spec | None:
    try:
        table = tomllib.loads(read_plain(path, 1_000_000).decode("utf-8"))
        search = table.get("search")
        return Spec(goal_of(table), search if isinstance(search, dict) else {})
    except (OSError, ValueError, RecursionError):
        return None


@lru_cache(_TRIALS)
def _reached(path: Path, goal: Goal, *_: int) -> float | None:
    try:
        return goal.of(read_metrics(path))
    except (OSError, ValueError):
        return None
