"""Curves as characters: a chart with axes, whose cells are braille (2 x 4 pixels), blocks (2 x 2) or ASCII (1 x 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

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
    given, rows_of = _gathered(curves)
    lines = [(given[at][0], given[at][1][row]) for at, row in rows_of]
    known = [np.isfinite(y) for _, y in lines]
    x_range = across.limits or limits([x[good] for (x, _), good in zip(lines, known, strict=True)], 0.5)
    y_range = upward.limits or limits([ys.ravel() for _, ys in given])
    if x_range is None or y_range is None or not any(good.any() for good in known):
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

    wide = charset.weights.shape[1]
    area = cells[1 : 1 + rows, margin + 1 : -1]
    hues = colours[1 : 1 + rows, margin + 1 : -1]
    cut = [spans(x, ys, *x_range, columns * wide) for x, ys in given]
    extents = [(cut[at][0][row:], cut[at][1][row:]) for at, row in rows_of]
    seen = list(zip(curves, extents, strict=True))
    layers = [(low[1], high[2], True, curve.shade) for curve, (low, high) in seen if _has_band(curve)]
    layers += [(low[0], high[0], curve.sparse, curve.colour) for curve, (low, high) in seen if not curve.points]
    inner = Picture(area, hues)
    _paint(inner, layers, y_range, charset)
    for line, (curve, (low, high)) in zip(lines, seen, strict=True):
        if not curve.points:
            least, most = low[0].reshape(-1, wide), high[0].reshape(-1, wide)
            extent = np.fmin.reduce(least, axis=1), np.fmax.reduce(most, axis=1)
            _marks(inner, curve, line, extent, x_range, y_range, charset)
    joined = [line for curve, line in zip(curves, lines, strict=True) if not curve.points and len(line[0])]
    for curve, line in zip(curves, lines, strict=True):
        if curve.points:
            _points(inner, replace(curve, mark=curve.mark or charset.dot), line, joined, x_range, y_range)
    return picture


def _has_band(curve: Curve) -> bool:
    return curve.low is not None and curve.high is not None


def _gathered(curves: Sequence[Curve]) -> tuple[list[tuple[Floats, Floats]], list[tuple[int, int]]]:
    """Ordered points x [points] and y [rows, points] of neighbouring curves over the same x; and of each curve which of
    these it is in, and its row there, after which come those of the lower and the upper end of its band, if any."""
    given: list[tuple[Floats, Floats]] = []
    rows_of: list[tuple[int, int]] = []
    for _, alike in groupby(curves, key=lambda curve: id(curve.x)):
        group, rows = list(alike), list[ArrayLike]()
        for curve in group:
            rows_of.append((len(given), len(rows)))
            rows += [curve.y, curve.low, curve.high] if _has_band(curve) else [curve.y]  # type: ignore[list-item]
        given.append(ordered(group[0].x, np.array(rows, np.float64)))
    return given, rows_of


def _paint(
    inner: Picture, layers: Sequence[tuple[Floats, Floats, bool, int]], y_range: tuple[float, float], charset: Charset
) -> None:
    """Light the pixels between the lowest and the highest value in each of their columns, of every fourth in turn where
    the layer is sparse, in the colour of the layer; the last one gives that of a cell."""
    if not layers:
        return
    tall, wide = charset.weights.shape
    rows, columns = inner.cells.shape
    low, high, sparse, colours = zip(*layers, strict=True)
    lit = pixels(np.array(low), np.array(high), *y_range, rows * tall)
    lit[np.array(sparse)] &= (np.arange(rows * tall)[:, None] + 2 * np.arange(columns * wide)) % 4 == 0
    patterns = bits(lit, charset.weights)
    for pattern, colour in zip(patterns, colours, strict=True):
        inner.colours[pattern > 0] = colour
    inner.cells[:] = charset.table[np.bitwise_or.reduce(patterns, axis=0)]


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
