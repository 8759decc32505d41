"""Groups in the list of runs: one row for the runs of several seeds or of a sweep, which unfolds."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from rich.text import Text

from mmrl.plots.numbers import compact, percent
from mmrl.plots.text import printable
from mmrl.runs import groups
from mmrl.runs.listing import RunInfo

from .run_index import Entry
from .themes import SIGNS
from .widgets.cells import age, bar, setting_text, short_name, state_text, value_text

GROUP = "\1"  # begins the key of a group's row; no file name contains it
INNER = "  "  # before the name of a run below its group
DOMINANT = ("running", "starting", "pausing", "paused", "stopping", "failed", "diverged", "crashed", "broken")
"""States of one run that a group is in as a whole; else the commonest one."""


def key_of(entry: Entry) -> str:
    """The key of the row of a run's group; empty for a run of its own."""
    return f"{GROUP}{Path(entry.key).parent / entry.info.group}" if entry.info.group else ""


def folded(
    order: Sequence[str], entries: Mapping[str, Entry], unfolded: Collection[str]
) -> tuple[list[str], dict[str, list[Entry]]]:
    """Keys of the rows, the runs of a group behind its row where it is unfolded and else not at all; and all groups.

    A group stands where the first of its runs stood.
    """
    found: dict[str, list[Entry]] = {}
    for key in order:
        entry = entries.get(key)
        if entry is not None and entry.info.group:
            found.setdefault(key_of(entry), []).append(entry)
    rows: list[str] = []
    shown: set[str] = set()
    for key in order:
        entry = entries.get(key)
        group = key_of(entry) if entry is not None else ""
        if not group:
            rows.append(key)
        elif group not in shown:
            shown.add(group)
            rows += [group, *(each.key for each in found[group] if group in unfolded)]
    return rows, found


def best_of(entries: Sequence[Entry]) -> Entry:
    """The best run of a group."""
    best = groups.ranked([entry.info for entry in entries])[0]
    return next(entry for entry in entries if entry.info is best)


def row(
    entries: Sequence[Entry], open_: bool, colours: dict[str, str], wide: bool, settings: Iterable[str] = ()
) -> dict[str, Text]:
    """All cells of a group: means over seeds ± half of their 95 % intervals, of a sweep what its best trial has."""
    infos = [entry.info for entry in entries]
    first, last = min(i.epoch for i in infos), max(i.epoch for i in infos)
    target = max(i.target for i in infos)
    span = f"{first if first == last else f'{first}-{last}'}/{target}"
    done = sum(i.epoch for i in infos) / len(infos)
    mean, half = groups.mean_of(infos, "value_mean")
    share, _ = groups.mean_of(infos, "optimality")
    value = compact(mean, 4) + ("" if math.isnan(half) else f" ± {compact(half, 2)}")
    optimality = percent(share)
    if groups.is_sweep(infos):
        best = best_of(entries)
        value, optimality = value_text(best), percent(best.info.optimality)
    updated = max((i.updated for i in infos if i.updated), default=None)
    speed = sum(i.steps_per_second or 0 for i in infos if i.state == "running")
    right = {
        "value": value,
        "optimality": optimality,
        "speed": compact(speed, 3) if speed else "-",
        "age": age(None if updated is None else time.time() - updated),
    }
    for key in settings:
        texts = [printable(entry.setting(key)) for entry in entries]
        numbers = [int(text) for text in texts if text.isdecimal()]
        several = groups.ranges(numbers) if key == "run.seed" and len(numbers) == len(texts) else "..."
        right[key] = setting_text(texts[0]) if len(set(texts)) == 1 else several
    name = f"{'-' if open_ else '+'} {printable(infos[0].group)} ({len(infos)})"
    cells = {
        "mark": Text(""),
        "state": _state(infos, colours),
        "name": Text(("★ " if entries[0].good else "") + name, no_wrap=True, overflow="ellipsis"),
        "market": Text(short_name(infos[0].market), no_wrap=True),
        "algorithm": Text(printable(infos[0].algorithm), no_wrap=True),
        "epoch": Text(f"{bar(int(done), target, 6)} {span}" if wide and target else span, no_wrap=True),
        "trend": Text(""),
    }
    cells.update({key: Text(text, justify="right", no_wrap=True) for key, text in right.items()})
    return cells


def _state(infos: Sequence[RunInfo], colours: dict[str, str]) -> Text:
    """The state of all, or the sign of the one that matters most with how many are in it."""
    counts: dict[str, int] = {}
    for info in infos:
        counts[info.state] = counts.get(info.state, 0) + 1
    if len(counts) == 1:
        return state_text(infos[0].state, colours)
    state = next((s for s in DOMINANT if s in counts), max(counts, key=lambda s: counts[s]))
    sign, colour = SIGNS.get(state, ("?", "error"))
    return Text(f"{sign} {counts[state]}/{len(infos)}", style=colours.get(colour, ""), no_wrap=True)
