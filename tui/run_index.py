"""All runs of some folders, kept up to date by looking only at what has changed."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmrl.runs import store
from mmrl.runs.lock import is_locked
from mmrl.runs.names import valid_name
from mmrl.runs.status import UNFINISHED
from tui.summary import glance
from tui.trend import trend

FILES = ("config.toml", "status.json", "metrics.jsonl")
SETTLED = 2_000_000_000  # nanoseconds after which a folder's time tells all changes apart
REST = 4  # of the runs that nobody trains, one in so many is looked at each time,
AT_ONCE = 100  # and of many runs not more than about so many


@dataclass
class Entry:
    """A run in the list: what its files say, and whether it is a kept result."""

    info: store.RunInfo
    good: bool
    stamp: tuple[int, ...] = ()
    locked: bool = False
    _trend: list[float] = field(default_factory=list)
    _trend_of: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """The folder, which is what tells runs apart."""
        return self.info.folder

    @property
    def active(self) -> bool:
        """Whether a process trains it."""
        return self.info.state in UNFINISHED

    @property
    def trend(self) -> list[float]:
        """The course of its value, read when somebody looks at it."""
        if self._trend_of != self.stamp[4:]:
            self._trend_of = self.stamp[4:]
            try:
                self._trend = trend(Path(self.info.folder) / "metrics.jsonl")
            except (OSError, ValueError):
                self._trend = []
        return self._trend


class Catalogue:
    """The runs of `results` and of `good-results` beside it.

    At first a run is only glanced at, so that a long list stands at once; its settings are checked afterwards.
    """

    def __init__(self, results: str | Path) -> None:
        self.results = Path(results)
        self.good = self.results.resolve().parent / "good-results"
        self.entries: dict[str, Entry] = {}
        self.loading = True
        self.fault = ""
        self._rounds = 0
        self._unchecked: dict[str, None] = {}
        self._listed: dict[Path, tuple[int, list[str]]] = {}

    def poll(self, budget: float = 0.03) -> tuple[set[str], set[str]]:
        """Look at folders, read what changed for at most `budget` seconds; keys changed and keys gone."""
        deadline = time.perf_counter() + budget
        self.fault = ""
        found: dict[str, bool] = {}
        for root, good in ((self.results, False), (self.good, True)):
            for key in self._keys(root):
                found.setdefault(key, good)
        gone = set(self.entries) - set(found)
        for key in gone:
            del self.entries[key]
        changed: set[str] = set()
        self._rounds += 1
        self.loading = False
        rest = max(REST, len(found) // AT_ONCE)
        for number, (key, good) in enumerate(found.items()):
            known = self.entries.get(key)
            if known is not None and not known.active and (number + self._rounds) % rest:
                continue
            if time.perf_counter() > deadline:
                self.loading = len(self.entries) < len(found)
                break
            if self._look(key, good):
                changed.add(key)
        while self._unchecked and not self.loading and time.perf_counter() < deadline:
            key = self._unchecked.popitem()[0]
            entry = self.entries.get(key)
            if entry is not None:
                entry.info = _described(Path(key))
                changed.add(key)
        return changed, gone

    @property
    def busy(self) -> bool:
        """Whether there is more to read than the last look took in."""
        return self.loading or bool(self._unchecked)

    def _keys(self, root: Path) -> list[str]:
        """Folders that may be runs; listed again only when the folder has changed."""
        try:
            changed = os.stat(root).st_mtime_ns
            kept = self._listed.get(root)
            if kept is not None and kept[0] == changed:
                return kept[1]
            with os.scandir(root) as entries:
                names = sorted(e.name for e in entries if valid_name(e.name) and e.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            return []
        except OSError as error:
            self.fault = f"{root}: {error.strerror}"
            return []
        keys = [str(root / name) for name in names]
        if time.time_ns() - changed > SETTLED:  # else a change within the clock's tick would be missed
            self._listed[root] = changed, keys
        return keys

    def _look(self, key: str, good: bool) -> bool:
        """Read a run again if one of its files or its lock changed."""
        stamps = []
        for name in FILES:
            try:
                facts = os.stat(f"{key}/{name}", follow_symlinks=False)
                stamps += [facts.st_mtime_ns, facts.st_size]
            except OSError:
                stamps += [0, 0]
        stamp, old = tuple(stamps), self.entries.get(key)
        if not stamp[0]:  # no settings: not a run, or no longer one
            return self.entries.pop(key, None) is not None
        locked = is_locked(Path(key)) if old is None or old.active or old.stamp != stamp else False
        if old is not None and old.stamp == stamp and old.locked == locked:
            return False
        folder = Path(key)
        info = glance(folder)
        if old is None:
            if info is not None:
                self._unchecked[key] = None
            self.entries[key] = Entry(info or _described(folder), good, stamp, locked)
            return True
        known = old.info
        if info is not None and stamp[:2] == old.stamp[:2] and known.id:  # its settings were checked before
            optimality = known.optimality if info.optimality is None else info.optimality
            info = replace(info, id=known.id, target=info.target or known.target, optimality=optimality)
        else:
            info = _described(folder)
        old.info, old.stamp, old.locked = info, stamp, locked
        return True


def _described(folder: Path) -> store.RunInfo:
    try:
        return store.describe(folder)
    except Exception:  # a stranger's folder must not end the application
        return store.RunInfo(folder.name, "", str(folder), "broken", 0, 0, "", "", *[None] * 6)
