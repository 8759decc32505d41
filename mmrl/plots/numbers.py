"""Numbers in pictures: round places for ticks, and short texts of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence


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
    """A number in few characters: 12345678 -> 12.35M, 0.00001 -> 1e-05, nothing known -> -."""
    if number is None or not math.isfinite(number):
        return "-"
    size = abs(number)
    if size and (size < 1e-4 or size >= 1e15):
        return f"{number:.{max(digits - 2, 0)}e}"
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e5, "k")):
        if size >= limit * 0.99995:
            scale = 1e3 if letter == "k" else limit
            return f"{number / scale:.{digits}g}{letter}"
    return f"{number:.{max(digits, len(str(int(size))))}g}"


def labels(places: Sequence[float]) -> list[str]:
    """As many digits as tell neighbours apart, and no more."""
    found: list[str] = []
    for digits in range(3, 13):
        found = [compact(0.0 if abs(p) < 1e-300 else p, digits) for p in places]
        if len(set(found)) == len(found):
            break
    return found
