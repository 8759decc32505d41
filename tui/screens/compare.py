"""Up to eight runs on shared axes, the differences of their settings, and their final values."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding
from textual.widget import Widget
from textual.widgets import DataTable, Static, TabbedContent, TabPane
from textual.widgets._tabbed_content import ContentTabs

from mmrl.plots.charts import SPARSE, figure, heading, shown_values
from mmrl.plots.colours import place_of_run
from mmrl.plots.numbers import compact
from mmrl.plots.picture import ASCII
from mmrl.plots.pixels import Floats
from mmrl.plots.smoothing import LEVELS, Ema
from mmrl.plots.text import printable, shortened
from mmrl.runs import config_file
from mmrl.runs.metrics import described
from mmrl.settings.fields import FieldSpec, fields, shown, value_of
from mmrl.settings.model import Config

from ..session import Session
from ..themes import ASCII_MARKS, MARKS
from ..watch import Metrics
from ..widgets.chart import Chart
from ..widgets.keybar import PAN, ZOOM, KeyBar
from ..widgets.training import choices
from ..widgets.view import WHOLE, Content, Series, View
from .base import Base
from .dialogs import Choose

AXES = ("epoch", "steps", "wall time (s)")
RATE = 0.5
FINAL = ("value", "reward", "inventory", "spread", "length", "optimality", "steps_per_second")


class Compare(Base):
    """Runs side by side, while they train or afterwards."""

    HELP_TITLE = "Compare"
    BINDINGS = [
        Binding("escape", "leave", "Back", show=False),
        Binding("q", "leave", "Back"),
        Binding("v", "metric", "Metric", tooltip="Choose the metric"),
        Binding("a", "axis", "Axis", tooltip="By epoch, by steps, by wall time"),
        Binding("s", "smooth(1)", "Smooth", tooltip="Smooth more"),
        Binding("S", "smooth(-1)", "Smooth less", show=False),
        Binding("left", "pan(-0.2)", "Pan left", group=PAN),
        Binding("right", "pan(0.2)", "Pan right", group=PAN),
        Binding("plus,equals_sign", "zoom(0.7)", "Zoom in", group=ZOOM),
        Binding("minus", "zoom(1.43)", "Zoom out", group=ZOOM),
        Binding("0", "reset", "Reset", show=False),
        Binding("y", "log", "Log scale", show=False, tooltip="Logarithmic scale"),
        Binding("1", "tab('curves')", "Curves", show=False),
        Binding("2", "tab('differences')", "Differences", show=False),
        Binding("3", "tab('final')", "Final values", show=False),
    ]

    def __init__(self, session: Session, folders: list[Path]) -> None:
        super().__init__(session)
        self.folders = folders[:8]
        self.metrics = [Metrics(folder / "metrics.jsonl") for folder in self.folders]
        self.metric, self.axis, self.smoothing = "value", 0, 0.0
        self.view = View(follow=False)
        self._averages: dict[tuple[int, str, float], Ema] = {}
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        yield Static(f"Compare {len(self.folders)} runs", classes="bar", markup=False)
        with TabbedContent(id="tabs"):
            with TabPane("1 Curves", id="curves"):
                yield Chart(self.view, id="overlay")
                yield Static(id="legend", markup=False)
            with TabPane("2 Differences", id="differences"):
                yield DataTable(id="diff", cursor_type="row")
            with TabPane("3 Final values", id="final"):
                yield DataTable(id="final-table", cursor_type="row")
        yield KeyBar(self.offers)
        yield from self.too_small()

    def on_mount(self) -> None:
        self.metric = self.session.settings.metric
        self._differences()
        self.tick()
        self.set_interval(RATE, self.tick)
        self.query_one(ContentTabs).can_focus = False
        self.set_focus(self.home())

    def offers(self, active: ActiveBinding) -> bool:
        of_chart = ("metric", "axis", "smooth", "pan", "zoom", "reset", "log")
        name = active.binding.action.partition("(")[0]
        return name not in of_chart or self.query_one("#tabs", TabbedContent).active == "curves"

    def home(self) -> Widget | None:
        kinds: dict[str, type[Widget]] = {"curves": Chart, "differences": DataTable, "final": DataTable}
        tabs = self.query_one("#tabs", TabbedContent)
        return tabs.get_pane(tabs.active or "curves").query(kinds[tabs.active or "curves"]).first()

    @on(TabbedContent.TabActivated)
    def _activated(self) -> None:
        self.set_focus(self.home())

    def tick(self) -> None:
        """Read new epochs and draw them."""
        behind = False
        for metrics in self.metrics:
            metrics.poll()
            behind = behind or metrics.behind
        if behind:
            self.set_timer(0.05, self.tick)
        versions = [m.version for m in self.metrics]
        state = (versions, self.metric, self.axis, self.smoothing, self.app.theme)
        if state != self._drawn:
            self._drawn = state
            self._curves()
            self._final()

    def _x(self, metrics: Metrics) -> Floats:
        """The chosen x axis; it never decreases."""
        if self.axis == 1:
            return np.nancumsum(metrics.column("steps"))
        if self.axis == 2:
            spent = metrics.column("seconds_rollout") + metrics.column("seconds_update")
            return np.nancumsum(spent)
        return metrics.column("epoch")

    def _mark(self, number: int) -> str:
        return (ASCII_MARKS if self.query_one(Chart).characters is ASCII else MARKS)[number]

    def _curves(self) -> None:
        series = []
        for number, metrics in enumerate(self.metrics):
            if not metrics.count:
                continue
            x = self._x(metrics)
            y, half = metrics.value_and_half(self.metric)
            if not np.isfinite(y).any():
                continue
            low, high, raw = None, None, None
            if half is not None and len(self.metrics) <= 3:
                low, high = y - half, y + half
            if self.metric in SPARSE:  # a line from one known value to the next
                known = np.isfinite(y)
                x, y = x[known], y[known]
            y = shown_values(self.metric, y)
            if self.smoothing:
                key = (number, self.metric, self.smoothing)
                raw, y = y, self._averages.setdefault(key, Ema(self.smoothing)).extended(y)
            series.append(Series(x, y, low, high, raw, place_of_run(number), mark=self._mark(number), interval=True))
        title = heading(self.metric) + (f"  smooth {self.smoothing:g}" if self.smoothing else "")
        waiting = not any(metrics.count for metrics in self.metrics)
        empty = "waiting for the first point" if waiting else f"none of these runs has {self.metric.replace('_', ' ')}"
        self.query_one(Chart).show(Content(series, title, AXES[self.axis], [], empty))
        self._legend()

    def _legend(self) -> None:
        """Mark, name and newest value of each run; a long name is shortened in its middle."""
        legend, chart = Text(no_wrap=True), self.query_one(Chart)
        for number, (folder, metrics) in enumerate(zip(self.folders, self.metrics, strict=True)):
            y, half = metrics.value_and_half(self.metric)
            known = np.flatnonzero(np.isfinite(y))
            at = int(known[-1]) if len(known) else 0
            error = math.nan if half is None or not len(known) else float(half[at])
            newest = figure(self.metric, float(y[at]) if len(known) else math.nan, error)
            name = shortened(printable(folder.name), max(self.app.size.width - len(newest) - 8, 12))
            legend.append(f" {self._mark(number)} ", chart._style(place_of_run(number)))
            legend.append(f"{name}  {newest}\n")
        legend.rstrip()
        self.query_one("#legend", Static).update(legend)

    def _differences(self) -> None:
        """List the settings that are not equal in all runs."""
        table = self.query_one("#diff", DataTable)
        table.add_column("SETTING", width=26)
        for number, folder in enumerate(self.folders):
            name = shortened(printable(folder.name), 20)
            table.add_column(Text(f"{MARKS[number]} {name}", no_wrap=True), width=22)
        configs: list[Config | None] = []
        for folder in self.folders:
            try:
                configs.append(config_file.read_config(folder).config)
            except Exception:
                configs.append(None)
        found = sum(config is None for config in configs)
        if found:
            texts = ["cannot be read" if config is None else "" for config in configs]
            table.add_row(Text("config.toml"), *map(Text, texts))
        for spec in fields():
            if spec.key in ("run.name", "run.results"):
                continue
            texts = ["?" if config is None else _shown(config, spec) for config in configs]
            if len(set(texts)) > 1:
                found += 1
                table.add_row(Text(spec.key), *(Text(printable(text)) for text in texts))
        if not found:
            table.add_row(Text("all settings are equal"))

    def _final(self) -> None:
        """List the newest values with half of their 95 % intervals."""
        table = self.query_one("#final-table", DataTable)
        table.clear(columns=True)
        table.add_column("RUN", width=30)
        table.add_column("EPOCH", width=8)
        for name in FINAL:
            table.add_column(heading(name).upper(), width=20)
        for number, (folder, metrics) in enumerate(zip(self.folders, self.metrics, strict=True)):
            cells = [Text(f"{MARKS[number]} {shortened(printable(folder.name), 28)}", no_wrap=True)]
            cells.append(Text(compact(metrics.last("epoch"), 8), justify="right"))
            for name in FINAL:
                y, half = metrics.value_and_half(name)
                error = float(half[-1]) if half is not None and len(half) else math.nan
                last = metrics.last(name) if name in SPARSE else float(y[-1]) if len(y) else math.nan
                cells.append(Text(figure(name, last, error), justify="right"))
            table.add_row(*cells)

    def _redraw(self) -> None:
        self.query_one(Chart).redraw()

    @on(Chart.Moved)
    def _moved(self, event: Chart.Moved) -> None:
        event.stop()
        self._redraw()

    def action_pan(self, by: float) -> None:
        if self.view.span is None:
            self.toast(WHOLE, "warning")
        self.view.pan(self.query_one(Chart).full(), by)
        self._redraw()

    def action_zoom(self, factor: float) -> None:
        if self.view.span is None and factor > 1:
            self.toast(WHOLE, "warning")
        self.view.zoom(self.query_one(Chart).full(), factor, self.view.cursor)
        self._redraw()

    def action_reset(self) -> None:
        self.view.reset()
        self._redraw()

    def action_log(self) -> None:
        if not self.query_one(Chart).can_log():
            self.toast(f"{self.metric.replace('_', ' ')}: no log scale, as not all values are above zero")
        else:
            self.view.log = not self.view.log
        self._redraw()

    def action_smooth(self, by: int) -> None:
        self.smoothing = LEVELS[min(max(LEVELS.index(self.smoothing) + by, 0), len(LEVELS) - 1)]
        self.tick()

    def action_axis(self) -> None:
        self.axis = (self.axis + 1) % len(AXES)
        self.view.span = None
        self.tick()

    def action_metric(self) -> None:
        def chosen(name: str | None) -> None:
            if name:
                self.metric = name
                self.tick()

        names = list(dict.fromkeys(name for metrics in self.metrics for name in choices(metrics)))
        self.app.push_screen(Choose("Metric", names or ["value"], self.metric, described), chosen)

    def action_tab(self, name: str) -> None:
        self.query_one("#tabs", TabbedContent).active = name
        self.set_focus(self.home())

    def action_leave(self) -> None:
        self.app.pop_screen()


def _shown(config: Config, spec: FieldSpec) -> str:
    """A setting of a run as text; a dash where its market has no such setting."""
    own = {mine.key for mine in fields(config.market.name)}
    return shown(value_of(config, spec)) if spec.key in own else "-"
