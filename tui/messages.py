"""What screens ask of the application: they post one of these messages to it and need not know its class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message


class PollRuns(Message):
    """Read the run folders now, not at the next interval."""


@dataclass
class StartTraining(Message):
    """Start `mmrl train` in the background; `open_run` shows the run once its folder is there.

    `started` is called when the process trains, not when it ended at once.
    """

    arguments: list[str]
    results: Path
    open_run: bool = False
    started: Callable[[], object] = lambda: None
