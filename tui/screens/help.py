"""The keys of the screen below, from its bindings, so that help cannot be out of date."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Label, Static


def described(screen: Screen) -> list[tuple[str, list[tuple[str, str]]]]:
    """Groups of (keys, description) of everything that a screen and the application bind."""
    groups: list[tuple[str, list[tuple[str, str]]]] = []
    focus_chain = [screen, screen.app]
    seen: set[str] = set()
    for node in focus_chain:
        rows: dict[str, list[str]] = {}
        for key, binding in node._bindings:
            if binding.description and f"{key}{binding.action}" not in seen:
                seen.add(f"{key}{binding.action}")
                rows.setdefault(binding.tooltip or binding.description, []).append(shown_key(screen, binding))
        title = getattr(node, "HELP_TITLE", "Everywhere")
        groups.append((title, [(" ".join(dict.fromkeys(keys)), text) for text, keys in rows.items()]))
    return groups


def shown_key(screen: Screen, binding: Binding) -> str:
    """A key as it is printed on keyboards."""
    return screen.app.get_key_display(binding)


class Help(ModalScreen[None]):
    """All keys of the screen it was called from."""

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
