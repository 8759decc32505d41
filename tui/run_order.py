"""Which runs are listed, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.fuzzy import Matcher

from mmrl.plots.text import printable

from .run_index import Entry, RunIndex
from .settings import Settings

HEADER = "\0"  # begins the key of a title row; no file name contains it
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
    "stopped": lambda e: e.info.state in ("interrupted", "pruned"),
    "failed": lambda e: e.info.state in ("failed", "diverged", "crashed", "broken"),
    "good": lambda e: e.good,
}


def ordered(runs: RunIndex, settings: Settings, state: str, text: str) -> list[str]:
    """Keys of the runs in a state that match a text, sorted, below the titles of their folders if they are grouped."""
    kept = [entry for entry in runs.entries.values() if STATES[state](entry)]
    if text:
        matcher = Matcher(text)
        facts = {e.key: f"{e.info.name} {e.info.market} {e.info.algorithm} {e.info.state}" for e in kept}
        kept = [entry for entry in kept if matcher.match(facts[entry.key]) > 0]
    kept.sort(key=lambda entry: entry.info.name)
    kept.sort(key=sort_key(settings.sort), reverse=settings.reverse)
    if not settings.grouped:
        return [entry.key for entry in kept]
    folders = [(runs.results, False), (runs.good, True)]
    groups = [(folder.name, [entry.key for entry in kept if entry.good == good]) for folder, good in folders]
    groups = [(name, keys) for name, keys in groups if keys]
    if len(groups) < 2:
        return [key for _, keys in groups for key in keys]
    return [key for name, keys in groups for key in (f"{HEADER}{printable(name)}/ {len(keys)}", *keys)]


def sort_key(name: str) -> Callable[[Entry], Any]:
    """What the runs are sorted by: a fact of a run, or one of its settings, numbers before texts."""
    if "." not in name:
        return SORTS.get(name, SORTS["name"])

    def key(entry: Entry) -> Any:
        text = entry.setting(name)
        try:
            return 0, float(text), ""
        except ValueError:
            return 1, 0.0, text

    return key
