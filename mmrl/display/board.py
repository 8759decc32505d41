"""Several trainings at once: a table that is drawn again on a terminal, lines elsewhere, or JSON lines."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from mmrl.display.base import emit
from mmrl.display.json_lines import finite
from mmrl.display.progress import Progress
from mmrl.plots.numbers import amount, compact, percent
from mmrl.plots.output import say, terminal_size, write
from mmrl.plots.table import Column, table
from mmrl.plots.text import duration, printable
from mmrl.runs.status import word
from mmrl.settings.model import Config
from mmrl.statistics.intervals import recorded_half

EVERY_DRAWN, EVERY_LINE = 0.25, 5.0
"""Seconds between two pictures of the table, and between two lines about one run."""
NOTES = 3
"""Of the newest notes that stand below the table."""
LIVE, LINES, JSON = "live", "lines", "json"
COLUMNS = (
    Column("run", "label"),
    Column("state", "label"),
    Column("epoch"),
    Column("value"),
    Column("optimality"),
    Column("steps/s"),
    Column("left"),
)


class Board:
    """Shows the runs of a group; each has a short name such as `seed 3`.

    With `kind` JSON each record is a line with the facts that were given with its run; notes go to stderr.
    """

    def __init__(self, title: str, kind: str, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.title, self.kind = printable(title), kind
        self.out, self.err = out or sys.stdout, err or sys.stderr
        self._runs: dict[str, Progress] = {}
        self._states: dict[str, str] = {}
        self._facts: dict[str, Mapping[str, Any]] = {}
        self._next: dict[str, float] = {}
        self._notes: list[str] = []
        self._drawn, self._when = 0, -math.inf
        if kind == LINES:
            emit(self.title, self.out)

    def add(
        self, run: str, config: Config, folder: Path, state: str, last: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> None:
        """Take in a run that trains or will, with its newest record; it is shown by the short name `run`."""
        progress = Progress()
        progress.start(config, folder, config.training.ne)
        if last:
            progress.past([last])
        self._runs[run], self._states[run], self._facts[run] = progress, state, facts

    def state(self, run: str, state: str) -> None:
        """A run has another state."""
        self._states[run] = state
        self._draw()

    def record(self, run: str, record: Mapping[str, Any]) -> None:
        """A line of JSON that the run's training has written: an epoch, or at last a summary."""
        progress = self._runs[run]
        if self.kind == JSON:
            self.say_json({**self._facts[run], **record})
        if "state" in record:
            self._states[run] = str(record["state"])
            if self.kind == LINES:
                ended = f"{run}: {word(self._states[run])} after epoch {progress.epoch}  {self._figures(run)}"
                emit(ended.rstrip(), self.out)
        elif "epoch" in record:
            self._states[run] = "running"
            progress.add(record)
            now = time.monotonic()
            if self.kind == LINES and now >= self._next.get(run, -math.inf):
                self._next[run] = now + EVERY_LINE
                emit(f"{run}: {progress.line()}", self.out)
        self._draw()

    def note(self, text: str) -> None:
        """Say one line."""
        if self.kind == LIVE:
            self._notes = [*self._notes, printable(text)][-NOTES:]
            self._draw(at_once=True)
        else:
            say(printable(text), self.err)

    def say_json(self, data: Mapping[str, Any]) -> None:
        """Write an object as a line."""
        emit(json.dumps(finite(data), allow_nan=False), self.out)

    def close(self) -> None:
        """Draw the last table and leave it there."""
        self._draw(at_once=True)
        self.kind = LINES if self.kind == LIVE else self.kind

    def _draw(self, at_once: bool = False) -> None:
        now = time.monotonic()
        if self.kind != LIVE or (now < self._when + EVERY_DRAWN and not at_once):
            return
        self._when = now
        columns, height = terminal_size()
        lines = list(self.lines(columns - 1, height - 2))
        up = f"\x1b[{self._drawn}F" if self._drawn else ""
        write(f"{up}\x1b[J" + "".join(f"{line}\n" for line in lines), self.out)
        self._drawn = len(lines)

    def lines(self, width: int, height: int) -> Iterator[str]:
        """The table with its title and notes in at most so many columns and lines; runs that train come first."""
        notes = [note[:width] for note in self._notes]
        yield self.title[:width]
        order = sorted(self._runs, key=lambda run: self._states[run] != "running")
        rows = [self._row(run) for run in self._runs]
        body = table(COLUMNS, rows, width)
        room = max(height - 1 - len(notes), 3)
        if len(body) > room:  # blocks below each other, or many runs: no column beyond value, no run beyond the room
            shown = order[: room - 2]
            rows = [self._row(run)[:4] for run in self._runs if run in shown]
            body = [line[:width] for line in table(COLUMNS[:4], rows, width)][: room - 1]
            body.append(f"and {len(order) - len(shown)} more" if len(order) > len(shown) else "")
        yield from filter(None, body)
        yield from notes

    def _row(self, run: str) -> list[str]:
        progress, state = self._runs[run], self._states[run]
        speed = progress.last.get("steps_per_second") if state == "running" else None
        left = progress.left() if state == "running" else math.nan
        return [
            run,
            word(state),
            f"{progress.epoch}/{progress.target}",
            self._value(run),
            percent(progress.optimality) if math.isfinite(progress.optimality) else "",
            compact(speed, 3) if speed else "",
            duration(left) if math.isfinite(left) else "",
        ]

    def _value(self, run: str) -> str:
        last = self._runs[run].last
        value = last.get("value_mean")
        return amount(value, recorded_half(last)) if isinstance(value, int | float) else ""

    def _figures(self, run: str) -> str:
        share, value = self._runs[run].optimality, self._value(run)
        told = [f"value {value}"] if value else []  # none before the first epoch
        return "  ".join([*told, *([f"optimality {percent(share)}"] if math.isfinite(share) else [])])
