"""What the policy quotes at each inventory: its surface, learned, with the best one beside it where that is known."""

from __future__ import annotations

import re

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container

from mmrl.plots.colours import place_of
from mmrl.plots.numbers import compact
from mmrl.plots.picture import ASCII
from mmrl.plots.pictures import counted_from
from mmrl.plots.pixels import Floats

from ..themes import MARKS
from .chart import Chart
from .charted import UNUSED, Reading
from .episode import Arrays, SavedEpisodes, column, times
from .scrubber import Scrubber
from .view import Content, Series

SURFACE = "distance from the mid, without noise"
SEEN = "seen in one trajectory: median distance at each inventory, 10 % to 90 % as a band"
BOOK = "bid and ask: distance from {} and size, without noise, with the book in its usual state"


FURTHER = re.compile(r"quotes_(?:bid|ask)_(\d+)_distance")
"""Further orders of a side, which the best one is followed by."""


def _array(side: str, rank: str, kind: str) -> str:
    """The name of a surface: `quotes_bid` and `quotes_bid_size` of the best order, `quotes_bid_2_size` of another."""
    return f"quotes_{side}_{rank}_{kind}" if rank else f"quotes_{side}" + ("_size" if kind == "size" else "")


def surface(arrays: Arrays, name: str) -> Floats | None:
    """A surface [times, inventories], or None where the file has none that fits its axes."""
    found, moments, inventory = (arrays.get(key) for key in (name, "quotes_time", "quotes_inventory"))
    if found is None or moments is None or inventory is None or moments.ndim != 1 or inventory.ndim != 1:
        return None
    kinds = all(array.dtype.kind in "iuf" for array in (found, moments, inventory))
    fits = found.shape == (len(moments), len(inventory)) and found.size
    return np.asarray(found, np.float64) if kinds and fits else None


class QuotesView(SavedEpisodes):
    """Bid and ask distance over the inventory at three times; learned as a line, the optimum as marks beside it."""

    TAB = "quotes"
    HELP_TITLE = "Quotes"
    ACROSS = "inventory"
    BINDINGS = [
        Binding("left", "epoch(-1)", "Earlier epoch", show=False),
        Binding("right", "epoch(1)", "Later epoch", show=False),
    ]

    def compose(self) -> ComposeResult:
        self.note = ""
        with Container(classes="charts surfaces"):
            for number in range(6):
                yield Chart(self.view, classes="-second" if number == 1 else None)
        yield Reading(id="quotes-note")
        yield Scrubber("epoch", id="quotes-epochs").add_class("epochs")

    def show(self) -> None:
        bid, ask = surface(self.arrays, "quotes_bid"), surface(self.arrays, "quotes_ask")
        known = bid is not None and ask is not None
        self.query_one(".surfaces").set_class(not known, "-pair")
        for number, chart in enumerate(self.query(Chart)):
            chart.set_class(not known and number > 1, UNUSED)
        self.note = self._surfaces() if known else self._seen()
        if self.maximised is not None and self.maximised not in self.charts():
            self.maximise(None)
        self.changed()

    def figures(self) -> str:
        return super().figures() or self.fault or self.note

    def readings(self) -> list[str]:
        """The figures at the cursor, those of all times together: bid learned 0.756 0.765 0.739  optimum 0.743 ..."""
        cursor = self.view.cursor or 0.0
        found: dict[str, list[str]] = {}
        times: dict[str, None] = {}
        for chart in self.charts():
            name, _, when = chart.content.title.removesuffix(" (currency)").partition(" ")
            for s in chart.content.series:
                at = int(np.argmin(np.abs(s.x - cursor)))
                found.setdefault(f"{name} {s.name}".strip(), []).append(compact(float(s.y[at])))
                times[when] = None
        moments = ", ".join(when.removesuffix(" T") for when in times)
        tail = [f"at {moments} T"] if len(times) > 1 else []
        return [*(f"{name} {' '.join(values)}" for name, values in found.items()), *tail]

    def _surfaces(self) -> str:
        """Above the bid's distances (on the book: both), below the ask's (the sizes); a column for each time."""
        sizes = surface(self.arrays, "quotes_bid_size") is not None
        rows: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...]
        if sizes:
            further = sorted({key.split("_")[2] for key in self.arrays if FURTHER.fullmatch(key)})
            orders = [(side, rank) for rank in ("", *further) for side in ("bid", "ask")]
            rows = tuple(
                (title, tuple((_array(side, rank, kind), side, f"{side} {rank}".strip()) for side, rank in orders))
                for title, kind in (("distance", "distance"), ("shares", "size"))
            )
        else:
            rows = tuple(
                (side, ((f"quotes_{side}", side, "learned"), (f"optimum_{side}", "optimum", "optimum")))
                for side in ("bid", "ask")
            )
        charts = list(self.query(Chart))
        sign = "o" if charts[0].characters is ASCII else "◇"
        moments = np.asarray(self.arrays["quotes_time"], np.float64)
        inventory = np.asarray(self.arrays["quotes_inventory"], np.float64)
        furthest = 0.0
        for row, (title, names) in enumerate(rows):
            for place in range(3):
                series = []
                for number, (name, thing, label) in enumerate(names) if place < len(moments) else ():
                    found = surface(self.arrays, name)
                    if found is None:
                        continue
                    best = name.startswith("optimum")
                    if best:
                        mine = surface(self.arrays, name.replace("optimum", "quotes"))
                        if mine is not None and np.isfinite(found[place] - mine[place]).any():
                            furthest = max(furthest, float(np.nanmax(np.abs(found[place] - mine[place]))))
                    short, _, rank = label.partition(" ")
                    mark = sign if best else rank or (MARKS[number] if self.app.no_color else "")
                    shown = short if self.app.size.width >= 100 else ""  # else the line below says it
                    series.append(
                        Series(
                            inventory,
                            found[place],
                            hue=place_of(thing),
                            label=shown,
                            mark=mark,
                            points=best,
                            name=label,
                        )
                    )
                when = f" {moments[place]:g} T" if place < len(moments) else ""
                charts[3 * row + place].show(Content(series, title + when, "inventory", [], "no quotes"))
        if sizes:
            return BOOK.format(counted_from(self.folder))
        line = charts[0].characters.axes[3]
        best_known = surface(self.arrays, "optimum_bid") is not None
        return f"{SURFACE}; {line} learned, {sign} optimum, at most {furthest:.3g} away" if best_known else SURFACE

    def _seen(self) -> str:
        """What an older file shows: distances of the replayed trajectory by inventory."""
        count = len(times(self.arrays))
        get = {name: column(self.arrays, f"replay_{name}", count) for name in ("mid", "bid", "ask", "inventory")}
        sides = (("bid", get["mid"] - get["bid"]), ("ask", get["ask"] - get["mid"]))
        for chart, (side, distance) in zip(self.query(Chart), sides, strict=False):
            series = _binned(get["inventory"], distance, place_of(side))
            chart.show(Content(series, f"{side} distance (currency)", "inventory", [], self.fault or "no quotes"))
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
