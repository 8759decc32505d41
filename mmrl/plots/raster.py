"""Curves as characters: a chart with axes, whose cells are braille (2 x 4 pixels), blocks (2 x 2) or ASCII (1 x 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from mmrl.plots.axes import MIN_HEIGHT, MIN_WIDTH, Axis, draw_axes, draw_heading, fitted, upward_axis
from mmrl.plots.picture import BRAILLE, PLAIN, Charset, Picture, blank, write
from mmrl.plots.pixels import Floats, bits, off_scale, ordered, pixels, spans


@dataclass(frozen=True)
class Curve:
    """y(x) [points], an optional band low..high [points], colours of both (0..255), a name, a mark on the line.

    `sparse`: dots instead of a line, for what stands behind another curve. `points`: only the mark at each point, in
    the nearest cell that no other curve uses.
    """

    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    colour: int = PLAIN
    shade: int = PLAIN
    label: str = ""
    mark: str = ""
    sparse: bool = False
    points: bool = False


def limits(values: Sequence[Floats], room: float | None = None) -> tuple[float, float] | None:
    """Smallest and largest finite value; None without any.

    Where they are equal there are `room` (or what floats can tell apart) more, without it 1 % of the value, 1 around 0.
    """
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
    if not high - low > max(1e-13 * max(abs(low), abs(high)), 1e-290):  # a constant still wants an axis around it
        size = max(abs(low), abs(high))
        room = (0.01 * size if size > 1e-280 else 1.0) if room is None else max(1e-9 * size, room)
        return low - room, high + room
    return low, high


def signed(values: Sequence[ArrayLike]) -> bool:
    """Whether any finite value is below zero, or none above it: a logarithmic axis cannot show these."""
    found = [v[np.isfinite(v)] for v in (np.asarray(value, dtype=np.float64) for value in values)]
    return any((v < 0).any() for v in found) or not any((v > 0).any() for v in found)


def chart(
    curves: Sequence[Curve],
    title: str,
    width: int,
    height: int,
    across: Axis = Axis(),
    charset: Charset = BRAILLE,
    upward: Axis = Axis(),
) -> Picture:
    """Curves with title, legend, axes with even ticks and the name of the x axis, exactly width x height cells.

    Without any finite point the picture says so. Where curves share a cell their pixels are merged and the
    last curve gives the colour. A logarithmic axis is refused where a curve is `signed`: it is linear then.
    """
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return blank(width, height, title)
    if upward.log:
        upward = replace(upward, log=not signed([curve.y for curve in curves]))
    if upward.log:
        curves = [_logarithmic(curve) for curve in curves]
    lines = [ordered(curve.x, curve.y) for curve in curves]
    bands = []
    for curve in curves:
        if curve.low is not None and curve.high is not None:
            bands.append((ordered(curve.x, curve.low), ordered(curve.x, curve.high), curve.shade))
    heights = [y for _, y in lines]
    x_range = across.limits or limits([x[np.isfinite(y)] for x, y in lines], 0.5)
    y_range = upward.limits or limits(heights + [y for lo, hi, _ in bands for _, y in (lo, hi)])
    if x_range is None or y_range is None or not any(np.isfinite(y).any() for y in heights):
        picture = blank(width, height, "waiting for the first point" if width > 28 else "waiting")
        write(picture.cells, 0, 1, fitted(title, width - 2))
        return picture
    picture = blank(width, height)
    named = [(c.mark or charset.axes[3], c.label, c.colour) for c in curves if c.label]
    top = draw_heading(picture, fitted(title, width - 2), named)
    cells, colours = picture.cells[top - 1 :], picture.colours[top - 1 :]
    rows = cells.shape[0] - 3
    y_range, upward_at, names = upward_axis(y_range, rows, upward.log)
    margin = min(max(map(len, names)), width // 3)
    columns = width - margin - 2  # the last column keeps neighbouring charts apart
    draw_axes(cells, (y_range, upward_at, names), margin, x_range, across, charset)

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
        if curve.points:
            continue
        lit = pixels(low, high, *y_range, rows * tall)
        found = bits(lit & dither if curve.sparse else lit, charset.weights)
        pattern |= found
        hues[found > 0] = curve.colour
    area[:] = charset.table[pattern]
    inner = Picture(area, hues)
    for curve, (x, y), extent in zip(curves, lines, seen, strict=True):
        if not curve.points:
            _marks(inner, curve, (x, y), extent, x_range, y_range, charset)
    drawn = [line for curve, line in zip(curves, lines, strict=True) if not curve.points and len(line[0])]
    for curve, line in zip(curves, lines, strict=True):
        if curve.points:
            _points(inner, replace(curve, mark=curve.mark or charset.dot), line, drawn, x_range, y_range)
    return picture


def _logarithmic(curve: Curve) -> Curve:
    """The logarithms of a curve; a band that reaches zero ends at the smallest value of the curve."""
    y = np.asarray(curve.y, dtype=np.float64)
    least = y[np.isfinite(y) & (y > 0)].min()
    with np.errstate(all="ignore"):
        logarithms = np.where(y > 0, np.log10(y), np.nan)
        edges = [
            None if edge is None else np.log10(np.fmax(np.asarray(edge, dtype=np.float64), least / 2))
            for edge in (curve.low, curve.high)
        ]
    return replace(curve, y=logarithms, low=edges[0], high=edges[1])


def _points(
    inner: Picture,
    curve: Curve,
    line: tuple[Floats, Floats],
    drawn: Sequence[tuple[Floats, Floats]],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> None:
    """Marks at the points of a curve, at least four columns apart, of which those go first whose cell is free.

    Where one of the lines that are `drawn` uses the cell, the mark stands beside it, above if the point is above the
    nearest of them.
    """
    area, hues = inner.cells, inner.colours
    rows, columns = area.shape
    x, y = line
    shown = (x >= x_range[0]) & (x <= x_range[1]) & (y >= y_range[0]) & (y <= y_range[1])
    x, y = x[shown], y[shown]
    at = np.minimum((x - x_range[0]) / (x_range[1] - x_range[0]) * columns, columns - 1).astype(np.int64)
    level = rows - 1 - np.minimum((y - y_range[0]) / (y_range[1] - y_range[0]) * rows, rows - 1).astype(np.int64)
    taken = area[level, at] != " "
    used = np.zeros(columns + 3, dtype=np.bool_)
    for k in np.argsort(taken, kind="stable"):
        column, home = int(at[k]), int(level[k])
        if used[max(column - 3, 0) : column + 4].any():
            continue
        there = [value for a, b in drawn if math.isfinite(value := float(np.interp(x[k], a, b)))]
        nearest = min(there, key=lambda v: abs(v - y[k]), default=y[k])
        away = -1 if y[k] >= nearest else 1
        for row in (home, home + away, home + 2 * away):
            if 0 <= row < rows and area[row, column] == " ":
                area[row, column], hues[row, column] = curve.mark[0], curve.colour
                used[column] = True
                break


def _marks(
    inner: Picture,
    curve: Curve,
    line: tuple[Floats, Floats],
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
    (x, y), (low, high) = line, extent
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
