"""Views of a run without charts: plain lines for a pipe, JSON for programs.

A view is a context manager with start, past, epoch, note and finish. Stdout gets only the JSON or plain lines;
notes go to stderr.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from mmrl.display.progress import Progress, printable
from mmrl.settings.model import Config


def finite(value: Any) -> Any:
    """The same value for JSON: NaN and infinities become None, numpy scalars numbers, paths text."""
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
    """Write one line at once; characters that the stream cannot encode become question marks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), file=stream, flush=True)


class BaseView:
    """What all views share: the context manager and the progress of the run."""

    def __init__(self, history: Collection[str] = ()) -> None:
        self.progress = Progress(history=history)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Restore the terminal."""

    def start(self, config: Config, folder: Path, target: int) -> None:
        """A run of `target` epochs starts in a folder."""
        self.progress.start(config, folder, target)

    def past(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Take the earlier epochs of a resumed run."""
        self.progress.past(records)


class JsonView(BaseView):
    """One JSON object per epoch on stdout and a last one with run, state, epochs and best; notes on stderr."""

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
        """Write a line of text that is not data."""
        emit(printable(text), self.err)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the last object."""
        known = self.progress.summary()
        self._write({**known, **summary})


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

    def note(self, text: str) -> None:
        """Write one line."""
        emit(printable(text), self.err)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the outcome of the run."""
        emit(self.progress.outcome(summary), self.out)
