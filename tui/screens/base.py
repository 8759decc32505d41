"""What all screens share: help, focus, toasts, and a message when the terminal is too small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from ..session import Session
from .help import Help
from .painted import Painted

LEAST = (40, 12)


class Base(Painted, Screen[None]):
    """A screen of the application."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (76, "-normal"), (150, "-rich")]
    BINDINGS = [
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("g", "edge('home')", "First", show=False, tooltip="First or earliest (gg works as well)"),
        Binding("G", "edge('end')", "Last", show=False, tooltip="Last or newest"),
    ]
    AUTO_FOCUS = None

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._focused_last: Widget | None = None

    def home(self) -> Widget | None:
        """The widget that takes the keys where none has the focus."""
        return next(iter(self.focus_chain), None)

    def watch_focused(self, focused: Widget | None) -> None:
        """Where the focus is lost, as its widget was hidden or removed, give it back: else the keys of the view die."""
        if focused is not None:
            self._focused_last = focused
        elif self.is_mounted:
            self.call_after_refresh(self.refocus)

    def refocus(self) -> None:
        """Give the focus to the widget that had it, or to the first that may have it, if none has it."""
        if self.focused is None and self in self.app.screen_stack:  # not while it is being removed
            last = self._focused_last
            self.set_focus(last if last in self.focus_chain else self.home())

    def offers(self, active: ActiveBinding) -> bool:
        """Whether a key is worth showing now; others still say why they do nothing."""
        return True

    def runs_changed(self, changed: set[str], gone: set[str]) -> None:
        """The run index has changed; two empty sets mean that anything may have changed."""

    def too_small(self) -> ComposeResult:
        """The message shown instead of the screen if the terminal is too small."""
        yield Static(id="too-small", markup=False)

    def on_resize(self, event: events.Resize) -> None:
        tiny = event.size.width < LEAST[0] or event.size.height < LEAST[1]
        self.set_class(tiny, "-tiny")
        if tiny:
            text = f"{event.size.width}x{event.size.height} is too small: at least {LEAST[0]}x{LEAST[1]} is needed"
            for note in self.query("#too-small"):
                cast(Static, note).update(text)
        else:
            self.call_after_refresh(self.refocus)

    def action_help(self) -> None:
        self.app.push_screen(Help(self))

    async def action_edge(self, key: str) -> None:
        """Do what Home or End does where the focus is."""
        bound = self.active_bindings.get(f"ctrl+{key}") or self.active_bindings.get(key)
        if bound is not None:
            await self.app.run_action(bound.binding.action, bound.node)

    def toast(self, text: str, severity: Any = "information") -> None:
        """Show a short message; the text is not read as markup."""
        self.notify(text, severity=severity, markup=False, timeout=6)

    def attempt(self, action: Callable[[], Any], done: str = "") -> Any:
        """Do something to a run; an error becomes a toast."""
        try:
            result = action()
        except Exception as error:
            self.toast(f"{error}" or type(error).__name__, "error")
            return None
        if done:
            self.toast(done)
        return result if result is not None else True
