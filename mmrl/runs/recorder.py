"""Writes finished epochs to disk while the next one trains: metrics, episode, checkpoint, status."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrl.runs.commit import commit
from mmrl.runs.episodes import write_episode
from mmrl.runs.history import History
from mmrl.runs.status import write_status
from mmrl.settings.errors import note
from mmrl.statistics.attempts import Attempts

if TYPE_CHECKING:
    from mmrl.runs.checkpoint import Snapshot


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
        self._last: Future[None] | None = None

    def keep(
        self,
        record: dict[str, Any],
        episode: dict[str, np.ndarray] | None,
        state: dict[str, Any],
        best: bool,
        versions: dict[str, Any],
    ) -> None:
        """Write an epoch in the background, once the previous one is on disk; raises the error of the previous one."""
        from mmrl.runs.checkpoint import snapshot

        now = snapshot(state)
        self.flush()
        self._last = self._pool.submit(self._write, record, episode, now, best, versions)

    def flush(self) -> None:
        """Wait until everything is on disk; raises OSError when it could not be written."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def close(self) -> None:
        """Let the writer finish and end it; errors are raised by flush() only."""
        self._pool.shutdown(wait=True)

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
        self.history.append(record)
        if episode is not None:
            self.attempts.get("episode file", lambda: write_episode(self.folder, epoch, episode), None)
        self.history.sync()  # the manifest must not cover rows that a power cut could still lose
        # by now training computes beside this thread; before, both would wait for the interpreter
        commit(self.folder, epoch, encode(epoch, state), best, versions, self.history.checksum(), self.noticed)
        write_status(self.folder, "running", epoch=epoch)
