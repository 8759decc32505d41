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
    """Points with a finite x [points], sorted by x, and y [..., points]; values beyond 1e300 become infinite."""
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    good = np.abs(xs) < HUGE
    if not good.all():
        xs, ys = xs[good], ys[..., good]
    if (xs[1:] < xs[:-1]).any():
        order = np.argsort(xs, kind="stable")
        xs, ys = xs[order], ys[..., order]
    size = np.abs(ys)
    large = size >= HUGE  # false for NaN
    if large.any():
        ys = np.where(large, np.copysign(np.inf, ys), ys)
    return xs, ys


def spans(x: Floats, y: Floats, left: float, right: float, width: int) -> tuple[Floats, Floats]:
    """Smallest and largest value of a polyline, or of several y [..., points] at the same x [points], in each of
    `width` columns of left..right [..., columns]; NaN where it is not.

    x must be sorted and finite. The polyline is cut at the edges of the columns; a point on an edge belongs
    to the column on its right, at `right` to the last one. A segment that ends in NaN or infinity is not drawn.
    """
    low = np.full((*y.shape[:-1], width), np.nan)
    high, count = low.copy(), len(x)
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
        inside = y[..., : end[-1]]
        low[..., full] = np.fmin.reduceat(inside, begin[full], axis=-1)
        high[..., full] = np.fmax.reduceat(inside, begin[full], axis=-1)
    if count > 1:
        for after, where in ((past[:-1], edges[:-1]), (first[1:], edges[1:])):
            # the segment after-1 .. after crosses the edge
            crosses = (after > 0) & (after < count)
            b = np.minimum(np.maximum(after, 1), count - 1)
            a = b - 1
            with np.errstate(all="ignore"):
                begun = y[..., a]
                value = begun + (y[..., b] - begun) * ((where - x[a]) / (x[b] - x[a]))
            value[..., ~crosses] = np.nan
            np.fmin(low, value, out=low)
            np.fmax(high, value, out=high)
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
    """The pixels [..., height, columns], first row on top, that lie within low..high of their column [..., columns]."""
    scale = height / (top - bottom)
    with np.errstate(invalid="ignore"):
        drawn = (high >= bottom) & (low <= top)
        lowest, highest = (np.floor((np.where(drawn, end, bottom) - bottom) * scale) for end in (low, high))
    lowest, highest = np.minimum(lowest, height - 1), np.maximum(highest, 0)
    level = np.arange(height - 1.0, -1.0, -1.0)[:, None]
    lit = level >= np.where(drawn, lowest, np.inf)[..., None, :]
    lit &= level <= highest[..., None, :]
    return lit


def bits(mask: NDArray[np.bool_], weights: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels [..., rows x cell height, columns x cell width] -> the number of each cell's pattern [..., rows, columns],
    whose weights are different powers of two up to 128."""
    *rest, height, width = mask.shape
    tall, wide = weights.shape
    parts = mask.view(np.uint8).reshape(*rest, height // tall, tall, width // wide, wide)
    found = np.zeros((*rest, height // tall, width // wide), dtype=np.uint8)
    for r in range(tall):
        for c in range(wide):
            found |= parts[..., r, :, c] * weights[r, c]
    return found
