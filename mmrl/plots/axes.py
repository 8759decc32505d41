"""The frame of a chart: title and legend, axes with ticks at equal distances, labels in one notation."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mmrl.plots.numbers import even_ticks, fitting_ticks, labels, log_ticks
from mmrl.plots.picture import Charset, Picture, write
from mmrl.plots.text import shortened

MIN_WIDTH, MIN_HEIGHT = 16, 5


@dataclass(frozen=True)
class Axis:
    """A name, the limits that must be visible (None: all that is drawn), and which ticks there are: whole numbers
    only, or on a logarithmic scale."""

    name: str = ""
    limits: tuple[float, float] | None = None
    whole: bool = False
    log: bool = False


EPOCHS = Axis("epoch", whole=True)
COUNTED = ("epoch", "inventory", "queue", "steps")


def axis(name: str) -> Axis:
    """The axis of a name, with its unit in parentheses or without: of what is counted, with whole ticks."""
    return Axis(name, whole=name.partition(" ")[0] in COUNTED)


Upward = tuple[tuple[float, float], tuple[float, ...], tuple[str, ...]]  # ends, ticks and labels of the y axis


@lru_cache(maxsize=32)
def upward_axis(limits: tuple[float, float], rows: int, log: bool) -> Upward:
    """Ends, ticks and labels of the y axis; the next picture of a training often has the same ones."""
    if not log:
        low, high, places = even_ticks(*limits, rows)
        return (low, high), tuple(places), tuple(labels(places))
    with np.errstate(over="ignore"):
        values, names = log_ticks(10.0 ** max(limits[0], -290), 10.0 ** min(limits[1], 290), max(rows // 2, 1))
    return limits, tuple(math.log10(v) for v in values), tuple(names)


def draw_axes(
    cells: NDArray[np.str_],
    upward: Upward,
    margin: int,
    x_range: tuple[float, float],
    across: Axis,
    charset: Charset,
) -> None:
    """Both axes with ticks at equal distances and their labels."""
    bar, bar_tick, corner, line, line_tick = charset.axes
    rows, columns = cells.shape[0] - 3, cells.shape[1] - margin - 2
    cells[1 : 1 + rows, margin] = bar
    (low, high), upward_at, names = upward
    for place, name in zip(upward_at, names, strict=True):
        level = min(int((place - low) / (high - low) * rows + 1e-6), rows - 1)
        write(cells, rows - level, 0, name[:margin].rjust(margin))
        cells[rows - level, margin] = bar_tick
    cells[rows + 1, margin] = corner
    cells[rows + 1, margin + 1 : -1] = line
    free, marked = 0, [margin]
    apart = len(across.name) + 3 if columns > 3 * (len(across.name) + 3) else 0
    for place, name in zip(*fitting_ticks(*x_range, columns, across.whole, apart), strict=True):
        column = margin + 1 + min(int((place - x_range[0]) / (x_range[1] - x_range[0]) * columns), columns - 1)
        cells[rows + 1, column] = line_tick
        marked.append(column)
        start = min(max(column - len(name) // 2, 0), cells.shape[1] - len(name))
        if start >= free:
            write(cells, rows + 2, start, name)
            free = start + len(name) + 1
    # the name stands in the last gap between two ticks that is wide enough
    gaps = [end for begin, end in pairwise([*marked, margin + 1 + columns]) if end - begin > len(across.name) + 2]
    if across.name and gaps:
        write(cells, rows + 1, gaps[-1] - len(across.name) - 2, f" {across.name} ")
    elif across.name and len(across.name) + 4 <= columns:
        write(cells, rows + 1, cells.shape[1] - len(across.name) - 2, f" {across.name} ")


def fitted(title: str, width: int) -> str:
    """A title without its unit where it is too long; then its name is shortened, never the number behind it."""
    if len(title) > width:
        title = re.sub(r" \([^)]*\)", "", title, count=1)
    name, gap, rest = title.partition("  ")
    return shortened(name, max(width - len(gap) - len(rest), 4)) + gap + rest if len(title) > width else title


def draw_heading(picture: Picture, title: str, named: Sequence[tuple[str, str, int]]) -> int:
    """Title and legend (sign, name, colour), above the curves; returns how many rows they take.

    What does not fit beside the title goes to further rows as long as a plot remains, then names are shortened.
    """
    height, width = picture.cells.shape
    most = max(height - MIN_HEIGHT + 1, 1)
    for longest in range(max((len(name) for _, name, _ in named), default=0), 0, -1):
        entries = [f"{sign} {shortened(name, longest)}" for sign, name, _ in named]
        places, row, column = [], 0, 1 + len(title)
        for entry in entries:
            if column > 1 and column + 2 + len(entry) > width - 1:
                row, column = row + 1, -1
            places.append((row, column + 2))
            column += 2 + len(entry)
        if row < most and all(at + len(e) < width for (_, at), e in zip(places, entries, strict=True)):
            break
    else:
        row, places, entries = 0, [], []
    write(picture.cells, 0, 1, title[: width - 2])
    for (at, start), entry, (_, _, colour) in zip(places, entries, named, strict=False):
        picture.colours[at, start : start + len(entry)] = colour
        write(picture.cells, at, start, entry)
    return row + 1
