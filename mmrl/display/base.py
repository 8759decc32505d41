"""What all views of a training share.

A view is a context manager with start, past, epoch, note and finish. Stdout has the JSON lines and nothing else,
or the plain lines; notes go to stderr.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from mmrl.display.progress import Progress
from mmrl.plots.output import write
from mmrl.settings.model import Config


def emit(text: str, stream: TextIO) -> None:
    """Write one line now."""
    write(text + "\n", stream)


class BaseView:
    """What all views share: the context manager and the record of progress."""

    instant = False

    def __init__(self, history: Collection[str] = ()) -> None:
        self.progress = Progress(history=history)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the terminal back."""

    def start(self, config: Config, folder: Path, target: int) -> None:
        """A run of `target` epochs begins in a folder."""
        self.progress.start(config, folder, target)

    def past(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Epochs of a run that goes on, before its new ones."""
        self.progress.past(records)
