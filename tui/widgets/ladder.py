"""The order book at one step: prices around the mid with everyone's shares and the maker's, and its last trades."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rich.text import Text
from textual.widgets import Static

from mmrl.plots.raster import Floats, compact, ticks
from mmrl.runs.book_recording import BookRecording

TRADES = 6
PRICE = 10  # columns of a price
FULL, OWN, PLAIN_FULL, PLAIN_OWN = "█", "▒", "#", "o"
LEVELS = 0  # of the steps between rows: every price that has shares, and no other
STEPS = (LEVELS, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Ticks between the rows that one can choose from."""
Row = tuple[int, int, int]  # ticks, shares (below zero: for sale), the maker's among them


def book_rows(replay: BookRecording, at: int, step: int, half: int) -> tuple[list[Row], list[Row]]:
    """Rows of asks and of bids, the best first, `half` of each at most; `step` ticks a row (LEVELS: as they come).

    Prices are rounded away from the mid: no share is shown nearer than it lies.
    """
    price, shares, own = replay.levels(at)
    sides = []
    for sign in (-1, 1):
        held = np.flatnonzero(np.sign(shares) == sign)
        held = held if sign < 0 else held[::-1]
        if step == LEVELS:
            chosen = held[:half]
            sides.append([(int(price[i]), int(shares[i]), int(own[i])) for i in chosen])
            continue
        level = (-(-price[held] // step) if sign < 0 else price[held] // step) * step
        rows = {int(level[0]) - sign * k * step: [0, 0] for k in range(half if len(held) else 0)}
        for i, where in zip(held, level.tolist(), strict=True):
            if where in rows:
                rows[where][0] += int(shares[i])
                rows[where][1] += int(own[i])
        sides.append([(where, total, mine) for where, (total, mine) in rows.items()])
    return sides[0], sides[1]


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

    def show_book(self, replay: BookRecording, at: int, step: int, ascii_only: bool = False) -> None:
        """Draw kept step `at` of a whole book: own / all shares, a bar of both, the price."""
        colours, tick = self.app.theme_variables, float(replay.tick[0])
        last = TRADES if self.size.height >= 22 else 2
        half = max((self.size.height - last - 5) // 2, 3)
        asks, bids = book_rows(replay, at, step, half)
        most = max([abs(shares) for _, shares, _ in asks + bids] + [1])
        side = max((self.size.width - PRICE - 2) // 2, 12)
        done = np.searchsorted(replay.fill_step, replay.step[at], "left")
        before = np.searchsorted(replay.fill_step, replay.step[max(at - 1, 0)], "left")
        just = {round(float(p) / tick) for p in replay.fill_price[before:done]}
        text = Text(no_wrap=True)
        text.append(f" t = {float(replay.time[at]):g}", style="bold")
        grouped = "every level" if step == LEVELS else f"{step * tick:g} a row"
        text.append(f"   {grouped}   ▒ the maker's\n".replace("▒", PLAIN_OWN if ascii_only else OWN))
        head = f"{'own / bid':>{side}} {'price':^{PRICE}} {'own / ask':<{side}}\n"
        text.append(head, style=colours["secondary"])
        decimals = max(0, min(6, -math.floor(math.log10(tick) + 1e-9)))

        def line(row: Row) -> None:
            where, shares, own = row
            bar, number = _bar(abs(shares), own, most, side - 10, ascii_only), _shares(own, abs(shares))
            hue = colours["primary"] if shares > 0 else colours["warning"]
            left = Text(f"{number:>9} ", style="bold" if own else "")
            blocks = Text(bar[::-1].rjust(side - 10) if shares > 0 else bar.ljust(side - 10), style=hue)
            fresh = any(abs(where - p) < max(step, 1) for p in just) if just else False
            price = Text(f"{where * tick:^{PRICE}.{decimals}f}", style="reverse" if fresh else "")
            blank = Text(" " * side)
            right = Text.assemble(blocks, Text(f" {number:<9}", style="bold" if own else ""))
            parts = (Text.assemble(left, blocks), price, blank) if shares > 0 else (blank, price, right)
            text.append_text(Text(" ").join(parts if shares else (blank, price, blank)))
            text.append("\n")

        for row in [*reversed(asks)]:
            line(row)
        inventory = f"inventory {int(replay.inventory[at])}"
        middle = (
            f" mid {float(replay.mid[at]):.{decimals + 2}f}  spread {replay.ask[at] - replay.bid[at]:.{decimals}f} "
        )
        room = 2 * side + PRICE + 2
        rule = "-" if ascii_only else "─"
        text.append(f"{middle} {inventory} ".center(room, rule) + "\n", style=colours["accent"])
        for row in bids:
            line(row)
        text.append("\n last trades of the maker\n", style=colours["secondary"])
        for i in range(int(done) - 1, max(int(done) - 1 - last, -1), -1):
            shares, price = int(replay.fill_shares[i]), float(replay.fill_price[i])
            moment = float(np.interp(replay.fill_step[i], replay.step, replay.time))
            verb, hue = ("bought", colours["primary"]) if shares > 0 else ("sold", colours["warning"])
            style = f"bold {hue}" if i >= before else hue
            text.append(f" t {moment:<9g} {verb:<7}{abs(shares):>6} at {price:.{decimals}f}\n", style=style)
        if not done:
            text.append(" none yet", style=colours["secondary"])
        self.update(text)

    def show_quotes(self, time: Floats, values: dict[str, Floats], at: int) -> None:
        """Draw step `at` where only the mid and the best quotes are known."""
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


def _shares(own: int, total: int) -> str:
    """Own / all shares in nine columns."""
    return f"{compact(own, 3)}/{compact(total, 3)}" if own else compact(total, 3)


def _bar(total: int, own: int, most: int, width: int, ascii_only: bool) -> str:
    """A bar from the price outwards: the maker's share of the level hatched, the rest full."""
    long = max(round(width * total / most), 1 if total else 0)
    mine = min(max(round(long * own / total), 1), long) if own and total else 0
    signs: Sequence[str] = (PLAIN_OWN, PLAIN_FULL) if ascii_only else (OWN, FULL)
    return signs[0] * mine + signs[1] * (long - mine)
