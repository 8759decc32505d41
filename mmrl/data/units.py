"""Decimal prices and sizes as whole numbers: exact conversion, and the tick or lot that fits them all."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mmrl.data.notes import DataError

SCALE = 100_000_000
"""Decimal texts are read as whole multiples of 1e-8, the finest step that the exchanges here use."""
_EXACT = 2**53


def scaled(text: str) -> int:
    """A decimal number as a whole multiple of 1e-8. ValueError where it is none, or has more decimals."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    whole, _, decimals = digits.partition(".")
    if not (whole + decimals).isdecimal() or not digits.isascii():
        return _scaled_slowly(text)
    decimals = decimals.rstrip("0")
    if len(decimals) > 8:
        raise ValueError(f"{text!r} has more than 8 decimals")
    return sign * int((whole or "0") + decimals.ljust(8, "0"))


def _scaled_slowly(text: str) -> int:
    try:
        value = Decimal(text) * SCALE
    except InvalidOperation:
        raise ValueError(f"{text!r} is no number") from None
    if not value.is_finite() or value != value.to_integral_value():
        raise ValueError(f"{text!r} is no number of at most 8 decimals")
    return int(value)


def units_of(step: float, scale: int, what: str) -> int:
    """A given tick or lot as a whole multiple of 1/scale. DataError where it is none."""
    units = Fraction(str(step)) * scale if 0 < step < float("inf") else Fraction(0)
    if not 1 <= units <= _EXACT or units.denominator != 1:
        allowed = f"a positive multiple of {1 / scale:g}, at most {_EXACT / scale:.3g}"
        raise DataError(f"{what} = {step:g} is not allowed: it must be {allowed}")
    return int(units)


def inferred(values: NDArray[np.int64]) -> int:
    """The greatest step of which all values are multiples; 1 where there is no value but 0."""
    step = int(np.gcd.reduce(values[:1000])) if len(values) else 0
    if step:
        left = values % step  # much faster than a divisor for every value, and nearly always nothing but zeros
        step = int(np.gcd(step, np.gcd.reduce(left)))
    elif len(values) > 1000:
        return inferred(values[1000:])
    return step or 1


def decimal(columns: Sequence[NDArray[np.float64]]) -> tuple[list[NDArray[np.int64]], int]:
    """Columns of decimal numbers as whole multiples of one power of ten, and how many of these make 1.

    DataError where a number has more than 8 decimals, or more digits than 64-bit floats hold.
    """
    for decimals in range(9):
        scale = 10**decimals
        whole = [np.rint(column * scale) for column in columns]
        if any(np.abs(column).max(initial=0) > _EXACT for column in whole):
            break
        # two floats next to a decimal text differ by a part in 10^15 of it
        if all(np.allclose(w / scale, c, rtol=1e-15, atol=0) for w, c in zip(whole, columns, strict=True)):
            return [column.astype(np.int64) for column in whole], scale
    raise DataError("prices or sizes with more than 8 decimals, or more than 15 digits, are not read")
