"""What the policy quotes at each inventory: its surface, learned, with the best one beside it where that is known."""

from __future__ import annotations

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.widgets import Static

from mmrl.plots.pixels import Floats

from .chart import Chart
from .episode import Arrays, SavedEpisodes, column, times
from .scrubber import Scrubber
from .view import Content, Series, View

LEARNED, BEST = 0, 1  # hues
SURFACE = "distance from the mid, without noise"
SEEN = "seen in one trajectory: median distance at each inventory, 10 % to 90 % as a band"
BOOK = "distance from the mid and size, without noise, with the book in its usual state"


def surface(arrays: Arrays, name: str) -> Floats | None:
    """A surface [times, inventories], or None where the file has none that fits its axes."""
    found, moments, inventory = (arrays.get(key) for key in (name, "quotes_time", "quotes_inventory"))
    if found is None or moments is None or inventory is None or moments.ndim != 1 or inventory.ndim != 1:
        return None
    kinds = all(array.dtype.kind in "iuf" for array in (found, moments, inventory))
    fits = found.shape == (len(moments), len(inventory)) and found.size
    return np.asarray(found, np.float64) if kinds and fits else None


def dotted(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The same points with gaps between them, so that they are drawn as dots."""
    middle = (x[1:] + x[:-1]) / 2
    return np.insert(x, range(1, len(x)), middle), np.insert(y, range(1, len(y)), np.nan)


class QuotesView(SavedEpisodes):
    """Bid and ask distance over the inventory at three times; learned as a line, best as dots."""

    TAB = "quotes"
    HELP_TITLE = "Quotes"
    BINDINGS = [
        Binding("left", "epoch(-1)", "Earlier epoch", show=False),
        Binding("right", "epoch(1)", "Later epoch", show=False),
    ]

    def compose(self) -> ComposeResult:
        with Container(classes="surfaces"):
            for number in range(6):
                yield Chart(View(follow=False), classes="-second" if number == 1 else None)
        yield Static(id="quotes-note", classes="bar", markup=False)
        yield Scrubber("epoch", id="quotes-epochs").add_class("epochs")

    def show(self) -> None:
        bid, ask = surface(self.arrays, "quotes_bid"), surface(self.arrays, "quotes_ask")
        known = bid is not None and ask is not None
        self.query_one(".surfaces").set_class(not known, "-pair")
        note = self._surfaces() if known else self._seen()
        self.query_one("#quotes-note", Static).update(Text(self.fault or note))

    def _surfaces(self) -> str:
        """Above the bid's distances (on the book: both), below the ask's (the sizes); a column for each time."""
        sizes = surface(self.arrays, "quotes_bid_size") is not None
        rows: tuple[tuple[str, tuple[tuple[str, int, str], ...]], ...]
        if sizes:
            rows = (
                ("distance", (("quotes_bid", 0, "bid"), ("quotes_ask", 1, "ask"))),
                ("shares", (("quotes_bid_size", 0, "bid"), ("quotes_ask_size", 1, "ask"))),
            )
        else:
            rows = tuple(
                (side, ((f"quotes_{side}", LEARNED, "learned"), (f"optimum_{side}", BEST, "best")))
                for side in ("bid", "ask")
            )
        named = sizes or self.app.size.width >= 100
        charts = list(self.query(Chart))
        moments = np.asarray(self.arrays["quotes_time"], np.float64)
        inventory = np.asarray(self.arrays["quotes_inventory"], np.float64)
        furthest = 0.0
        for row, (title, names) in enumerate(rows):
            for place in range(3):
                series = []
                for name, hue, label in names if place < len(moments) else ():
                    found = surface(self.arrays, name)
                    if found is None:
                        continue
                    x, y = inventory, found[place]
                    if name.startswith("optimum"):
                        mine = surface(self.arrays, name.replace("optimum", "quotes"))
                        if mine is not None and np.isfinite(y - mine[place]).any():
                            furthest = max(furthest, float(np.nanmax(np.abs(y - mine[place]))))
                        x, y = dotted(x, y)
                    series.append(Series(x, y, hue=hue, label=label if named and not place else ""))
                when = f" {moments[place]:g} T" if place < len(moments) else ""
                charts[3 * row + place].show(Content(series, title + when, "inventory", [], "no quotes"))
        if sizes:
            return BOOK
        best = surface(self.arrays, "optimum_bid") is not None
        return f"{SURFACE}; dots: the optimum, at most {furthest:.3g} away" if best else SURFACE

    def _seen(self) -> str:
        """What an older file shows: distances of the replayed trajectory by inventory."""
        count = len(times(self.arrays))
        get = {name: column(self.arrays, f"replay_{name}", count) for name in ("mid", "bid", "ask", "inventory")}
        sides = (("bid distance", get["mid"] - get["bid"], 0), ("ask distance", get["ask"] - get["mid"], 1))
        for chart, (title, distance, hue) in zip(self.query(Chart), sides, strict=False):
            series = _binned(get["inventory"], distance, hue)
            chart.show(Content(series, f"{title} (currency)", "inventory", [], self.fault or "no quotes"))
        return SEEN


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
