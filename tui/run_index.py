"""All runs of the results folders, kept up to date by reading only what changed."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmrl.runs import listing
from mmrl.runs.lock import is_locked
from mmrl.runs.names import good_folder, valid_name
from mmrl.runs.status import UNFINISHED

from .summary import quick_summary, settings_texts
from .trend import trend

FILES = ("config.toml", "status.json", "metrics.jsonl")
SETTLED = 2_000_000_000  # nanoseconds: two changes of a folder within less may get the same modification time
IDLE_SHARE = 4  # of the runs that no process trains, a poll reads one in so many,
IDLE_MOST = 100  # and of many runs about so many at most


@dataclass
class Entry:
    """A run in the list: the facts in its files, and whether it is in good-results."""

    info: listing.RunInfo
    good: bool
    stamp: tuple[int, ...] = ()
    locked: bool = False
    place: tuple[int, int] = (0, 0)  # device and inode of the folder, which a rename keeps
    _trend: list[float] = field(default_factory=list)
    _trend_of: tuple[int, ...] = ()
    _settings: dict[str, str] = field(default_factory=dict)
    _settings_of: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """The folder, which identifies the run."""
        return self.info.folder

    @property
    def active(self) -> bool:
        """Whether a process trains it."""
        return self.info.state in UNFINISHED

    @property
    def trend(self) -> list[float]:
        """Its value over the epochs, read when it is shown."""
        if self._trend_of != self.stamp[4:]:
            self._trend_of = self.stamp[4:]
            try:
                self._trend = trend(Path(self.info.folder) / "metrics.jsonl")
            except (OSError, ValueError):
                self._trend = []
        return self._trend

    def setting(self, key: str) -> str:
        """A setting as it stands in config.toml, read when it is shown; empty if there is none."""
        if self._settings_of != self.stamp[:2]:
            self._settings_of, self._settings = self.stamp[:2], settings_texts(Path(self.info.folder))
        return self._settings.get(key, "")


class RunIndex:
    """The runs of `results` and of `good-results` beside it.

    Each run gets a quick summary first, so that a long list appears at once; its settings are checked afterwards.
    """

    def __init__(self, results: str | Path) -> None:
        self.results = Path(results)
        self.good = good_folder(self.results)
        self.entries: dict[str, Entry] = {}
        self.loading = True
        self.fault = ""
        self._rounds = 0
        self._unchecked: dict[str, None] = {}
        self._listed: dict[Path, tuple[int, list[str]]] = {}
        self._gone: dict[tuple[int, int], tuple[str, str]] = {}  # place of what is not listed any more: key and id
        self._renamed: dict[str, str] = {}

    def now(self, key: str) -> str:
        """The present key of a run, whose folder may have been renamed since."""
        for _ in range(len(self._renamed)):
            if key in self.entries or key not in self._renamed:
                break
            key = self._renamed[key]
        return key

    def poll(self, budget: float = 0.03) -> tuple[set[str], set[str]]:
        """Read what changed for at most `budget` seconds; returns the keys of changed and of removed runs."""
        deadline = time.perf_counter() + budget
        self.fault = ""
        found: dict[str, bool] = {}
        for root, good in ((self.results, False), (self.good, True)):
            for key in self._keys(root):
                found.setdefault(key, good)
        gone = set(self.entries) - set(found)
        for key in gone:
            lost = self.entries.pop(key)
            self._gone[lost.place] = key, lost.info.id
        changed: set[str] = set()
        self._rounds += 1
        self.loading = False
        share = max(IDLE_SHARE, len(found) // IDLE_MOST)
        for number, (key, good) in enumerate(found.items()):
            known = self.entries.get(key)
            if known is not None and not known.active and (number + self._rounds) % share:
                continue
            if time.perf_counter() > deadline:
                self.loading = len(self.entries) < len(found)
                break
            if self._update(key, good):
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
        """Whether the last poll left something unread."""
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
        if time.time_ns() - changed > SETTLED:  # else a later change with the same time would be missed
            self._listed[root] = changed, keys
        return keys

    def _update(self, key: str, good: bool) -> bool:
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
        info = quick_summary(folder)
        if old is None:
            place = place_of(folder)
            before, identity = self._gone.pop(place, ("", ""))
            if identity:  # the same folder, or a new one with the inode of one that was deleted
                info = _described(folder)
                if info.id == identity and before not in self.entries:
                    self._renamed[before] = key
            elif info is not None:
                self._unchecked[key] = None
            self.entries[key] = Entry(info or _described(folder), good, stamp, locked, place)
            return True
        known = old.info
        if info is not None and stamp[:2] == old.stamp[:2] and known.id:  # its settings are checked already
            optimality = known.optimality if info.optimality is None else info.optimality
            info = replace(info, id=known.id, target=info.target or known.target, optimality=optimality)
        else:
            info = _described(folder)
        old.info, old.stamp, old.locked = info, stamp, locked
        return True


def place_of(folder: Path) -> tuple[int, int]:
    """Device and inode of a folder, which a rename keeps; zeros if there is none."""
    try:
        facts = folder.stat()
    except OSError:
        return 0, 0
    return facts.st_dev, facts.st_ino


def _described(folder: Path) -> listing.RunInfo:
    try:
        return listing.describe(folder)
    except Exception:  # a foreign folder must not end the application
        return listing.RunInfo(folder.name, "", str(folder), "broken", 0, 0, "", "", None, None, None, None, None, None)
