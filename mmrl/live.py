"""What one sees while a run trains: live charts on a terminal, plain lines in a pipe, JSON for programs.

A view is a context manager with start, past, epoch, note and finish. Stdout has the JSON lines and nothing else,
or the plain lines; charts and notes go to stderr.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from rich.cells import set_cell_size
from rich.console import Console

from mmrl.charts import PANELS, Columns, charset, training_figure, training_picture, wants_colour
from mmrl.progress import Progress, printable
from mmrl.raster import BRAILLE, Charset

RATE = 4.0  # redraws a second, at most
SHARE = 0.006  # of one core that drawing charts may take; a slow machine redraws less often
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"  # alternate screen, no cursor, no wrapping
LEAVE = "\x1b[m\x1b[?7h\x1b[?25h\x1b[?1049l"


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


def emit(text: str, stream: TextIO) -> None:
    """Write one line now; letters that the stream cannot hold become question marks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), file=stream, flush=True)


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

    def past(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Epochs of a run that goes on; only a picture needs them."""


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
        emit(printable(text), self.err)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the last object."""
        known = self.progress.summary()
        self._write({**known, **summary})


class PlainView(_View):
    """A plain line on stdout every few seconds and one that sums the run up; notes on stderr."""

    def __init__(self, every: float = 5.0, out: TextIO | None = None, err: TextIO | None = None) -> None:
        super().__init__()
        self.every, self.out, self.err = every, out or sys.stdout, err or sys.stderr
        self._next = -math.inf

    def start(self, config: Any, folder: Any, target: int) -> None:
        """Say which run begins."""
        super().start(config, folder, target)
        emit(self.progress.title(), self.out)

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Write a line if the last one is old enough, or if this epoch is the last."""
        self.progress.add(record)
        now = time.monotonic()
        if now >= self._next or self.progress.epoch >= self.progress.target:
            self._next = now + self.every
            emit(self.progress.line(), self.out)

    def note(self, text: str) -> None:
        """Write one line."""
        emit(printable(text), self.err)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write what came of the run."""
        emit(self.progress.outcome(summary), self.out)


class _Frame:
    """The whole screen: charts above two lines of text, exactly as large as the terminal."""

    def __init__(
        self,
        progress: Progress,
        characters: Charset = BRAILLE,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self.progress, self.characters, self._clock = progress, characters, clock
        self._columns = Columns(progress.records)
        self._drawn: tuple[int, int, int] = (-1, 0, 0)
        self._charts: list[str] = []
        self._ready = 0.0

    def rows(self, width: int, height: int, colour: bool) -> list[str]:
        """Every line of the screen, with escapes if there is colour."""
        text = [self.progress.head(), self.progress.line(width)][: max(height, 0)]
        if height > 2:
            self._refresh(width, height - 2, colour)
        else:
            self._charts = []
        return [*self._charts, *(set_cell_size(line, width) for line in text)]

    def _refresh(self, width: int, height: int, colour: bool) -> None:
        """Draw the charts again if they changed and the share of time allows it; a resize always may."""
        records = self.progress.records
        state = (len(records), width, height)
        now = time.monotonic()
        if state == self._drawn or (state[1:] == self._drawn[1:] and now < self._ready):
            return
        begun = self._clock()
        if self._columns.records is not records:
            self._columns = Columns(records)
        self._columns.grow()
        self._charts = training_picture(self._columns, PANELS, width, height, self.characters).lines(colour)
        self._drawn = state
        self._ready = now + (self._clock() - begun) / SHARE


class _Caught(io.TextIOBase):
    """Stands in for stdout or stderr while the screen is taken: keeps what is written and shows its last line."""

    def __init__(self, kept: list[str], show: Callable[[str], None]) -> None:
        self._kept, self._show = kept, show

    def write(self, text: str) -> int:
        """Keep a text for later."""
        self._kept.append(text)
        if text.strip():
            self._show(text.strip().splitlines()[-1])
        return len(text)

    def isatty(self) -> bool:
        """The screen behind it is a terminal."""
        return True


class LiveView(_View):
    """Charts of reward, inventory and spread that fill the terminal (on stderr), with a progress line.

    A daemon thread draws and writes only the lines that changed; `epoch` only appends to a list, so training
    never waits for the terminal. What others print meanwhile appears when the terminal is given back.
    """

    def __init__(self, console: Console | None = None, rate: float = RATE, out: TextIO | None = None) -> None:
        super().__init__()
        self.console = console or Console(stderr=True, no_color=not wants_colour(sys.stderr), highlight=False)
        self.out = out or sys.stdout
        self._rate, self._end = rate, threading.Event()
        self._file: TextIO = self.console.file  # type: ignore[assignment]
        self._colour = self.console.color_system is not None and not self.console.no_color
        self._frame = _Frame(self.progress, charset(self._file))
        self._shown: list[str] = []
        self._size = (0, 0)
        self._kept: list[str] = []
        self._streams: tuple[TextIO, TextIO] | None = None
        self._thread: threading.Thread | None = None

    @property
    def live(self) -> bool:
        """Whether the terminal is taken."""
        return self._thread is not None

    def start(self, config: Any, folder: Any, target: int) -> None:
        """Take the terminal over and begin to draw."""
        super().start(config, folder, target)
        if self.live:
            return
        self._streams = sys.stdout, sys.stderr
        # a redirected stream is data and stays as it is
        if sys.stdout.isatty():
            sys.stdout = _Caught(self._kept, self.progress.say)  # type: ignore[assignment]
        if sys.stderr.isatty():
            sys.stderr = _Caught(self._kept, self.progress.say)  # type: ignore[assignment]
        self._write(ENTER)
        self._thread = threading.Thread(target=self._draw, name="live view", daemon=True)
        self._thread.start()

    def past(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Epochs of a run that goes on, to be shown before its new ones."""
        self.progress.past(records)

    def _write(self, text: str) -> None:
        encoding = getattr(self._file, "encoding", None) or "utf-8"
        self._file.write(text.encode(encoding, "replace").decode(encoding))
        self._file.flush()

    def _draw(self) -> None:
        while not self._end.wait(1.0 / self._rate):
            try:
                self.paint()
            except (OSError, ValueError):  # the terminal has gone; the run has not
                return

    def paint(self) -> None:
        """Bring the screen up to date: only lines that changed are written, all of them after a resize."""
        size = self.console.size
        if size != self._size:
            self._size, self._shown = size, []
        rows = self._frame.rows(*size, self._colour)
        old = self._shown or [""] * len(rows)
        changed = [f"\x1b[{at};1H{new}" for at, (new, was) in enumerate(zip(rows, old, strict=True), 1) if new != was]
        if changed:
            clear = "" if self._shown else "\x1b[2J"
            self._shown = rows
            self._write(f"\x1b[?2026h{clear}{''.join(changed)}\x1b[?2026l")

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Remember the record; the thread draws it."""
        self.progress.add(record)

    def note(self, text: str) -> None:
        """Show a text above the progress line until the next one."""
        self.progress.say(text)
        if not self.live:
            emit(printable(text), sys.stderr)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Give the terminal back, leave the last picture on it and say what came of the run."""
        shown = self.live
        self.close()
        if shown and self.progress.records:
            width, height = self.console.size
            tall = max(min(height - 4, 20), 5)
            picture = training_figure(self.progress.records, PANELS, width, tall, self._colour, self._frame.characters)
            self._write(picture + "\n")
        emit(self.progress.outcome(summary), self.out)

    def close(self) -> None:
        """Stop drawing, restore the terminal and print what was written to it meanwhile."""
        self._end.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        thread.join(timeout=2.0)
        if self._streams is not None:
            sys.stdout, sys.stderr = self._streams
        with contextlib.suppress(OSError, ValueError):
            self._write(LEAVE + "".join(self._kept))
        self._kept.clear()


def open_view(as_json: bool = False) -> JsonView | PlainView | LiveView:
    """The view that suits the output: JSON if asked for, live on a terminal, plain lines elsewhere."""
    if as_json:
        return JsonView()
    if sys.stdout.isatty() and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return LiveView()
    return PlainView()
