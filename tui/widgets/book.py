"""One trajectory of an epoch step by step: the order book if it was recorded, quotes, inventory and value."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from mmrl.plots.charts import heading
from mmrl.plots.colours import place_of
from mmrl.plots.numbers import compact, decimals
from mmrl.plots.picture import ASCII
from mmrl.plots.pixels import Floats
from mmrl.runs.book_recording import BookRecording, read_recording

from ..themes import MARKS
from .chart import Chart, charset
from .charted import Reading
from .episode import SavedEpisodes, column, times
from .keybar import SPEED, STEP
from .ladder import STEPS, Ladder
from .scrubber import Scrubber
from .view import Content, Series

SHOWN = ("mid", "bid", "ask", "inventory", "wealth", "value")
READ = ("ask", "mid", "bid", "inventory", "wealth", "value")


class BookView(SavedEpisodes):
    """The book as a price ladder, charts of the same trajectory with a cursor, and playback controls."""

    TAB = "book"
    HELP_TITLE = "Book"
    ACROSS = "t"
    SPEEDS: ClassVar = (1, 2, 5, 10, 30, 100)
    BINDINGS = [
        Binding("space", "play", "Play/pause"),
        Binding("left", "step(-1)", "Step back", group=STEP),
        Binding("right", "step(1)", "Step", group=STEP),
        Binding("comma", "step(-1)", "Step back", show=False, key_display=","),
        Binding("full_stop", "step(1)", "Step", show=False, key_display="."),
        Binding("less_than_sign", "step(-20)", "20 steps back", show=False, key_display="<"),
        Binding("greater_than_sign", "step(20)", "20 steps forward", show=False, key_display=">"),
        Binding("n", "trade(1)", "Next trade", tooltip="Go to the maker's next trade"),
        Binding("N", "trade(-1)", "Previous trade", show=False, tooltip="Go to the maker's previous trade"),
        Binding("up", "speed(1)", "Faster", group=SPEED),
        Binding("down", "speed(-1)", "Slower", group=SPEED),
        Binding("z", "group(1)", "Price step", tooltip="Larger price step between the rows of the book"),
        Binding("Z", "group(-1)", "Finer", show=False, tooltip="Smaller price step, down to every level of the book"),
        Binding("0", "reset", "Go to the start", show=False, tooltip="All of the trajectory, from its start"),
    ]

    def compose(self) -> ComposeResult:
        self.playing, self.rate, self.grouping = False, 0, 0
        self.replay: BookRecording | None = None
        self.time: Floats = np.empty(0)
        self.values: dict[str, Floats] = {}
        with Horizontal(classes="charts"):
            yield Ladder(id="ladder")
            with Vertical(id="replay"):
                yield Chart(self.view, id="replay-quotes")
                yield Chart(self.view, id="replay-inventory")
                yield Chart(self.view, id="replay-value")
        yield Reading()
        yield Static(id="transport", classes="bar", markup=False)
        yield Scrubber("time", id="book-times", pinned=False)
        yield Scrubber("epoch", id="book-epochs").add_class("epochs")

    def on_mount(self) -> None:
        self.set_interval(0.1, self._play)

    def clock(self) -> Scrubber:
        """The scrubber that chooses the step."""
        return self.query_one("#book-times", Scrubber)

    def show(self) -> None:
        self.replay = read_recording(self.arrays)
        if self.replay is not None:
            self.time = self.replay.time
            self.values = {name: np.asarray(getattr(self.replay, name), np.float64) for name in SHOWN}
        else:  # a market without a book, or an older file
            self.time = times(self.arrays)
            self.values = {name: column(self.arrays, f"replay_{name}", len(self.time)) for name in SHOWN}
        self.clock().fill(self.time.tolist())
        parts = (
            ("#replay-quotes", "quotes (currency)", ("ask", "mid", "bid")),
            ("#replay-inventory", heading("inventory"), ("inventory",)),
            ("#replay-value", "total value (currency)", ("value",)),
        )
        for selector, title, names in parts:
            shown = names if len(self.time) else ()
            several = len(names) > 1
            marks = MARKS if several and self.app.no_color else [""] * 3
            series = [
                Series(self.time, self.values[name], hue=place_of(name), label=name if several else "", mark=mark)
                for name, mark in zip(shown, marks, strict=False)
            ]
            self.query_one(selector, Chart).show(Content(series, title, self.time_axis, [], self.fault))
        self._show_step()

    def _show_step(self) -> None:
        at, count = self.clock().at, len(self.time)
        ladder = self.query_one(Ladder)
        if self.replay is not None:
            ladder.show_book(self.replay, at, STEPS[self.grouping], charset() is ASCII)
        else:
            ladder.show_quotes(self.time, self.values, at)
        self.view.cursor = self.clock().value
        if self.view.cursor is not None:
            self.view.reveal(self.full(), self.view.cursor)
        self.changed()
        sign = "▶ playing" if self.playing else "‖ paused"
        text = f"{sign}  ×{self.SPEEDS[self.rate]}   step {at + 1 if count else 0}/{count}"
        self.query_one("#transport", Static).update(text)

    def figures(self) -> str:
        """What the trajectory holds and quotes at the cursor: at the step that is shown, or under the pointer."""
        if self.view.cursor is None or not len(self.time):
            return self.fault
        at = int(np.argmin(np.abs(self.time - self.view.cursor)))
        now = [f"{name} {self._figure(name, float(self.values[name][at]))}" for name in READ if name in self.values]
        return "  ".join([f"t {self.time[at]:g}", *now])

    def _figure(self, name: str, value: float) -> str:
        """A price as in the ladder, everything else in six digits."""
        if self.replay is None or name not in ("ask", "mid", "bid"):
            return compact(value, 6)
        return f"{value:.{decimals(float(self.replay.tick[0])) + 2 * (name == 'mid')}f}"

    def changed(self) -> None:
        if self.view.cursor is None:  # the pointer has left the charts
            self.view.cursor = self.clock().value
        super().changed()

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit_step)

    def _fit_step(self) -> None:
        if self.query(Ladder):  # not before it is composed, nor after it is left
            self._show_step()

    def _play(self) -> None:
        if self.playing and self.display and self.clock().places:
            clock = self.clock()
            if clock.at >= len(clock.places) - 1:
                self.playing = False
                self._show_step()
            else:
                clock.move(self.SPEEDS[self.rate])

    @on(Scrubber.Chosen, "#book-times")
    def _time(self, event: Scrubber.Chosen) -> None:
        event.stop()
        self._show_step()

    def action_play(self) -> None:
        if not self.clock().places:
            self.say(self.fault)
            return
        self.playing = not self.playing
        if self.playing and self.clock().at >= len(self.clock().places) - 1:
            self.clock().go(0)
        self._show_step()

    def action_step(self, by: int) -> None:
        self.playing = False
        before = self.clock().at
        self.clock().move(by)
        if self.clock().at == before and abs(by) == 1:
            self.say("this is the last step" if by > 0 and self.time.size else self.fault or "this is the first step")
        self._show_step()

    def action_trade(self, by: int) -> None:
        """Go to the next or previous step at which a trade of the maker is visible."""
        if self.replay is not None:  # a fill is visible in the first recorded step after it
            places = np.unique(np.searchsorted(self.replay.step, self.replay.fill_step, "right"))
        else:
            places = np.flatnonzero(np.diff(self.values.get("inventory", np.empty(0)))) + 1
        at = self.clock().at
        found = places[places > at][:1] if by > 0 else places[places < at][-1:]
        if not len(found):
            self.say("the maker trades no more" if by > 0 else "the maker has not traded before")
        self.action_step(int(found[0]) - at if len(found) else 0)

    def action_cursor(self, by: int) -> None:
        self.action_step(by)

    def action_reset(self) -> None:
        self.view.reset()
        self.action_step(-len(self.time))

    def action_speed(self, by: int) -> None:
        self.rate = min(max(self.rate + by, 0), len(self.SPEEDS) - 1)
        self._show_step()

    def action_group(self, by: int) -> None:
        if self.replay is None:
            self.say("no book was recorded, only the maker's quotes")
            return
        if not 0 <= self.grouping + by < len(STEPS):
            self.say("every level of the book is shown" if by < 0 else "this is the largest price step")
        self.grouping = min(max(self.grouping + by, 0), len(STEPS) - 1)
        self._show_step()
