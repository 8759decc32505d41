"""Prices around the mid with the maker's quotes, and its last trades."""

from __future__ import annotations

import math

import numpy as np
from rich.text import Text
from textual.widgets import Static

from mmrl.raster import Floats, compact, ticks

TRADES = 6


def step_of(reach: float, rows: int) -> float:
    """A round distance between the prices of neighbouring rows, so that `reach` fits into `rows`."""
    found = ticks(0.0, max(reach, 1e-9), max(rows, 2))
    return found[1] - found[0] if len(found) > 1 else max(reach, 1e-9)


def trades(inventory: Floats, bid: Floats, ask: Floats, at: int) -> list[tuple[int, float, float]]:
    """The last changes of the inventory up to a step: step, shares (bought > 0), price quoted just before."""
    change = np.diff(inventory[: at + 1])
    found = np.flatnonzero(np.isfinite(change) & (change != 0))[-TRADES:]
    return [(int(i) + 1, float(change[i]), float(bid[i] if change[i] > 0 else ask[i])) for i in found[::-1]]


class Ladder(Static):
    """A ladder of prices at one step of a trajectory."""

    def show(self, time: Floats, values: dict[str, Floats], at: int) -> None:
        """Draw step `at`."""
        if not len(time):
            self.update(Text("no trajectory"))
            return
        colours = self.app.theme_variables
        mid, bid, ask = (float(values[name][at]) for name in ("mid", "bid", "ask"))
        text = Text(no_wrap=True)
        if not math.isfinite(mid):
            self.update(Text("no price at this step"))
            return
        rows = max(self.size.height - TRADES - 4, 7)
        half = rows // 2
        reach = max([abs(q - mid) for q in (bid, ask) if math.isfinite(q)] or [1.0]) * 1.25
        step = step_of(reach, half)
        text.append(f" t = {time[at]:g}\n", style="bold")
        text.append(f"{'bid':>14} {'price':>10}  ask\n", style=colours["secondary"])
        centre = round(mid / step)
        for level in range(centre + half, centre - half - 1, -1):
            price = level * step
            on_bid = math.isfinite(bid) and round(bid / step) == level
            on_ask = math.isfinite(ask) and round(ask / step) == level
            left = f"{bid:.2f} ▓▓▓" if on_bid else "·" if price < mid else ""
            text.append(f"{left:>14} ", style=colours["primary"] if on_bid else colours["secondary"])
            style = f"bold {colours['accent']}" if level == centre else ""
            text.append(f"{price:>10.{max(2, -math.floor(math.log10(step)))}f}", style=style)
            right = f"▓▓▓ {ask:.2f}" if on_ask else "·" if price > mid else ""
            if level == centre:
                right = right if on_ask else f"◀ mid {mid:.4g}" if abs(mid) < 1 else f"◀ mid {mid:.2f}"
            text.append(f"  {right}\n", style=colours["warning"] if on_ask else colours["secondary"])
        text.append("\n last trades of the maker\n", style=colours["secondary"])
        for step_at, shares, price in trades(values["inventory"], values["bid"], values["ask"], at):
            verb, colour = ("bought", colours["primary"]) if shares > 0 else ("sold", colours["warning"])
            text.append(f" t {time[step_at]:<9g} {verb:<7}{compact(abs(shares)):>6} near {price:.2f}\n", style=colour)
        self.update(text)
