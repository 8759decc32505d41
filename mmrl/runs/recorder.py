"""Writes finished epochs down beside the training of the next one: metrics, episode, checkpoint, status."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.runs.commit import commit
from mmrl.runs.episodes import write_episode
from mmrl.runs.history import History
from mmrl.runs.status import write_status


class Recorder:
    """One writer thread, at most one epoch behind: a disk that is slow delays no epoch that is faster to train.

    The state is copied before `keep` returns. An epoch's checkpoint is committed after its metrics, so what a
    resumed run cuts off is at most the epoch that was being written.
    """

    def __init__(self, folder: Path, history: History, noticed: Sequence[str] = ()) -> None:
        self.folder, self.history, self.noticed = folder, history, noticed
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
        """Write an epoch down in the background, once the one before is on disk; raises what went wrong with that."""
        from mmrl.runs.checkpoint import encode

        files = encode(record["epoch"], state)
        self.flush()
        self._last = self._pool.submit(self._write, record, episode, files, best, versions)

    def flush(self) -> None:
        """Wait until all is on disk; raises OSError when it could not be written."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def close(self) -> None:
        """Let the writer finish and end it; what went wrong is left to flush()."""
        self._pool.shutdown(wait=True)

    def _write(
        self,
        record: dict[str, Any],
        episode: dict[str, np.ndarray] | None,
        files: dict[str, bytes],
        best: bool,
        versions: dict[str, Any],
    ) -> None:
        epoch = record["epoch"]
        self.history.append(record)
        if episode is not None:
            write_episode(self.folder, epoch, episode)
        self.history.sync()  # the checkpoint must not count rows that a power cut could still take
        commit(self.folder, epoch, files, best, versions, self.history.mark(), self.noticed)
        write_status(self.folder, "running", epoch=epoch)
