"""Four live charts of a run over its epochs: reward, inventory, spread and a metric of choice."""

from __future__ import annotations

import math
import time

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Horizontal
from textual.message import Message
from textual.widgets import Static

from mmrl.plots.charts import PANELS, SPARSE, figure, heading, shown_values, title
from mmrl.plots.colours import place_of, thing_of
from mmrl.plots.pixels import Floats
from mmrl.plots.smoothing import LEVELS, Ema
from mmrl.runs.metrics import drawable

from ..settings import Settings
from ..themes import MARKS
from ..watch import Metrics
from .chart import Chart
from .charted import Charted, Reading
from .keybar import PAN
from .view import WHOLE, Content, Series, View

BANDS = {"error": "95 % interval", "quantiles": "10 % to 90 %", "none": "no band"}


def choices(metrics: Metrics) -> list[str]:
    """Metrics that a chart can show; the mean of a metric has its plain name."""
    return drawable(metrics.keys())


class TrainingCharts(Charted):
    """The charts, their shared view, and a line with the values at the cursor."""

    HELP_TITLE = "Charts"
    BINDINGS = [
        Binding("v", "metric", "Metric", tooltip="Choose the metric of the fourth chart"),
        Binding("s", "smooth(1)", "Smooth", tooltip="Smooth more"),
        Binding("S", "smooth(-1)", "Smooth less", show=False),
        Binding("left", "pan(-0.2)", "Pan left", group=PAN),
        Binding("right", "pan(0.2)", "Pan right", group=PAN),
        Binding("home", "cursor(-1000000000)", "Cursor on the first epoch", show=False),
        Binding("end", "cursor(1000000000)", "Cursor on the newest epoch", show=False),
        Binding("f", "follow", "Follow", show=False, tooltip="Follow the newest epoch"),
        Binding("y", "log", "Log scale", show=False, tooltip="Logarithmic scale"),
        Binding("b", "band", "Band", show=False, tooltip="Band: 95 % interval, 10 % to 90 % of the trajectories, none"),
    ]

    class MetricRequested(Message):
        """The user wants to choose the metric of the fourth chart."""

        def __init__(self, names: list[str]) -> None:
            super().__init__()
            self.names = names

    def __init__(self, metrics: Metrics, settings: Settings) -> None:
        super().__init__()
        self.metrics, self.settings = metrics, settings
        self.metric = settings.metric
        self.smoothing = min(LEVELS, key=lambda level: abs(level - settings.smoothing))
        self.band = settings.band if settings.band in BANDS else "error"
        self.view = View()
        self.active = True  # whether more epochs may come
        self._averages: dict[tuple[str, float], Ema] = {}
        self._drawn: object = None
        self._facts_due, self._facts_version = 0.0, -1

    def compose(self) -> ComposeResult:
        with Horizontal(id="charts-tab"):
            with Container(id="charts-grid", classes="charts four"):
                for number in range(4):
                    yield Chart(self.view, id=f"chart-{number}")
            yield Static(id="facts", markup=False)
        yield Reading(id="reading")

    def names(self) -> list[str]:
        """What the charts show, in order."""
        return [*PANELS, self.metric]

    def update(self, force: bool = False) -> None:
        """Draw the charts again if something changed."""
        state = (self.metrics.version, self.metric, self.smoothing, self.band, self.app.theme, self.active)
        if force or state != self._drawn:
            self._drawn = state
            for number, (chart, name) in enumerate(zip(self.charts(), self.names(), strict=True)):
                chart.show(self._content(name, number))
            self.query_one(Reading).say(self.figures())
        self._facts()  # also without a change: the panel may have become visible

    def _content(self, name: str, number: int) -> Content:
        x = self.metrics.column("epoch")
        y, half = self.metrics.value_and_half(name)
        low, high = self._band(name, y, half)
        if name in SPARSE:
            known = np.isfinite(y)
            x, y = x[known], y[known]
        y = shown_values(name, y)
        raw = None
        good = np.flatnonzero(np.isfinite(y[-512:]))
        head = heading(name)
        if len(good):
            at = int(good[-1]) - len(y[-512:])
            head = title(name, float(y[at]), math.nan if half is None else float(half[at]))
        if self.smoothing:
            raw = y
            average = self._averages.setdefault((name, self.smoothing), Ema(self.smoothing))
            y = average.extended(y)
        mark = MARKS[number] if self.app.no_color else ""
        hue = place_of(thing_of(name))
        any_point = bool(np.isfinite(y).any())
        series = [Series(x, y, low, high, raw, hue, mark=mark, interval=self.band == "error")] if any_point else []
        return Content(series, head, "epoch", list(self.metrics.events[-50:]), self._why_empty(name))

    def _why_empty(self, name: str) -> str:
        """What a chart without a point says."""
        if not self.metrics.count:
            return "waiting for the first epoch" if self.active else "it ended before its first epoch"
        if self.active and name in (*PANELS, *SPARSE):
            return "waiting for the first point"
        return f"this run has no {name.replace('_', ' ')}: v chooses another"

    def _band(self, name: str, y: Floats, half: Floats | None) -> tuple[Floats | None, Floats | None]:
        """Lower and upper edge of the chosen band, if the run has it."""
        found = self.metrics.quantiles(name) if self.band == "quantiles" else None
        if found is not None:
            return found
        return (None, None) if half is None or self.band != "error" else (y - half, y + half)

    def figures(self) -> str:
        """The values at the cursor, else how the charts are drawn."""
        view = self.view
        if view.cursor is not None and self.metrics.count:
            pairs = zip(self.charts(), self.names(), strict=True)
            parts = [f"{name.replace('_', ' ')} {chart.reading() or '-'}" for chart, name in pairs]
            return "  ".join([f"epoch {self.points()[self._at(view.cursor)]:.0f}", *parts])
        smooth = f"smooth {self.smoothing:g}" if self.smoothing else "raw"
        left, right = view.window(self.full())
        where = "all epochs" if view.span is None else f"epochs {left:.0f} to {right:.0f}"
        follow = " · follow" if view.follow else ""
        return f"{smooth} · {BANDS[self.band]} · {'log' if view.log else 'linear'} · {where}{follow}"

    def points(self) -> Floats:
        return self.metrics.column("epoch")

    def _at(self, x: float) -> int:
        return int(np.argmin(np.abs(self.points() - x)))

    def _facts(self) -> None:
        """Write the newest value of every metric, beside the charts of a wide terminal."""
        panel = self.query_one("#facts", Static)
        if not panel.display or not self.metrics.count:  # without this, the first values would appear a second late
            return
        if self._facts_version == self.metrics.version or time.monotonic() < self._facts_due:
            return
        self._facts_due, self._facts_version = time.monotonic() + 1, self.metrics.version
        rows = []
        for name in choices(self.metrics):
            mean = f"{name}_mean" if f"{name}_mean" in self.metrics.keys() else name  # noqa: SIM118
            rows.append(f"{name.replace('_', ' ')[:20]:<21}{figure(name, self.metrics.last(mean)):>11}")
        panel.update("\n".join(["newest", *rows]), layout=False)

    def action_pan(self, by: float) -> None:
        if self.view.span is None:
            self.say(WHOLE)
        self.view.pan(self.full(), by)
        self.changed()

    def action_follow(self) -> None:
        self.view.follow = not self.view.follow
        full = self.full()
        if not self.view.follow and self.view.span is None:
            self.view.span = full
        elif self.view.span is not None and self.view.follow:
            self.view.span = self.view.window(full)
        self.changed()

    def action_log(self) -> None:
        """A logarithmic scale; what has values below zero refuses it."""
        refusing = [n for chart, n in zip(self.charts(), self.names(), strict=True) if not chart.can_log()]
        if not self.view.log and refusing:
            names = ", ".join(name.replace("_", " ") for name in refusing)
            self.notify(f"{names}: no log scale, as not all values are above zero", markup=False, timeout=6)
        self.view.log = not self.view.log and len(refusing) < len(self.names())
        self.changed()

    def action_smooth(self, by: int) -> None:
        at = LEVELS.index(self.smoothing) + by
        if not 0 <= at < len(LEVELS):
            self.say("no smoothing is less than none" if by < 0 else "this is the strongest smoothing")
        self.smoothing = LEVELS[min(max(at, 0), len(LEVELS) - 1)]
        self.settings.change(smoothing=self.smoothing)
        self.update()

    def action_band(self) -> None:
        names = list(BANDS)
        self.band = names[(names.index(self.band) + 1) % len(names)]
        self.settings.change(band=self.band)
        self.update()

    def action_metric(self) -> None:
        self.post_message(self.MetricRequested(choices(self.metrics) or ["value"]))

    def show_metric(self, name: str | None) -> None:
        """Show a metric in the fourth chart; None changes nothing."""
        if name:
            self.metric = name
            self.settings.change(metric=name)
            self.update()
