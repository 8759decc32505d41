"""Distance of the quotes from the mid over the inventory."""

from __future__ import annotations

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.widgets import Static

from mmrl.raster import Floats
from tui.widgets.chart import Chart
from tui.widgets.episode import SavedEpisodes, column, times
from tui.widgets.scrubber import Scrubber
from tui.widgets.view import Content, Series, View


class QuotesView(SavedEpisodes):
    """Distance of bid and ask from the mid over the inventory: the policy's surface, or what a replay shows of it."""

    TAB = "quotes"
    HELP_TITLE = "Quotes"
    BINDINGS = [
        Binding("left", "epoch(-1)", "Earlier epoch", show=False),
        Binding("right", "epoch(1)", "Later epoch", show=False),
    ]

    def compose(self) -> ComposeResult:
        with Container(classes="pair"):
            for _ in range(2):
                yield Chart(View(follow=False))
        yield Static(id="quotes-note", classes="bar", markup=False)
        yield Scrubber("epoch", id="quotes-epochs").add_class("epochs")

    def show(self) -> None:
        count = len(times(self.arrays))
        get = {name: column(self.arrays, f"replay_{name}", count) for name in ("mid", "bid", "ask", "inventory")}
        note = "seen in one trajectory: median distance at each inventory, 10 % to 90 % as a band"
        sides = (("bid distance", get["mid"] - get["bid"], 0), ("ask distance", get["ask"] - get["mid"], 1))
        for chart, (title, distance, hue) in zip(self.query(Chart), sides, strict=True):
            series = _binned(get["inventory"], distance, hue)
            chart.show(Content(series, f"{title} (currency)", "inventory", [], self.fault or "no quotes"))
        self.query_one("#quotes-note", Static).update(Text(note if not self.fault else self.fault))


def _binned(x: Floats, y: Floats, hue: int, most: int = 40) -> list[Series]:
    good = np.isfinite(x) & np.isfinite(y)
    x, y = x[good], y[good]
    if not len(x):
        return []
    levels = np.unique(x)
    if len(levels) > most:
        edges = np.linspace(x.min(), x.max(), most + 1)
        levels = (edges[1:] + edges[:-1]) / 2
        x = levels[np.clip(np.digitize(x, edges) - 1, 0, most - 1)]
        levels = np.unique(x)
    parts = [np.quantile(y[x == level], (0.1, 0.5, 0.9)) for level in levels]
    low, middle, high = np.array(parts).T
    return [Series(levels, middle, low, high, None, hue)]
