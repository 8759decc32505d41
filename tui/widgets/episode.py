"""A sampled batch of an epoch over time: means and quantiles of its trajectories."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical

from mmrl.plots.pixels import Floats
from mmrl.plots.text import printable
from mmrl.runs import episodes

from ..themes import MARKS
from .chart import Chart
from .keybar import EPOCH, ZOOM
from .scrubber import Scrubber
from .view import Content, Series, View

Arrays = dict[str, Floats]
NONE = "No episode yet: one is written every --plot-after epochs (run.plot_after)."


def times(arrays: Arrays, replay: bool = False) -> Floats:
    """Times of the points."""
    found = np.asarray(arrays.get("time", np.empty(0)), dtype=np.float64)
    return found[np.isfinite(found)] if found.ndim == 1 else np.empty(0)


def column(arrays: Arrays, key: str, count: int) -> Floats:
    """One array as floats [points]; NaN if the file does not have it in this form."""
    found = arrays.get(key)
    if found is None or found.ndim != 1 or found.dtype.kind not in "iuf":
        return np.full(count, np.nan)
    values = np.full(count, np.nan)
    values[: min(count, len(found))] = found[:count]
    return values


class SavedEpisodes(Vertical, can_focus=True):
    """Shows the saved episodes of a run, with a scrubber over their epochs."""

    TAB: ClassVar[str] = ""
    BINDINGS = [
        Binding("left_curly_bracket", "epoch(-1)", "Earlier epoch", group=EPOCH, key_display="{"),
        Binding("right_curly_bracket", "epoch(1)", "Later epoch", group=EPOCH, key_display="}"),
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
        """The scrubber that chooses the epoch."""
        return self.query_one(".epochs", Scrubber)

    def poll(self) -> None:
        """Look for new episodes."""
        try:
            found = [float(epoch) for epoch in episodes.episode_epochs(self.folder)]
        except Exception:  # the folder was removed or is not a folder
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
        slider = self.scrubber()
        before = slider.at
        slider.move(by)
        if slider.at == before and abs(by) == 1:
            self.say(f"no {'earlier' if by < 0 else 'later'} epoch was saved" if slider.places else NONE)

    def say(self, text: str) -> None:
        """Why a key does nothing."""
        self.notify(text, severity="warning", timeout=6, markup=False)


class EpisodeView(SavedEpisodes):
    """Quotes, spread, inventory, wealth and total value over time: mean and 5 % to 95 % quantiles of the batch."""

    TAB = "episode"
    HELP_TITLE = "Episode"
    BINDINGS = [
        Binding("left", "epoch(-1)", "Earlier epoch", show=False),
        Binding("right", "epoch(1)", "Later epoch", show=False),
        Binding("plus,equals_sign", "zoom(0.7)", "Zoom in", group=ZOOM),
        Binding("minus", "zoom(1.43)", "Zoom out", group=ZOOM),
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
