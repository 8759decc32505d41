"""How keys arrive: Textual's way for terminals of Linux and macOS, but for the Escape key, which answers at once.

A terminal sends Escape as the first byte of what other keys send, so whoever reads it waits whether more comes. Textual
looks ten times a second, whatever ESCDELAY says. In terminals with the protocol of kitty nothing has to wait.
"""

from __future__ import annotations

import os
import selectors
from codecs import getincrementaldecoder

from textual import constants
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

IDLE = 0.1  # seconds between two looks whether the program is over
BYTES = 4096


class Keyboard(LinuxDriver):
    """The driver of a terminal."""

    def run_input_thread(self) -> None:
        """Hand on what is typed, until the program is over; without a terminal it is."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        wait = IDLE
        with selectors.SelectSelector() as ready:  # the one that knows terminals everywhere
            ready.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                typed = b""
                if ready.select(wait) and not (typed := _typed(self.fileno)):
                    self._app.call_later(self._app.exit)
                    return
                for event in parser.feed(text) if (text := decode(typed)) else parser.tick():
                    self.process_message(event)
                wait = constants.ESCAPE_DELAY + 0.001 if typed else IDLE


def _typed(terminal: int) -> bytes:
    """What has been typed; nothing where the terminal is gone."""
    try:
        return os.read(terminal, BYTES)
    except OSError:
        return b""
