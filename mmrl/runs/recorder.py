"""Writes finished epochs while the next one trains: metrics and state, episode, checkpoint and status."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
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
    """Writes each epoch so that a process that is killed loses at most the one in work, and commits one, for the disk
    to keep it, at most once a second, in a thread of its own: training waits only if that is slower than training.

    keep() takes an epoch, save() writes it: its metrics, then its state, so that a resumed run repeats at most the
    epoch that was being written.
    """

    def __init__(
        self, folder: Path, history: History, noticed: Sequence[str] = (), attempts: Attempts | None = None
    ) -> None:
        self.folder, self.history, self.noticed = folder, history, noticed
        self.attempts = attempts or Attempts(note)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._unsaved: Callable[[], None] | None = None  # what was taken
        self._last: Future[None] | None = None
        self._base: dict[str, str] = {}  # the files of the newest commit, with their SHA-256, and when it was made
        self._committed = -math.inf
        self._slots = Slots(folder)
        self._held: list[Saved] = []  # what slots have of later epochs, the newest two
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
        """Take an epoch, for save() to write, once the one before is there, whose error it raises; the arrays of the
        state must not change until then."""
        self.save()
        self._unsaved = partial(self._save, record, episode, state, best)
        self._wait()
        self._versions = versions

    def save(self) -> None:
        """Write the epoch that was taken; a commit or an episode goes on in the background."""
        save, self._unsaved = self._unsaved, None
        if save is not None:
            save()

    def _save(
        self, record: dict[str, Any], episode: dict[str, np.ndarray] | None, state: dict[str, Any], best: bool
    ) -> None:
        from mmrl.runs.checkpoint import snapshot

        now, epoch = snapshot(state), record["epoch"]
        self.history.write(record)
        tasks: list[Callable[[], None]] = []
        if episode is not None:
            file = partial(write_episode, self.folder, epoch, episode)
            tasks.append(partial(self.attempts.get, "episode file", file, None))
        late = time.monotonic() - self._committed >= COMMIT_EVERY
        if len(now.tensors) > LARGEST or (late and len(self._held) < KEPT):
            tasks += [*[self._commit_held] * len(self._held), partial(self._commit_now, epoch, now, best)]
        else:
            best_is_over = bool(self._held) and self._held[-1].best and not best
            if tasks:
                tasks.append(partial(self._hold, epoch, now, best))
            else:
                self._hold(epoch, now, best)
            if late or best_is_over:
                tasks.append(partial(self._commit_held, newest=epoch))
        if tasks:
            self._last = self._pool.submit(self._write, tasks)

    def flush(self) -> None:
        """Save what was taken, commit what is in slots, and wait until all is on disk; raises OSError where that
        fails."""
        self.save()
        self._wait()
        while self._held:
            self._commit_held()
        self._slots.remove()
        if self._untold:
            write_status(self.folder, "running", epoch=self._untold)
            self._untold = 0

    def _wait(self) -> None:
        """Until the newest epoch that was saved is written; raises its error."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def close(self) -> None:
        """Let the writer finish and end it; errors are raised by flush() only."""
        with suppress(OSError, BrokenRun):
            self.save()
        self._pool.shutdown(wait=True)
        self._last = None
        with suppress(OSError, BrokenRun):
            self.flush()
        self.history.close()

    def _write(self, tasks: Iterable[Callable[[], None]]) -> None:
        """What is done in the background, each though another fails; raises the first error."""
        errors = []
        for task in tasks:
            try:
                task()
            except (OSError, BrokenRun) as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _saved(self, epoch: int, state: Snapshot, best: bool) -> Saved:
        from mmrl.runs.checkpoint import encode

        return Saved(epoch, encode(epoch, state), self.history.checksum(), best)

    def _hold(self, epoch: int, state: Snapshot, best: bool) -> None:
        """Write an epoch into a slot."""
        saved = self._saved(epoch, state, best)
        self._slots.write(saved, self._base)
        self._held, self._untold = [*self._held, saved][-KEPT:], epoch

    def _commit_now(self, epoch: int, state: Snapshot, best: bool) -> None:
        """Commit the newest epoch, which no slot has."""
        self._commit(self._saved(epoch, state, best), epoch)

    def _commit_held(self, newest: int | None = None) -> None:
        """Commit the older one of the epochs in slots."""
        self._commit(self._held[0], newest)
        self._held = self._held[1:]  # if it could not be committed, it stays in its slot

    def _commit(self, saved: Saved, newest: int | None = None) -> None:
        """Commit an epoch; the status says that the newest one is done."""
        status = {STATUS: status_text(self.folder, "running", epoch=newest)} if newest else {}
        first = not self._base
        try:
            self._base = commit(self.folder, saved, self._versions, self.history.sync, self.noticed, status)
        finally:
            self.history.sync()
        if first:
            remove_strays(self.folder)
        self._committed = time.monotonic()
        self._untold = 0 if newest else self._untold
