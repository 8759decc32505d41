"""Pictures of a sampled batch as text: quantities over the time of an episode, and the order book of one trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from mmrl.plots.lines import BLUE, COLOURS, GREY, ORANGE, PURPLE, Line, panels
from mmrl.plots.raster import BRAILLE, Charset

QUOTES = (("bid", BLUE), ("ask", ORANGE), ("mid", GREY))


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
    for number, (name, title) in enumerate(names.items()):
        drawn.append((title, [episode_line(arrays, name, COLOURS[number], replay, band=True)]))
    quotes = [episode_line(arrays, name, hue, replay) for name, hue in QUOTES]
    drawn.append(("prices (currency): ask, mid, bid", quotes))
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
    quotes = [episode_line(arrays, name, hue, replay=True) for name, hue in QUOTES]
    inventory = episode_line(arrays, "inventory", PURPLE, replay=True)
    drawn = [("prices (currency): ask, mid, bid", quotes), ("inventory I (shares)", [inventory])]
    return panels(drawn, width, height, colour, time_axis(unit), characters)


def time_axis(unit: str) -> str:
    """Name of the time axis with its unit."""
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
