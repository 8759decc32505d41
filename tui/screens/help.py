"""The keys of the screen below, read from its bindings, so that the help is always up to date."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Label, Static


def owners(screen: Screen) -> list[DOMNode]:
    """The nodes of this program that bind keys now: focused widget and ancestors, the screen, the application."""
    nodes: list[DOMNode] = []
    if screen.focused is not None:
        nodes = [n for n in screen.focused.ancestors if type(n).__module__.startswith("tui.") and n is not screen]
        if type(screen.focused).__module__.startswith("tui."):
            nodes.insert(0, screen.focused)
    return [*(n for n in nodes if n is not screen.app), screen, screen.app]


def described(screen: Screen) -> list[tuple[str, list[tuple[str, str]]]]:
    """Groups of (keys, description) of all bindings of the owners."""
    groups: list[tuple[str, list[tuple[str, str]]]] = []
    for node in owners(screen):
        rows: dict[str, list[str]] = {}
        for _, binding in node._bindings:
            if binding.description and not binding.system and not binding.action.startswith("app."):
                if binding.action.startswith("screen."):
                    continue
                rows.setdefault(binding.tooltip or binding.description, []).append(shown_key(screen, binding))
        if rows:
            title = getattr(node, "HELP_TITLE", "This part")
            groups.append((title, [(" ".join(dict.fromkeys(keys)), text) for text, keys in rows.items()]))
    return groups


def shown_key(screen: Screen, binding: Binding) -> str:
    """A key as it is printed on keyboards."""
    return screen.app.get_key_display(binding)


class Help(ModalScreen[None]):
    """All keys of the screen from which it was opened."""

    BINDINGS = [("escape,question_mark,q", "close", "Close")]

    def __init__(self, about: Screen) -> None:
        super().__init__()
        self.about = about

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog wide"):
            for title, rows in described(self.about):
                yield Label(Text(title), classes="question")
                table = Table.grid(padding=(0, 2))
                for keys, text in rows:
                    table.add_row(Text(keys, style="bold"), Text(text))
                yield Static(table)
            yield Label("Esc closes", classes="hint")

    def action_close(self) -> None:
        self.dismiss(None)
