"""Parallel values of a sweep: every trial as a line across its searched settings and its objective."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from mmrl.plots.colours import place_of, place_of_run
from mmrl.plots.numbers import compact, percent
from mmrl.plots.parallel import Upright, chosen_from, columns_of, parallel, ranged
from mmrl.plots.picture import Picture
from mmrl.plots.text import printable
from mmrl.runs.goals import Spec, ranked_by, reached, spec_of_sweep
from mmrl.runs.status import word
from mmrl.settings.fields import field

from ..run_index import Entry
from ..session import Session
from ..widgets.chart import Chart
from ..widgets.keybar import KeyBar
from .base import Base

BEST, OTHER, MARKED = place_of("value"), place_of("mid"), place_of_run(1)
SHARE = 4
"""One trial in so many, the best ones, has a colour of its own."""


class Lines(Chart):
    """The picture; a click takes the trial whose line is nearest."""

    class Taken(Message):
        """A trial was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.axes: Sequence[Upright] = ()
        self.hues: Sequence[int] = ()
        self.marked = 0

    def draw(self, axes: Sequence[Upright], hues: Sequence[int], marked: int) -> None:
        """Show other lines."""
        self.axes, self.hues, self.marked = axes, hues, marked
        self._renew()

    def _picture(self, width: int, height: int) -> Picture:
        return parallel(self.axes, self.hues, self.marked, width, height, self.characters)

    def nearest(self, column: int, row: int) -> int | None:
        """The trial whose line passes nearest to a place, on the axes' own scale."""
        columns = columns_of(len(self.axes), self.size.width)
        rows = max(self.size.height - 3, 1)
        heights = [float(np.interp(column, columns, [axis.at[k] for axis in self.axes])) for k in range(len(self.hues))]
        away = [abs(at - (rows - row + 1.5) / rows) for at in heights]
        known = [k for k, distance in enumerate(away) if math.isfinite(distance)]
        return min(known, key=lambda k: away[k]) if known else None

    def on_mouse_down(self, event: events.MouseDown) -> None:
        number = self.nearest(event.x, event.y)
        if number is not None:
            self.post_message(self.Taken(number))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        event.stop()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        event.stop()


class Parallel(Base):
    """All trials of a sweep at once; up and down go from the best to the worst."""

    HELP_TITLE = "Parallel values"
    BINDINGS = [
        Binding("escape", "leave", "Back", show=False),
        Binding("q", "leave", "Back"),
        Binding("enter", "open", "Open", tooltip="Open the run of the marked trial"),
        Binding("up,k", "go(-1)", "Better", key_display="↑"),
        Binding("down,j", "go(1)", "Worse", key_display="↓"),
        Binding("home", "edge_of(0)", "Best", show=False),
        Binding("end", "edge_of(-1)", "Worst", show=False),
    ]

    def __init__(self, session: Session, folder: Path) -> None:
        """`folder`: of the sweep."""
        super().__init__(session)
        self.folder, self.marked = folder, ""
        self.trials: list[Entry] = []

    def compose(self) -> ComposeResult:
        yield Static(id="top", classes="bar", markup=False)
        yield Lines(id="lines")
        yield Static(id="trial", markup=False)
        yield KeyBar(self.offers)
        yield from self.too_small()

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Lines))
        self._show()

    def home(self) -> Widget | None:
        return self.query_one(Lines)

    def runs_changed(self, changed: set[str], gone: set[str]) -> None:
        self._show()

    def _show(self) -> None:
        """Read the trials and draw them; the marked one stays marked, whatever its place."""
        spec = spec_of_sweep(self.folder)
        place, name = self.folder.parent, self.folder.name
        entries = [
            e for e in self.session.runs.entries.values() if e.info.group == name and Path(e.key).parent == place
        ]
        if spec is None or not entries or not self.query("#trial"):
            return
        by_key = {entry.key: entry for entry in entries}
        self.trials = [
            by_key[info.folder]
            for info in ranked_by([entry.info for entry in entries], spec.goal, finished_first=False)
        ]
        keys = [entry.key for entry in self.trials]
        first = ranked_by([entry.info for entry in entries], spec.goal)[0].folder
        at = keys.index(self.marked if self.marked in keys else first)
        self.marked = keys[at]
        best = max(len(keys) // SHARE, 1)
        hues = [MARKED if k == at else BEST if k < best else OTHER for k in range(len(keys))]
        self.query_one(Lines).draw(axes_of(spec, self.trials), hues, at)
        goal = spec.goal
        top = f"{name}  {len(keys)} trials · objective {goal.name} ({goal.take})"
        self.query_one("#top", Static).update(printable(top))
        self.query_one("#trial", Static).update(self._told(spec, at))

    def _told(self, spec: Spec, at: int) -> Text:
        """The marked trial in words."""
        entry = self.trials[at]
        values = [f"{key} {_shortly(entry.setting(_key(key, entry)))}" for key in spec.search]
        value = reached(entry.info, spec.goal)
        parts = [f"{at + 1} of {len(self.trials)}", entry.info.name, *values]
        parts += [f"{spec.goal.metric} {_figure(spec, value)}", word(entry.info.state)]
        return Text(printable("  ".join(parts)), style="bold")

    @on(Lines.Taken)
    def _taken(self, event: Lines.Taken) -> None:
        event.stop()
        self._mark(event.number)

    def _mark(self, number: int) -> None:
        if self.trials:
            self.marked = self.trials[min(max(number, 0), len(self.trials) - 1)].key
            self._show()

    def action_go(self, by: int) -> None:
        self._mark([entry.key for entry in self.trials].index(self.marked) + by if self.trials else 0)

    def action_edge_of(self, number: int) -> None:
        self._mark(number if number == 0 else len(self.trials) - 1)

    def action_open(self) -> None:
        if self.marked:
            from .run import RunScreen

            self.app.push_screen(RunScreen(self.session, Path(self.marked), "charts"))

    def action_leave(self) -> None:
        self.app.pop_screen()


def axes_of(spec: Spec, trials: Sequence[Entry]) -> list[Upright]:
    """An axis for each searched setting over its range or choices, and the objective with the better end on top."""
    axes = [_searched(key, wanted, trials) for key, wanted in spec.search.items()]
    known = [reached(entry.info, spec.goal) for entry in trials]
    values = np.array([math.nan if value is None else value for value in known])
    ends = [math.nan, math.nan] if np.isnan(values).all() else [float(np.nanmin(values)), float(np.nanmax(values))]
    low, high = reversed(ends) if spec.goal.minimise else ends
    return [*axes, ranged(spec.goal.metric, values, low, high, (_figure(spec, low), _figure(spec, high)))]


def _searched(key: str, wanted: Any, trials: Sequence[Entry]) -> Upright:
    name = key.rpartition(".")[2]
    texts = [entry.setting(_key(key, entry)) for entry in trials]
    if isinstance(wanted, list):
        choices = [_text(choice) for choice in wanted]
        numbers = {_number(choice): choice for choice in choices if math.isfinite(_number(choice))}
        return chosen_from(name, [numbers.get(_number(text), text) for text in texts], choices)
    low, high = (_number(_text(wanted.get(end))) for end in ("low", "high"))
    values = np.array([_number(text) for text in texts])
    log = wanted.get("log") is True and low > 0
    return ranged(name, values, low, high, (compact(low), compact(high)), log)


def _key(key: str, entry: Entry) -> str:
    try:
        return field(key, entry.info.market).key
    except ValueError:
        return key


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shortly(text: str) -> str:
    return compact(_number(text)) if "." in text and math.isfinite(_number(text)) else text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _figure(spec: Spec, value: float | None) -> str:
    known = value is not None and math.isfinite(value)
    return percent(value) if known and spec.goal.metric == "optimality" else compact(value)
