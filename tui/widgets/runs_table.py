"""A table that draws only its visible rows: a thousand runs take no longer than a screenful."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mmrl.plots.picture import ASCII
from mmrl.plots.text import shortened

from ..run_order import HEADER
from .chart import charset

Cells = dict[str, Text]


@dataclass(frozen=True)
class Column:
    """A column: the key of its cells, its title, its width in characters, its alignment, where texts are cut."""

    key: str
    title: str
    width: int
    right: bool = False
    middle: bool = False


class RunsTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows with a cursor, one for each key; `cells` gives the texts of a row when it is drawn.

    The cursor belongs to a key, not to a row. `now` gives the present key of something that may have been renamed.
    """

    DEFAULT_CSS = """
    RunsTable { height: 1fr; background: $background; overflow-x: hidden; }
    RunsTable > .head { color: $foreground 65%; background: $background; }
    RunsTable > .row { background: $background; }
    RunsTable > .cursor { background: $primary 22%; text-style: bold; }
    RunsTable > .hover { background: $panel; }
    """
    COMPONENT_CLASSES = {"head", "row", "cursor", "hover"}
    HELP_TITLE = "List"
    BINDINGS = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,ctrl+home", "move(-1000000000)", "First", show=False),
        Binding("end,ctrl+end", "move(1000000000)", "Last", show=False),
    ]

    class Highlighted(Message):
        """The cursor is on another row."""

    class Selected(Message):
        """The row under the cursor was clicked."""

    class Titled(Message):
        """The title of a column was clicked."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, cells: Callable[[str], Cells], now: Callable[[str], str], id: str | None = None) -> None:
        super().__init__(id=id)
        self.cells, self.now = cells, now
        self.wanted: str | None = None  # what the user put the cursor on, which may be hidden for a while
        self.columns: list[Column] = []
        self.order: list[str] = []
        self.cursor_row = 0
        self._hover = -1
        self._drawn: dict[str, tuple[list[Text], str, Strip]] = {}

    @property
    def current(self) -> str | None:
        """The key under the cursor."""
        return self.order[self.cursor_row] if 0 <= self.cursor_row < len(self.order) else None

    def lay_out(self, columns: list[Column]) -> None:
        """Show these columns."""
        self.columns = columns
        self.renew()

    def renew(self) -> None:
        """Draw everything again."""
        self._drawn.clear()
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._drawn.clear()

    def show(self, order: list[str], changed: Collection[str] | None = None, settled: bool = True) -> None:
        """Show these keys from top to bottom; the cells of the `changed` ones may differ (default: of all).

        The cursor stays on its key, and comes back to it when it is shown again; without it, on its row. While the
        order is not `settled`, a cursor that nobody has moved stays on the first row.
        """
        self.wanted = None if self.wanted is None else self.now(self.wanted)
        if order == self.order and (self.wanted in (None, self.current) or self.wanted not in order):
            seen = order[self.scroll_offset.y : self.scroll_offset.y + self.size.height]
            for number, key in enumerate(seen):
                if (changed is None or key in changed) and self._differs(key):
                    self._drawn.pop(key, None)
                    self.refresh(Region(0, number + 1, self.size.width, 1))
            return
        before, line = self.current, self.cursor_row
        self.order = order
        known = set(order)
        stays = next((key for key in (self.wanted, before and self.now(before)) if key in known), None)
        at = min(line, max(len(order) - 1, 0)) if stays is None else order.index(stays)
        at = at if line or settled or self.wanted else 0
        self._drawn = {key: drawn for key, drawn in self._drawn.items() if key in known and not self._differs(key)}
        if len(order) + 1 != self.virtual_size.height:
            self.virtual_size = Size(self.size.width, len(order) + 1)
        self.cursor_row = self._landing(at, 1)
        self._follow()
        self.refresh()
        if self.current != before:
            self.post_message(self.Highlighted())

    def _differs(self, key: str) -> bool:
        """Whether a drawn row is out of date."""
        drawn = self._drawn.get(key)
        return drawn is None or drawn[0] != self._texts(key)

    def _texts(self, key: str) -> list[Text]:
        if key.startswith(HEADER):
            return [Text(key.removeprefix(HEADER))]
        cells = self.cells(key)
        return [cells[column.key] for column in self.columns]

    def move_cursor(self, row: int) -> None:
        """Move the cursor to a row and scroll to it."""
        row = self._landing(min(max(row, 0), max(len(self.order) - 1, 0)), 1 if row >= self.cursor_row else -1)
        self.wanted = self.order[row] if row < len(self.order) else self.wanted
        if row != self.cursor_row:
            self._refresh_row(self.cursor_row)
            self.cursor_row = row
            self._refresh_row(row)
            self.post_message(self.Highlighted())
        self._follow()

    def _landing(self, row: int, step: int) -> int:
        """The nearest row that is not a title, first in the direction of `step`, else in the other."""
        if not self.order:
            return 0
        for places in (
            range(row, len(self.order) if step > 0 else -1, step),
            range(row, -1 if step > 0 else len(self.order), -step),
        ):
            for place in places:
                if not self.order[place].startswith(HEADER):
                    return place
        return row

    def _follow(self) -> None:
        """Scroll so that the cursor is visible, with the title above it."""
        room, top = max(self.size.height - 1, 1), self.scroll_offset.y
        above = self.cursor_row - 1
        first = above if 0 <= above < len(self.order) and self.order[above].startswith(HEADER) else self.cursor_row
        wanted = min(max(top, self.cursor_row - room + 1), first)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False)

    def _refresh_row(self, row: int) -> None:
        self.refresh(Region(0, row - self.scroll_offset.y + 1, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            style = self.get_component_rich_style("head")
            texts = [Text(column.title) for column in self.columns]
            return self._strip(texts, width, style)
        row = y - 1 + self.scroll_offset.y
        if row >= len(self.order):
            return Strip.blank(width, self.get_component_rich_style("row"))
        key = self.order[row]
        kind = "cursor" if row == self.cursor_row else "hover" if row == self._hover else "row"
        drawn = self._drawn.get(key)
        if drawn is None or drawn[1] != kind:
            texts = self._texts(key) if drawn is None else drawn[0]
            style = self.get_component_rich_style("head" if key.startswith(HEADER) else kind)
            strip = self._rule(texts[0], width, style) if key.startswith(HEADER) else self._strip(texts, width, style)
            drawn = texts, kind, strip
            self._drawn[key] = drawn
        return drawn[2]

    def _rule(self, title: Text, width: int, style: Style) -> Strip:
        """A title in a line over the whole width."""
        sign = "-" if charset() is ASCII else "─"
        return Strip(
            [Segment(f" {sign * 2} {title.plain} {sign * width}"[: max(width - 1, 0)], style)]
        ).adjust_cell_length(width, style)

    def _strip(self, texts: list[Text], width: int, style: Style) -> Strip:
        """Cells side by side, each cut or padded to the width of its column and followed by two spaces."""
        segments = [Segment(" ", style)]
        for column, text in zip(self.columns, texts, strict=True):
            text = text.copy()  # the caller may use the original again
            if column.middle and text.cell_len > column.width:
                text = Text(shortened(text.plain, column.width), style=text.style)
            value, sign, _ = text.plain.partition(" ± ")
            if sign and text.cell_len > column.width:  # a number is shown whole or not at all
                text.truncate(len(value))
            text.truncate(column.width, overflow="ellipsis")
            blank = Segment(" " * (column.width - text.cell_len), style)
            inner = list(Segment.apply_style(text.render(self.app.console), style))
            segments += [blank, *inner] if column.right else [*inner, blank]
            segments.append(Segment("  ", style))
        return Strip(segments).adjust_cell_length(width, style)

    def on_resize(self) -> None:
        self._drawn.clear()
        self._follow()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._point(event.y - 1 + self.scroll_offset.y if event.y else -1)

    def on_leave(self) -> None:
        self._point(-1)

    def _point(self, row: int) -> None:
        if row != self._hover:
            self._refresh_row(self._hover)
            self._hover = row
            self._refresh_row(row)

    def on_click(self, event: events.Click) -> None:
        row = event.y - 1 + self.scroll_offset.y
        if event.y == 0:
            edge = 1
            for column in self.columns:
                edge += column.width + 2
                if event.x < edge:
                    self.post_message(self.Titled(column.key))
                    return
        elif row < len(self.order) and not self.order[row].startswith(HEADER):
            again = row == self.cursor_row
            self.move_cursor(row)
            if again:
                self.post_message(self.Selected())

    def action_move(self, by: int) -> None:
        self.move_cursor(self.cursor_row + by)

    def action_page(self, by: int) -> None:
        self.move_cursor(self.cursor_row + by * max(self.size.height - 2, 1))
