"""A training process without a terminal: what it prints goes to log.txt in its run folder."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from mmrl.display.plain import PlainView

VARIABLE = "MMRL_DETACHED_LOG"
"""Names the file that a detached process prints into until it knows its run folder."""


class LoggedView(PlainView):
    """Plain lines into the log of the run, behind whatever was printed before the run was known."""

    def __init__(self, early: Path) -> None:
        super().__init__()
        self.early = early

    def start(self, config: Any, folder: Any, target: int) -> None:
        move_output(self.early, Path(folder) / "log.txt")
        super().start(config, folder, target)


def move_output(early: Path, log: Path) -> None:
    """Send standard output and error of this process to the end of `log`, and what is in `early` before it."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(log, flags, 0o644)
    try:
        with contextlib.suppress(OSError):
            os.write(descriptor, early.read_bytes())
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
    finally:
        os.close(descriptor)
    early.unlink(missing_ok=True)
