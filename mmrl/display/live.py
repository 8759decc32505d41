"""Live charts of reward, inventory, spread and, where known, optimality on a terminal while a run trains."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from rich.console import Console

from mmrl.display.base import BaseView, emit
from mmrl.display.frame import Frame
from mmrl.plots.charts import DRAWN, panels_of, training_figure
from mmrl.plots.output import MOST_COLUMNS, MOST_LINES, say
from mmrl.plots.smoothing import USUAL
from mmrl.plots.streams import charset, wants_colour
from mmrl.plots.text import printable
from mmrl.settings.model import Config

RATE = 4.0  # redraws a second, at most
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"  # alternate screen, no cursor, no wrapping
LEAVE = "\x1b[m\x1b[?7h\x1b[?25h\x1b[?1049l"


class _Captured(io.TextIOBase):
    """Stands in for stdout or stderr while the screen is taken: keeps what is written and shows its last line."""

    def __init__(self, kept: list[str], show: Callable[[str], None]) -> None:
        self._kept, self._show = kept, show

    def write(self, text: str) -> int:
        """Keep a text until the charts are closed."""
        self._kept.append(text)
        if text.strip():
            self._show(text.strip().splitlines()[-1])
        return len(text)

    def isatty(self) -> bool:
        """The replaced stream is a terminal."""
        return True


class LiveView(BaseView):
    """Charts of reward, inventory and spread that fill the terminal (on stderr), with a progress line.

    A daemon thread draws and writes only the lines that changed; `epoch` only appends to a list, so training
    never waits for the terminal. Other output appears when the charts are closed.
    """

    instant = True

    def __init__(
        self,
        console: Console | None = None,
        rate: float = RATE,
        out: TextIO | None = None,
        smooth: float = USUAL,
    ) -> None:
        super().__init__(history=DRAWN)
        self.console = console or Console(stderr=True, no_color=not wants_colour(sys.stderr), highlight=False)
        self.out = out or sys.stdout
        self._rate, self._end = rate, threading.Event()
        self._file: TextIO = self.console.file  # type: ignore[assignment]
        self._colour = self.console.color_system is not None and not self.console.no_color
        self._frame = Frame(self.progress, charset(self._file), smooth=smooth)
        self._shown: list[str] = []
        self._size = (0, 0)
        self._kept: list[str] = []
        self._streams: tuple[TextIO, TextIO] | None = None
        self._thread: threading.Thread | None = None
        self._entered = False  # whether the alternate screen is shown
        self._screen = threading.RLock()
        self._stop_handler: Any = None

    @property
    def live(self) -> bool:
        """Whether the charts are shown."""
        return self._thread is not None

    def start(self, config: Config, folder: Path, target: int) -> None:
        """Show the charts on the whole terminal."""
        super().start(config, folder, target)
        if self.live:
            return
        self._streams = sys.stdout, sys.stderr
        # a redirected stream is not replaced: its output is data
        if sys.stdout.isatty():
            sys.stdout = _Captured(self._kept, self.progress.say)  # type: ignore[assignment]
        if sys.stderr.isatty():
            sys.stderr = _Captured(self._kept, self.progress.say)  # type: ignore[assignment]
        self._enter()
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGTSTP"):
            self._stop_handler = signal.signal(signal.SIGTSTP, self._suspend)
        self._thread = threading.Thread(target=self._draw, name="live view", daemon=True)
        self._thread.start()

    def _write(self, text: str) -> None:
        encoding = getattr(self._file, "encoding", None) or "utf-8"
        self._file.write(text.encode(encoding, "replace").decode(encoding))
        self._file.flush()

    def _enter(self) -> None:
        if self._foreground():
            self._write(ENTER)
            self._entered, self._shown = True, []

    def _leave(self) -> None:
        if self._entered:
            self._entered = False
            self._write(LEAVE)

    def _foreground(self) -> bool:
        """Whether this process may draw: after `bg` or with `&` the terminal belongs to the shell."""
        try:
            return os.tcgetpgrp(self._file.fileno()) == os.getpgrp()
        except (OSError, ValueError, AttributeError):
            return True  # not a terminal, for example a file in a test

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: leave the alternate screen and stop; after `fg` the drawing thread shows it again."""
        with self._screen, contextlib.suppress(OSError, ValueError):
            self._leave()
            os.kill(os.getpid(), signal.SIGSTOP)

    def _draw(self) -> None:
        while not self._end.wait(1.0 / self._rate):
            try:
                with self._screen:
                    if not self._entered:
                        self._enter()
                    if self._entered and self._foreground():
                        self.paint()
            except (OSError, ValueError):  # the terminal was closed; training goes on
                return
            except Exception as error:  # a picture that cannot be drawn is missing; training goes on too
                self.progress.say(f"charts missing: {error!r}")
                return

    def _measured(self) -> tuple[int, int]:
        """Columns and lines of the terminal, within reason."""
        width, height = self.console.size
        return min(width, MOST_COLUMNS), min(height, MOST_LINES)

    def paint(self) -> None:
        """Write the lines that changed, or all of them after a resize."""
        size = self._measured()
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
        """Store the record; the thread draws it."""
        self.progress.add(record)

    def note(self, text: str, lasting: bool = False) -> None:
        """Show a text above the progress line until the next one; one that is `lasting` to the end and after it."""
        self.progress.say(text, lasting)
        if not self.live:
            say(printable(text), sys.stderr)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Close the charts, print them once more and the outcome of the run."""
        shown = self.live
        self.close()
        if shown and self.progress.records:
            width, height = self._measured()
            size = width, max(min(height - 4, 20), 5)
            records, frame = self.progress.records, self._frame
            metrics = panels_of(records)
            picture = training_figure(records, metrics, *size, self._colour, frame.characters, frame.smooth)
            emit(picture, self._file)
            for text in self.progress.lasting:
                say(text, self._file)
        say(self.progress.outcome(summary), self.out)

    def close(self) -> None:
        """Stop drawing, restore the terminal and print the output that was kept."""
        self._end.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        thread.join(timeout=2.0)
        if self._streams is not None:
            sys.stdout, sys.stderr = self._streams
        if self._stop_handler is not None:
            signal.signal(signal.SIGTSTP, self._stop_handler)
        with self._screen, contextlib.suppress(OSError, ValueError):
            self._leave()
            for line in "".join(self._kept).splitlines():
                say(line, self._file)
        self._kept.clear()
