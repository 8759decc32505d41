"""The keys that work now, in one line: first those of the view, at the right end help and the way out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rich.text import Text
from textual import events
from textual.binding import ActiveBinding, Binding
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

PAN, ZOOM, CURSOR = Binding.Group("Pan"), Binding.Group("Zoom"), Binding.Group("Cursor")
STEP, EPOCH, SPEED = Binding.Group("Step"), Binding.Group("Epoch"), Binding.Group("Speed")
RUN = Binding.Group("Next run")
ENDS = ("help", "leave", "quit")  # actions whose keys stand at the right end
GAP = 2


@dataclass
class Hint:
    """Keys that belong together and what they do."""

    label: str
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)  # by action: name, as printed on keyboards

    @property
    def between(self) -> str:
        """What stands between two keys."""
        return "" if all(len(shown) == 1 for _, shown in self.keys.values()) else " "

    @property
    def width(self) -> int:
        """Columns that it takes."""
        keys = sum(len(shown) for _, shown in self.keys.values()) + len(self.between) * (len(self.keys) - 1)
        return keys + 1 + len(self.label)


class KeyBar(Widget):
    """Keys and what they do, as many as fit; a click presses the key.

    `offers` says whether a key is worth showing now.
    """

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $panel; color: $foreground 75%; }
    KeyBar > .key { color: $primary; text-style: bold; }
    """
    COMPONENT_CLASSES = {"key"}
    ALLOW_SELECT = False

    def __init__(self, offers: Callable[[ActiveBinding], bool]) -> None:
        super().__init__()
        self.offers = offers
        self._places: list[tuple[int, int, str]] = []  # first and last column, key

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, screen: Screen) -> None:
        self.refresh()

    def hints(self) -> tuple[list[Hint], list[Hint]]:
        """What stands on the left, the keys nearest to the focus first, and at the right end."""
        left: dict[str, Hint] = {}
        right: dict[str, Hint] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not binding.show or not self.offers(active):
                continue
            printed = self.app.get_key_display(binding)
            if len(printed) == 1 and isinstance(self.screen.focused, Input) and not binding.priority:
                continue  # it is typed
            name = binding.action.removeprefix("app.").partition("(")[0]
            label = binding.group.description if binding.group else binding.description
            side = right if name in ENDS else left
            hint = side.setdefault(label, Hint(label))
            if binding.group or not hint.keys:  # of several keys for the same, one is enough
                hint.keys.setdefault(binding.action, (binding.key, printed))
        return list(left.values()), list(right.values())

    def render(self) -> Text:
        left, right = self.hints()
        room = self.size.width - 2
        end = sum(hint.width for hint in right) + GAP * max(len(right) - 1, 0)
        shown: list[Hint] = []
        used, least = 0, room - end - GAP
        for number, hint in enumerate(left):
            last = number == len(left) - 1
            if used + hint.width + (0 if last else GAP + 1) > least:
                break
            shown.append(hint)
            used += hint.width + GAP
        text = Text(" ", no_wrap=True, end="")
        self._places = []
        for hint in shown:
            self._write(text, hint)
        if len(shown) < len(left) and used + 1 <= least:
            text.append("…")
        text.append(" " * max(room + 1 - end - text.cell_len, 1))
        for hint in right:
            self._write(text, hint)
        return text

    def _write(self, text: Text, hint: Hint) -> None:
        style = self.get_component_rich_style("key", partial=True)
        for number, (key, printed) in enumerate(hint.keys.values()):
            text.append(hint.between if number else "")
            self._places.append((text.cell_len, text.cell_len + len(printed), key))
            text.append(printed, style)
        text.append(f" {hint.label}")
        start, _, key = self._places[-1]
        self._places[-1] = start, text.cell_len, key
        text.append(" " * GAP)

    def on_click(self, event: events.Click) -> None:
        for first, end, key in self._places:
            if first <= event.x < end:
                self.app.simulate_key(key)
