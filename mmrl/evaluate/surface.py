"""Quote surfaces: all that the maker chooses, over inventory at several times, in the terminal or as a figure."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrl.agents.learned import actions
from mmrl.evaluate.compare import Entrant
from mmrl.evaluate.quotes import TIMES, visited
from mmrl.markets.contract import spec_of
from mmrl.plots.output import terminal_size
from mmrl.settings.errors import ConfigError

if TYPE_CHECKING:
    from mmrl.plots.lines import Line

SHOWN = 10  # inventories a side
OPTIMUM = "optimum"  # the agent whose quotes are drawn as marks
SUFFIXES = (".svg", ".png", ".pdf", ".txt")


@dataclass(frozen=True)
class Panel:
    """One chart: what it shows, at which share of the horizon, and by whom [Q]."""

    title: str
    unit: str
    moment: float
    lines: list[tuple[str, np.ndarray]]


def check_name(save: str) -> None:
    """Refuse a file whose kind is unknown, before anything is computed."""
    if Path(save).suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--save {save}: the name must end in one of {', '.join(SUFFIXES)}")


def inventories(entrants: Sequence[Entrant]) -> np.ndarray:
    """Inventories to draw over: those that the first entrant nearly always holds; -10 to 10 where quotes are exact."""
    if spec_of(entrants[0].config).exact_optimum:
        return np.arange(-SHOWN, SHOWN + 1)
    from mmrl.rollout.compiled import rollout
    from mmrl.rollout.streams import stream_seed

    return visited(rollout(entrants[0].config, entrants[0].quoter, stream_seed(0, "evaluation"), 0, count=20), None)


def surface(entrant: Entrant, q: np.ndarray) -> np.ndarray | None:
    """Deterministic actions [K, Q, A] in market units.

    None for an agent whose quotes depend on more than time and inventory, such as the naive one.
    """
    quoter = entrant.quoter
    if quoter.kind == "linear":
        return quoter.linear_actions(q, 1.0 - np.array(TIMES))
    if quoter.weights is not None and quoter.deterministic:
        return actions(entrant.config, quoter.weights, q, 1.0 - np.array(TIMES))
    table = quoter.table
    if table is None:
        return None
    edge = (table.shape[1] - 1) // 2
    rows = np.minimum((np.array(TIMES) * len(table)).astype(np.int64), len(table) - 1)
    return table[rows][:, np.clip(q, -edge, edge) + edge]


def curves(entrants: Sequence[Entrant]) -> tuple[np.ndarray, list[Panel]]:
    """Inventories [Q] and the panels, time by time: distances of both sides, then what else the maker chooses."""
    q, spec = inventories(entrants), spec_of(entrants[0].config)
    drawn = [(entrant.name, found) for entrant in entrants if (found := surface(entrant, q)) is not None]
    if not drawn:
        raise ConfigError(f"{entrants[0].name} has no table of quotes over inventory and time: nothing to draw")
    order = sorted(range(len(spec.axes)), key=lambda k: (spec.axes[k].kind != "distance", k))
    return q, [
        Panel(axis.name, axis.unit, moment, [(name, table[k, :, column]) for name, table in drawn])
        for k, moment in enumerate(TIMES)
        for column in order
        for axis in (spec.axes[column],)
    ]


def show(entrants: Sequence[Entrant], save: str | None) -> None:
    """Draw the entrants that have quotes over inventory on the terminal, or write them to a file by its suffix."""
    q, drawn = curves(entrants)
    if save is not None and Path(save).suffix.lower() != ".txt":
        _write(q, drawn, Path(save))
        print(f"wrote {save}")
        return
    columns, lines = terminal_size()
    colour = save is None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    text = drawing(q, drawn, columns, max(lines - 2, 30), colour)
    if save is None:
        print(text)
    else:
        Path(save).write_text(text + "\n", encoding="utf-8")
        print(f"wrote {save}")


def drawing(q: np.ndarray, drawn: Sequence[Panel], width: int, height: int, colour: bool) -> str:
    """A row of panels for each time, a curve for each entrant, marks for the optimum, and a legend."""
    from dataclasses import replace

    from mmrl.plots import lines

    looks = [_look(name, n) for n, (name, _) in enumerate(drawn[0].lines)]
    cells = [
        (
            f"{panel.title}, t = {panel.moment:g} T",
            [replace(look, x=q, y=y) for look, (_, y) in zip(looks, panel.lines, strict=True)],
        )
        for panel in drawn
    ]
    letters = [look.mark or ("──" if colour else "abcdefghijklmnopqrstuvwxyz"[n % 26]) for n, look in enumerate(looks)]
    if not colour:
        cells = [
            (title, [replace(line, mark=letter) for line, letter in zip(shown, letters, strict=True)])
            for title, shown in cells
        ]
    named = [
        (letter, name, look.colour) for letter, look, (name, _) in zip(letters, looks, drawn[0].lines, strict=True)
    ]
    blocks = [
        lines.panels(cells[k : k + 2], width, max(height * 2 // len(cells), 10), colour, across="inventory")
        for k in range(0, len(cells), 2)
    ]
    return "\n".join([*lines.legend(named, width, colour), *blocks])


def _look(name: str, number: int) -> Line:
    """How an entrant is drawn: the optimum as marks in its own colour, everybody else as a line."""
    from mmrl.plots.colours import THINGS, of_run
    from mmrl.plots.lines import Line

    if name == OPTIMUM:
        return Line((), (), colour=THINGS[OPTIMUM].number, mark="◇", points=True)
    return Line((), (), colour=of_run(number).number)


def _write(q: np.ndarray, drawn: Sequence[Panel], path: Path) -> None:
    from importlib.util import find_spec

    from mmrl.plots import figures
    from mmrl.plots.colours import THINGS

    if find_spec("matplotlib") is None and path.suffix.lower() == ".svg":
        from mmrl.plots.svg import terminal_svg

        path.write_text(terminal_svg(drawing(q, drawn, 110, 45, True), 110, "quotes"), encoding="utf-8")
        return
    rows = len(drawn) // len(TIMES)
    rc_context, Figure = figures.matplotlib()
    with rc_context(figures.STYLE):
        figure = Figure(figsize=(3.2 * len(TIMES), 2.5 * rows), layout="constrained")
        axes: Any = figure.subplots(rows, len(TIMES), sharex=True, sharey="row", squeeze=False)
        for number, panel in enumerate(drawn):
            column, row = divmod(number, rows)
            for n, (name, y) in enumerate(panel.lines):
                look: dict[str, Any] = {"color": figures.HUES[n % len(figures.HUES)], "lw": 1.2}
                if name == OPTIMUM:
                    look = {"color": THINGS[OPTIMUM].light, "lw": 0, "marker": "D", "ms": 3}
                axes[row, column].plot(q, y, label=name, **look)
            if row == 0:
                axes[row, column].set(title=f"t = {panel.moment:g} T")
            if row == rows - 1:
                axes[row, column].set(xlabel="inventory (shares)")
            if column == 0:
                axes[row, column].set(ylabel=f"{panel.title} ({panel.unit})")
        figures.legend_above(figure, *axes[0, 0].get_legend_handles_labels())
        figures.write(figure, path)
