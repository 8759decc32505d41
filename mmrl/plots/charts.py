"""Charts as text: data in, a string of exactly width x height cells out.

Training curves, live or not, are drawn by `mmrl.plots.raster`; episodes and order books by plotext, which only this
module knows. plotext paints a white canvas, escapes even into pipes, fails on infinities and slows down with
every point; here the canvas is clear, colour is the caller's choice, only finite runs are drawn, and each pixel
column gets at most its two extremes. plotext keeps one global figure, hence the lock.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np
from numpy.typing import ArrayLike

from mmrl.plots import raster
from mmrl.plots.raster import MIN_HEIGHT, MIN_WIDTH, Charset, Floats, compact, labels, ticks

Record = Mapping[str, Any]

# Okabe-Ito hues in the 256-colour cube, readable on dark and on light; the band is grey.
BLUE, ORANGE, GREEN, PURPLE, GREY = 32, 214, 36, 175, 244
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
PANELS = ("reward", "inventory", "spread")
SPARSE = ("optimality",)  # known now and then: what lies between two grades is no gap in the run
DRAWN = ("epoch", "trajectories", *SPARSE, *(f"{name}_{part}" for name in PANELS for part in ("mean", "se", "std")))
"""What the usual panels take from the record of an epoch."""

QUOTES = (("bid", BLUE), ("ask", ORANGE), ("mid", GREY))
UNITS = {
    "reward": "currency",
    "value": "currency",
    "spread": "currency",
    "inventory": "shares",
    "inventory_abs": "shares",
    "final_inventory": "shares",
    "length": "steps",
    "entropy": "nats",
    "kl": "nats",
    "seconds_rollout": "s",
    "seconds_update": "s",
    "wealth": "currency",
}

_lock = threading.Lock()


@dataclass(frozen=True)
class Line:
    """One curve y(x) [points], with an optional band low..high [points] around it."""

    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    colour: int = BLUE


def wants_colour(stream: TextIO) -> bool:
    """Whether escapes may be written to a stream: a terminal, and neither NO_COLOR nor TERM=dumb is set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def charset(stream: TextIO) -> Charset:
    """The characters that a stream can show: braille, blocks on the Linux console, else ASCII."""
    encoding = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").replace("_", "")
    if not encoding.startswith("utf"):
        return raster.ASCII
    return raster.BLOCK if os.environ.get("TERM") == "linux" else raster.BRAILLE


class Columns(Sequence[Record]):
    """Epoch records as columns that are read only once, for a list of records that only grows at its end."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self._count = len(records)
        self._kept: dict[str, tuple[int, Floats]] = {}

    def grow(self) -> int:
        """Take in the records that were appended; returns how many there are now."""
        self._count = len(self.records)
        return self._count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        return self.records[at]

    def column(self, key: str) -> Floats:
        """One column [epochs] up to the last call of `grow`."""
        known, values = self._kept.get(key, (0, np.empty(0)))
        if self._count > len(values):
            values = np.resize(values, 2 * self._count) if known else np.empty(2 * self._count)
        if self._count > known:
            values[known : self._count] = series(self.records[known : self._count], key)
            self._kept[key] = self._count, values
        return values[: self._count]


def series(records: Sequence[Record], key: str) -> Floats:
    """One column of epoch records [epochs]; what is missing, null or no number becomes NaN."""
    if isinstance(records, Columns):
        return records.column(key)
    values = np.full(len(records), np.nan)
    for row, record in enumerate(records):
        value = record.get(key)
        if isinstance(value, (int, float)):
            values[row] = value
    return values


def metric_line(records: Sequence[Record], metric: str, colour: int = BLUE) -> Line:
    """The curve of a metric over epochs; reward, value, inventory and spread carry a standard-error band.

    A standard error is std / sqrt(trajectories); for inventory and spread, whose std is taken over all steps,
    this assumes nothing about dependence within a trajectory and is therefore an upper bound.
    """
    epochs = series(records, "epoch")
    metric = metric.removesuffix("_mean")
    if any(f"{metric}_mean" in record for record in records):
        middle = series(records, f"{metric}_mean")
        error = series(records, f"{metric}_se")
        with np.errstate(all="ignore"):
            computed = series(records, f"{metric}_std") / np.sqrt(series(records, "trajectories"))
        error = np.where(np.isfinite(error), error, computed)
        if np.isfinite(error).any():
            return Line(epochs, middle, middle - error, middle + error, colour)
        return Line(epochs, middle, colour=colour)
    values = series(records, metric)
    known = np.isfinite(values) if metric in SPARSE else slice(None)
    return Line(epochs[known], values[known], colour=colour)


def panels_of(records: Sequence[Record]) -> tuple[str, ...]:
    """The metrics that are shown of a run unless told otherwise: with its optimality where that is known."""
    return (*PANELS, *(name for name in SPARSE if np.isfinite(series(records, name)).any()))


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
    # beyond 1e300 the width of an axis overflows, so such values count as infinite
    good = (np.abs(xs) < 1e300) & (np.abs(ys) < 1e300)
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
    columns, rows = grid(len(drawn), width, height)
    blocks: list[str] = []
    for row in range(rows):
        tall = height // rows + (row < height % rows)
        cells = drawn[row * columns : (row + 1) * columns]
        if not tall:
            continue
        parts = []
        for at, (title, lines) in enumerate(cells):
            wide = width // len(cells) + (at < width % len(cells))
            parts.append(chart(lines, title, wide, tall, colour, across, characters).split("\n"))
        blocks += ["".join(pieces) for pieces in zip(*parts, strict=True)]
    return "\n".join(blocks)


def heading(metric: str, unit: str | None = None) -> str:
    """Name and unit of a metric: reward_mean -> reward (currency)."""
    name = metric.removesuffix("_mean")
    unit = UNITS.get(name, "") if unit is None else unit
    name = name.replace("_", " ")
    return f"{name} ({unit})" if unit else name


def training_picture(
    records: Sequence[Record],
    metrics: Sequence[str],
    width: int,
    height: int,
    characters: Charset = raster.BRAILLE,
) -> raster.Picture:
    """Training curves over epochs on a grid of exactly width x height cells, a panel for each metric."""
    if not metrics or width < 1 or height < 1:
        return raster.blank(max(width, 0), max(height, 0), "nothing to draw")
    columns, rows = grid(len(metrics), width, height)
    if rows * MIN_HEIGHT > height:  # the first metrics that have room rather than all of them without a chart
        metrics = metrics[: columns * max(height // MIN_HEIGHT, 1)]
        columns, rows = grid(len(metrics), width, height)
    stacked = []
    for row in range(rows):
        tall = height // rows + (row < height % rows)
        chosen = range(row * columns, min((row + 1) * columns, len(metrics)))
        side = []
        for at, number in enumerate(chosen):
            wide = width // len(chosen) + (at < width % len(chosen))
            line = metric_line(records, metrics[number], COLOURS[number % len(COLOURS)])
            y = np.asarray(line.y)
            finite = y[np.isfinite(y)]
            title = heading(metrics[number])
            if len(finite):
                error = np.asarray(line.high)[-1] - y[-1] if line.high is not None else np.nan
                title += f"  {compact(float(finite[-1]))}"
                sign = "+-" if characters is raster.ASCII else "±"
                title += f" {sign} {compact(float(error), 2)}" if np.isfinite(error) else ""
            if len(title) > wide - 2:
                title = title.replace(heading(metrics[number]), heading(metrics[number], ""))
            curve = raster.Curve(line.x, line.y, line.low, line.high, line.colour, GREY)
            side.append(raster.chart([curve], title, wide, tall, "epoch", characters))
        if side:
            stacked.append(raster.beside(side))
    return raster.below(stacked)


def training_figure(
    records: Sequence[Record],
    metrics: Sequence[str] = PANELS,
    width: int = 80,
    height: int = 24,
    color: bool = True,
    characters: Charset = raster.BRAILLE,
) -> str:
    """Training curves over epochs, a panel for each metric ("reward", "value", or any key of a record)."""
    return "\n".join(training_picture(records, metrics, width, height, characters).lines(color))


def comparison_figure(
    runs: Mapping[str, Sequence[Record]],
    metrics: Sequence[str] = PANELS,
    width: int = 80,
    height: int = 24,
    color: bool = True,
    characters: Charset = raster.BRAILLE,
) -> str:
    """Training curves of several runs in the same panels, with a line for each run's name, colour and letter."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    hues = {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(runs)}
    # letters on the curves where colours cannot tell them apart
    signs = {
        name: letters[at % len(letters)] if not color or len(runs) > len(COLOURS) else ""
        for at, name in enumerate(runs)
    }
    key = []
    for name, records in runs.items():
        text = f" {signs[name] or characters.axes[3] * 2} {name}" + ("" if records else ": no epoch is finished yet")
        text = text[:width].ljust(width)
        key.append(f"\x1b[38;5;{hues[name]}m{text}\x1b[39m" if color else text)
    rest = max(height - len(key), MIN_HEIGHT)
    columns, rows = grid(len(metrics), width, rest)
    stacked = []
    for row in range(rows):
        tall = rest // rows + (row < rest % rows)
        chosen = metrics[row * columns : (row + 1) * columns]
        side = []
        for at, metric in enumerate(chosen):
            wide = width // len(chosen) + (at < width % len(chosen))
            curves = []
            for name, records in runs.items():
                line = metric_line(records, metric, hues[name])
                curves.append(raster.Curve(line.x, line.y, line.low, line.high, line.colour, GREY, mark=signs[name]))
            side.append(raster.chart(curves, heading(metric), wide, tall, "epoch", characters))
        if side:
            stacked.append(raster.beside(side))
    return "\n".join([*key, *raster.below(stacked).lines(color)])


def episode_figure(
    arrays: Mapping[str, ArrayLike],
    width: int = 80,
    height: int = 24,
    color: bool = True,
    replay: bool = False,
    unit: str = "",
    characters: Charset = raster.BRAILLE,
) -> str:
    """Wealth, inventory, value and order book over time: a batch (mean, 5 % to 95 % band) or a replay."""
    names = {"wealth": "wealth W (currency)", "inventory": "inventory I (shares)", "value": "value W + I·S (currency)"}
    drawn: list[tuple[str, Sequence[Line]]] = []
    for number, (name, title) in enumerate(names.items()):
        drawn.append((title, [episode_line(arrays, name, COLOURS[number], replay, band=True)]))
    quotes = [episode_line(arrays, name, hue, replay) for name, hue in QUOTES]
    drawn.append(("order book (currency): ask, mid, bid", quotes))
    return panels(drawn, width, height, color, time_axis(unit), characters)


def book_figure(
    arrays: Mapping[str, ArrayLike],
    width: int = 80,
    height: int = 24,
    color: bool = True,
    unit: str = "",
    characters: Charset = raster.BRAILLE,
) -> str:
    """The order book of one replayed trajectory over time: quotes with midprice, and inventory."""
    quotes = [episode_line(arrays, name, hue, replay=True) for name, hue in QUOTES]
    inventory = episode_line(arrays, "inventory", PURPLE, replay=True)
    drawn = [("order book (currency): ask, mid, bid", quotes), ("inventory I (shares)", [inventory])]
    return panels(drawn, width, height, color, time_axis(unit), characters)


def time_axis(unit: str) -> str:
    """Name of the time axis with its unit: ms on the book, T (the horizon) in the textbook game."""
    return f"time ({unit})" if unit else "time"


def episode_line(
    arrays: Mapping[str, ArrayLike], name: str, colour: int, replay: bool = False, band: bool = False
) -> Line:
    """One quantity of an episode over time [T]: the mean over trajectories, or the replayed one."""
    key = f"replay_{name}" if replay else f"{name}_mean"
    nothing = np.zeros(0)
    y = np.asarray(arrays.get(key, nothing), dtype=np.float64)
    x = np.asarray(arrays.get("time", nothing), dtype=np.float64)[: len(y)]
    y = y[: len(x)]
    if replay or not band or f"{name}_q05" not in arrays or f"{name}_q95" not in arrays:
        return Line(x, y, colour=colour)
    low, high = (np.asarray(arrays[f"{name}_{q}"], dtype=np.float64)[: len(x)] for q in ("q05", "q95"))
    return Line(x, y, low, high, colour)
