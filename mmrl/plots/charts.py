"""Training curves over epochs as text, live or not: which metrics are shown, and their panels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mmrl.plots import raster
from mmrl.plots.lines import BLUE, COLOURS, GREY, Line, grid, layout
from mmrl.plots.numbers import compact
from mmrl.plots.pixels import Floats
from mmrl.plots.raster import MIN_HEIGHT, Charset
from mmrl.runs.metrics import unit_of
from mmrl.statistics.intervals import LEAST, student_t

Record = Mapping[str, Any]

PANELS = ("reward", "inventory", "spread")
"""Metrics that are shown of every run unless told otherwise."""
SPARSE = ("optimality",)
"""Metrics known now and then, shown where known: what lies between two grades is no gap in the run."""
DRAWN = ("epoch", "trajectories", *SPARSE, *(f"{name}_{part}" for name in PANELS for part in ("mean", "half", "std")))
"""What the usual panels take from the record of an epoch."""


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
    """The curve of a metric over epochs; reward, value, inventory and spread carry a band, the 95 % interval."""
    epochs = series(records, "epoch")
    metric = metric.removesuffix("_mean")
    if any(f"{metric}_mean" in record for record in records):
        middle = series(records, f"{metric}_mean")
        half = half_widths(lambda key: series(records, key), metric)
        if np.isfinite(half).any():
            return Line(epochs, middle, middle - half, middle + half, colour)
        return Line(epochs, middle, colour=colour)
    values = series(records, metric)
    known = np.isfinite(values) if metric in SPARSE else slice(None)
    return Line(epochs[known], values[known], colour=colour)


def half_widths(column: Callable[[str], Floats], metric: str) -> Floats:
    """Half of the 95 % interval of a metric's mean, epoch by epoch, given the columns; NaN where it is not known.

    Earlier versions did not record it; of reward and value they recorded what it follows from but for skewness.
    """
    half = column(f"{metric}_half")
    if metric not in ("reward", "value"):
        return half
    count = column("trajectories")
    with np.errstate(all="ignore"):
        older = student_t(count) * column(f"{metric}_std") / np.sqrt(count - 1)
    return np.where(np.isfinite(half) | (count < LEAST), half, older)


def panels_of(records: Sequence[Record]) -> tuple[str, ...]:
    """The metrics that are shown of a run unless told otherwise: with its optimality where that is known."""
    return (*PANELS, *(name for name in SPARSE if np.isfinite(series(records, name)).any()))


def heading(metric: str, unit: str | None = None) -> str:
    """Name and unit of a metric: reward_mean -> reward (currency)."""
    name = metric.removesuffix("_mean")
    unit = unit_of(name) if unit is None else unit
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
    stacked = []
    for row in layout(len(metrics), width, height):
        side = []
        for number, wide, tall in row:
            line = metric_line(records, metrics[number], COLOURS[number % len(COLOURS)])
            title = _title(metrics[number], line, wide, characters)
            curve = raster.Curve(line.x, line.y, line.low, line.high, line.colour, GREY)
            side.append(raster.chart([curve], title, wide, tall, "epoch", characters))
        stacked.append(raster.beside(side))
    return raster.below(stacked)


def _title(metric: str, line: Line, width: int, characters: Charset) -> str:
    """Name, unit and last value ± half of its interval; without the unit where all of it is too wide."""
    last = ""
    y = np.asarray(line.y)
    finite = y[np.isfinite(y)]
    if len(finite):
        half = np.asarray(line.high)[-1] - y[-1] if line.high is not None else np.nan
        last = f"  {compact(float(finite[-1]))}"
        sign = "+-" if characters is raster.ASCII else "±"
        last += f" {sign} {compact(float(half), 2)}" if np.isfinite(half) else ""
    title = heading(metric) + last
    return title if len(title) <= width - 2 else heading(metric, "") + last


def training_figure(
    records: Sequence[Record],
    metrics: Sequence[str] = PANELS,
    width: int = 80,
    height: int = 24,
    colour: bool = True,
    characters: Charset = raster.BRAILLE,
) -> str:
    """Training curves over epochs, a panel for each metric ("reward", "value", or any key of a record)."""
    return "\n".join(training_picture(records, metrics, width, height, characters).lines(colour))


def comparison_figure(
    runs: Mapping[str, Sequence[Record]],
    metrics: Sequence[str] = PANELS,
    width: int = 80,
    height: int = 24,
    colour: bool = True,
    characters: Charset = raster.BRAILLE,
) -> str:
    """Training curves of several runs in the same panels, with a line for each run's name, colour and letter."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    hues = {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(runs)}
    # letters on the curves where colours cannot tell them apart
    signs = {
        name: letters[at % len(letters)] if not colour or len(runs) > len(COLOURS) else ""
        for at, name in enumerate(runs)
    }
    key = []
    for name, records in runs.items():
        text = f" {signs[name] or characters.axes[3] * 2} {name}" + ("" if records else ": no epoch is finished yet")
        text = text[:width].ljust(width)
        key.append(f"\x1b[38;5;{hues[name]}m{text}\x1b[39m" if colour else text)
    rest = max(height - len(key), MIN_HEIGHT)
    stacked = []
    for row in layout(len(metrics), width, rest):
        side = []
        for number, wide, tall in row:
            curves = []
            for name, records in runs.items():
                line = metric_line(records, metrics[number], hues[name])
                curves.append(raster.Curve(line.x, line.y, line.low, line.high, line.colour, GREY, mark=signs[name]))
            side.append(raster.chart(curves, heading(metrics[number]), wide, tall, "epoch", characters))
        stacked.append(raster.beside(side))
    return "\n".join([*key, *raster.below(stacked).lines(colour)])
