"""A training as plain lines, in a pipe or a log."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from mmrl.display.base import BaseView, emit
from mmrl.plots.output import say
from mmrl.plots.text import printable
from mmrl.settings.model import Config


class PlainView(BaseView):
    """A plain line on stdout every few seconds and one at the end; notes on stderr."""

    def __init__(self, every: float = 5.0, out: TextIO | None = None, err: TextIO | None = None) -> None:
        super().__init__()
        self.every, self.out, self.err = every, out or sys.stdout, err or sys.stderr
        self._next = -math.inf

    def start(self, config: Config, folder: Path, target: int) -> None:
        """Write which run starts."""
        super().start(config, folder, target)
        emit(self.progress.title(), self.out)

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Write a line if enough time has passed since the last one, or if this is the last epoch."""
        self.progress.add(record)
        now = time.monotonic()
        if now >= self._next or self.progress.epoch >= self.progress.target:
            self._next = now + self.every
            emit(self.progress.line(), self.out)

    def note(self, text: str, lasting: bool = False) -> None:
        """Write one line."""
        say(printable(text), self.err)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the outcome of the run."""
        say(self.progress.outcome(summary), self.out)
