"""A slider over saved epochs or steps, moved by keys and the mouse."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget


class Scrubber(Widget):
    """Chooses one of a growing list of values; stays on the newest until it is moved."""

    class Chosen(Message):
        """Another value was chosen."""

        def __init__(self, scrubber: Scrubber, value: float) -> None:
            super().__init__()
            self.scrubber, self.value = scrubber, value

        @property
        def control(self) -> Scrubber:
            return self.scrubber

    def __init__(self, what: str, id: str | None = None, pinned: bool = True) -> None:
        super().__init__(id=id)
        self.what = what
        self.places: list[float] = []
        self.at = 0
        self.pinned = pinned  # on the newest
        self._dragging = False

    def fill(self, places: list[float]) -> bool:
        """Set the values; the chosen one stays chosen. True when the choice changed."""
        if places == self.places:
            return False
        before = self.value
        self.places = places
        if not places:
            self.at = 0
        elif self.pinned or before is None:
            self.at = len(places) - 1 if self.pinned else 0
        else:
            self.at = min(range(len(places)), key=lambda i: abs(places[i] - before))
        self.refresh()
        return self.value != before

    @property
    def value(self) -> float | None:
        """The chosen value."""
        return self.places[self.at] if self.places else None

    def move(self, by: int) -> None:
        """Move forward or back by some values."""
        self.go(self.at + by)

    def go(self, at: int, follow: bool = True) -> None:
        """Choose value number `at`."""
        if not self.places:
            return
        at = min(max(at, 0), len(self.places) - 1)
        if follow:
            self.pinned = at == len(self.places) - 1
        if at != self.at:
            self.at = at
            self.refresh()
            self.post_message(self.Chosen(self, self.places[at]))

    def render(self) -> Text:
        if not self.places:
            return Text(f" {self.what}: none yet")
        value = self.places[self.at]
        head = f" {self.what} {value:g}  {self.places[0]:g} "
        tail = f" {self.places[-1]:g} "
        self._start, self._room = len(head), max(self.size.width - len(head) - len(tail) - 1, 3)
        spot = round(self.at / max(len(self.places) - 1, 1) * (self._room - 1))
        colours = self.app.theme_variables
        text = Text(head, no_wrap=True)
        text.append("━" * spot, colours["primary"])
        text.append("●", f"bold {colours['primary']}")
        text.append("─" * (self._room - 1 - spot) + tail)
        return text

    def _aim(self, column: int) -> None:
        if self.places:
            share = (column - self._start) / max(self._room - 1, 1)
            self.go(round(min(max(share, 0.0), 1.0) * (len(self.places) - 1)))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._dragging = True
        self.capture_mouse()
        self._aim(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragging:
            self._aim(event.x)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self._dragging = False
        self.release_mouse()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(-1)
