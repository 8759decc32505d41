"""What one sees while a run trains: live charts on a terminal, plain lines in a pipe, JSON for programs.

A view is a context manager with start, epoch, note and finish. Progress goes to stderr, because stdout is
data: the JSON lines, or the one line that sums a run up.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from mmrl.charts import training_figure, wants_colour
from mmrl.progress import Progress, printable

RATE = 4.0  # redraws a second, at most
SHARE = 0.008  # of one core that drawing charts may take; writing the frame takes about as much again


def finite(value: Any) -> Any:
    """The same value for JSON: NaN and infinities become None, numpy scalars and paths become plain."""
    if isinstance(value, Mapping):
        return {str(key): finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


class _View:
    """What all views share: the context manager and the record of progress."""

    def __init__(self) -> None:
        self.progress = Progress()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the terminal back."""

    def start(self, config: Any, folder: Any, target: int) -> None:
        """A run of `target` epochs begins in a folder."""
        self.progress.start(config, folder, target)


class JsonView(_View):
    """One JSON object an epoch on stdout and a last one with run, state, epochs and best; notes on stderr."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        super().__init__()
        self.out, self.err = out or sys.stdout, err or sys.stderr

    def _write(self, data: Mapping[str, Any]) -> None:
        self.out.write(json.dumps(finite(data), allow_nan=False) + "\n")
        self.out.flush()

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Write the record of an epoch."""
        self.progress.add(record)
        self._write(record)

    def note(self, text: str) -> None:
        """Say something that is not data."""
        print(printable(text), file=self.err, flush=True)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the last object."""
        known = self.progress.summary()
        self._write({**known, **summary})


class PlainView(_View):
    """A plain line on stderr every few seconds, and one on stdout that sums the run up."""

    def __init__(self, every: float = 5.0, out: TextIO | None = None, err: TextIO | None = None) -> None:
        super().__init__()
        self.every, self.out, self.err = every, out or sys.stdout, err or sys.stderr
        self._next = -math.inf

    def start(self, config: Any, folder: Any, target: int) -> None:
        """Say which run begins."""
        super().start(config, folder, target)
        self.note(self.progress.title())

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Write a line if the last one is old enough, or if this epoch is the last."""
        self.progress.add(record)
        now = time.monotonic()
        if now >= self._next or self.progress.epoch >= self.progress.target:
            self._next = now + self.every
            self.note(self.progress.line())

    def note(self, text: str) -> None:
        """Write one line."""
        print(printable(text), file=self.err, flush=True)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write what came of the run."""
        print(self.progress.outcome(summary), file=self.out, flush=True)


class _Frame:
    """The whole screen: cached charts above two lines of text, exactly as large as the terminal."""

    def __init__(self, progress: Progress, clock: Callable[[], float] = time.thread_time) -> None:
        self.progress, self._clock = progress, clock
        self._drawn: tuple[int, int, int] = (-1, 0, 0)
        self._charts: list[list[Segment]] = []
        self._ready = 0.0

    def _refresh(self, width: int, height: int, colour: bool) -> None:
        """Draw the charts again if they changed and the share of time allows it; a resize always may."""
        records = self.progress.records
        state = (len(records), width, height)
        now = time.monotonic()
        if state == self._drawn or (state[1:] == self._drawn[1:] and now < self._ready):
            return
        begun = self._clock()
        text = training_figure(records[: state[0]], width=width, height=height, color=colour)
        console = Console(width=width, color_system="256" if colour else None, force_terminal=True)
        self._charts = [
            list(Text.from_ansi(line).render(console, end="")) if colour else [Segment(line)]
            for line in text.split("\n")
        ]
        self._drawn = state
        self._ready = now + (self._clock() - begun) / SHARE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = console.size
        rows = min(2, height)
        if height > rows:
            self._refresh(width, height - rows, console.color_system is not None and not console.no_color)
            for line in self._charts[: height - rows]:
                yield from line
                yield Segment.line()
        yield Segment(self.progress.head()[:width].ljust(width))
        if rows > 1:
            yield Segment.line()
            yield Segment(self.progress.line(width)[:width].ljust(width))


class LiveView(_View):
    """Charts of reward, inventory and spread that fill the terminal (on stderr), with a progress line.

    A daemon thread draws; `epoch` only appends to a list, so training never waits for the terminal.
    """

    def __init__(self, console: Console | None = None, rate: float = RATE, out: TextIO | None = None) -> None:
        super().__init__()
        self.console = console or Console(stderr=True, no_color=not wants_colour(sys.stderr), highlight=False)
        self.out = out or sys.stdout
        self._rate, self._end = rate, threading.Event()
        self._frame = _Frame(self.progress)
        self._live: Live | None = None
        self._thread: threading.Thread | None = None

    def start(self, config: Any, folder: Any, target: int) -> None:
        """Take the terminal over and begin to draw."""
        super().start(config, folder, target)
        if self._live is None:
            # a redirected stdout is data and must not be drawn on the terminal
            redirect = bool(getattr(sys.stdout, "isatty", lambda: False)())
            self._live = Live(
                self._frame,
                console=self.console,
                screen=True,
                auto_refresh=False,
                redirect_stdout=redirect,
                vertical_overflow="crop",
            )
            self._live.start()
            self._thread = threading.Thread(target=self._draw, name="live view", daemon=True)
            self._thread.start()

    def _draw(self) -> None:
        while not self._end.wait(1.0 / self._rate):
            live = self._live
            if live is None:
                return
            try:
                live.refresh()
            except (OSError, ValueError):  # the terminal has gone; the run has not
                return

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Remember the record; the thread draws it."""
        self.progress.add(record)

    def note(self, text: str) -> None:
        """Show a text above the progress line until the next one."""
        self.progress.say(text)
        if self._live is None:
            print(printable(text), file=sys.stderr, flush=True)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Give the terminal back, leave the last picture on it and say what came of the run."""
        shown = self._live is not None
        self.close()
        if shown and self.progress.records:
            width, height = self.console.size
            picture = training_figure(
                self.progress.records,
                width=width,
                height=max(min(height - 4, 20), 5),
                color=self.console.color_system is not None and not self.console.no_color,
            )
            self.console.file.write(picture + "\n")
            self.console.file.flush()
        print(self.progress.outcome(summary), file=self.out, flush=True)

    def close(self) -> None:
        """Stop drawing and restore the terminal."""
        self._end.set()
        live, self._live = self._live, None
        if self._thread is not None:
            self._thread.join(timeout=2.0)
            self._thread = None
        if live is not None:
            live.stop()


def open_view(as_json: bool = False) -> JsonView | PlainView | LiveView:
    """The view that suits the output: JSON if asked for, live on a terminal, plain lines elsewhere."""
    if as_json:
        return JsonView()
    if sys.stdout.isatty() and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return LiveView()
    return PlainView()
