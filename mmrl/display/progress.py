"""The progress of a run as text: epoch, speed, time left, final value ± half of its 95 % interval, best value."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmrl.plots.numbers import compact, percent
from mmrl.plots.text import duration, printable
from mmrl.runs.status import word
from mmrl.settings.model import Config
from mmrl.statistics.intervals import recorded_half


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


class Progress:
    """Epoch records of a run and texts about them; written by the training thread, read by the drawing thread.

    Only the metrics in `history` are kept of past epochs, to draw them; without it memory does not grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, history: Collection[str] = ()) -> None:
        self.clock, self.history = clock, history
        self.records: list[Mapping[str, Any]] = []
        self.last: Mapping[str, Any] = {}
        self.name, self.market, self.note = "", "", ""
        self.noted = 0.0
        self.lasting: list[str] = []
        self.target, self.epoch = 0, 0
        self.best, self.best_epoch = math.nan, 0
        self.grade = math.nan  # of the best policy, where policies are graded
        self.optimality = math.nan  # newest known value
        self.started = self.clock()
        self._fresh = True  # this process has not trained an epoch yet
        self._times: deque[tuple[float, int]] = deque(maxlen=30)

    def start(self, config: Config, folder: Path, target: int) -> None:
        """Start the clock; `config` gives the names of market and algorithm."""
        self.name, self.target = printable(folder.name), target
        self.market = printable(f"{config.market.name}, {config.training.algorithm}")
        self.started = self.clock()
        self._times.append((self.started, self.epoch))

    def past(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Take the earlier records of a resumed run; they do not count for the speed."""
        for record in records:
            self._take(record)

    def add(self, record: Mapping[str, Any]) -> None:
        """Take the record of one more epoch."""
        self._take(record)
        event = record.get("event")
        if isinstance(event, dict) and isinstance(event.get("ne"), int):
            self.target = event["ne"]
        if self._fresh:  # not before the first epoch: compiling and resuming would distort the speed
            self._times.clear()
        self._fresh = False
        self._times.append((self.clock(), self.epoch))

    def _take(self, record: Mapping[str, Any]) -> None:
        epoch = record.get("epoch")
        self.epoch = int(epoch) if isinstance(epoch, (int, float)) else self.epoch + 1
        value = _number(record.get("value_mean"))
        grade = _number(record.get("grade"))
        if math.isfinite(grade) and not grade <= self.grade:
            self.grade, self.best, self.best_epoch = grade, value, self.epoch
        elif math.isnan(self.grade) and math.isfinite(value) and not value <= self.best:
            self.best, self.best_epoch = value, self.epoch  # an earlier version graded by mean value
        optimality = _number(record.get("optimality"))
        self.optimality = optimality if math.isfinite(optimality) else self.optimality
        self.last = record
        if self.history:
            self.records.append({key: record[key] for key in self.history if key in record})

    def say(self, text: str, lasting: bool = False) -> None:
        """Show a note until the first epoch, and at least for some seconds."""
        if lasting:
            self.lasting.append(printable(text))
        else:
            self.note, self.noted = printable(text), self.clock()

    def left(self) -> float:
        """Seconds until the target at the speed of the last epochs; NaN while unknown."""
        if len(self._times) < 2:
            return math.nan
        (then, first), (now, last) = self._times[0], self._times[-1]
        if last <= first:
            return math.nan
        expected = (self.target - last) * (now - then) / (last - first)
        return max(expected - (self.clock() - now), 0.0)

    def title(self) -> str:
        """Name of the run, market and algorithm."""
        return f"{self.name}  {self.market}".strip()

    def head(self) -> str:
        """The line above the progress line: the last note, or the title and the time spent."""
        if self.note and (self._fresh or self.clock() - self.noted < 4.0):
            return f"{self.name}  {self.note}".strip()
        return f"{self.title()}  {duration(self.clock() - self.started)}"

    def line(self, width: int = 200) -> str:
        """The progress line; parts at the end that do not fit into `width` are left out."""
        last = self.last
        parts = [
            f"epoch {self.epoch}/{self.target}",
            f"{compact(_number(last.get('steps_per_second')), 3)} steps/s",
            f"left {duration(self.left())}",
            f"value {self._value()}",
            f"best {compact(self.best)} @{self.best_epoch}" if math.isfinite(self.best) else "best -",
        ]
        if math.isfinite(self.optimality):
            parts.append(f"optimality {percent(self.optimality)}")
        wide = [*parts, f"reward {compact(_number(last.get('reward_mean')))}"]
        wide.append(f"spread {compact(_number(last.get('spread_mean')))}")
        text = ""
        for part in wide:
            longer = f"{text}  {part}" if text else part
            if len(longer) > width:
                break
            text = longer
        return text

    def _value(self) -> str:
        """The last mean value ± half of its 95 % interval, where it has one."""
        half = recorded_half(self.last)
        error = "" if half is None else f" ± {compact(half, 2)}"
        return compact(_number(self.last.get("value_mean"))) + error

    def summary(self) -> dict[str, Any]:
        """Run, epochs, best value and its epoch, for the end of the run."""
        best = None if math.isnan(self.best) else {"value_mean": self.best, "epoch": self.best_epoch}
        return {"run": self.name, "state": None, "epochs": self.epoch, "best": best}

    def outcome(self, summary: Mapping[str, Any]) -> str:
        """One line about the whole run, with its folder or name first."""
        state = word(str(summary.get("state", "ended")))
        where = summary.get("folder") or summary.get("run") or self.name
        text = f"{where}: {state} after epoch {summary.get('epochs', self.epoch)}"
        text += f" in {duration(self.clock() - self.started)}"
        if self.last:
            text += f", value {self._value()}"
            text += f", best {compact(self.best)} @{self.best_epoch}"
        return printable(text)
