"""What a sampled batch of an epoch did over time: its profile, one replayed trajectory, its quotes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Horizontal, Vertical
from textual.widgets import Static

from mmrl.charts import heading
from mmrl.progress import printable
from mmrl.raster import Floats, compact
from mmrl.runs import episodes
from tui.themes import MARKS
from tui.widgets.chart import Chart
from tui.widgets.ladder import Ladder
from tui.widgets.scrubber import Scrubber
from tui.widgets.view import Content, Series, View

Arrays = dict[str, Floats]
NONE = "No episode yet: one is written every --plot-after epochs (run.plot_after)."


def times(arrays: Arrays, replay: bool = False) -> Floats:
    """Moments of the profile."""
    found = np.asarray(arrays.get("time", np.empty(0)), dtype=np.float64)
    return found[np.isfinite(found)] if found.ndim == 1 else np.empty(0)


def column(arrays: Arrays, key: str, count: int) -> Floats:
    """One array as floats [points]; NaN where the file does not have it so."""
    found = arrays.get(key)
    if found is None or found.ndim != 1 or found.dtype.kind not in "iuf":
        return np.full(count, np.nan)
    values = np.full(count, np.nan)
    values[: min(count, len(found))] = found[:count]
    return values


class SavedEpisodes(Vertical, can_focus=True):
    """A view of the saved episodes of a run, with a scrubber over their epochs."""

    TAB: ClassVar[str] = ""
    BINDINGS = [
        Binding("left_square_bracket", "epoch(-1)", "Earlier epoch", key_display="["),
        Binding("right_square_bracket", "epoch(1)", "Later epoch", key_display="]"),
        Binding("home", "epoch(-1000000)", "First epoch", show=False),
        Binding("end", "epoch(1000000)", "Newest epoch", show=False),
    ]

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.arrays: Arrays = {}
        self._kept: dict[int, Arrays] = {}
        self.fault = NONE

    def scrubber(self) -> Scrubber:
        """The chooser of the epoch."""
        return self.query_one(".epochs", Scrubber)

    def poll(self) -> None:
        """Look for new episodes."""
        try:
            found = [float(epoch) for epoch in episodes.episode_epochs(self.folder)]
        except Exception:  # a folder that vanished or that is no folder
            found = []
        if self.scrubber().fill(found) or (not self.arrays and found):
            self._load()
        elif not found and (self.arrays or self.fault):
            self.arrays, self.fault = {}, NONE
            self.show()

    def _load(self) -> None:
        value = self.scrubber().value
        if value is None:
            return
        epoch = int(value)
        if epoch not in self._kept:
            try:
                arrays = episodes.read_episode(self.folder, epoch)
            except Exception as error:
                self.arrays, self.fault = {}, f"episode {epoch} cannot be read: {printable(error)}"
                self.show()
                return
            while len(self._kept) >= 24:
                self._kept.pop(next(iter(self._kept)))
            self._kept[epoch] = arrays
        self.arrays, self.fault = self._kept[epoch], ""
        self.show()

    def show(self) -> None:
        """Draw the chosen episode."""

    @on(Scrubber.Chosen)
    def _chosen(self, event: Scrubber.Chosen) -> None:
        event.stop()
        if event.scrubber is self.scrubber():
            self._load()

    @on(Chart.Moved)
    def _moved(self, event: Chart.Moved) -> None:
        event.stop()
        for chart in self.query(Chart):
            chart.redraw()

    def action_epoch(self, by: int) -> None:
        self.scrubber().move(by)


class EpisodeView(SavedEpisodes):
    """Quotes, spread, inventory, wealth and total value over time: mean and 5 % to 95 % of the batch."""

    TAB = "episode"
    HELP_TITLE = "Episode"
    BINDINGS = [
        Binding("left", "epoch(-1)", "Earlier epoch", show=False),
        Binding("right", "epoch(1)", "Later epoch", show=False),
        Binding("plus,equals_sign", "zoom(0.7)", "Zoom in", show=False),
        Binding("minus", "zoom(1.43)", "Zoom out", show=False),
        Binding("0", "reset", "Reset", show=False),
    ]
    PARTS: ClassVar = (
        ("quotes (currency)", (("ask", 1), ("mid", 7), ("bid", 0))),
        ("spread (currency)", (("spread", 2),)),
        ("inventory (shares)", (("inventory", 5),)),
        ("wealth (currency)", (("wealth", 3),)),
        ("total value (currency)", (("value", 0),)),
        ("trajectories alive", (("alive", 6),)),
    )

    def compose(self) -> ComposeResult:
        self.view = View(follow=False)
        with Container(classes="six"):
            for _ in self.PARTS:
                yield Chart(self.view)
        yield Scrubber("epoch", id="episode-epochs").add_class("epochs")

    def show(self) -> None:
        x = times(self.arrays)
        for chart, (title, names) in zip(self.query(Chart), self.PARTS, strict=True):
            series = []
            for name, hue in names if len(x) else ():
                y = column(self.arrays, "alive" if name == "alive" else f"{name}_mean", len(x))
                band = [column(self.arrays, f"{name}_{end}", len(x)) for end in ("q05", "q95")]
                low, high = band if len(names) == 1 else (None, None)
                label, mark = (name, MARKS[hue]) if len(names) > 1 else ("", "")
                series.append(Series(x, y, low, high, None, hue, label, mark))
            chart.show(Content(series, title, "time", [], self.fault))

    def action_zoom(self, factor: float) -> None:
        charts = list(self.query(Chart))
        self.view.zoom(charts[0].full(), factor, self.view.cursor)
        for chart in charts:
            chart.redraw()

    def action_reset(self) -> None:
        self.view.reset()
        for chart in self.query(Chart):
            chart.redraw()


class BookView(SavedEpisodes):
    """One trajectory step by step: the maker's quotes around the mid, its trades, and where it stands."""

    TAB = "book"
    HELP_TITLE = "Book"
    SPEEDS: ClassVar = (1, 2, 5, 10, 30, 100)
    BINDINGS = [
        Binding("space", "play", "Play/pause"),
        Binding("left", "step(-1)", "Step back", show=False),
        Binding("right", "step(1)", "Step", show=False),
        Binding("less_than_sign", "step(-20)", "20 steps back", show=False, key_display="<"),
        Binding("greater_than_sign", "step(20)", "20 steps on", show=False, key_display=">"),
        Binding("plus,equals_sign", "speed(1)", "Faster", show=False),
        Binding("minus", "speed(-1)", "Slower", show=False),
        Binding("0", "step(-1000000)", "To the start", show=False),
    ]

    def compose(self) -> ComposeResult:
        self.view = View(follow=False)
        self.playing, self.rate = False, 0
        with Horizontal():
            yield Ladder(id="ladder")
            with Vertical(id="replay"):
                yield Chart(self.view, id="replay-quotes")
                yield Chart(self.view, id="replay-inventory")
                yield Chart(self.view, id="replay-value")
        yield Static(id="transport", classes="bar", markup=False)
        yield Scrubber("time", id="book-times", pinned=False)
        yield Scrubber("epoch", id="book-epochs").add_class("epochs")

    def on_mount(self) -> None:
        self.set_interval(0.1, self._play)

    def clock(self) -> Scrubber:
        """The chooser of the moment."""
        return self.query_one("#book-times", Scrubber)

    def show(self) -> None:
        x = times(self.arrays)
        self.clock().fill(x.tolist())
        parts = (
            ("#replay-quotes", "quotes (currency)", (("ask", 1), ("mid", 7), ("bid", 0))),
            ("#replay-inventory", heading("inventory"), (("inventory", 5),)),
            ("#replay-value", "total value (currency)", (("value", 2),)),
        )
        for selector, title, names in parts:
            series = []
            for name, hue in names if len(x) else ():
                y = column(self.arrays, f"replay_{name}", len(x))
                series.append(Series(x, y, hue=hue, label=name if len(names) > 1 else "", mark=""))
            self.query_one(selector, Chart).show(Content(series, title, "time", [], self.fault))
        self._moment()

    def _moment(self) -> None:
        at, count = self.clock().at, len(times(self.arrays))
        values = {
            name: column(self.arrays, f"replay_{name}", count)
            for name in ("mid", "bid", "ask", "inventory", "wealth", "value")
        }
        self.query_one(Ladder).show(times(self.arrays), values, at)
        self.view.cursor = self.clock().value
        for chart in self.query(Chart):
            chart.redraw()
        sign = "▶ playing" if self.playing else "‖ standing"
        text = f"{sign}  ×{self.SPEEDS[self.rate]}   step {at + 1 if count else 0}/{count}"
        if count:
            now = {name: compact(float(column[at]), 6) for name, column in values.items()}
            text += f"   inventory {now['inventory']}   wealth {now['wealth']}   value {now['value']}"
        self.query_one("#transport", Static).update(text)

    def _play(self) -> None:
        if self.playing and self.display and self.clock().places:
            clock = self.clock()
            if clock.at >= len(clock.places) - 1:
                self.playing = False
                self._moment()
            else:
                clock.move(self.SPEEDS[self.rate])

    @on(Scrubber.Chosen, "#book-times")
    def _time(self, event: Scrubber.Chosen) -> None:
        event.stop()
        self._moment()

    def action_play(self) -> None:
        self.playing = not self.playing
        if self.playing and self.clock().at >= len(self.clock().places) - 1:
            self.clock().go(0)
        self._moment()

    def action_step(self, by: int) -> None:
        self.playing = False
        self.clock().move(by)
        self._moment()

    def action_speed(self, by: int) -> None:
        self.rate = min(max(self.rate + by, 0), len(self.SPEEDS) - 1)
        self._moment()
