"""Writes finished epochs to disk while the next one trains: metrics, episode, checkpoint, status."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrl.runs.commit import commit, remove_strays
from mmrl.runs.episodes import write_episode
from mmrl.runs.history import History
from mmrl.runs.status import STATUS, status_text, write_status
from mmrl.settings.errors import note
from mmrl.statistics.attempts import Attempts

if TYPE_CHECKING:
    from mmrl.runs.checkpoint import Snapshot


STATUS_EVERY = 0.25
"""Seconds between two writings of an epoch into status.json, at least: metrics.jsonl and manifest.json have each."""


class Recorder:
    """One writer thread, at most one epoch behind: training waits only if writing is slower than training.

    The state is copied before `keep` returns. An epoch's checkpoint is committed after its metrics, so a resumed run
    repeats at most the epoch that was being written.
    """

    def __init__(
        self, folder: Path, history: History, noticed: Sequence[str] = (), attempts: Attempts | None = None
    ) -> None:
        self.folder, self.history, self.noticed = folder, history, noticed
        self.attempts = attempts or Attempts(note)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._kept: tuple[Any, ...] | None = None
        self._last: Future[None] | None = None
        self._told, self._untold = -math.inf, 0  # when status.json was last written, and a newer epoch that it lacks

    def keep(
        self,
        record: dict[str, Any],
        episode: dict[str, np.ndarray] | None,
        state: dict[str, Any],
        best: bool,
        versions: dict[str, Any],
    ) -> None:
        """Keep an epoch for start() to write, once the one before is on disk; raises the error of the one before."""
        from mmrl.runs.checkpoint import snapshot

        now = snapshot(state)
        self._wait()
        self._kept = record, episode, now, best, versions

    def start(self) -> None:
        """Begin to write what was kept, in the background: when the next epoch is about to compute, since all else that
        training does would wait for the interpreter, as would the writer."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            self._last = self._pool.submit(self._write, *kept)

    def flush(self) -> None:
        """Wait until everything is on disk; raises OSError when it could not be written."""
        self._wait()
        if self._untold:
            write_status(self.folder, "running", epoch=self._untold)
            self._untold = 0

    def _wait(self) -> None:
        """Until the epoch that was kept is on disk; raises its error."""
        self.start()
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def close(self) -> None:
        """Let the writer finish and end it; errors are raised by flush() only."""
        self.start()
        self._pool.shutdown(wait=True)
        self._last = None
        with suppress(OSError):
            self.flush()

    def _write(
        self,
        record: dict[str, Any],
        episode: dict[str, np.ndarray] | None,
        state: Snapshot,
        best: bool,
        versions: dict[str, Any],
    ) -> None:
        from mmrl.runs.checkpoint import encode

        epoch = record["epoch"]
        self.history.write(record)
        try:
            if episode is not None:
                self.attempts.get("episode file", lambda: write_episode(self.folder, epoch, episode), None)
            due = time.monotonic() - self._told >= STATUS_EVERY
            status = {STATUS: status_text(self.folder, "running", epoch=epoch)} if due else {}
            commit(self.folder, epoch, encode(epoch, state), best, versions, self.history, self.noticed, status)
        finally:
            self.history.sync()
        if self._told < 0:  # the first one
            remove_strays(self.folder)
        self._told, self._untold = (time.monotonic(), 0) if due else (self._told, epoch)
