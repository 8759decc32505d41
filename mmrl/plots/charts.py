"""Training curves over epochs as text, live or not: which metrics are shown, and their panels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmrl.plots import raster
from mmrl.plots.axes import EPOCHS, MIN_HEIGHT
from mmrl.plots.colours import RUNS, THINGS, of_run, thing_of
from mmrl.plots.lines import Line, chart, curves, grid, layout, legend
from mmrl.plots.numbers import compact, percent
from mmrl.plots.picture import ASCII, BRAILLE, Charset, Picture, below, beside, blank
from mmrl.plots.pixels import Floats
from mmrl.plots.smoothing import Ema
from mmrl.runs.metrics import unit_of
from mmrl.statistics.intervals import LEAST, student_t

Record = Mapping[str, Any]

PANELS = ("reward", "inventory", "spread")
"""Metrics that are shown of every run unless told otherwise."""
SPARSE = ("optimality",)
"""Metrics known now and then, shown where known: what lies between two grades is no gap in the run."""
SHARES = ("optimality",)
"""Metrics that are shares, drawn and written in per cent."""
DRAWN = ("epoch", "trajectories", *SPARSE, *(f"{name}_{part}" for name in PANELS for part in ("mean", "half", "std")))
"""What the usual panels take from the record of an epoch."""


class Columns(Sequence[Record]):
    """Epoch records as columns that are read only once, for a list of records that only grows at its end."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self._count = len(records)
        self._kept: dict[str, tuple[int, Floats]] = {}
        self._averages: dict[tuple[str, float], Ema] = {}

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

    def smoothed(self, key: str, weight: float) -> Floats:
        """The moving average of a column [epochs]; what was averaged before is not read again."""
        return self._averages.setdefault((key, weight), Ema(weight)).extended(self.column(key))


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


def metric_line(records: Sequence[Record], metric: str, colour: int | None = None, smooth: float = 0.0) -> Line:
    """The curve of a metric over epochs, in its own colour unless told otherwise.

    Reward, value, inventory and spread carry a band, the 95 % interval. Means over a batch are noisy: `smooth` is the
    weight of the past in their moving average, and the raw values are behind it.
    """
    epochs = series(records, "epoch")
    metric = metric.removesuffix("_mean")
    hue = THINGS[thing_of(metric)].number if colour is None else colour
    if any(f"{metric}_mean" in record for record in records):
        middle = series(records, f"{metric}_mean")
        half = half_widths(lambda key: series(records, key), metric)
        low, high = (middle - half, middle + half) if np.isfinite(half).any() else (None, None)
        if not smooth:
            return Line(epochs, middle, low, high, hue)
        if isinstance(records, Columns):
            average = records.smoothed(f"{metric}_mean", smooth)
        else:
            average = Ema(smooth).extended(middle)
        return Line(epochs, average, low, high, hue, middle)
    values = series(records, metric)
    known = np.isfinite(values) if metric in SPARSE else slice(None)
    shown, half = shown_values(metric, values[known]), shown_values(metric, series(records, f"{metric}_half")[known])
    low, high = (shown - half, shown + half) if np.isfinite(half).any() else (None, None)  # of a group of runs
    return Line(epochs[known], shown, low, high, colour=hue)


def shown_values(metric: str, values: Floats) -> Floats:
    """Values as they are drawn: shares in per cent."""
    return 100 * values if metric in SHARES else values


def figure(metric: str, value: float, half: float = math.nan) -> str:
    """A value ± half of its interval as text, the same wherever it stands: 0.412 ± 0.08, 99.42 %."""
    if metric in SHARES:
        return percent(value) + (f" ± {percent(half)}" if math.isfinite(half) else "")
    return compact(value) + (f" ± {compact(half, 2)}" if math.isfinite(half) else "")


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
    if unit is None:
        unit = "%" if name in SHARES else unit_of(name)
    name = name.replace("_", " ")
    return f"{name} ({unit})" if unit else name


def training_picture(
    records: Sequence[Record],
    metrics: Sequence[str],
    width: int,
    height: int,
    characters: Charset = BRAILLE,
    smooth: float = 0.0,
) -> Picture:
    """Training curves over epochs on a grid of exactly width x height cells, a panel for each metric."""
    if not metrics or width < 1 or height < 1:
        return blank(max(width, 0), max(height, 0), "nothing to draw")
    columns, rows = grid(len(metrics), width, height)
    if rows * MIN_HEIGHT > height:  # the first metrics that have room rather than all of them without a chart
        metrics = metrics[: columns * max(height // MIN_HEIGHT, 1)]
    stacked = []
    for row in layout(len(metrics), width, height):
        side = []
        for number, wide, tall in row:
            line = metric_line(records, metrics[number], smooth=smooth)
            head = _title(metrics[number], line, characters)
            side.append(chart([line], head, wide, tall, EPOCHS, characters))
        stacked.append(beside(side))
    return below(stacked)


def _title(metric: str, line: Line, characters: Charset) -> str:
    """Name, unit and last value ± half of its interval, never smoothed."""
    y = np.asarray(line.y if line.raw is None else line.raw)
    known = np.flatnonzero(np.isfinite(y))
    if not len(known):
        return heading(metric)
    half = float(np.asarray(line.high)[known[-1]] - y[known[-1]]) if line.high is not None else math.nan
    text = title(metric, float(y[known[-1]]), half)
    return text.replace("±", "+-") if characters is ASCII else text


def title(metric: str, value: float, half: float = math.nan) -> str:
    """The title of a chart: name, unit, and its newest value, as drawn, ± half of its interval."""
    if metric in SHARES:
        return f"{heading(metric, '')}  {figure(metric, value / 100, half / 100)}"
    return f"{heading(metric)}  {figure(metric, value, half)}"


def training_figure(
    records: Sequence[Record],
    metrics: Sequence[str] = PANELS,
    width: int = 80,
    height: int = 24,
    colour: bool = True,
    characters: Charset = BRAILLE,
    smooth: float = 0.0,
) -> str:
    """Training curves over epochs, a panel for each metric ("reward", "value", or any key of a record)."""
    return "\n".join(training_picture(records, metrics, width, height, characters, smooth).lines(colour))


def comparison_figure(
    runs: Mapping[str, Sequence[Record]],
    metrics: Sequence[str] = PANELS,
    width: int = 80,
    height: int = 24,
    colour: bool = True,
    characters: Charset = BRAILLE,
) -> str:
    """Training curves of several runs in the same panels, below a legend; each run has its colour and tint."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    hues = {name: of_run(at).number for at, name in enumerate(runs)}
    # letters on the curves where colours cannot tell them apart
    signs = {
        name: letters[at % len(letters)] if not colour or len(runs) > len(RUNS) else "" for at, name in enumerate(runs)
    }
    named = [
        (signs[name] or characters.axes[3] * 2, name + ("" if records else ": no epoch is finished yet"), hues[name])
        for name, records in runs.items()
    ]
    key = legend(named, width, colour)
    rest = max(height - len(key), MIN_HEIGHT)
    stacked = []
    for row in layout(len(metrics), width, rest):
        side = []
        for number, wide, tall in row:
            drawn: list[raster.Curve] = []
            for name, records in runs.items():
                line = metric_line(records, metrics[number], hues[name])
                drawn += curves(replace(line, mark=signs[name]))
            side.append(raster.chart(drawn, heading(metrics[number]), wide, tall, EPOCHS, characters))
        stacked.append(beside(side))
    return "\n".join([*key, *below(stacked).lines(colour)])
