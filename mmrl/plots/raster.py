"""Curves as characters: a chart with axes, whose cells are braille (2 x 4 pixels), blocks (2 x 2) or ASCII (1 x 2).

A picture is two arrays of the same shape, characters and colours, so that any terminal program can show it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmrl.plots.numbers import labels, ticks
from mmrl.plots.pixels import Floats, bits, off_scale, ordered, pixels, spans

Row = list[tuple[str, int]]  # stretches of one colour from left to right
PLAIN = -1  # the terminal's own colour
MIN_WIDTH, MIN_HEIGHT = 16, 5


@dataclass(frozen=True)
class Charset:
    """Which characters draw: `table[bits]` is the cell whose pixels weigh `weights` [rows, columns]."""

    weights: NDArray[np.int64]
    table: NDArray[np.str_]
    up: str
    down: str
    dot: str
    axes: tuple[str, ...]  # vertical, vertical with tick, corner, horizontal, horizontal with tick


BRAILLE = Charset(
    np.array([[1, 8], [2, 16], [4, 32], [64, 128]]),
    np.array([" "] + [chr(0x2800 + bits) for bits in range(1, 256)]),
    "▲",
    "▼",
    "●",
    tuple("│┤└─┬"),
)
BLOCK = Charset(np.array([[1, 2], [4, 8]]), np.array(list(" ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█")), "↑", "↓", "■", tuple("│┤└─┬"))
ASCII = Charset(np.array([[1], [2]]), np.array(list(" '.:")), "^", "v", "*", tuple("|++-+"))


@dataclass(frozen=True)
class Curve:
    """y(x) [points], an optional band low..high [points], colours of both (0..255), a name, a mark on the line."""

    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    colour: int = PLAIN
    shade: int = PLAIN
    label: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Picture:
    """Characters and their colours [height, width]; colour -1 is the terminal's own."""

    cells: NDArray[np.str_]
    colours: NDArray[np.int16]

    def runs(self) -> list[Row]:
        """Every row as stretches of one colour; blanks take the colour of their left neighbour."""
        height, width = self.cells.shape
        if not width:
            return [[] for _ in range(height)]
        hues = np.where(self.cells == " ", np.int16(-2), self.colours)
        at = np.maximum.accumulate(np.where(hues != -2, np.arange(width), 0), axis=1)
        hues = np.take_along_axis(hues, at, axis=1)
        np.copyto(hues, np.int16(PLAIN), where=hues == -2)
        rows = np.ascontiguousarray(self.cells).view(f"<U{width}")[:, 0].tolist()
        changed = hues[:, 1:] != hues[:, :-1]
        result = []
        for text, row, cuts in zip(rows, hues, changed, strict=True):
            edges = [0, *(np.flatnonzero(cuts) + 1).tolist(), width]
            text = text.ljust(width)
            result.append([(text[a:b], int(row[a])) for a, b in pairwise(edges)])
        return result

    def lines(self, colour: bool = True) -> list[str]:
        """Every row as text, with escapes for 256 colours if wanted."""
        if not colour:
            return ["".join(text for text, _ in row) for row in self.runs()]
        result = []
        for row in self.runs():
            parts = [text if hue < 0 else f"\x1b[38;5;{hue}m{text}\x1b[39m" for text, hue in row]
            result.append("".join(parts))
        return result


def blank(width: int, height: int, text: str = "") -> Picture:
    """An empty picture with a text in the middle."""
    cells = np.full((height, width), " ", dtype="<U1")
    if height and text:
        write(cells, height // 2, 0, text[:width].center(width))
    return Picture(cells, np.full((height, width), PLAIN, dtype=np.int16))


def write(cells: NDArray[np.str_], row: int, column: int, text: str) -> None:
    """Put a text into a row of cells; what does not fit is cut off."""
    room = cells.shape[1] - column
    if text and room > 0:
        cells[row, column : column + len(text)] = list(text[:room])


def beside(pictures: Sequence[Picture]) -> Picture:
    """Pictures of equal height from left to right."""
    return Picture(np.hstack([p.cells for p in pictures]), np.hstack([p.colours for p in pictures]))


def below(pictures: Sequence[Picture]) -> Picture:
    """Pictures of equal width from top to bottom."""
    return Picture(np.vstack([p.cells for p in pictures]), np.vstack([p.colours for p in pictures]))


def limits(values: Sequence[Floats], room: float = 1e-9) -> tuple[float, float] | None:
    """Smallest and largest finite value, `room` (or what floats can tell apart) more if equal; None without any."""
    ends = []
    for v in values:
        if len(v):
            least, most = float(v.min()), float(v.max())  # NaN if any is
            if not (math.isfinite(least) and math.isfinite(most)):
                v = v[np.isfinite(v)]
                least, most = (float(v.min()), float(v.max())) if len(v) else (math.nan, math.nan)
            ends.append((least, most))
    ends = [pair for pair in ends if not math.isnan(pair[0])]
    if not ends:
        return None
    low, high = min(least for least, _ in ends), max(most for _, most in ends)
    if not high - low > 1e-13 * max(abs(low), abs(high)):  # a constant still wants an axis around it
        room = max(abs(low) * (1e-9 if room > 1e-9 else 0.01), room)
        return low - room, high + room
    return low, high


def chart(
    curves: Sequence[Curve],
    title: str,
    width: int,
    height: int,
    across: str = "",
    charset: Charset = BRAILLE,
    y_range: tuple[float, float] | None = None,
    x_range: tuple[float, float] | None = None,
) -> Picture:
    """Curves with title, axes, 1-2-5 ticks and the name of the x axis, exactly width x height cells.

    Without any finite point the picture says so. Where curves share a cell their pixels are merged and the
    last curve gives the colour.
    """
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return blank(width, height, title)
    lines = [ordered(curve.x, curve.y) for curve in curves]
    bands = []
    for curve in curves:
        if curve.low is not None and curve.high is not None:
            bands.append((ordered(curve.x, curve.low), ordered(curve.x, curve.high), curve.shade))
    heights = [y for _, y in lines]
    x_range = x_range or limits([x[np.isfinite(y)] for x, y in lines], 0.5)
    y_range = y_range or limits(heights + [y for lo, hi, _ in bands for _, y in (lo, hi)])
    if x_range is None or y_range is None or not any(np.isfinite(y).any() for y in heights):
        picture = blank(width, height, "waiting for the first point" if width > 28 else "waiting")
        write(picture.cells, 0, 1, title[: width - 2])
        return picture
    picture = blank(width, height)
    cells, colours = picture.cells, picture.colours
    rows = height - 3
    upward = _places(y_range, max(rows // 3, 2), rows + 1) or list(y_range)
    names = labels(upward)
    margin = min(max(map(len, names)), width // 3)
    columns = width - margin - 2  # the last column keeps neighbouring charts apart
    _axes(cells, x_range, y_range, upward, names, margin, across, charset)
    _heading(cells, colours, title, [c for c in curves if c.label], charset.axes[3])

    tall, wide = charset.weights.shape
    area = cells[1 : 1 + rows, margin + 1 : -1]
    hues = colours[1 : 1 + rows, margin + 1 : -1]
    size = columns * wide
    pattern = np.zeros((rows, columns), dtype=np.int64)
    dither = (np.arange(rows * tall)[:, None] + 2 * np.arange(size)) % 4 == 0
    for (x, low), (_, high), shade in bands:
        floor, _ = spans(x, low, *x_range, size)
        _, ceiling = spans(x, high, *x_range, size)
        found = bits(pixels(floor, ceiling, *y_range, rows * tall) & dither, charset.weights)
        pattern |= found
        hues[found > 0] = shade
    seen = []
    for curve, (x, y) in zip(curves, lines, strict=True):
        low, high = spans(x, y, *x_range, size)
        seen.append((np.fmin.reduce(low.reshape(-1, wide), axis=1), np.fmax.reduce(high.reshape(-1, wide), axis=1)))
        found = bits(pixels(low, high, *y_range, rows * tall), charset.weights)
        pattern |= found
        hues[found > 0] = curve.colour
    area[:] = charset.table[pattern]
    for curve, (x, y), extent in zip(curves, lines, seen, strict=True):
        _marks(Picture(area, hues), curve, x, y, extent, x_range, y_range, charset)
    return picture


def _places(limits: tuple[float, float], fewest: int, most: int) -> list[float]:
    """Ticks within an axis, about `fewest` of them; more finely spaced as long as there is only one."""
    found: list[float] = []
    for count in range(fewest, max(most, fewest) + 1):
        found = [p for p in ticks(*limits, count) if limits[0] <= p <= limits[1]]
        if len(found) > 1:
            break
    return found


def _axes(
    cells: NDArray[np.str_],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    upward: Sequence[float],
    names: Sequence[str],
    margin: int,
    across: str,
    charset: Charset,
) -> None:
    """Both axes with ticks; labels that would run into each other are left out."""
    bar, bar_tick, corner, line, line_tick = charset.axes
    rows, columns = cells.shape[0] - 3, cells.shape[1] - margin - 2
    cells[1 : 1 + rows, margin] = bar
    for place, name in zip(upward, names, strict=True):
        level = min(int((place - y_range[0]) / (y_range[1] - y_range[0]) * rows), rows - 1)
        write(cells, rows - level, 0, name[:margin].rjust(margin))
        cells[rows - level, margin] = bar_tick
    cells[rows + 1, margin] = corner
    cells[rows + 1, margin + 1 : -1] = line
    places = _places(x_range, max(columns // 12, 2), columns // 6)
    free = 0
    for place, name in zip(places, labels(places), strict=True):
        column = margin + 1 + min(int((place - x_range[0]) / (x_range[1] - x_range[0]) * columns), columns - 1)
        cells[rows + 1, column] = line_tick
        start = min(max(column - len(name) // 2, 0), cells.shape[1] - len(name))
        if start >= free:
            write(cells, rows + 2, start, name)
            free = start + len(name) + 1
    if across and len(across) + 4 <= columns:
        write(cells, rows + 1, cells.shape[1] - len(across) - 2, f" {across} ")


def _heading(
    cells: NDArray[np.str_], colours: NDArray[np.int16], title: str, named: Sequence[Curve], line: str
) -> None:
    """Title and legend, above the curves."""
    width = cells.shape[1]
    room = width - sum(len(curve.label) + 4 for curve in named)
    write(cells, 0, 1, title[: max(room, width // 2) - 1])
    column = 1 + len(title[: max(room, width // 2) - 1])
    for curve in named:
        text = f"  {curve.mark or line} {curve.label}"
        colours[0, column : column + len(text)] = curve.colour
        write(cells, 0, column, text)
        column += len(text)


def _marks(
    inner: Picture,
    curve: Curve,
    x: Floats,
    y: Floats,
    extent: tuple[Floats, Floats],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    charset: Charset,
) -> None:
    """Off-scale marks at the rim, a dot for a lone point, and the curve's own mark along it.

    `inner` is the picture within the axes, `extent` the smallest and the largest value in each column of cells.
    """
    area, hues = inner.cells, inner.colours
    rows, columns = area.shape
    low, high = extent
    with np.errstate(invalid="ignore"):
        beyond_up, beyond_down = low > y_range[1], high < y_range[0]
    above, under = off_scale(x, y, *x_range, columns) if np.isinf(y).any() else (False, False)
    for row, where, sign in ((0, above | beyond_up, charset.up), (rows - 1, under | beyond_down, charset.down)):
        area[row, where] = sign
        hues[row, where] = curve.colour
    places = np.flatnonzero(np.isfinite(low) & ~beyond_up & ~beyond_down)
    sign = curve.mark
    if np.count_nonzero(np.isfinite(y)) == 1:
        sign = sign or charset.dot
    elif sign:
        places = places[6::12] if len(places) > 6 else places[-1:]
    if not sign:
        return
    level = ((low[places] + high[places]) / 2 - y_range[0]) / (y_range[1] - y_range[0]) * rows
    row = rows - 1 - np.clip(level.astype(np.int64), 0, rows - 1)
    area[row, places] = sign[0]
    hues[row, places] = curve.colour
