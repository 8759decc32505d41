"""The order book at one step: all shares and the maker's own at prices around the mid, and the maker's last trades."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rich.text import Text
from textual.widgets import Static

from mmrl.plots.numbers import compact, decimals, price, ticks
from mmrl.plots.pixels import Floats
from mmrl.runs.book_recording import BookRecording

from ..themes import thing_colour

TRADES = 6
PRICE = 10  # width of a price in characters
FULL, OWN, PLAIN_FULL, PLAIN_OWN = "█", "▒", "#", "o"
LEVELS = 0  # as a price step: one row for every price with shares
STEPS = (LEVELS, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Price steps between rows to choose from, in ticks."""
Row = tuple[int, int, int]  # price in ticks, shares (negative: asks), the maker's own shares among them


def book_rows(replay: BookRecording, at: int, step: int, half: int) -> tuple[list[Row], list[Row]]:
    """Rows of asks and of bids, the best first, `half` of each at most; `step` ticks per row (LEVELS: every level).

    Prices are rounded away from the mid: no share is shown at a better price than its own.
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
    """A round price step between rows, so that `reach` fits into `rows`."""
    reach = max(reach, 1e-300)
    found = ticks(0.0, reach, max(rows, 2))
    return found[1] - found[0] if len(found) > 1 else reach


def trades(inventory: Floats, bid: Floats, ask: Floats, at: int) -> list[tuple[int, float, float]]:
    """The last changes of the inventory up to a step: step, shares (bought > 0), price quoted just before."""
    change = np.diff(inventory[: at + 1])
    found = np.flatnonzero(np.isfinite(change) & (change != 0))[-TRADES:]
    return [(int(i) + 1, float(change[i]), float(bid[i] if change[i] > 0 else ask[i])) for i in found[::-1]]


class Ladder(Static):
    """A ladder of prices at one step of a trajectory."""

    def _sides(self) -> tuple[str, str]:
        """The colours of bid and ask, as everywhere."""
        dark = self.app.current_theme.dark
        return thing_colour("bid", dark), thing_colour("ask", dark)

    def show_book(self, replay: BookRecording, at: int, step: int, ascii_only: bool = False) -> None:
        """Draw recorded step `at` of a book: own / all shares, a bar of both, the price."""
        colours, tick = self.app.theme_variables, float(replay.tick[0])
        bid_colour, ask_colour = self._sides()
        last = TRADES if self.size.height >= 22 else 2
        half = max((self.size.height - last - 5) // 2, 3)
        asks, bids = book_rows(replay, at, step, half)
        most = max([abs(shares) for _, shares, _ in asks + bids] + [1])
        wide = max(PRICE, *(len(price(where, tick)) for where, _, _ in [*asks, *bids, (0, 0, 0)]))
        side = max((self.size.width - wide - 2) // 2, 12)
        done = np.searchsorted(replay.fill_step, replay.step[at], "left")
        before = np.searchsorted(replay.fill_step, replay.step[max(at - 1, 0)], "left")
        just = {round(float(p) / tick) for p in replay.fill_price[before:done]}
        text = Text(no_wrap=True)
        text.append(f" t = {float(replay.time[at]):g}", style="bold")
        grouped = "every level" if step == LEVELS else f"{step * tick:g} per row"
        text.append(f"   {grouped}   ▒ the maker's\n".replace("▒", PLAIN_OWN if ascii_only else OWN))
        head = f"{'own / bid':>{side}} {'price':^{wide}} {'own / ask':<{side}}\n"
        text.append(head, style=colours["secondary"])
        places = decimals(tick)

        def line(row: Row) -> None:
            where, shares, own = row
            bar, number = _bar(abs(shares), own, most, side - 10, ascii_only), _shares(own, abs(shares))
            colour = bid_colour if shares > 0 else ask_colour
            left = Text(f"{number:>9} ", style="bold" if own else "")
            blocks = Text(bar[::-1].rjust(side - 10) if shares > 0 else bar.ljust(side - 10), style=colour)
            fresh = any(abs(where - p) < max(step, 1) for p in just) if just else False
            shown = Text(f"{price(where, tick):^{wide}}", style="reverse" if fresh else "")
            blank = Text(" " * side)
            right = Text.assemble(blocks, Text(f" {number:<9}", style="bold" if own else ""))
            parts = (Text.assemble(left, blocks), shown, blank) if shares > 0 else (blank, shown, right)
            text.append_text(Text(" ").join(parts if shares else (blank, shown, blank)))
            text.append("\n")

        for row in [*reversed(asks)]:
            line(row)
        inventory = f"inventory {int(replay.inventory[at])}"
        middle = f" mid {float(replay.mid[at]):.{places + 2}f}  spread {replay.ask[at] - replay.bid[at]:.{places}f} "
        room = min(2 * side + wide + 2, self.size.width - 1)
        rule = "-" if ascii_only else "─"
        text.append(f"{middle} {inventory} ".center(room, rule) + "\n", style=colours["accent"])
        for row in bids:
            line(row)
        text.append("\n last trades of the maker\n", style=colours["secondary"])
        for i in range(int(done) - 1, max(int(done) - 1 - last, -1), -1):
            shares, paid = int(replay.fill_shares[i]), float(replay.fill_price[i])
            moment = float(replay.fill_time[i])
            verb, colour = ("bought", bid_colour) if shares > 0 else ("sold", ask_colour)
            style = f"bold {colour}" if i >= before else colour
            text.append(f" t {moment:<9g} {verb:<7}{abs(shares):>6} at {paid:.{places}f}\n", style=style)
        if not done:
            text.append(" none yet", style=colours["secondary"])
        self.update(text)

    def show_quotes(self, time: Floats, values: dict[str, Floats], at: int) -> None:
        """Draw step `at` where only the mid and the best quotes are known."""
        if not len(time):
            self.update(Text("no trajectory"))
            return
        colours = self.app.theme_variables
        bid_colour, ask_colour = self._sides()
        mid, bid, ask = (float(values[name][at]) for name in ("mid", "bid", "ask"))
        text = Text(no_wrap=True)
        if not math.isfinite(mid):
            self.update(Text("no price at this step"))
            return
        rows = max(self.size.height - TRADES - 4, 7)
        half = rows // 2
        reach = max([abs(q - mid) for q in (bid, ask) if math.isfinite(q)] or [1.0]) * 1.25
        step = step_of(reach, half)
        places = max(2, -math.floor(math.log10(step)))
        text.append(f" t = {time[at]:g}\n", style="bold")
        text.append(f"{'bid':>14} {'price':>10}  ask\n", style=colours["secondary"])
        centre = round(mid / step)
        for level in range(centre + half, centre - half - 1, -1):
            where = level * step
            on_bid = math.isfinite(bid) and round(bid / step) == level
            on_ask = math.isfinite(ask) and round(ask / step) == level
            left = f"{bid:.{places}f} ▓▓▓" if on_bid else "·" if where < mid else ""
            text.append(f"{left:>14} ", style=bid_colour if on_bid else colours["secondary"])
            style = f"bold {colours['accent']}" if level == centre else ""
            text.append(f"{where:>10.{places}f}", style=style)
            right = f"▓▓▓ {ask:.{places}f}" if on_ask else "·" if where > mid else ""
            if level == centre:
                right = (
                    right
                    if on_ask
                    else f"◀ mid {mid:.4g}"
                    if abs(mid) < 1 and places == 2
                    else f"◀ mid {mid:.{places}f}"
                )
            text.append(f"  {right}\n", style=ask_colour if on_ask else colours["secondary"])
        text.append("\n last trades of the maker\n", style=colours["secondary"])
        for step_at, shares, paid in trades(values["inventory"], values["bid"], values["ask"], at):
            verb, colour = ("bought", bid_colour) if shares > 0 else ("sold", ask_colour)
            text.append(
                f" t {time[step_at]:<9g} {verb:<7}{compact(abs(shares)):>6} near {paid:.{places}f}\n", style=colour
            )
        self.update(text)


def _shares(own: int, total: int) -> str:
    """Own / all shares in at most nine characters."""
    return f"{compact(own, 3)}/{compact(total, 3)}" if own else compact(total, 3)


def _bar(total: int, own: int, most: int, width: int, ascii_only: bool) -> str:
    """A bar that begins at the price: the maker's shares hatched, the others solid."""
    long = max(round(width * total / most), 1 if total else 0)
    mine = min(max(round(long * own / total), 1), long) if own and total else 0
    signs: Sequence[str] = (PLAIN_OWN, PLAIN_FULL) if ascii_only else (OWN, FULL)
    return signs[0] * mine + signs[1] * (long - mine)
