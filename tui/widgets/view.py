"""The content of a chart and the visible part of its x axis."""

from __future__ import annotations

from dataclasses import dataclass, field

from mmrl.plots.pixels import Floats

WHOLE = "the whole axis is shown: + zooms in"
"""Said where there is nothing to pan to or to zoom out of."""


@dataclass
class View:
    """The visible part of the x axis and how it is drawn; charts side by side share one view."""

    span: tuple[float, float] | None = None  # None: everything
    follow: bool = True
    log: bool = False
    cursor: float | None = None
    least: float = 4.0  # of the axis that stays visible; 0: a hundredth

    def window(self, full: tuple[float, float]) -> tuple[float, float]:
        """The visible part of the axis; with `follow` it ends at the newest point."""
        if self.span is None:
            return full
        left, right = self.span
        if self.follow:
            left, right = full[1] - (right - left), full[1]
        return left, right

    def zoom(self, full: tuple[float, float], factor: float, centre: float | None = None) -> None:
        """Show `factor` times as much of the axis; the `centre` keeps its place on the screen."""
        left, right = self.window(full)
        width, whole = (right - left) * factor, full[1] - full[0]
        if width >= whole or whole <= 0:
            self.span, self.follow = None, True
            return
        width = max(width, min(whole, self.least or whole / 100))
        if centre is None:
            centre = right if self.follow else (left + right) / 2
        share = (centre - left) / (right - left) if right > left else 0.5
        self._place(full, centre - share * width, width)

    def pan(self, full: tuple[float, float], by: float) -> None:
        """Move by a share of the visible part."""
        left, right = self.window(full)
        if self.span is not None:
            self._place(full, left + by * (right - left), right - left)

    def reveal(self, full: tuple[float, float], x: float) -> None:
        """Move as far as it takes to show a place."""
        left, right = self.window(full)
        if self.span is not None and not left <= x <= right:
            self._place(full, x - (right - left) * (0.1 if x > right else 0.9), right - left)

    def _place(self, full: tuple[float, float], left: float, width: float) -> None:
        left = min(max(left, full[0]), full[1] - width)
        self.span = left, left + width
        self.follow = left + width >= full[1] - 1e-9 * max(abs(full[1]), 1)

    def reset(self) -> None:
        """Show everything, on a linear scale, without a cursor."""
        self.span, self.follow, self.log, self.cursor = None, True, False, None


@dataclass
class Series:
    """y(x) [points], a band around it, the raw values behind a smoothed line; `hue` is its place in `HUES`.

    `interval`: the band is the 95 % interval of a mean, else quantiles. `points`: marks instead of a line.
    """

    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    raw: Floats | None = None
    hue: int = 0
    label: str = ""
    mark: str = ""
    interval: bool = False
    points: bool = False
    name: str = ""  # at the cursor, where the chart has no room for a label


@dataclass
class Content:
    """Everything that a chart shows."""

    series: list[Series] = field(default_factory=list)
    title: str = ""
    across: str = "epoch"
    marks: list[tuple[float, str]] = field(default_factory=list)
    empty: str = "waiting for the first point"
    digits: int = 4  # of the figures at the cursor
