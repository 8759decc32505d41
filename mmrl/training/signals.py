"""SIGINT and SIGTERM while a run trains: the first one stops after the epoch, the second one at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

EXIT_OK, EXIT_INTERRUPTED, EXIT_TERMINATED = 0, 130, 143


class Interruption:
    """The first SIGINT or SIGTERM stops training after the epoch; a second one stops it at once.

    Python runs signal handlers only between bytecode instructions, and a long epoch spends seconds in compiled code:
    therefore a thread sees the second signal and ends the process. The files on disk are consistent at any moment.
    """

    GRACE = 1.0  # seconds that the main thread has to end the process in order

    def __init__(
        self, on_first: Callable[[], None] = lambda: None, before_exit: Callable[[], None] = lambda: None
    ) -> None:
        """`on_first` is called at once after the first signal, `before_exit` before the second one ends the process."""
        self.signal = 0
        self._on_first, self._before_exit, self._done = on_first, before_exit, threading.Event()

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
            self._done.set()
            signal.set_wakeup_fd(before)
            for number, handler in old.items():
                signal.signal(number, handler)
            os.close(writing)  # ends the watcher
            watcher.join(1.0)
            os.close(reading)

    def _watch(self, reading: int) -> None:
        """Count the signals as they arrive; runs in its own thread."""
        seen = 0
        while data := os.read(reading, 1):
            if data[0] not in (signal.SIGINT, signal.SIGTERM):
                continue
            seen += 1
            if seen == 1:
                with suppress(Exception):
                    self._on_first()
            if seen == 2 and not self._done.wait(self.GRACE):
                with suppress(Exception):
                    self._before_exit()
                os._exit(128 + data[0])

    @property
    def exit_code(self) -> int:
        """130 after SIGINT, 143 after SIGTERM, else 0."""
        return {0: EXIT_OK, signal.SIGINT: EXIT_INTERRUPTED, signal.SIGTERM: EXIT_TERMINATED}[self.signal]
