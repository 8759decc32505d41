"""Four live charts of a run over its epochs: reward, inventory, spread and a metric of choice."""

from __future__ import annotations

import math
import time

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static

from mmrl.plots.charts import PANELS, SPARSE, heading
from mmrl.plots.numbers import compact
from mmrl.plots.pixels import Floats
from mmrl.runs.metrics import drawable

from ..settings import Settings
from ..smoothing import LEVELS, Ema
from ..themes import MARKS
from ..watch import Metrics
from .chart import Chart
from .keybar import CURSOR, PAN, ZOOM
from .view import WHOLE, Content, Series, View

BANDS = {"error": "95 % interval", "quantiles": "10 % to 90 %", "none": "no band"}


def choices(metrics: Metrics) -> list[str]:
    """Metrics that a chart can show; the mean of a metric has its plain name."""
    return drawable(metrics.keys())


class TrainingCharts(Vertical):
    """The charts, their shared view, and a line with the values at the cursor."""

    HELP_TITLE = "Charts"
    BINDINGS = [
        Binding("v", "metric", "Metric", tooltip="Choose the metric of the fourth chart"),
        Binding("s", "smooth(1)", "Smooth", tooltip="Smooth more"),
        Binding("S", "smooth(-1)", "Smooth less", show=False),
        Binding("m", "maximise", "Maximise", tooltip="One chart on the whole screen, and back"),
        Binding("left", "pan(-0.2)", "Pan left", group=PAN),
        Binding("right", "pan(0.2)", "Pan right", group=PAN),
        Binding("plus,equals_sign", "zoom(0.7)", "Zoom in", group=ZOOM),
        Binding("minus", "zoom(1.43)", "Zoom out", group=ZOOM),
        Binding("comma", "cursor(-1)", "Cursor left", group=CURSOR, key_display=","),
        Binding("full_stop", "cursor(1)", "Cursor right", group=CURSOR, key_display="."),
        Binding("less_than_sign", "cursor(-10)", "Cursor far left", show=False, key_display="<"),
        Binding("greater_than_sign", "cursor(10)", "Cursor far right", show=False, key_display=">"),
        Binding("home", "cursor(-1000000000)", "Cursor on the first epoch", show=False),
        Binding("end", "cursor(1000000000)", "Cursor on the newest epoch", show=False),
        Binding("f", "follow", "Follow", show=False, tooltip="Follow the newest epoch"),
        Binding("0", "reset", "Reset", show=False, tooltip="Everything, linear, no cursor"),
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
            with Container(id="charts-grid"):
                for number in range(4):
                    yield Chart(self.view, id=f"chart-{number}")
            yield Static(id="facts", markup=False)
        yield Static(id="reading", markup=False)

    def charts(self) -> list[Chart]:
        """The four charts in order."""
        return [self.query_one(f"#chart-{number}", Chart) for number in range(4)]

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
            self._read()
        self._facts()  # also without a change: the panel may have become visible

    def _content(self, name: str, number: int) -> Content:
        x = self.metrics.column("epoch")
        y, half = self.metrics.value_and_half(name)
        low, high = self._band(name, y, half)
        if name in SPARSE:
            known = np.isfinite(y)
            x, y = x[known], y[known]
        raw = None
        if self.smoothing:
            raw = y
            average = self._averages.setdefault((name, self.smoothing), Ema(self.smoothing))
            y = average.extended(y)
        good = np.flatnonzero(np.isfinite(y[-512:]))
        title = heading(name)
        if len(good):
            title += f"  {compact(float(y[-512:][good[-1]]))}"
            if half is not None and math.isfinite(half[-1]):
                title += f" ± {compact(float(half[-1]), 2)}"
        mark = MARKS[number] if self.app.no_color else ""
        any_point = bool(np.isfinite(y).any())
        series = [Series(x, y, low, high, raw, number, mark=mark)] if any_point else []
        return Content(series, title, "epoch", list(self.metrics.events[-50:]), self._why_empty(name))

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

    def _read(self) -> None:
        """Write the line below the charts: the values at the cursor, else the view."""
        view, count = self.view, self.metrics.count
        if view.cursor is not None and count:
            x = self.metrics.column("epoch")
            at = int(np.argmin(np.abs(x - view.cursor)))
            parts = [f"epoch {x[at]:.0f}"]
            for chart, name in zip(self.charts(), self.names(), strict=True):
                value = self._span(name, at) if self.band == "quantiles" else ""
                parts.append(f"{name.replace('_', ' ')} {value or chart.reading() or '-'}")
            text = "  ".join(parts)
        else:
            smooth = f"smooth {self.smoothing:g}" if self.smoothing else "raw"
            left, right = view.window(self.charts()[0].full())
            where = "all epochs" if view.span is None else f"epochs {left:.0f} to {right:.0f}"
            follow = " · follow" if view.follow else ""
            text = f"{smooth} · {BANDS[self.band]} · {'log' if view.log else 'linear'} · {where}{follow}"
        self.query_one("#reading", Static).update(text, layout=False)

    def _span(self, name: str, at: int) -> str:
        """A value with its quantiles; empty if the run has none."""
        found = self.metrics.quantiles(name)
        if found is None:
            return ""
        value, low, high = (float(column[at]) for column in (self.metrics.value_and_half(name)[0], *found))
        return f"{compact(value)} ({compact(low, 3)} to {compact(high, 3)})"

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
            rows.append(f"{name.replace('_', ' ')[:20]:<21}{compact(self.metrics.last(mean)):>11}")
        panel.update("\n".join(["newest", *rows]), layout=False)

    def _changed(self) -> None:
        for chart in self.charts():
            chart.redraw()
        self._read()

    @on(Chart.Moved)
    def _moved(self, event: Chart.Moved) -> None:
        event.stop()
        self._changed()

    @on(Chart.Maximise)
    def _maximised(self, event: Chart.Maximise) -> None:
        self._big(event.chart)

    def action_pan(self, by: float) -> None:
        if self.view.span is None:
            self._say(WHOLE)
        self.view.pan(self.charts()[0].full(), by)
        self._changed()

    def action_zoom(self, factor: float) -> None:
        if self.view.span is None and factor > 1:
            self._say(WHOLE)
        self.view.zoom(self.charts()[0].full(), factor, self.view.cursor)
        self._changed()

    def action_follow(self) -> None:
        self.view.follow = not self.view.follow
        full = self.charts()[0].full()
        if not self.view.follow and self.view.span is None:
            self.view.span = full
        elif self.view.span is not None and self.view.follow:
            self.view.span = self.view.window(full)
        self._changed()

    def action_reset(self) -> None:
        self.view.reset()
        self._changed()

    def action_log(self) -> None:
        self.view.log = not self.view.log
        self._changed()

    def _say(self, text: str) -> None:
        """Why a key does nothing."""
        self.notify(text, severity="warning", timeout=6, markup=False)

    def action_smooth(self, by: int) -> None:
        at = LEVELS.index(self.smoothing) + by
        if not 0 <= at < len(LEVELS):
            self._say("no smoothing is less than none" if by < 0 else "this is the strongest smoothing")
        self.smoothing = LEVELS[min(max(at, 0), len(LEVELS) - 1)]
        self.settings.change(smoothing=self.smoothing)
        self.update()

    def action_band(self) -> None:
        names = list(BANDS)
        self.band = names[(names.index(self.band) + 1) % len(names)]
        self.settings.change(band=self.band)
        self.update()

    def action_cursor(self, by: int) -> None:
        if not self.metrics.count:
            self._say("there is no epoch yet")
            return
        x = self.metrics.column("epoch")
        if self.view.cursor is None:
            at = len(x) - 1
        else:
            before = int(np.argmin(np.abs(x - self.view.cursor)))
            at = min(max(before + by, 0), len(x) - 1)
            if at == before:
                self._say("the cursor is on the newest epoch" if by > 0 else "the cursor is on the first epoch")
        self.view.cursor = float(x[at])
        self._changed()

    def action_maximise(self) -> None:
        focused = self.app.focused
        self._big(focused if isinstance(focused, Chart) else self.charts()[0])

    def _big(self, chart: Chart) -> None:
        """Show one chart on the whole screen, with the focus, or all of them again."""
        box = self.query_one("#charts-grid")
        one = not box.has_class("-one")
        box.set_class(one, "-one")
        for each in self.charts():
            each.set_class(one and each is chart, "-big")
        self.screen.set_focus(chart)

    def action_metric(self) -> None:
        self.post_message(self.MetricRequested(choices(self.metrics) or ["value"]))

    def show_metric(self, name: str | None) -> None:
        """Show a metric in the fourth chart; None changes nothing."""
        if name:
            self.metric = name
            self.settings.change(metric=name)
            self.update()
