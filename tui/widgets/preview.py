"""The run under the cursor of the list: its rewards, its best value, and what differs from its preset."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widgets import Static

from mmrl.plots.charts import heading
from mmrl.plots.colours import place_of, thing_of
from mmrl.plots.numbers import compact, percent
from mmrl.plots.smoothing import Ema
from mmrl.plots.text import printable, shortened
from mmrl.runs import config_file, listing
from mmrl.settings.departures import departures
from mmrl.settings.fields import shown

from ..run_index import Entry
from ..settings import Settings
from ..watch import Metrics
from .cells import short_name, state_text, value_text
from .chart import Chart
from .view import Content, Series, View

PAUSE = 0.06  # seconds on a run before its files are read: a cursor that passes by reads nothing
KEPT = 8  # runs whose epochs are kept
METRIC = "reward"


class Preview(Horizontal):
    """A chart of the rewards and a few facts."""

    DEFAULT_CSS = """
    Preview { border-top: solid $panel; }
    Preview > Static { width: 38; height: 100%; padding: 0 1; }
    .-rich Preview > Static { width: 64; }
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(id="preview")
        self.settings = settings
        self.entry: Entry | None = None
        self._metrics: dict[str, Metrics] = {}
        self._averages: dict[tuple[str, float], Ema] = {}
        self._differences: dict[tuple[str, tuple[int, ...]], list[str]] = {}
        self._due: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Chart(View(follow=False))
        yield Static(markup=False)

    def on_mount(self) -> None:
        self.query_one(Chart).can_focus = False

    def point(self, entry: Entry | None, changed: bool = True) -> None:
        """Show a run, after a moment; one that is shown and has not `changed` stays as it is."""
        if entry is self.entry and not changed:
            return
        self.entry = entry
        if self._due is None:
            self._due = self.set_timer(PAUSE, self.show)
        else:
            self._due.reset()

    def show(self) -> None:
        """Read and draw the run now."""
        if self._due is not None:
            self._due.stop()
            self._due = None
        entry = self.entry
        if entry is None or not self.display:
            return
        metrics = self._metrics.pop(entry.key, None) or Metrics(Path(entry.key) / "metrics.jsonl")
        self._metrics[entry.key] = metrics  # the newest last
        while len(self._metrics) > KEPT:
            self._metrics.pop(next(iter(self._metrics)))
            self._averages.clear()
        if metrics.poll():  # there may be more: a long history is drawn piece by piece, between the keys
            self._due = self.set_timer(0.02, self.show)
        self.query_one(Chart).show(self._content(entry, metrics))
        self.query_one(Static).update(self._facts(entry, metrics), layout=False)

    def _content(self, entry: Entry, metrics: Metrics) -> Content:
        x, (y, half) = metrics.column("epoch"), metrics.value_and_half(METRIC)
        low, high = (None, None) if half is None else (y - half, y + half)
        raw = None
        if self.settings.smoothing:
            key = entry.key, self.settings.smoothing
            raw, y = y, self._averages.setdefault(key, Ema(self.settings.smoothing)).extended(y)
        known = metrics.count and np.isfinite(y).any()
        if metrics.count:
            empty = f"this run has no {METRIC}"
        else:
            empty = "waiting for the first epoch" if entry.active else "it ended before its first epoch"
        drawn = Series(x, y, low, high, raw, place_of(thing_of(METRIC)), interval=True)
        return Content([drawn] if known else [], heading(METRIC), empty=empty)

    def _facts(self, entry: Entry, metrics: Metrics) -> Text:
        """As many lines as fit; what differs from the preset stands last."""
        width, height = self.query_one(Static).content_size
        info, colours = entry.info, self.app.theme_variables
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(shortened(printable(info.name), width), "bold")
        text.append("\n").append(state_text(info.state, colours)).append(f" {info.epoch}/{info.target or '?'}")
        seed = entry.setting("run.seed")
        text.append(f" · seed {printable(seed)}" if seed else "")
        best = _best(metrics)
        rows = [f"final {value_text(entry)}"] if info.value_mean is not None else []
        rows += [f"best  {best}"] if best else []
        if info.optimality is not None:
            rows.append(f"optimality {percent(info.optimality)}")
        if info.market:
            rows.append(f"{short_name(info.market)} · {printable(info.algorithm)}")
        differences = self._differing(entry)
        room = max(height - 2 - len(rows), 1)
        if len(differences) > room:
            differences = [*differences[: room - 1], f"… {len(differences) - room + 1} more: see 5 Config"]
        for row in (*rows, *differences):
            text.append("\n" + row)
        return text

    def _differing(self, entry: Entry) -> list[str]:
        """The preset and the settings that differ from it, each with its value there."""
        key = entry.key, entry.stamp[:2]
        if key not in self._differences:
            if len(self._differences) >= 64:
                self._differences.clear()
            try:
                self._differences[key] = differences(Path(entry.key))
            except (OSError, ValueError):
                self._differences[key] = ["its settings cannot be read: see mmrl runs doctor"]
        return self._differences[key]


def _best(metrics: Metrics) -> str:
    """The value of the best epoch: by its grade where runs are graded, else by the value itself."""
    grades = metrics.column("grade")
    values = grades if np.isfinite(grades).any() else metrics.column("value_mean")
    good = np.isfinite(values)
    if not good.any():
        return ""
    at = int(np.argmax(np.where(good, values, -math.inf)))
    value = metrics.column("value_mean")[at]
    return f"{compact(float(value), 4)} at epoch {metrics.column('epoch')[at]:.0f}"


def differences(folder: Path) -> list[str]:
    """A line with the preset, or what stands for it, and one for each setting that differs from it."""
    stored = config_file.read_config(folder)
    preset, found = departures(stored)
    lines = [f"preset {printable(preset)}" if preset else "no preset"]
    origin = stored.meta.get(listing.MARKET_FROM)
    if origin:
        lines.append(f"market fitted to {printable(origin)}")
    for setting in found:
        if not setting.origin.startswith("market file "):
            name = setting.key.partition(".")[2]
            usual = "" if setting.usual is None else f", not {shown(setting.usual)}"
            lines.append(printable(f"{name} {shown(setting.value)}{usual}"))
    return lines
