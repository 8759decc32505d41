"""What shows a training: on a terminal, as plain lines, as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from mmrl.settings.model import Config


class View(Protocol):
    """Shows a training process: on a terminal, as plain lines, as JSON."""

    instant: bool
    """Whether epoch() only remembers what to show: then it may be called a moment before that epoch is on disk."""

    def __enter__(self) -> Any: ...
    def __exit__(self, *exc: Any) -> Any: ...
    def start(self, config: Config, folder: Path, target: int) -> None:
        """Called once, before the first epoch."""

    def past(self, records: list[dict[str, Any]]) -> None:
        """Called once after start when a run is resumed, with the records of its earlier epochs."""

    def epoch(self, record: dict[str, Any]) -> None:
        """Called after every epoch."""

    def note(self, text: str, lasting: bool = False) -> None:
        """Show one line of text, to the end if it is `lasting`."""

    def finish(self, summary: dict[str, Any]) -> None:
        """Called once at the end, whatever ended the run."""
