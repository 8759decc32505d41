"""Lines with their bands, and panels of them as text of exactly width x height cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from numpy.typing import ArrayLike

from mmrl.plots import raster
from mmrl.plots.axes import MIN_HEIGHT, Axis, axis
from mmrl.plots.colours import HUES, THINGS, of_run
from mmrl.plots.picture import BRAILLE, Charset, Picture, below, beside, blank
from mmrl.plots.text import shortened

BLUE, ORANGE = of_run(0).number, of_run(1).number
"""What was counted and what was fitted, and whatever else has no colour of its own."""
_TINTS = {hue.number: hue.tint for hue in HUES}


@dataclass(frozen=True)
class Line:
    """One curve y(x) [points], an optional band low..high [points] around it, the raw values behind a smoothed curve.

    `points`: marks instead of a line.
    """

    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    colour: int = BLUE
    raw: ArrayLike | None = None
    label: str = ""
    mark: str = ""
    points: bool = False


def chart(
    lines: Sequence[Line],
    title: str,
    width: int,
    height: int,
    across: Axis = Axis(),
    characters: Charset = BRAILLE,
) -> Picture:
    """One chart of exactly width x height cells; without any finite point it says so."""
    return raster.chart([curve for line in lines for curve in curves(line)], title, width, height, across, characters)


def curves(line: Line) -> list[raster.Curve]:
    """A line as curves: its raw values as dots behind it, its band in a tint of its colour."""
    tint = tint_of(line.colour)
    band = line.low, line.high
    if line.raw is None:
        return [raster.Curve(line.x, line.y, *band, line.colour, tint, line.label, line.mark, points=line.points)]
    return [
        raster.Curve(line.x, line.raw, *band, tint, tint, sparse=True),
        raster.Curve(line.x, line.y, colour=line.colour, label=line.label, mark=line.mark),
    ]


def tint_of(number: int) -> int:
    """What stands behind a line of this colour."""
    return _TINTS.get(number, THINGS["mid"].tint)


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
    characters: Charset = BRAILLE,
) -> str:
    """Titled charts on a grid of exactly width x height cells."""
    if not drawn or width < 1 or height < 1:
        return "\n".join(blank(max(width, 0), max(height, 0), "nothing to draw").lines(colour))
    stacked = []
    for row in layout(len(drawn), width, height):
        parts = []
        for number, wide, tall in row:
            title, lines = drawn[number]
            if not colour and len(lines) > 1:  # letters tell apart what colours cannot
                lines = [replace(line, mark=line.mark or line.label[:1]) for line in lines]
            parts.append(chart(lines, title, wide, tall, axis(across), characters))
        stacked.append(beside(parts))
    return "\n".join(below(stacked).lines(colour))


def legend(named: Sequence[tuple[str, str, int]], width: int, colour: bool) -> list[str]:
    """Lines with a sign, a name and a colour for each curve, as many in a line as have room; long names shorten."""
    rows: list[list[str]] = []
    free = 0
    for sign, name, hue in named:
        text = f" {sign} {shortened(name, width - len(sign) - 3)} "
        if len(text) > free:
            rows.append([])
            free = width
        free -= len(text)
        rows[-1].append(f"\x1b[38;5;{hue}m{text}\x1b[39m" if colour else text)
    return ["".join(row) for row in rows]
