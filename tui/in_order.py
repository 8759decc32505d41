"""Keys in their order: each is read when all that the one before it did is done, new focus and screens included.

Textual hands a key to the widget that has the focus when the key arrives. A key typed fast arrives before the last one
was worked off, and then goes to the widget that has just lost the focus, or to the screen that is being left.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from functools import partial

from textual import events
from textual.app import App
from textual.message_pump import MessagePump

PATIENCE = 5.0  # seconds after which the next key is read in any case, so that a stuck handler cannot lock the keyboard
GLANCE = 0.05  # seconds between two looks at whether a widget that is waited for has been removed


class InOrder(App[None]):
    """An application that reads one key at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[events.Event] = deque()
        self._reader: asyncio.Task[None] | None = None

    async def on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        self._typed.append(event)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read(), name="keys")

    async def _read(self) -> None:
        """Pass on what was typed, one after the other."""
        while self._typed and self.is_running:
            self.call_later(partial(super().on_event, self._typed.popleft()))
            await self._settled()

    async def _settled(self) -> None:
        """Wait until no message is on its way through the present screen and neither it nor its focus changes."""
        deadline, before = time.monotonic() + PATIENCE, None
        while self.is_running and time.monotonic() < deadline:
            chain = [self.screen] if self.focused is None else self.focused.ancestors_with_self
            busy = [node for node in self.screen.walk_children() if node.message_queue_size]
            for pump in (self, *busy, *chain):
                await _passed(pump, deadline)
            state = self.screen, self.focused
            if state == before and not any(pump.message_queue_size for pump in chain):
                return
            before = state

    @property
    def typing(self) -> bool:
        """Whether keys wait to be read."""
        return bool(self._typed) or not (self._reader is None or self._reader.done())


async def _passed(pump: MessagePump, deadline: float) -> None:
    """Wait until a widget has handled all messages that it has now, or is gone."""
    done = asyncio.Event()
    if not pump.call_later(done.set):
        return
    while not done.is_set() and time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), GLANCE)
        if not (pump.is_attached or isinstance(pump, App)):
            return
