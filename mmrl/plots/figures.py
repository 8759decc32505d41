"""Figures for papers and pages: PNG, PDF and SVG through matplotlib, SVG also without it.

matplotlib is optional (the extra `plots`); without it an SVG shows what the terminal shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.plots import charts, episodes, pictures
from mmrl.plots.colours import RUNS, THINGS, thing_of
from mmrl.plots.lines import Line
from mmrl.plots.svg import terminal_svg
from mmrl.plots.text import printable, shortened
from mmrl.runs.episodes import latest_episode
from mmrl.runs.over_seeds import Together
from mmrl.settings.errors import ConfigError

INSTALL = "PNG and PDF figures need matplotlib: pip install 'market-making-rl[plots]'"
LABELS = {
    "reward": "reward per trajectory (currency)",
    "inventory": "mean inventory (shares)",
    "spread": "quoted spread (currency)",
    "value": "final value $W_T + I_T S_T$ (currency)",
}
HUES = tuple(hue.light for hue in RUNS)
"""Of what has no colour of its own: runs and agents."""
Cells = tuple[int | None, int | None]
CELLS = 10.0, 6.0
"""Columns and lines of a terminal in an inch of a figure."""
STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "svg.hashsalt": "mmrl",
    "pdf.fonttype": 42,
}


class PlotsMissing(RuntimeError):
    """matplotlib is not installed; the message says how to get it."""


def save_figure(
    folders: Sequence[Path | Together],
    what: str,
    metrics: Sequence[str],
    path: Path,
    width: int | None = None,
    height: int | None = None,
) -> list[Path]:
    """Write training curves, an episode or a book of runs; width and height in terminal cells. Returns the files."""
    if not folders:
        raise ValueError("no run to draw")
    size = width or 110, height or 34
    plain = find_spec("matplotlib") is None
    if plain and path.suffix.lower() != ".svg":
        raise PlotsMissing(INSTALL)
    if what == "training":
        runs = pictures.records_of(folders, metrics)
        if not any(runs.values()):
            raise ConfigError(f"{folders[0].name}: {pictures.without_epochs(pictures.single(folders)[0])}")
        if plain:
            picture = pictures.drawing(folders, what, metrics, *size, True)
            path.write_text(terminal_svg(picture, size[0], "mmrl plot"), encoding="utf-8")
        else:
            training_plot(runs, metrics or pictures.default_metrics(runs), path, (width, height))
        return [path]
    written, runs_of = [], pictures.single(folders)
    for folder in runs_of:
        arrays = latest_episode(folder)
        if arrays is None:
            raise ConfigError(f"{folder.name}: no episode is written yet (see --plot-after)")
        # several runs become several files, since one page shows one episode
        target = path if len(runs_of) == 1 else path.with_stem(f"{path.stem}-{folder.name}")
        if plain:
            picture = pictures.drawing([folder], what, (), *size, True)
            target.write_text(terminal_svg(picture, size[0], "mmrl plot"), encoding="utf-8")
        else:
            unit = pictures.time_unit(folder)
            episode_plot(arrays, folder.name, target, what != "episode", unit, (width, height))
        written.append(target)
    return written


def write(figure: Any, path: Path) -> None:
    """Save a figure without a date in the file, so that equal data give equal bytes."""
    stamp = {".pdf": "CreationDate", ".svg": "Date"}.get(path.suffix.lower())
    figure.savefig(path, dpi=200, metadata={stamp: None} if stamp else None)


def _sized(figure: Any, size: Cells) -> None:
    """Give a figure the size of so many terminal cells where they are named."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(size[0] / CELLS[0] if size[0] else width, size[1] / CELLS[1] if size[1] else height)


def training_plot(
    runs: Mapping[str, Sequence[Mapping[str, Any]]], metrics: Sequence[str], path: Path, size: Cells = (None, None)
) -> None:
    """Training curves [epochs] of one or more runs, a panel for each metric, with 95 % intervals as bands."""
    rc_context, Figure = matplotlib()
    with rc_context(STYLE):
        columns = min(len(metrics), 3)
        rows = -(-len(metrics) // columns)
        figure = Figure(figsize=(max(3.4 * columns, 5.2), 2.9 * rows), layout="constrained")
        _sized(figure, size)
        axes = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
        for axis, metric in zip(axes, metrics, strict=False):
            for number, (name, records) in enumerate(runs.items()):
                line = charts.metric_line(records, metric)
                own = THINGS[thing_of(metric)].light if len(runs) == 1 else HUES[number % len(HUES)]
                _curve(axis, line, own, _plain(name))
            key = metric.removesuffix("_mean")
            axis.set(xlabel="epoch", ylabel=LABELS.get(key, charts.heading(key)))
            axis.xaxis.get_major_locator().set_params(integer=True)
        for axis in axes[len(metrics) :]:
            axis.set_visible(False)
        if len(runs) > 1:
            handles, labels = axes[0].get_legend_handles_labels()
            legend_above(figure, handles, labels, grow=not size[1])
        elif runs:
            figure.suptitle(f"{_plain(next(iter(runs)))}: mean and its 95 % interval", fontsize=10)
        write(figure, path)


def episode_plot(
    arrays: Mapping[str, Any],
    title: str,
    path: Path,
    book_only: bool = False,
    unit: str = "",
    size: Cells = (None, None),
) -> None:
    """Wealth, inventory, value and order book over time: mean, 5 % to 95 % band, one trajectory in grey."""
    names = {"wealth": "wealth $W_t$ (currency)", "inventory": "inventory $I_t$ (shares)"}
    names["value"] = "value $W_t + I_t S_t$ (currency)"
    rc_context, Figure = matplotlib()
    with rc_context(STYLE):
        shown = ("inventory",) if book_only else tuple(names)
        rows, columns = (2, 1) if book_only else (2, 2)
        figure = Figure(figsize=(7.6, 5.4), layout="constrained")
        _sized(figure, size)
        axes = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
        panels, book = (axes[1:], axes[0]) if book_only else (axes[:-1], axes[-1])
        for axis, name in zip(panels, shown, strict=False):
            mean = episodes.episode_line(arrays, name, band=True)
            _curve(axis, mean, THINGS[name].light, "mean, 5–95 % of the batch")
            replay = episodes.episode_line(arrays, name, replay=True)
            axis.plot(replay.x, replay.y, color="0.4", lw=0.7, label="one trajectory")
            axis.set(ylabel=names[name])
            axis.legend(fontsize=7)
        for name in episodes.QUOTES:
            line = episodes.episode_line(arrays, name, replay=True)
            book.plot(line.x, line.y, color=THINGS[name].light, lw=0.8, drawstyle="steps-post", label=name)
        for marks in episodes.fill_marks(arrays):
            book.plot(marks.x, marks.y, color=hue_of(marks.colour), lw=0, marker=".", ms=3, label=marks.label)
        book.set(ylabel="prices (currency)")
        book.ticklabel_format(axis="y", useOffset=False)
        # above the axes, since quotes of a whole trajectory leave no free corner
        book.legend(fontsize=7, ncols=5, loc="lower right", bbox_to_anchor=(1, 0.98))
        book.set_title("one trajectory", fontsize=7, loc="left")
        for axis in axes[-columns:]:
            axis.set(xlabel=episodes.time_axis(unit))
        figure.suptitle(_plain(title), fontsize=10)
        write(figure, path)


def hue_of(number: int) -> str:
    """The colour on paper of a colour of the terminal."""
    return next((hue.light for hue in (*THINGS.values(), *RUNS) if hue.number == number), THINGS["mid"].light)


def legend_above(figure: Any, handles: Sequence[Any], names: Sequence[str], grow: bool = True) -> None:
    """A legend above all panels that is nowhere wider than the page, which may grow for its rows."""
    # about 16 letters an inch, and room for the sample of each line
    fitting = int(figure.get_figwidth() * 16 / (max(map(len, names)) + 9))
    across = min(max(fitting, 1), len(names))
    figure.set_figheight(figure.get_figheight() + (0.2 * -(-len(names) // across) if grow else 0))
    figure.legend(handles, names, loc="outside upper center", ncols=across, fontsize=8)


def _curve(axis: Any, line: Line, hue: str, label: str) -> None:
    x, y = (np.where(np.isfinite(v), v, np.nan) for v in (np.asarray(line.x), np.asarray(line.y)))
    axis.plot(x, y, color=hue, lw=1.2, label=label, marker="." if len(x) == 1 else "")
    if line.low is not None and line.high is not None:
        low, high = (np.where(np.isfinite(v), v, np.nan) for v in map(np.asarray, (line.low, line.high)))
        axis.fill_between(x, low, high, color=hue, alpha=0.2, lw=0)


def _plain(name: str) -> str:
    """A run's name as it stands, shortened in its middle: a dollar sign would start a formula."""
    return printable(shortened(name, 64)).replace("$", r"\$")


def matplotlib() -> tuple[Any, Any]:
    """matplotlib's `rc_context` and `Figure`; raises PlotsMissing where it is not installed."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotsMissing(INSTALL) from error
    return rc_context, Figure
