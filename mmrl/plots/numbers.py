"""Numbers in pictures: round places for ticks, and short texts of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

SUFFIXES = ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e5, 1e3, "k"))
"""From which size on a number is written in which unit."""

HALF = "± is half of a 95 % interval"
"""What the sign means wherever mmrl prints or draws it."""


def ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers (1, 2, 5 times a power of ten) within low..high."""
    if not high > low:
        return [low]
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((m * power for m in (1, 2, 5) if m * power >= raw * 0.999), 10 * power)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, min(last, first + 4 * count) + 1)]


def compact(number: float | int | None, digits: int = 4) -> str:
    """A number in few characters: 12345678 -> 12.35M, 0.00001 -> 1e-05, nothing known -> -.

    It is rounded to `digits` before its suffix is chosen: 999999 is 1M, not 1e+03k.
    """
    if number is None or not math.isfinite(number):
        return "-"
    number = number + 0.0  # zero has no sign for readers
    size = abs(float(f"{number:.{digits - 1}e}"))
    if size and (size < 1e-4 or size >= 1e15):
        return f"{number:.{max(digits - 2, 0)}e}"
    for limit, scale, letter in SUFFIXES:
        if size >= limit:
            return _plain(number, scale, digits) + letter
    return f"{number:.{max(digits, len(str(int(size))))}g}"


def _plain(number: float, scale: float, digits: int) -> str:
    """A number of some digits in units of `scale`, without an exponent whatever it is rounded to."""
    rounded = float(f"{number:.{digits - 1}e}") / scale
    return f"{rounded:.{max(digits, len(str(int(abs(rounded)))))}g}"


def decimals(step: float) -> int:
    """Decimals that multiples of a price step need: 0.25 -> 2, 1e-08 -> 8, 5 -> 0."""
    exponent = Decimal(repr(float(step))).normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def price(ticks: int, tick: float) -> str:
    """A price of whole ticks, exactly and with the decimals that they need."""
    return f"{ticks * Decimal(repr(float(tick))):.{decimals(tick)}f}"


def amount(value: float, half: float | None = None, digits: int = 4) -> str:
    """A number in full with as many digits as it needs: two of half of its interval where there is one, else `digits`.

    0.0413 +- 0.0098, 64.91 +- 0.14, 12,345 +- 270; without an interval 0.04130, 64.91, 12,345.
    """
    known = half is not None and math.isfinite(half) and half > 0
    leading, wanted = (half, 2) if known and half is not None else (value, digits)
    if not math.isfinite(value):
        return "-"
    value += 0.0  # zero has no sign for readers
    if (leading and abs(leading) < 1e-9) or abs(value) >= 1e15:  # what has more zeros than digits
        return f"{value:.{digits - 1}e}" + (f" ± {half:.1e}" if known else "")
    rounded = float(f"{leading:.{wanted - 1}e}")
    places = max(wanted - 1 - math.floor(math.log10(abs(rounded))), 0) if rounded else 0
    return f"{value:,.{places}f}" + (f" ± {half:,.{places}f}" if known else "")


def several(count: int, what: str) -> str:
    """1 run, 2 runs."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def percent(share: float | None) -> str:
    """A share of the optimum, everywhere: 0.99416 -> 99.42 %."""
    return "-" if share is None or not math.isfinite(share) else f"{100 * share + 0.0:,.2f} %"


def labels(places: Sequence[float]) -> list[str]:
    """The ticks of an axis in one notation: one suffix, and as many decimals as tell them apart: -100k, -50k, 0."""
    size = max(map(abs, places), default=0.0)
    gaps = [abs(b - a) for a, b in pairwise(places) if b != a]
    close = min(gaps, default=size) * 1e-3
    if size and (size < 1e-4 or size >= 1e15):
        exponent = math.floor(math.log10(size))
        digits = _decimals(places, 10.0**exponent, close)
        return ["0" if not p else f"{p / 10.0**exponent:.{digits}f}e{exponent}" for p in places]
    scale, suffix = next(((scale, suffix) for limit, scale, suffix in SUFFIXES if size >= limit), (1.0, ""))
    digits = _decimals(places, scale, close)
    return ["0" if abs(p) <= close else f"{p / scale:.{digits}f}{suffix}" for p in places]


def _decimals(places: Sequence[float], scale: float, close: float) -> int:
    """Decimals with which all places, in units of `scale`, are written to within `close`."""
    for digits in range(13):
        if all(abs(round(p / scale, digits) - p / scale) <= close / scale for p in places):
            return digits
    return 13


def even_ticks(low: float, high: float, rows: int) -> tuple[float, float, list[float]]:
    """The ends of an axis of `rows` cells that holds low..high, and its ticks: round numbers, equally many cells apart.

    About every third or fourth cell has one. The ends are as near as that allows.
    """
    best: tuple[float, float, float, list[float]] | None = None
    need = (high - low) / rows
    if rows < 6:
        return _few_ticks(low, high, rows)
    for cells in range(1, min(6, rows // 2) + 1):
        for mantissa in (1, 2, 5):
            first = math.ceil(math.log10(need * cells / mantissa) - 1e-9)
            for power in (first, first + 1):
                step = float(f"{mantissa}e{power}")
                cell = step / cells
                bottom = math.floor(low / cell + 1e-9)
                bottom -= bottom * cell > low
                if (bottom + rows) * cell < high:
                    continue
                numbers = range(-(-bottom // cells), (bottom + rows - 1) // cells + 1)
                cost = cell / need + 0.15 * abs(cells - 3) + 0.3 * (cells == 1) + (len(numbers) < 2)
                if best is None or cost < best[0]:
                    best = cost, bottom * cell, (bottom + rows) * cell, [k * step for k in numbers]
                break
    return (low, high, [low, high]) if best is None else best[1:]


def _few_ticks(low: float, high: float, rows: int) -> tuple[float, float, list[float]]:
    """The same for few cells: their steps may have two digits, and need not pass through zero: 531.5, 533.0."""
    need = (high - low) / rows
    unit = float(f"5e{math.floor(math.log10(need)) - 1}")
    every = 1 if rows < 4 else 2
    best: tuple[float, float, float, list[float]] | None = None
    for size in (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 30, 40, 50):
        cell, step = size * unit, size * unit * every
        for grid, cost in ((step, 0.0), (unit, 0.5)):
            number = math.floor(low / grid + 1e-9)
            bottom = (number - (number * grid > low)) * grid
            if bottom + rows * cell >= high and (best is None or cell / need + cost < best[0]):
                ticks_at = [bottom + k * step for k in range(-(-rows // every))]
                best = cell / need + cost, bottom, bottom + rows * cell, ticks_at
    return (low, high, [low, high]) if best is None else best[1:]


def fitting_ticks(
    low: float, high: float, columns: int, whole: bool = False, apart: int = 0
) -> tuple[list[float], list[str]]:
    """Ticks within an axis of `columns` cells, and their labels, as many as have room, at least `apart` cells apart.

    `whole`: whole numbers only.
    """
    found: tuple[list[float], list[str]] = [], []
    for count in range(max(columns // 6, 1), 0, -1):
        places = [p for p in ticks(low, high, count) if low <= p <= high]
        if whole and any(p != round(p) for p in places):
            places = [float(p) for p in range(math.ceil(low), math.floor(high) + 1)]
        names = labels(places)
        wide = max(map(len, names), default=0)
        gaps = [(b - a) / (high - low) * columns for a, b in pairwise(places)]
        found = places, names
        if min(gaps, default=columns) >= max(wide + 2, apart):
            break
    return found


def log_ticks(low: float, high: float, most: int) -> tuple[list[float], list[str]]:
    """Values within low..high (both > 0) for a logarithmic axis, at most about `most`, and their labels.

    Powers of ten; where there are few, twice and five times them as well; within a small range equal steps.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = -(-(last - first) // max(most, 1)) or 1
    places = [p for k in range(first, last + 1) if not k % every and low <= (p := float(f"1e{k}")) <= high]
    if len(places) < 3:
        more = [float(f"{m}e{k}") for k in range(first, last + 1) for m in (1, 2, 5)]
        more = [p for p in more if low <= p <= high]
        places = more if 2 <= len(more) <= max(most, 2) else places
    if len(places) < 2:
        places = [p for p in ticks(low, high, most) if low <= p <= high] or [low, high]
        return places, labels(places)
    if places[0] < 1e-4 or places[-1] >= 1e5:
        parts = [f"{p:.0e}".split("e") for p in places]
        return places, [f"{mantissa}e{int(exponent)}" for mantissa, exponent in parts]
    return places, [f"{p:g}" for p in places]
