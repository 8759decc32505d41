"""Writes finished epochs: metrics at once, episode, checkpoint and status while the next one trains."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrl.runs.atomic import BrokenRun
from mmrl.runs.commit import KEPT, Saved, commit, remove_strays
from mmrl.runs.episodes import write_episode
from mmrl.runs.history import History
from mmrl.runs.slots import LARGEST, Slots
from mmrl.runs.status import STATUS, status_text, write_status
from mmrl.settings.errors import note
from mmrl.statistics.attempts import Attempts

if TYPE_CHECKING:
    from mmrl.runs.checkpoint import Snapshot


COMMIT_EVERY = 1.0
"""Seconds between two commits, at least; the epochs between them are in slots."""


class Recorder:
    """Writes each epoch so that a process that is killed loses at most the one in work, and commits it, for the disk to
    keep it, at most once a second, in a thread of its own: training waits only if that is slower than training.

    The state is copied before `keep` returns. An epoch's checkpoint is written after its metrics, so a resumed run
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
        self._base: dict[str, str] = {}  # the files of the newest commit, with their SHA-256, and when it was made
        self._committed = -math.inf
        self._slots = Slots(folder)
        self._held: list[Saved] = []  # what slots have of later epochs
        self._versions: dict[str, Any] = {}
        self._untold = 0  # the newest epoch, if status.json lacks it

    def keep(
        self,
        record: dict[str, Any],
        episode: dict[str, np.ndarray] | None,
        state: dict[str, Any],
        best: bool,
        versions: dict[str, Any],
    ) -> None:
        """Keep an epoch, once the one before is written, and raise the error of either. A commit or an episode waits
        for start()."""
        from mmrl.runs.checkpoint import snapshot

        now, epoch = snapshot(state), record["epoch"]
        self._wait()
        self.history.write(record)
        self._versions = versions
        due = self._is_due(now, best)
        if due or episode is not None:
            self._kept = epoch, episode, now, best, due
        else:
            self._hold(epoch, now, best)

    def _is_due(self, state: Snapshot, best: bool) -> bool:
        """Whether the next epoch is committed: it is time, it is too large for a slot, or it would be written over the
        best one."""
        over_best = [saved.best for saved in self._held] == [True, False] and not best
        late = time.monotonic() - self._committed >= COMMIT_EVERY
        return over_best or late or len(state.tensors) > LARGEST

    def start(self) -> None:
        """Begin to write what was kept, in the background: when the next epoch is about to compute, since all else that
        training does would wait for the interpreter, as would the writer."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            self._last = self._pool.submit(self._write, *kept)

    def flush(self) -> None:
        """Commit what is in slots and wait until all is on disk; raises OSError when it could not be written."""
        self._wait()
        self._settle(KEPT)
        self._slots.remove()
        if self._untold:
            write_status(self.folder, "running", epoch=self._untold)
            self._untold = 0

    def _wait(self) -> None:
        """Until the epoch that was kept is written; raises its error."""
        self.start()
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def close(self) -> None:
        """Let the writer finish and end it; errors are raised by flush() only."""
        self.start()
        self._pool.shutdown(wait=True)
        self._last = None
        with suppress(OSError, BrokenRun):
            self.flush()
        self.history.close()

    def _write(self, epoch: int, episode: dict[str, np.ndarray] | None, state: Snapshot, best: bool, due: bool) -> None:
        if episode is not None:
            self.attempts.get("episode file", lambda: write_episode(self.folder, epoch, episode), None)
        if due:
            self._commit(epoch, state, best)
        else:
            self._hold(epoch, state, best)

    def _saved(self, epoch: int, state: Snapshot, best: bool) -> Saved:
        from mmrl.runs.checkpoint import encode

        return Saved(epoch, encode(epoch, state), self.history.checksum(), best)

    def _hold(self, epoch: int, state: Snapshot, best: bool) -> None:
        """Write an epoch into a slot."""
        saved = self._saved(epoch, state, best)
        self._slots.write(saved, self._base)
        self._held, self._untold = [*self._held, saved][-KEPT:], epoch

    def _settle(self, last: int) -> None:
        """Commit the `last` epochs of those in slots, and the best one."""
        while self._held:
            if self._held[0].best or len(self._held) <= last:
                self._base = commit(self.folder, self._held[0], self._versions, self.history.sync)
                self._committed = time.monotonic()
            self._held = self._held[1:]  # if it could not be committed, it stays in its slot

    def _commit(self, epoch: int, state: Snapshot, best: bool) -> None:
        """Commit an epoch, and before it the one before it, so that the last two are there."""
        status = {STATUS: status_text(self.folder, "running", epoch=epoch)}
        first, saved = not self._base, self._saved(epoch, state, best)
        try:
            self._settle(1)
            self._base = commit(self.folder, saved, self._versions, self.history.sync, self.noticed, status)
        finally:
            self.history.sync()
        if first:
            remove_strays(self.folder)
        self._committed, self._untold = time.monotonic(), 0
