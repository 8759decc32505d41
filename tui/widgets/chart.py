"""A chart that is drawn again only when its points, its view or its size changed."""

from __future__ import annotations

import math
import os

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.color import Color
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mmrl.plots import raster
from mmrl.plots.axes import MIN_HEIGHT, MIN_WIDTH, Axis, axis, fitted
from mmrl.plots.numbers import compact
from mmrl.plots.picture import ASCII, BLOCK, BRAILLE, PLAIN, Charset, Picture, Row, blank, write
from mmrl.plots.pixels import Floats
from mmrl.plots.raster import Curve

from ..themes import series_colour
from .view import Content, View

DIM, BAND, EVENT, CURSOR = 64, 128, 192, 193  # colours beyond the series: raw line, band, event mark, cursor


def charset() -> Charset:
    """The characters for curves: set by MMRL_CHARS=braille|block|ascii, else by the kind of terminal."""
    wanted = os.environ.get("MMRL_CHARS", "")
    named = {"braille": BRAILLE, "block": BLOCK, "ascii": ASCII}
    if wanted in named:
        return named[wanted]
    return BLOCK if os.environ.get("TERM") == "linux" else BRAILLE


class Chart(Widget, can_focus=True):
    """Curves drawn with characters; the wheel zooms, dragging pans, the pointer reads values."""

    DEFAULT_CSS = "Chart { height: 1fr; width: 1fr; }"
    ALLOW_SELECT = False

    class Moved(Message):
        """The view was changed by the mouse."""

    class Maximise(Message):
        """The chart was double-clicked."""

        def __init__(self, chart: Chart) -> None:
            super().__init__()
            self.chart = chart

    def __init__(self, view: View | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.view = view or View()
        self.content = Content()
        self.characters = charset()
        self._drawn: tuple[Size, list[Row], list[Strip]] | None = None
        self._due = False
        self._styles: dict[int, Style] = {}
        self._place = (0, 1, (0.0, 1.0))  # first column, columns, x range
        self._drag: int | None = None

    def show(self, content: Content) -> None:
        """Draw other content."""
        self.content = content
        self._renew()

    def redraw(self) -> None:
        """Draw again before the next paint, only once even after several calls."""
        if not self._due:
            self._due = True
            self.call_next(self._renew)

    def _renew(self) -> None:
        """Draw now if the chart is visible, else later; only rows that changed are painted."""
        self._due = False
        before, size = self._drawn, self.outer_size
        if before is None or before[0] != size or not self.is_on_screen:
            self._drawn = None
            self.refresh()
            return
        rows = self._picture(*size).runs()
        same = [old == new for old, new in zip(before[1], rows, strict=True)]
        strips = [strip if alike else self._strip(row) for strip, alike, row in zip(before[2], same, rows, strict=True)]
        self._drawn = size, rows, strips
        changed = [Region(0, y, size.width, 1) for y, alike in enumerate(same) if not alike]
        if changed:
            self.refresh(*changed)

    def notify_style_update(self) -> None:
        """A new theme: drop all cached lines."""
        super().notify_style_update()
        self._drawn = None
        self._styles.clear()

    def full(self) -> tuple[float, float]:
        """The whole range of x."""
        ends = [(s.x[0], s.x[-1]) for s in self.content.series if len(s.x)]
        if not ends:
            return 0.0, 1.0
        return float(min(e[0] for e in ends)), float(max(e[1] for e in ends))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Finished lines, without the styles of the widget: they contain all colours already."""
        if self.app.no_color or self.app.ansi_color:  # the base class then changes the colours
            return super().render_lines(crop)
        lines = [self.render_line(y) for y in range(crop.y, crop.bottom)]
        if crop.x or crop.width != self.outer_size.width:
            lines = [line.crop(crop.x, crop.right) for line in lines]
        return lines

    def render_line(self, y: int) -> Strip:
        size = self.outer_size  # equal to the size of the content: a chart has no border
        if self._drawn is None or self._drawn[0] != size:
            rows = self._picture(*size).runs()
            self._drawn = size, rows, [self._strip(row) for row in rows]
        strips = self._drawn[2]
        return strips[y] if y < len(strips) else Strip.blank(size.width, self.rich_style)

    def _strip(self, row: Row) -> Strip:
        """A row of the picture in the colours of the theme."""
        styles = self._styles
        for _, hue in row:
            if hue not in styles:
                styles[hue] = self._style(hue)
        return Strip([Segment(text, styles[hue]) for text, hue in row], self.outer_size.width)

    def _style(self, hue: int) -> Style:
        """The style of a colour number on the background of the widget."""
        dark = self.app.current_theme.dark
        base = self.rich_style
        background, foreground = self.background_colors[1], Color.parse(self.app.theme_variables["foreground"])
        if hue == PLAIN:
            return base + Style(color=background.blend(foreground, 0.55).rich_color)
        if hue == EVENT:
            return base + Style(color=Color.parse(self.app.theme_variables["warning"]).rich_color)
        if hue == CURSOR:
            return base + Style(color=foreground.rich_color)
        colour = Color.parse(series_colour(hue % DIM, dark))
        share = 1.0 if hue < DIM else 0.5 if hue < BAND else 0.38
        return base + Style(color=background.blend(colour, share).rich_color)

    def _picture(self, width: int, height: int) -> Picture:
        content, view = self.content, self.view
        left, right = view.window(self.full())
        if right <= left:
            left, right = left - 0.5, right + 0.5
        curves: list[Curve] = []
        seen: list[Floats] = []
        log = view.log and self.can_log()
        for s in content.series:
            a, b = np.searchsorted(s.x, (left, right)) if len(s.x) else (0, 0)
            part = slice(max(int(a) - 1, 0), int(b) + 1)
            x, y = s.x[part], s.y[part]
            low = None if s.low is None else s.low[part]
            high = None if s.high is None else s.high[part]
            if s.raw is not None:
                raw = s.raw[part]
                sparse = self.app.no_color
                curves.append(Curve(x, raw, low, high, DIM + s.hue, BAND + s.hue, sparse=sparse))
                curves.append(Curve(x, y, None, None, s.hue, label=s.label, mark=s.mark))
            else:
                raw = y
                curves.append(Curve(x, y, low, high, s.hue, BAND + s.hue, s.label, s.mark, points=s.points))
            inside = slice(int(a) - part.start, int(b) - part.start + 1)
            seen += [values[inside] for values in (raw, y, low, high) if values is not None]
        y_range = raster.limits([_logarithms(values) if log else values for values in seen])
        title = content.title + (" · linear" if view.log and not log and content.series else "")
        if y_range is None or width < MIN_WIDTH or height < MIN_HEIGHT:
            picture = blank(width, height, content.empty if width > len(content.empty) else "…")
            write(picture.cells, 0, 1, fitted(title, max(width - 2, 0)))
            return picture
        named = axis(content.across)
        across = Axis(named.name, (left, right), named.whole)
        picture = raster.chart(curves, title, width, height, across, self.characters, Axis(limits=y_range, log=log))
        corner = np.flatnonzero(picture.cells[height - 2] == self.characters.axes[2])
        first = int(corner[0]) + 1 if len(corner) else 0
        self._place = first, max(width - first - 1, 1), (left, right)
        self._verticals(picture)
        heading = picture.colours[0, : min(len(title) + 1, width)]
        heading[heading == PLAIN] = CURSOR
        return picture

    def can_log(self) -> bool:
        """Whether a logarithmic scale can show all values: none is negative."""
        return not raster.signed([s.y if s.raw is None else s.raw for s in self.content.series])

    def _verticals(self, picture: Picture) -> None:
        """Draw event marks and the cursor where no curve is drawn."""
        first, columns, (left, right) = self._place
        area = picture.cells[1 : picture.cells.shape[0] - 2]
        hues = picture.colours[1 : picture.cells.shape[0] - 2]
        plain = self.characters is ASCII
        marks = [(x, text, EVENT, "!" if plain else "┊") for x, text in self.content.marks]
        if self.view.cursor is not None:
            marks.append((self.view.cursor, "", CURSOR, "|" if plain else "│"))
        for x, text, hue, sign in marks:
            if not left <= x <= right:
                continue
            column = first + min(int((x - left) / (right - left) * columns), columns - 1)
            free = area[:, column] == " "
            area[free, column] = sign
            hues[free, column] = hue
            if text:
                _caption(area, hues, column, text, hue)

    def x_at(self, column: int) -> float:
        """The value of x at a column of the widget."""
        first, columns, (left, right) = self._place
        share = (column - first + 0.5) / columns
        return left + min(max(share, 0.0), 1.0) * (right - left)

    def reading(self) -> str:
        """The values at the cursor, as text; empty without a cursor."""
        if self.view.cursor is None:
            return ""
        parts = []
        for s in self.content.series:
            if not len(s.x):
                continue
            at = int(np.argmin(np.abs(s.x - self.view.cursor)))
            middle = float(s.raw[at] if s.raw is not None else s.y[at])
            text = f"{s.label} {compact(middle, self.content.digits)}".strip()
            if s.interval and s.high is not None and math.isfinite(s.high[at]) and math.isfinite(middle):
                text += f" ± {compact(abs(float(s.high[at]) - middle), 2)}"
            elif s.low is not None and s.high is not None and math.isfinite(s.low[at]):
                text += f" ({compact(float(s.low[at]), 3)} to {compact(float(s.high[at]), 3)})"
            if s.points and s.x[at] != self.view.cursor:  # marks stand where something happened
                text += f" at {compact(float(s.x[at]), self.content.digits)}"
            if s.raw is not None:
                text += f" (smoothed {compact(float(s.y[at]))})"
            parts.append(text)
        return "  ".join(parts)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.view.zoom(self.full(), 0.8, self.x_at(event.x))
        self.post_message(self.Moved())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.view.zoom(self.full(), 1.25, self.x_at(event.x))
        self.post_message(self.Moved())

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._drag = event.x
        self.capture_mouse()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self._drag = None
        self.release_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._drag is not None:
            if event.x != self._drag:
                self.view.pan(self.full(), (self._drag - event.x) / self._place[1])
                self._drag = event.x
                self.post_message(self.Moved())
            return
        self.view.cursor = self.x_at(event.x)
        self.post_message(self.Moved())

    def on_leave(self) -> None:
        if self.view.cursor is not None and self._drag is None:
            self.view.cursor = None
            self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        if event.chain == 2:
            self.post_message(self.Maximise(self))


def _logarithms(y: Floats) -> Floats:
    with np.errstate(all="ignore"):
        return np.where(y > 0, np.log10(y), np.nan)


def _caption(area: NDArray[np.str_], hues: NDArray[np.int16], column: int, text: str, hue: int) -> None:
    """Write a text right or left of a vertical mark, in the first row with free space."""
    for row in range(area.shape[0]):
        for start in (column + 1, column - len(text)):
            part = slice(start, start + len(text))
            if start > 0 and part.stop < area.shape[1] - 1 and (area[row, part] == " ").all():
                write(area, row, start, text)
                hues[row, part] = hue
                return
