"""The cells of the list of runs: plain text with a few colours."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from itertools import pairwise

from rich.text import Text

from mmrl.markets.contract import usual_spec
from mmrl.plots.numbers import compact, percent
from mmrl.plots.text import printable
from mmrl.runs.status import word

from ..run_index import Entry
from ..themes import SIGNS

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """A line of block characters for some values, `width` of them; a gap where values are missing."""
    values = list(values)
    if not values:
        return ""
    if len(values) > width:
        edges = [round(i * len(values) / width) for i in range(width + 1)]
        parts = [[v for v in values[a:b] if math.isfinite(v)] for a, b in pairwise(edges)]
        values = [sum(part) / len(part) if part else math.nan for part in parts]
    finite = [v for v in values if math.isfinite(v)]
    if not finite:
        return " " * len(values)
    low, span = min(finite), (max(finite) - min(finite)) or 1.0
    return "".join(BLOCKS[min(int((v - low) / span * 8), 7)] if math.isfinite(v) else " " for v in values)


def bar(done: int, target: int, width: int) -> str:
    """A progress bar of `width` characters, in steps of half a character."""
    share = min(max(done / target, 0.0), 1.0) if target > 0 else 0.0
    full, half = divmod(int(share * width * 2 + 1e-9), 2)
    return ("━" * full + "╸" * half).ljust(width, "─")[:width]


def age(seconds: float | None) -> str:
    """A time span in one unit."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    seconds = max(seconds, 0.0)
    for size, smaller, unit in ((86_400, 3_600, "d"), (3_600, 60, "h"), (60, 1, "min")):
        if round(seconds / smaller) * smaller >= size:  # 59.9 minutes are an hour
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def state_text(state: str, colours: dict[str, str]) -> Text:
    """Sign and word of a state."""
    sign, colour = SIGNS.get(state, ("?", "error"))
    return Text(f"{sign} {word(state)}", style=colours.get(colour, ""), no_wrap=True)


def value_text(entry: Entry) -> str:
    """Value with half of its 95 % interval."""
    info = entry.info
    if info.value_mean is None:
        return "NaN" if info.state == "diverged" else "-"
    half = "" if info.value_half is None else f" ± {compact(info.value_half, 2)}"
    return compact(info.value_mean, 4) + half


def short_name(market: str) -> str:
    """A market's name for a narrow column."""
    spec = usual_spec(market)
    return printable(market) if spec is None else spec.short


def setting_text(text: str) -> str:
    """A setting for a narrow column: of a number of many digits the first four."""
    try:
        return f"{float(text):.4g}" if len(text) > 7 and "." in text else printable(text) or "-"
    except ValueError:
        return printable(text)


def row(
    entry: Entry, marked: int | None, colours: dict[str, str], wide: bool, settings: Iterable[str] = ()
) -> dict[str, Text]:
    """All cells of a run, by column; those of `settings` by their keys."""
    info = entry.info
    since = None if info.updated is None else time.time() - info.updated
    progress = f"{bar(info.epoch, info.target, 6)} {info.epoch}/{info.target}" if info.target else "-"
    if not wide:
        progress = f"{info.epoch}/{info.target}" if info.target else "-"
    mark = "" if marked is None else str(marked + 1)
    right = {
        "value": value_text(entry),
        "optimality": percent(info.optimality),
        "speed": compact(info.steps_per_second, 3),
        "age": age(since),
    }
    right |= {key: setting_text(entry.setting(key)) for key in settings}
    cells = {
        "mark": Text(mark, style=colours.get("accent", "")),
        "state": state_text(info.state, colours),
        "name": Text(("★ " if entry.good else "") + printable(info.name), no_wrap=True, overflow="ellipsis"),
        "market": Text(short_name(info.market), no_wrap=True),
        "algorithm": Text(printable(info.algorithm), no_wrap=True),
        "epoch": Text(progress, no_wrap=True),
        "trend": Text(sparkline(entry.trend, 12), style=colours.get("primary", ""), no_wrap=True),
    }
    cells.update({key: Text(text, justify="right", no_wrap=True) for key, text in right.items()})
    return cells
