"""What every view with charts has: zoom, a cursor with its figures, one chart on the whole screen."""

from __future__ import annotations

import textwrap
from typing import ClassVar

import numpy as np
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from mmrl.plots.numbers import compact
from mmrl.plots.pixels import Floats

from .chart import Chart
from .keybar import CURSOR, ZOOM
from .view import WHOLE, View

ONE, BIG, UNUSED = "-one", "-big", "-unused"


class Reading(Static):
    """A line of figures, or as many as they need."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, classes="reading", markup=False)
        self._rows = 1

    def say(self, text: str) -> None:
        """Show a text; the layout changes only with the number of its lines."""
        rows = max(len(textwrap.wrap(text, max(self.app.size.width - 2, 20))), 1)
        if rows != self._rows:
            self._rows = rows
            self.styles.height = rows
        self.update(text, layout=False)


class Charted(Vertical):
    """Charts side by side in a container of class `charts`, over the same x axis."""

    ACROSS: ClassVar[str] = "epoch"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "maximise", "Maximise", tooltip="One chart on the whole screen, and back"),
        Binding("plus,equals_sign", "zoom(0.7)", "Zoom in", group=ZOOM),
        Binding("minus", "zoom(1.43)", "Zoom out", group=ZOOM),
        Binding("0", "reset", "Reset", show=False, tooltip="Everything, linear, no cursor"),
        Binding("tab", "next_chart(1)", "Next chart", show=False, tooltip="Next chart, where one is maximised"),
        Binding("shift+tab", "next_chart(-1)", "Previous chart", show=False),
        Binding("comma", "cursor(-1)", "Cursor left", group=CURSOR, key_display=","),
        Binding("full_stop", "cursor(1)", "Cursor right", group=CURSOR, key_display="."),
        Binding("less_than_sign", "cursor(-10)", "Cursor far left", show=False, key_display="<"),
        Binding("greater_than_sign", "cursor(10)", "Cursor far right", show=False, key_display=">"),
    ]

    view: View

    def charts(self) -> list[Chart]:
        """The charts in use, in order."""
        return [chart for chart in self.query(Chart) if not chart.has_class(UNUSED)]

    def full(self) -> tuple[float, float]:
        """The whole range of x."""
        ranges = [chart.full() for chart in self.charts() if chart.content.series]
        return (min(a for a, _ in ranges), max(b for _, b in ranges)) if ranges else (0.0, 1.0)

    def points(self) -> Floats:
        """The values of x at which the cursor stops."""
        found = [s.x for chart in self.charts() for s in chart.content.series]
        return max(found, key=len) if found else np.empty(0)

    def figures(self) -> str:
        """The figures at the cursor, or what the view says without one."""
        if self.view.cursor is None:
            return ""
        return "  ".join([f"{self.ACROSS} {compact(self.view.cursor, 6)}", *self.readings()])

    def readings(self) -> list[str]:
        """The figures of each chart at the cursor, with their names."""
        return [text for chart in self.charts() if (text := chart.reading())]

    def changed(self) -> None:
        """Draw what another view or cursor changes."""
        for chart in self.charts():
            chart.redraw()
        for reading in self.query(Reading):
            reading.say(self.figures())

    @property
    def maximised(self) -> Chart | None:
        """The chart that has the whole screen."""
        return next((chart for chart in self.query(Chart) if chart.has_class(BIG)), None)

    def maximise(self, chart: Chart | None) -> None:
        """Give one chart the whole screen; None shows all again."""
        self.query_one(".charts").set_class(chart is not None, ONE)
        for each in self.query(Chart):
            each.set_class(each is chart, BIG)
        if isinstance(self.app.focused, Chart):
            self.screen.set_focus(chart or self.app.focused)

    @on(Chart.Moved)
    def _moved(self, event: Chart.Moved) -> None:
        event.stop()
        self.changed()

    @on(Chart.Maximise)
    def _maximised(self, event: Chart.Maximise) -> None:
        event.stop()
        self.maximise(None if self.maximised else event.chart)

    def say(self, text: str) -> None:
        """Why a key does nothing."""
        self.notify(text, severity="warning", timeout=6, markup=False)

    def action_zoom(self, factor: float) -> None:
        if self.view.span is None and factor > 1:
            self.say(WHOLE)
        self.view.zoom(self.full(), factor, self.view.cursor)
        self.changed()

    def action_reset(self) -> None:
        self.view.reset()
        self.changed()

    def action_cursor(self, by: int) -> None:
        x = self.points()
        if not len(x):
            self.say("there is nothing to read yet")
            return
        if self.view.cursor is None:
            at = len(x) - 1 if self.view.follow else len(x) // 2
        else:
            before = int(np.argmin(np.abs(x - self.view.cursor)))
            at = min(max(before + by, 0), len(x) - 1)
            if at == before:
                self.say("the cursor is on the last point" if by > 0 else "the cursor is on the first point")
        self.view.cursor = float(x[at])
        self.view.reveal(self.full(), self.view.cursor)
        self.changed()

    def action_maximise(self) -> None:
        focused, charts = self.app.focused, self.charts()
        chart = focused if isinstance(focused, Chart) and focused in charts else charts[0]
        self.maximise(None if self.maximised else chart)

    def action_next_chart(self, by: int) -> None:
        """The next chart where one is maximised, else the next widget."""
        charts, big = self.charts(), self.maximised
        if big is not None:
            self.maximise(charts[(charts.index(big) + by) % len(charts)])
        elif by > 0:
            self.screen.focus_next()
        else:
            self.screen.focus_previous()
