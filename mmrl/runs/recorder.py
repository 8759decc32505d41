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
from mmrl.runs.status import STATUS, status_text
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
        self._kept: tuple[Any, ...] | None = None
        self._last: Future[None] | None = None

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
        self.flush()
        self._kept = record, episode, now, best, versions

    def start(self) -> None:
        """Begin to write what was kept, in the background: when the next epoch is about to compute, since all else that
        training does would wait for the interpreter, as would the writer."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            self._last = self._pool.submit(self._write, *kept)

    def flush(self) -> None:
        """Wait until everything is on disk; raises OSError when it could not be written."""
        self.start()
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def close(self) -> None:
        """Let the writer finish and end it; errors are raised by flush() only."""
        self.start()
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
        self.history.append(record)  # first: the manifest must not cover rows that a power cut could still lose
        if episode is not None:
            self.attempts.get("episode file", lambda: write_episode(self.folder, epoch, episode), None)
        status = {STATUS: status_text(self.folder, "running", epoch=epoch)}
        files, metrics = encode(epoch, state), self.history.checksum()
        commit(self.folder, epoch, files, best, versions, metrics, self.noticed, status)
