"""SIGINT, SIGTERM and SIGHUP while a run trains: the first one stops after the epoch, the second one at once.

SIGPIPE, sent when nobody reads the output any more, stops after the epoch too, but never at once. Who starts a training
with nohup wants it to outlive terminal and readers: then neither SIGHUP nor SIGPIPE stops it.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

EXIT_OK = 0
ASKED = (signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()))
READER_LEFT = getattr(signal, "SIGPIPE", None)


class Interruption:
    """The first signal of `ASKED` stops training after the epoch; a second one stops it at once.

    Python runs signal handlers only between bytecode instructions, and a long epoch spends seconds in compiled code:
    therefore a thread sees the second signal and ends the process. The files on disk are consistent at any moment.
    """

    GRACE = 1.0  # seconds that the main thread has to end the process in order

    def __init__(
        self,
        on_first: Callable[[], None] = lambda: None,
        before_exit: Callable[[], None] = lambda: None,
        settle: float = 0.0,
    ) -> None:
        """`on_first` is called at once after the first signal, `before_exit` before the second one ends the process.

        What follows the first signal within `settle` seconds belongs to it.
        """
        self.signal = 0
        self._settle, self._since = settle, math.inf
        self._on_first, self._before_exit, self._done = on_first, before_exit, threading.Event()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if number == READER_LEFT:
            self.signal = self.signal or number
            return
        if self.signal not in (0, READER_LEFT):
            if time.monotonic() < self._since + self._settle:
                return
            raise SystemExit(128 + number)
        self.signal, self._since = number, time.monotonic()

    @contextmanager
    def installed(self) -> Iterator[Interruption]:
        """Handle the signals for the length of a with block, then put the old handlers back."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        old = {number: signal.signal(number, self) for number in _to_handle()}
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
        seen, since = 0, 0.0
        while data := os.read(reading, 1):
            if data[0] not in ASKED or (seen and time.monotonic() < since + self._settle):
                continue
            seen, since = seen + 1, since or time.monotonic()
            if seen == 1:
                with suppress(Exception):
                    self._on_first()
            if seen == 2 and not self._done.wait(self.GRACE):
                with suppress(Exception):
                    self._before_exit()
                os._exit(128 + data[0])

    @property
    def exit_code(self) -> int:
        """128 + the signal that stopped training (130 after SIGINT, 143 after SIGTERM), else 0."""
        return 128 + self.signal if self.signal else EXIT_OK


def _to_handle() -> list[int]:
    """The signals that stop a training: all but those that whoever started it wants ignored."""
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is not None and signal.getsignal(hang_up) == signal.SIG_IGN:
        return [number for number in ASKED if number != hang_up]
    return [*ASKED, *((READER_LEFT,) if READER_LEFT is not None else ())]
