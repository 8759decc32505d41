"""Pictures of a sampled batch as text: quantities over the time of an episode, and the order book of one trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from mmrl.plots.colours import THINGS
from mmrl.plots.lines import Line, panels
from mmrl.plots.picture import BRAILLE, Charset

QUOTES = ("ask", "mid", "bid")
PRICES = "prices (currency)"
FILLS = ("time", "price", "shares")
"""What a replayed day tells of its fills."""


def episode_figure(
    arrays: Mapping[str, ArrayLike],
    width: int = 80,
    height: int = 24,
    colour: bool = True,
    replay: bool = False,
    unit: str = "",
    characters: Charset = BRAILLE,
) -> str:
    """Wealth, inventory, value and order book over time: a batch (mean, 5 % to 95 % band) or a replay."""
    names = {"wealth": "wealth W (currency)", "inventory": "inventory I (shares)", "value": "value W + I·S (currency)"}
    drawn: list[tuple[str, Sequence[Line]]] = []
    for name, title in names.items():
        drawn.append((title, [episode_line(arrays, name, replay, band=True)]))
    drawn.append((PRICES, quote_lines(arrays, replay)))
    return panels(drawn, width, height, colour, time_axis(unit), characters)


def book_figure(
    arrays: Mapping[str, ArrayLike],
    width: int = 80,
    height: int = 24,
    colour: bool = True,
    unit: str = "",
    characters: Charset = BRAILLE,
) -> str:
    """The order book of one replayed trajectory over time: quotes with midprice, and inventory."""
    inventory = episode_line(arrays, "inventory", replay=True)
    drawn = [(PRICES, quote_lines(arrays, replay=True)), ("inventory I (shares)", [inventory])]
    return panels(drawn, width, height, colour, time_axis(unit), characters)


def time_axis(unit: str) -> str:
    """Name of the time axis with its unit."""
    return f"time ({unit})" if unit else "time"


def quote_lines(arrays: Mapping[str, ArrayLike], replay: bool) -> list[Line]:
    """Ask, mid and bid over time, with their names, and the fills of a replayed day."""
    quoted = [replace(episode_line(arrays, name, replay), label=name) for name in QUOTES]
    return quoted + fill_marks(arrays)


def fill_marks(arrays: Mapping[str, ArrayLike]) -> list[Line]:
    """What was bought and sold as marks of two shapes; none where no fills are told."""
    time, price, shares = (np.asarray(arrays.get(f"fill_{name}", ()), np.float64) for name in FILLS)
    if any(each.ndim != 1 for each in (time, price, shares)) or not len(time) == len(price) == len(shares):
        return []
    found = []
    for label, mark, side, colour in (("bought", "^", 1, "bid"), ("sold", "v", -1, "ask")):
        here = shares * side > 0
        if here.any():
            hue = THINGS[colour].number
            found.append(Line(time[here], price[here], colour=hue, label=label, mark=mark, points=True))
    return found


def episode_line(arrays: Mapping[str, ArrayLike], name: str, replay: bool = False, band: bool = False) -> Line:
    """One quantity of an episode over time [T], in its colour: the mean over trajectories, or the replayed one."""
    colour = THINGS[name].number
    key = f"replay_{name}" if replay else f"{name}_mean"
    nothing = np.zeros(0)
    y = np.asarray(arrays.get(key, nothing), dtype=np.float64)
    x = np.asarray(arrays.get("time", nothing), dtype=np.float64)[: len(y)]
    y = y[: len(x)]
    if replay or not band or f"{name}_q05" not in arrays or f"{name}_q95" not in arrays:
        return Line(x, y, colour=colour)
    low, high = (np.asarray(arrays[f"{name}_{q}"], dtype=np.float64)[: len(x)] for q in ("q05", "q95"))
    return Line(x, y, low, high, colour)
