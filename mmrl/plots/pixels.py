"""Curves as pixels, with numpy alone: for each pixel column the smallest and largest value of a polyline.

A curve is a polyline through its points in the order of x. NaN breaks it; an infinity breaks it and counts as off
the scale.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
HUGE = 1e300  # beyond this the width of an axis overflows, so it counts as infinite


def ordered(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    """Points with a finite x, sorted by x; values beyond 1e300 become infinite."""
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    good = np.abs(xs) < HUGE
    if not good.all():
        xs, ys = xs[good], ys[good]
    if (xs[1:] < xs[:-1]).any():
        order = np.argsort(xs, kind="stable")
        xs, ys = xs[order], ys[order]
    size = np.abs(ys)
    large = size >= HUGE  # false for NaN
    if large.any():
        ys = np.where(large, np.copysign(np.inf, ys), ys)
    return xs, ys


def spans(x: Floats, y: Floats, left: float, right: float, width: int) -> tuple[Floats, Floats]:
    """Smallest and largest value of a polyline in each of `width` columns of left..right; NaN where it is not.

    x must be sorted and finite. The polyline is cut at the edges of the columns; a point on an edge belongs
    to the column on its right, at `right` to the last one. A segment that ends in NaN or infinity is not drawn.
    """
    low, high = np.full(width, np.nan), np.full(width, np.nan)
    count = len(x)
    if not count:
        return low, high
    finite = np.isfinite(y)
    if not finite.all():
        y = np.where(finite, y, np.nan)
    edges = left + (right - left) * (np.arange(width + 1) / width)
    first = np.searchsorted(x, edges, side="left")  # of the points on or after an edge
    past = np.searchsorted(x, edges, side="right")
    begin, end = first[:-1].copy(), first[1:].copy()
    end[-1] = past[-1]
    full = np.flatnonzero(end > begin)
    if len(full):
        inside = y[: end[-1]]
        low[full] = np.fmin.reduceat(inside, begin[full])
        high[full] = np.fmax.reduceat(inside, begin[full])
    if count > 1:
        for after, where, columns in (
            (past[:-1], edges[:-1], slice(0, width)),
            (first[1:], edges[1:], slice(0, width)),
        ):
            # the segment after-1 .. after crosses the edge
            crosses = (after > 0) & (after < count)
            b = np.clip(after, 1, count - 1)
            a = b - 1
            with np.errstate(all="ignore"):
                value = y[a] + (y[b] - y[a]) * ((where - x[a]) / (x[b] - x[a]))
            value = np.where(crosses, value, np.nan)
            low[columns] = np.fmin(low[columns], value)
            high[columns] = np.fmax(high[columns], value)
    return low, high


def off_scale(
    x: Floats, y: Floats, left: float, right: float, width: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """In which columns a point is +infinity, and in which one is -infinity."""
    edges = left + (right - left) * (np.arange(width + 1) / width)
    marks = []
    for sign in (np.inf, -np.inf):
        at = x[(y == sign) & (x >= left) & (x <= right)]
        column = np.minimum(np.searchsorted(edges, at, side="right") - 1, width - 1)
        marks.append(np.bincount(column, minlength=width).astype(np.bool_))
    return marks[0], marks[1]


def pixels(low: Floats, high: Floats, bottom: float, top: float, height: int) -> NDArray[np.bool_]:
    """Which pixels [height, columns], the first row on top, lie within low..high of their column."""
    scale = height / (top - bottom)
    with np.errstate(invalid="ignore"):
        drawn = (high >= bottom) & (low <= top)
        lowest = np.clip(np.floor((np.where(drawn, low, bottom) - bottom) * scale), 0, height - 1)
        highest = np.clip(np.floor((np.where(drawn, high, bottom) - bottom) * scale), 0, height - 1)
    level = np.arange(height - 1, -1, -1)[:, None]
    return (level >= lowest) & (level <= highest) & drawn


def bits(mask: NDArray[np.bool_], weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels [rows x cell height, columns x cell width] -> the number of each cell's pattern [rows, columns]."""
    tall, wide = weights.shape
    rows, columns = mask.shape[0] // tall, mask.shape[1] // wide
    parts = mask.reshape(rows, tall, columns, wide)
    found = np.zeros((rows, columns), dtype=np.int64)
    for r in range(tall):
        for c in range(wide):
            found += parts[:, r, :, c] * weights[r, c]
    return found
