"""Parallel values: an upright axis for each setting and each metric, and a line across them for each trial of a sweep.

Inselberg, The plane with parallel coordinates, The Visual Computer 1 (1985).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmrl.plots.picture import BRAILLE, PLAIN, Charset, Picture, blank, write
from mmrl.plots.pixels import Floats, bits, pixels, spans
from mmrl.plots.text import shortened

LEAST = 24, 8
"""Columns and rows that a picture needs."""


@dataclass(frozen=True)
class Upright:
    """An axis: its name, the place of each trial on it from 0 at the bottom to 1 (NaN: unknown), labels at places."""

    name: str
    at: Floats
    labels: Sequence[tuple[float, str]]


def ranged(name: str, values: Floats, low: float, high: float, labels: tuple[str, str], log: bool = False) -> Upright:
    """An axis of numbers from `low` at the bottom, which may be the larger one, to `high`."""
    if log:
        with np.errstate(all="ignore"):
            values, low, high = np.log(np.where(values > 0, values, np.nan)), math.log(low), math.log(high)
    at = (values - low) / (high - low) if high != low else np.where(np.isnan(values), np.nan, 0.5)
    return Upright(name, np.clip(at, 0.0, 1.0), ((0.0, labels[0]), (1.0, labels[1])))


def chosen_from(name: str, values: Sequence[str], choices: Sequence[str]) -> Upright:
    """An axis of choices at equal distances, the first one at the bottom."""
    places = {choice: k / max(len(choices) - 1, 1) for k, choice in enumerate(choices)}
    at = np.array([places.get(value, math.nan) for value in values])
    return Upright(name, at, [(place, choice) for choice, place in places.items()])


def columns_of(count: int, width: int) -> list[int]:
    """The columns of `count` axes in a picture of `width`."""
    margin = min(6, width // (2 * count))
    return [margin + round(k * (width - 1 - 2 * margin) / (count - 1)) for k in range(count)]


def parallel(
    axes: Sequence[Upright],
    hues: Sequence[int],
    marked: int,
    width: int,
    height: int,
    charset: Charset = BRAILLE,
) -> Picture:
    """Two axes or more and a line for each trial in the colour of `hues`, the first one on top.

    The line of trial `marked` is above all others, with a dot on every axis.
    """
    if width < LEAST[0] or height < LEAST[1]:
        return blank(width, height, "too small for parallel values"[:width])
    picture = blank(width, height)
    columns, rows = columns_of(len(axes), width), height - 3
    tall, wide = charset.weights.shape
    first, last = columns[0], columns[-1]
    area, colours = picture.cells[2 : 2 + rows, first : last + 1], picture.colours[2 : 2 + rows, first : last + 1]
    places = np.array([(c - first + 0.5) * wide for c in columns])
    size = area.shape[1] * wide
    pattern = np.zeros(area.shape, dtype=np.uint8)
    order = [k for k in range(len(hues) - 1, -1, -1) if k != marked] + ([marked] if 0 <= marked < len(hues) else [])
    for k in order:
        heights = np.array([axis.at[k] for axis in axes])
        low, high = spans(places, heights, 0.0, float(size), size)
        found = bits(pixels(low, high, 0.0, 1.0 + 1e-9, rows * tall), charset.weights)
        pattern |= found
        colours[found > 0] = hues[k]
    area[:] = charset.table[pattern]
    for column, axis in zip(columns, axes, strict=True):
        _upright(picture, column, axis, rows, charset)
        if 0 <= marked < len(hues) and np.isfinite(axis.at[marked]):
            row = 2 + _row(float(axis.at[marked]), rows)
            picture.cells[row, column], picture.colours[row, column] = charset.dot, hues[marked]
    room = max((columns[1] - columns[0]) - 1, 4)
    for column, axis in zip(columns, axes, strict=True):
        _centred(picture, 0, column, shortened(axis.name, room))
        for place, row in ((1.0, 1), (0.0, height - 1)):
            for at, label in axis.labels:
                if at == place:
                    _centred(picture, row, column, shortened(label, room))
    return picture


def _row(at: float, rows: int) -> int:
    return rows - 1 - min(int(at * rows), rows - 1)


def _upright(picture: Picture, column: int, axis: Upright, rows: int, charset: Charset) -> None:
    """The axis where no line is, and the labels between its ends beside it."""
    line = picture.cells[2 : 2 + rows, column]
    line[line == " "] = charset.axes[0]
    for at, label in axis.labels:
        if 0.0 < at < 1.0:
            row = 2 + _row(at, rows)
            text = label[: max(picture.cells.shape[1] - column - 2, 0)]
            write(picture.cells, row, column + 1, text)
            picture.colours[row, column + 1 : column + 1 + len(text)] = PLAIN


def _centred(picture: Picture, row: int, column: int, text: str) -> None:
    width = picture.cells.shape[1]
    write(picture.cells, row, min(max(column - len(text) // 2, 0), max(width - len(text), 0)), text)
