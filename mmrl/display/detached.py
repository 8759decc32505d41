"""A training process without a terminal: its output goes to log.txt in its run folder."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mmrl.display.plain import PlainView
from mmrl.runs.atomic import open_plain
from mmrl.settings.model import Config

VARIABLE = "MMRL_DETACHED_LOG"
"""Environment variable: the file that a detached process prints to until it knows its run folder."""


class LoggedView(PlainView):
    """Plain lines in the log of the run, after the output from before its folder was known."""

    def __init__(self, early: Path) -> None:
        super().__init__()
        self.early = early

    def start(self, config: Config, folder: Path, target: int) -> None:
        move_output(self.early, folder / "log.txt")
        super().start(config, folder, target)


def move_output(early: Path, log: Path) -> None:
    """Redirect standard output and error to the end of `log`, and move the content of `early` there first."""
    descriptor = open_plain(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        with contextlib.suppress(OSError):
            os.write(descriptor, early.read_bytes())
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
    finally:
        os.close(descriptor)
    early.unlink(missing_ok=True)
