"""Numbers in pictures: round places for ticks, and short texts of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

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
    size = abs(float(f"{number:.{digits - 1}e}"))
    if size and (size < 1e-4 or size >= 1e15):
        return f"{number:.{max(digits - 2, 0)}e}"
    for limit, scale, letter in ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e5, 1e3, "k")):
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
    if leading and abs(leading) < 1e-9:  # what has more zeros than digits
        return f"{value:.{digits - 1}e}" + (f" ± {half:.1e}" if known else "")
    rounded = float(f"{leading:.{wanted - 1}e}")
    places = max(wanted - 1 - math.floor(math.log10(abs(rounded))), 0) if rounded else 0
    return f"{value:,.{places}f}" + (f" ± {half:,.{places}f}" if known else "")


def percent(share: float | None) -> str:
    """A share of the optimum, everywhere: 0.99416 -> 99.42 %."""
    return "-" if share is None or not math.isfinite(share) else f"{100 * share:,.2f} %"


def labels(places: Sequence[float]) -> list[str]:
    """As many digits as tell neighbours apart, and no more."""
    found: list[str] = []
    for digits in range(3, 13):
        found = [compact(0.0 if abs(p) < 1e-300 else p, digits) for p in places]
        if len(set(found)) == len(found):
            break
    return found
