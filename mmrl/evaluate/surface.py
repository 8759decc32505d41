"""Quote surfaces: bid and ask distance over inventory at several times, in the terminal or as a figure."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.config import ConfigError
from mmrl.evaluate.compare import Entrant

SHOWN = 10  # inventories a side
TIMES = (0.0, 0.5, 0.95)  # of the horizon
SUFFIXES = (".svg", ".png", ".pdf", ".txt")


def check_name(save: str) -> None:
    """Refuse a file whose kind is unknown, before anything is computed."""
    if Path(save).suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--save {save}: the name must end in one of {', '.join(SUFFIXES)}")


def curves(entrant: Entrant, moment: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inventories and distances (bid, ask) of an entrant's table at a share of the horizon."""
    assert entrant.quotes is not None
    rows, width, _ = entrant.quotes.shape
    reach = (width - 1) // 2
    q = np.arange(-SHOWN, SHOWN + 1)
    at = entrant.quotes[min(int(moment * rows), rows - 1), np.clip(q, -reach, reach) + reach]
    return q, at[:, 0], at[:, 1]


def show(entrants: Sequence[Entrant], save: str | None) -> None:
    """Draw the entrants that have tables on the terminal, or write them to a file by its suffix."""
    drawn = [entrant for entrant in entrants if entrant.quotes is not None]
    if not drawn:
        raise ConfigError(f"{entrants[0].name} has no table of quotes over inventory and time: nothing to draw")
    if save is not None and Path(save).suffix.lower() != ".txt":
        _write(drawn, Path(save))
        print(f"wrote {save}")
        return
    terminal = shutil.get_terminal_size((100, 30))
    colour = save is None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    text = drawing(drawn, terminal.columns, max(terminal.lines - 2, 30), colour)
    if save is None:
        print(text)
    else:
        Path(save).write_text(text + "\n", encoding="utf-8")
        print(f"wrote {save}")


def drawing(entrants: Sequence[Entrant], width: int, height: int, colour: bool) -> str:
    """A panel for each time and side, a curve for each entrant, and a legend."""
    from mmrl import charts

    cells = []
    hues = [charts.COLOURS[number % len(charts.COLOURS)] for number in range(len(entrants))]
    for moment in TIMES:
        lines: tuple[list[charts.Line], list[charts.Line]] = ([], [])
        for entrant, hue in zip(entrants, hues, strict=True):
            q, bid, ask = curves(entrant, moment)
            lines[0].append(charts.Line(q, bid, colour=hue))
            lines[1].append(charts.Line(q, ask, colour=hue))
        cells += [
            (f"{side} distance, t = {moment:g} T", part) for side, part in zip(("bid", "ask"), lines, strict=True)
        ]
    legend = [
        f"\x1b[38;5;{hue}m{entrant.name}\x1b[0m" if colour else entrant.name
        for entrant, hue in zip(entrants, hues, strict=True)
    ]
    blocks = [
        charts.panels(cells[k : k + 2], width, max(height // len(TIMES), 10), colour, across="inventory")
        for k in range(0, len(cells), 2)
    ]
    return "\n".join(["  ".join(legend), *blocks])


def _write(entrants: Sequence[Entrant], path: Path) -> None:
    from importlib.util import find_spec

    from mmrl import figures

    if find_spec("matplotlib") is None and path.suffix.lower() == ".svg":
        from mmrl.svg import terminal_svg

        path.write_text(terminal_svg(drawing(entrants, 110, 45, True), 110, "quotes"), encoding="utf-8")
        return
    rc_context, Figure = figures._matplotlib()
    with rc_context(figures.STYLE):
        figure = Figure(figsize=(3.2 * len(TIMES), 5.0), layout="constrained")
        axes: Any = figure.subplots(2, len(TIMES), sharex=True, sharey="row", squeeze=False)
        for column, moment in enumerate(TIMES):
            for number, entrant in enumerate(entrants):
                q, bid, ask = curves(entrant, moment)
                for row, distance in enumerate((bid, ask)):
                    hue = figures.HUES[number % len(figures.HUES)]
                    axes[row, column].plot(q, distance, color=hue, lw=1.2, label=entrant.name)
            axes[0, column].set(title=f"t = {moment:g} T")
            axes[1, column].set(xlabel="inventory (shares)")
        axes[0, 0].set(ylabel="bid distance (currency)")
        axes[1, 0].set(ylabel="ask distance (currency)")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(len(entrants), 4))
        figures._write(figure, path)
