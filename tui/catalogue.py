"""All runs of some folders, kept up to date by looking only at what has changed."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from mmrl.runs import store
from mmrl.runs.lock import is_locked
from mmrl.runs.names import valid_name
from mmrl.runs.status import UNFINISHED
from tui.watch import Tail

TREND = re.compile(rb'"value_mean": ?(-?[0-9.eE+-]+|null)')
FILES = ("config.toml", "status.json", "metrics.jsonl")
POINTS = 4_000
REST = 4  # every so many looks, runs that nobody trains are looked at too


@dataclass
class Entry:
    """A run in the list: what its files say, the trend of its value, whether it is a kept result."""

    info: store.RunInfo
    good: bool
    trend: list[float] = field(default_factory=list)
    stamp: tuple[int, ...] = ()
    locked: bool = False
    tail: Tail | None = None

    @property
    def key(self) -> str:
        """The folder, which is what tells runs apart."""
        return self.info.folder

    @property
    def active(self) -> bool:
        """Whether a process trains it."""
        return self.info.state in UNFINISHED


class Catalogue:
    """The runs of `results` and of `good-results` beside it."""

    def __init__(self, results: str | Path) -> None:
        self.results = Path(results)
        self.good = self.results.resolve().parent / "good-results"
        self.entries: dict[str, Entry] = {}
        self.loading = True
        self.fault = ""
        self._rounds = 0

    def poll(self, budget: float = 0.05) -> tuple[set[str], set[str]]:
        """Look at every folder, read what changed for at most `budget` seconds; keys changed and keys gone."""
        deadline = time.perf_counter() + budget
        found: dict[str, bool] = {}
        self.fault = ""
        for root, good in ((self.results, False), (self.good, True)):
            for name in self._names(root):
                found.setdefault(str(root / name), good)
        gone = set(self.entries) - set(found)
        for key in gone:
            del self.entries[key]
        changed: set[str] = set()
        everything = self.loading or self._rounds % REST == 0
        self._rounds += 1
        self.loading = False
        for key, good in found.items():
            known = self.entries.get(key)
            if known is not None and not known.active and not everything:
                continue
            if time.perf_counter() > deadline:
                self.loading = True
                break
            if self._look(key, good):
                changed.add(key)
        return changed, gone

    def _names(self, root: Path) -> list[str]:
        try:
            with os.scandir(root) as entries:
                return sorted(e.name for e in entries if valid_name(e.name) and e.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            return []
        except OSError as error:
            self.fault = f"{root}: {error.strerror}"
            return []

    def _look(self, key: str, good: bool) -> bool:
        """Read a run again if one of its files or its lock changed."""
        folder = Path(key)
        stamps = []
        for name in FILES:
            try:
                facts = os.stat(os.path.join(key, name), follow_symlinks=False)
                stamps += [facts.st_mtime_ns, facts.st_size]
            except OSError:
                stamps += [0, 0]
        old = self.entries.get(key)
        if not stamps[0]:  # no settings: not a run, or no longer one
            return self.entries.pop(key, None) is not None
        locked = is_locked(folder) if old is None or old.active or old.stamp != tuple(stamps) else False
        if old is not None and old.stamp == tuple(stamps) and old.locked == locked:
            return False
        try:
            info = store.describe(folder)
        except Exception:  # a stranger's folder must not end the application
            info = store.RunInfo(folder.name, "", key, "broken", 0, 0, "", "", None, None, None, None, None, None)
        entry = Entry(info, good, old.trend if old else [], tuple(stamps), locked, old.tail if old else None)
        entry.tail = entry.tail or Tail(folder / "metrics.jsonl")
        lines, reset = entry.tail.lines()
        if reset:
            entry.trend = []
        if lines:
            values = TREND.findall(b"\n".join(lines))
            entry.trend = (entry.trend + [_float(v) for v in values])[-POINTS:]
        self.entries[key] = entry
        return True


def _float(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
