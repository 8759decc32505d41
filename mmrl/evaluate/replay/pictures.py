"""Pictures of a replay: the day of a maker with its fills, and results over the values of a rule."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.evaluate.replay.folder import day_arrays
from mmrl.evaluate.replay.play import Played
from mmrl.plots import figures, lines
from mmrl.plots.colours import of_run
from mmrl.plots.episodes import episode_line, quote_lines
from mmrl.plots.lines import Line
from mmrl.plots.output import terminal_size
from mmrl.plots.streams import charset, wants_colour
from mmrl.plots.svg import terminal_svg
from mmrl.settings.model import Config

Panels = list[tuple[str, list[Line]]]
SWEPT = (("PnL (currency)", "pnl"), ("fills", "fills"), ("adverse selection, 10 s (currency)", "adverse_10s"))
SIZE = 110, 45
"""Columns and lines of an SVG without matplotlib."""


def day_panels(p: Played, config: Config) -> Panels:
    """Prices with the maker's quotes and fills, its inventory and its profit over the day."""
    arrays = day_arrays(p, config)
    return [
        ("prices (currency)", quote_lines(arrays, replay=True)),
        ("inventory (shares)", [episode_line(arrays, "inventory", replay=True)]),
        ("PnL (currency)", [episode_line(arrays, "value", replay=True)]),
    ]


def sweep_panels(values: Sequence[Any], found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Panels:
    """Results over the values, a line for each maker; those that are no numbers are numbered from 1."""
    numbers = all(isinstance(value, int | float) for value in values)
    x = np.array(values if numbers else range(1, len(values) + 1), np.float64)
    panels: Panels = []
    for title, key in SWEPT:
        drawn = []
        for k, (name, rows) in enumerate(found.items()):
            y = np.array([row[key] for row in rows], np.float64)
            bounds = [row.get(f"{key}_ci") for row in rows]
            low, high = np.array(bounds, np.float64).T if all(bounds) else (None, None)
            drawn.append(Line(x, y, low, high, colour=of_run(k).number, label=name))
        panels.append((title, drawn))
    return panels


def on_terminal(panels: Panels, across: str, named: Sequence[str] = ()) -> str:
    """The panels as wide as the terminal, below them who is who."""
    width, height = terminal_size()
    colour = wants_colour(sys.stdout)
    text = lines.panels(panels, width, max(height - 2, 16), colour, across, charset(sys.stdout))
    return "\n".join([*_legend(named, width, colour), text])


def _legend(named: Sequence[str], width: int, colour: bool) -> list[str]:
    if len(named) < 2:
        return []
    return lines.legend([("──" if colour else n[:1], n, of_run(k).number) for k, n in enumerate(named)], width, colour)


def write(panels: Panels, path: Path, across: str, title: str, named: Sequence[str] = ()) -> None:
    """Write the panels by the suffix: text, SVG (also without matplotlib), PNG or PDF."""
    suffix = path.suffix.lower()
    if suffix == ".txt" or (suffix == ".svg" and find_spec("matplotlib") is None):
        colour = suffix == ".svg"
        text = "\n".join([*_legend(named, SIZE[0], colour), lines.panels(panels, *SIZE, colour, across)])
        path.write_text(terminal_svg(text, SIZE[0], title) if colour else text + "\n", encoding="utf-8")
        return
    rc_context, Figure = figures.matplotlib()
    with rc_context(figures.STYLE):
        figure = Figure(figsize=(7.6, 2.2 * len(panels)), layout="constrained")
        axes: Any = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axis, (label, drawn) in zip(axes, panels, strict=True):
            for k, line in enumerate(drawn):
                hue = figures.hue_of(line.colour)
                style: dict[str, Any] = {"lw": 0, "marker": ".", "ms": 3} if line.points else {"lw": 1.0}
                axis.plot(line.x, line.y, color=hue, label=line.label or (named[k] if k < len(named) else ""), **style)
                if line.low is not None and line.high is not None:
                    axis.fill_between(line.x, line.low, line.high, color=hue, alpha=0.2, lw=0)
            axis.set(ylabel=label)
            axis.ticklabel_format(axis="y", useOffset=False)
            if len(drawn) > 1:
                axis.legend(fontsize=7, ncols=len(drawn), loc="lower right", bbox_to_anchor=(1, 0.98))
        axes[-1].set(xlabel=across)
        figure.suptitle(title.replace("$", r"\$"), fontsize=10)
        figures.write(figure, path)
