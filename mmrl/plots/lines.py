"""Lines and their colours, and panels of lines drawn by plotext as text of exactly width x height cells.

plotext, which only this module knows, paints a white canvas, escapes even into pipes, fails on infinities and slows
down with every point; here the canvas is clear, colour is the caller's choice, only finite runs are drawn, and each
pixel column gets at most its two extremes. plotext keeps one global figure, hence the lock.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mmrl.plots import raster
from mmrl.plots.numbers import labels, ticks
from mmrl.plots.pixels import HUGE, Floats
from mmrl.plots.raster import MIN_HEIGHT, MIN_WIDTH, Charset

# Okabe-Ito hues in the 256-colour cube, readable on dark and on light; the band is grey.
BLUE, ORANGE, GREEN, PURPLE, GREY = 32, 214, 36, 175, 244
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)

_lock = threading.Lock()


@dataclass(frozen=True)
class Line:
    """One curve y(x) [points], with an optional band low..high [points] around it."""

    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    colour: int = BLUE


def decimate(x: Floats, y: Floats, columns: int) -> tuple[Floats, Floats]:
    """At most two points (smallest and largest y, in order of x) for each of `columns` bins of sorted x."""
    if len(x) <= 2 * columns:
        return x, y
    span = x[-1] - x[0]
    bins = np.minimum(((x - x[0]) / (span or 1.0) * columns).astype(np.int64), columns - 1)
    order = np.lexsort((y, bins))
    edges = np.flatnonzero(np.diff(bins[order]))
    keep = np.unique(np.concatenate([order[np.r_[0, edges + 1]], order[np.r_[edges, len(order) - 1]]]))
    return x[keep], y[keep]


def finite_runs(x: ArrayLike, y: ArrayLike) -> list[tuple[Floats, Floats]]:
    """The stretches of a curve without NaN or infinity, so that a gap is drawn as a gap."""
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    good = (np.abs(xs) < HUGE) & (np.abs(ys) < HUGE)
    cuts = np.flatnonzero(np.diff(good.astype(np.int8))) + 1
    pieces = zip(np.split(xs, cuts), np.split(ys, cuts), np.split(good, cuts), strict=True)
    return [(px, py) for px, py, ok in pieces if len(ok) and ok[0]]


def blank(text: str, width: int, height: int) -> str:
    """A block of width x height cells with a text in the middle."""
    rows = [" " * width] * height
    if height > 0:
        rows[height // 2] = text[:width].center(width)
    return "\n".join(rows)


def chart(
    lines: Sequence[Line],
    title: str,
    width: int,
    height: int,
    colour: bool = True,
    across: str = "",
    characters: Charset = raster.BRAILLE,
) -> str:
    """One chart of exactly width x height cells; without any finite point it says so."""
    if characters is not raster.BRAILLE:  # plotext draws with braille and boxes only
        curves = [raster.Curve(line.x, line.y, line.low, line.high, line.colour, GREY) for line in lines]
        return "\n".join(raster.chart(curves, title, width, height, across, characters).lines(colour))
    runs: list[tuple[Floats, Floats, int, bool]] = []
    for line in lines:
        for bound in (line.low, line.high):
            if bound is not None:
                runs += [(x, y, GREY, True) for x, y in finite_runs(line.x, bound)]
    for line in lines:
        runs += [(x, y, line.colour, False) for x, y in finite_runs(line.x, line.y)]
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return blank(title, width, height)
    if not any(not band for *_, band in runs):
        return blank(f"{title}: waiting for the first point", width, height)
    return _draw(runs, title[: width - 2], width, height, colour, across)


def _draw(
    runs: list[tuple[Floats, Floats, int, bool]], title: str, width: int, height: int, colour: bool, across: str
) -> str:
    import plotext  # 0.1 s that `mmrl --help` need not pay

    left, right = min(r[0].min() for r in runs), max(r[0].max() for r in runs)
    low, high = min(r[1].min() for r in runs), max(r[1].max() for r in runs)
    if not high > low:  # a constant still wants an axis around it
        low, high = low - max(abs(low) * 0.01, 1e-9), high + max(abs(high) * 0.01, 1e-9)
    if not right > left:
        left, right = left - 0.5, right + 0.5
    with _lock:
        plotext.clear_figure()
        plotext.theme("clear")
        plotext.limit_size(False, False)
        plotext.plot_size(width, height)
        plotext.title(title)
        if across and height >= 9:
            plotext.xlabel(across)
        plotext.xlim(left, right)
        plotext.ylim(low, high)
        across_at = [p for p in ticks(left, right, max(width // 12, 2)) if left <= p <= right]
        upward = [p for p in ticks(low, high, max((height - 2) // 3, 3)) if low <= p <= high] or [low, high]
        plotext.xticks(across_at, labels(across_at))
        plotext.yticks(upward, labels(upward))
        for x, y, hue, band in runs:
            # one colour cannot tell a band from its line: without colour its edges are sparse dots
            sparse = band and not colour
            px, py = decimate(x, y, width // 2 if sparse else width)
            draw = plotext.scatter if sparse or len(px) == 1 else plotext.plot
            draw(px.tolist(), py.tolist(), marker="·" if sparse else "braille", color=hue)
        text: str = plotext.build()
        if not colour:
            text = plotext.uncolorize(text)
    rows = text.rstrip("\n").split("\n")
    return "\n".join((rows + [" " * width] * height)[:height])


def grid(count: int, width: int, height: int) -> tuple[int, int]:
    """(columns, rows) for a number of panels: side by side where it is wide, stacked where it is not."""
    if count <= 3 and width >= 36 * count:
        return count, 1
    first = 2 if count > 3 and width >= 72 else 1
    for columns in range(first, count + 1):
        rows = -(-count // columns)
        if rows * MIN_HEIGHT <= height or (columns + 1) * 30 > width:
            return columns, rows
    return 1, count


def layout(count: int, width: int, height: int) -> list[list[tuple[int, int, int]]]:
    """Rows of (number, width, height) of panels that fill a grid of exactly width x height cells."""
    columns, rows = grid(count, width, height)
    found = []
    for row in range(rows):
        tall = height // rows + (row < height % rows)
        numbers = range(row * columns, min((row + 1) * columns, count))
        across = len(numbers)
        if tall:
            found.append([(k, width // across + (at < width % across), tall) for at, k in enumerate(numbers)])
    return found


def panels(
    drawn: Sequence[tuple[str, Sequence[Line]]],
    width: int,
    height: int,
    colour: bool,
    across: str = "",
    characters: Charset = raster.BRAILLE,
) -> str:
    """Titled charts on a grid of exactly width x height cells."""
    if not drawn or width < 1 or height < 1:
        return blank("nothing to draw", max(width, 0), max(height, 0))
    blocks: list[str] = []
    for row in layout(len(drawn), width, height):
        parts = []
        for number, wide, tall in row:
            title, lines = drawn[number]
            parts.append(chart(lines, title, wide, tall, colour, across, characters).split("\n"))
        blocks += ["".join(pieces) for pieces in zip(*parts, strict=True)]
    return "\n".join(blocks)
