"""The keys of the screen below, read from its bindings, so that the help is always up to date."""

from __future__ import annotations

from itertools import zip_longest
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Label, Static

from .painted import Painted

PACKAGE = __name__.removesuffix("screens.help")
"""Of the terminal UI: mmrl.tui. where it is installed, tui. in the repository."""
TWO_COLUMNS = 62
"""Cells from which on keys stand in two columns."""
BETWEEN = 2
"""Cells between two columns of keys."""
KEY, TITLE = Style(bold=True), Style(bold=True, underline=True)

Groups = list[tuple[str, list[tuple[str, str]]]]
"""By title, keys and what they do."""


def owners(screen: Screen) -> list[DOMNode]:
    """The nodes of this program that bind keys now: focused widget and ancestors, the screen, the application."""
    nodes: list[DOMNode] = []
    if screen.focused is not None:
        nodes = [n for n in screen.focused.ancestors if type(n).__module__.startswith(PACKAGE) and n is not screen]
        if type(screen.focused).__module__.startswith(PACKAGE):
            nodes.insert(0, screen.focused)
    return [*(n for n in nodes if n is not screen.app), screen, screen.app]


def described(screen: Screen) -> Groups:
    """Groups of (keys, description) of all bindings of the owners."""
    groups: Groups = []
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
            yield Static(Keys(described(self.about)))
            yield Label("Esc closes", classes="hint")

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_close(self) -> None:
        self.dismiss(None)


class Keys:
    """Groups of keys and what they do, put into lines once for each width: Textual asks for them several times."""

    def __init__(self, groups: Groups) -> None:
        self.groups = groups
        self._lines: dict[int, list[list[Segment]]] = {}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        if width not in self._lines:
            self._lines[width] = self._side_by_side(width)
        for line in self._lines[width]:
            yield from line
            yield Segment.line()

    def _side_by_side(self, width: int) -> list[list[Segment]]:
        sizes = [len(rows) + 2 for _, rows in self.groups]
        cut = len(sizes)
        if width >= TWO_COLUMNS and cut > 1:
            cut = min(range(1, cut), key=lambda at: max(sum(sizes[:at]), sum(sizes[at:])))
        columns = [part for part in (self.groups[:cut], self.groups[cut:]) if part]
        each = (width - BETWEEN * (len(columns) - 1)) // max(len(columns), 1)
        found = [_column(groups, each) for groups in columns]
        nothing, between = [Segment(" " * each)], Segment(" " * BETWEEN)
        return [
            [piece for k, line in enumerate(lines) for piece in ((between, *line) if k else line)]
            for lines in zip_longest(*found, fillvalue=nothing)
        ]


def _column(groups: Groups, width: int) -> list[list[Segment]]:
    """Lines of so many cells: keys and what they do, below the titles of their groups."""
    wide = min(max((cell_len(keys) for _, rows in groups for keys, _ in rows), default=0) + 1, width // 2)
    room = width - wide
    lines: list[list[Segment]] = []
    for title, rows in groups:
        if lines:
            lines.append([Segment(" " * width)])
        lines.append([Segment(" " * wide), *_padded(title, TITLE, room)])
        for keys, text in rows:
            for at, part in enumerate(wrap(text, max(room, 1), break_on_hyphens=False)):
                lines.append([*_padded("" if at else keys, KEY, wide), *_padded(part, None, room)])
    return lines


def _padded(text: str, style: Style | None, width: int) -> list[Segment]:
    text = set_cell_size(text, min(cell_len(text), width))
    return [Segment(text, style), Segment(" " * (width - cell_len(text)))]
