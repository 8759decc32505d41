"""A sampled batch of an epoch over time: means and quantiles of its trajectories."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container

from mmrl.plots.colours import place_of
from mmrl.plots.episodes import fill_marks, time_axis
from mmrl.plots.pictures import time_unit
from mmrl.plots.pixels import Floats
from mmrl.plots.text import printable
from mmrl.runs import episodes

from ..themes import MARKS
from .chart import Chart
from .charted import UNUSED, Charted, Reading
from .keybar import EPOCH
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


def fills(arrays: Arrays) -> list[Series]:
    """What a replayed day bought and sold, as marks of two shapes."""
    hues = {"bought": place_of("bid"), "sold": place_of("ask")}
    return [
        Series(
            np.asarray(line.x, np.float64),
            np.asarray(line.y, np.float64),
            hue=hues[line.label],
            label=line.label,
            mark=line.mark,
            points=True,
        )
        for line in fill_marks(arrays)
    ]


class SavedEpisodes(Charted, can_focus=True):
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
        self.view = View(follow=False, least=0)
        self.arrays: Arrays = {}
        self._kept: dict[int, Arrays] = {}
        self.fault = NONE

    @cached_property
    def time_axis(self) -> str:
        """Name of the time axis, with its unit where the run says it."""
        return time_axis(time_unit(self.folder))

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

    def action_epoch(self, by: int) -> None:
        slider = self.scrubber()
        before = slider.at
        slider.move(by)
        if slider.at == before and abs(by) == 1:
            self.say(f"no {'earlier' if by < 0 else 'later'} epoch was saved" if slider.places else NONE)


class EpisodeView(SavedEpisodes):
    """Quotes, spread, inventory, wealth and total value over time: mean and 5 % to 95 % quantiles of the batch."""

    TAB = "episode"
    HELP_TITLE = "Episode"
    BINDINGS = [
        Binding("left", "epoch(-1)", "Earlier epoch", show=False),
        Binding("right", "epoch(1)", "Later epoch", show=False),
    ]
    ACROSS = "t"
    PARTS: ClassVar = (
        ("quotes (currency)", ("ask", "mid", "bid")),
        ("spread (currency)", ("spread",)),
        ("inventory (shares)", ("inventory",)),
        ("wealth (currency)", ("wealth",)),
        ("total value (currency)", ("value",)),
        ("trajectories alive", ("alive",)),
    )

    def compose(self) -> ComposeResult:
        with Container(classes="charts six"):
            for _ in self.PARTS:
                yield Chart(self.view)
        yield Reading()
        yield Scrubber("epoch", id="episode-epochs").add_class("epochs")

    def show(self) -> None:
        x = times(self.arrays)
        alive = column(self.arrays, "alive", len(x))
        dying = bool(len(alive)) and bool(np.nanmin(alive) < np.nanmax(alive)) if np.isfinite(alive).any() else False
        self.query_one(".six").set_class(not dying, "-five")
        for chart, (title, names) in zip(self.query(Chart), self.PARTS, strict=True):
            chart.set_class(names == ("alive",) and not dying, UNUSED)
            series = []
            for number, name in enumerate(names) if len(x) else ():
                y = alive if name == "alive" else column(self.arrays, f"{name}_mean", len(x))
                band = [column(self.arrays, f"{name}_{end}", len(x)) for end in ("q05", "q95")]
                low, high = band if len(names) == 1 and name != "alive" else (None, None)
                label, mark = (name, MARKS[number]) if len(names) > 1 else ("", "")
                hue = place_of("other" if name == "alive" else name)
                series.append(Series(x, y, low, high, None, hue, label, mark))
            if "mid" in names:
                series += fills(self.arrays)
            chart.show(Content(series, title, self.time_axis, [], self.fault, digits=6 if len(names) > 1 else 4))
        if self.maximised is not None and self.maximised not in self.charts():
            self.maximise(None)
        self.changed()

    def figures(self) -> str:
        return super().figures() or self.fault or "mean of the trajectories, 5 % to 95 % as a band"

    def readings(self) -> list[str]:
        named = zip(self.query(Chart), self.PARTS, strict=True)
        found = [(names, chart.reading()) for chart, (_, names) in named if chart in self.charts()]
        return [text if len(names) > 1 else f"{names[0]} {text}" for names, text in found if text]
