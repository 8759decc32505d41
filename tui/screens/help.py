"""The keys of the screen below, read from its bindings, so that the help is always up to date."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Label, Static

from .painted import Painted

TWO_COLUMNS = 70  # columns of the terminal


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
        own = {binding.key for binding in Binding.make_bindings(type(node).__dict__.get("BINDINGS", []))}
        for _, binding in sorted(node._bindings, key=lambda found: found[1].key not in own):
            if binding.description and not binding.system and not binding.action.startswith("app."):
                if binding.action.startswith("screen."):
                    continue
                rows.setdefault(meaning(binding), []).append(shown_key(screen, binding))
        if rows:
            title = getattr(node, "HELP_TITLE", "This part")
            groups.append((title, [(" ".join(dict.fromkeys(keys)), text) for text, keys in rows.items()]))
    return groups


def meaning(binding: Binding) -> str:
    """What a key does, in a line; keys that belong together share it."""
    return binding.group.description if binding.group else binding.tooltip or binding.description


def shown_key(screen: Screen, binding: Binding) -> str:
    """A key as it is printed on keyboards."""
    return screen.app.get_key_display(binding)


class Help(ModalScreen[None], Painted):
    """All keys of the screen from which it was opened: those of the view first, in two columns where there is room."""

    BINDINGS = [
        ("escape,question_mark,f1,q", "close", "Close"),
        ("j,down", "scroll(1)", "Down"),
        ("k,up", "scroll(-1)", "Up"),
    ]

    def __init__(self, about: Screen) -> None:
        super().__init__()
        self.about = about

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog help"):
            yield Static(Kept(self._keys()))
            yield Label("Esc closes", classes="hint")

    def _keys(self) -> Table:
        groups = described(self.about)
        sizes = [len(rows) + 2 for _, rows in groups]
        cut = len(groups)
        if self.app.size.width >= TWO_COLUMNS and len(groups) > 1:
            cut = min(range(1, len(groups)), key=lambda at: max(sum(sizes[:at]), sum(sizes[at:])))
        columns = [groups[:cut], groups[cut:]]
        whole = Table.grid(padding=(0, 2), expand=True)
        for _ in columns:
            whole.add_column(ratio=1)
        whole.add_row(*(_column(part) for part in columns if part))
        return whole

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_close(self) -> None:
        self.dismiss(None)


class Kept:
    """What it shows, put into lines once for each width: Textual asks for the lines of a widget several times."""

    def __init__(self, shown: RenderableType) -> None:
        self.shown = shown
        self._lines: dict[int, list[list[Segment]]] = {}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        if width not in self._lines:
            self._lines[width] = console.render_lines(self.shown, options.update(height=None))
        for line in self._lines[width]:
            yield from line
            yield Segment.line()


def _column(groups: list[tuple[str, list[tuple[str, str]]]]) -> Table:
    """Keys and what they do, below the titles of their groups."""
    table = Table.grid(padding=(0, 1))
    for number, (title, rows) in enumerate(groups):
        if number:
            table.add_row("", "")
        table.add_row("", Text(title, style="bold underline"))
        for keys, text in rows:
            table.add_row(Text(keys, style="bold"), Text(text))
    return table
