"""SIGINT and SIGTERM while a run trains: the first asks, the second leaves."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

EXIT_OK, EXIT_INTERRUPTED, EXIT_TERMINATED = 0, 130, 143


class Interruption:
    """The first SIGINT or SIGTERM asks to stop after the epoch; a second one leaves at once.

    Python runs handlers only between its own instructions, and a long epoch spends seconds in compiled code:
    there a thread sees the second signal and ends the process. What is on disk is whole at any moment.
    """

    PATIENCE = 1.0  # seconds that the main thread gets to leave in order

    def __init__(self, last_words: Callable[[], None] = lambda: None, heard: Callable[[], None] = lambda: None) -> None:
        """`heard` is called at once after the first signal, `last_words` before the process ends by the second."""
        self.signal = 0
        self._last_words, self._heard, self._gone = last_words, heard, threading.Event()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            raise SystemExit(128 + number)
        self.signal = number

    @contextmanager
    def installed(self) -> Iterator[Interruption]:
        """Handle both signals for the length of a with block, then put the old handlers back."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        old = {number: signal.signal(number, self) for number in (signal.SIGINT, signal.SIGTERM)}
        before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        watcher = threading.Thread(target=self._watch, args=(reading,), name="signals", daemon=True)
        watcher.start()
        try:
            yield self
        finally:
            self._gone.set()
            signal.set_wakeup_fd(before)
            for number, handler in old.items():
                signal.signal(number, handler)
            os.close(writing)  # ends the watcher
            watcher.join(1.0)
            os.close(reading)

    def _watch(self, reading: int) -> None:
        """Count the signals as they come in; runs in a thread of its own."""
        seen = 0
        while data := os.read(reading, 1):
            if data[0] not in (signal.SIGINT, signal.SIGTERM):
                continue
            seen += 1
            if seen == 1:
                with suppress(Exception):
                    self._heard()
            if seen == 2 and not self._gone.wait(self.PATIENCE):
                with suppress(Exception):
                    self._last_words()
                os._exit(128 + data[0])

    @property
    def exit_code(self) -> int:
        """130 after SIGINT, 143 after SIGTERM, else 0."""
        return {0: EXIT_OK, signal.SIGINT: EXIT_INTERRUPTED, signal.SIGTERM: EXIT_TERMINATED}[self.signal]
