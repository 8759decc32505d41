"""Exponential and logarithm in arithmetic alone, within a few units of the last place (Tang, ACM TOMS 15(2) and 16(4)).

A call of the C library takes two to three times as long, and what calls keeps nothing in registers meanwhile.
"""

from __future__ import annotations

import math

import numpy as np

from mmrl.kernels.bits import bits_of, number_of
from mmrl.kernels.jit import inlined_fused

_PARTS = 128
"""Into which a factor of two is divided."""
_LN2 = math.log(2.0)
_BY_PART = _PARTS / _LN2
# ln 2 / 128 in two numbers: the first, of few bits, times a whole number of up to 18 bits is exact
_PART_HIGH = float.fromhex("0x1.62e42fee00000p-8")
_PART_LOW = float.fromhex("0x1.a39ef35793c76p-40")
_LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_SHIFT = 1.5 * 2.0**52
"""Added to a number that is not large it leaves the nearest whole number in the lowest bits."""
_FRACTIONS = 2.0 ** (np.arange(_PARTS) / _PARTS)
_LEAST, _LARGEST = -707.0, 709.0
_CENTRES = 1.0 + np.arange(_PARTS + 1) / _PARTS
_INVERSES = 1.0 / _CENTRES
_HALVED = 54
"""First of the centres that count as half of themselves, so that numbers around 1 have logarithms around 0."""
_LOGARITHMS = np.log(np.where(np.arange(_PARTS + 1) < _HALVED, _CENTRES, 0.5 * _CENTRES))
_MANTISSA, _ONE = np.int64((1 << 52) - 1), np.int64(1023 << 52)
_EXPONENT_AT, _CENTRE_AT, _PART_BITS = np.int64(52), np.int64(44), np.int64(7)


@inlined_fused
def exp(x):  # type: ignore[no-untyped-def]
    """e to the power x, float64; x counts as at least -707 and at most 709."""
    bounded = _LEAST if x < _LEAST else x  # what is not a number stays what it is
    bounded = _LARGEST if bounded > _LARGEST else bounded
    shifted = bounded * _BY_PART + _SHIFT
    parts = shifted - _SHIFT
    r = (bounded - parts * _PART_HIGH) - parts * _PART_LOW
    whole = bits_of(shifted)  # in its lowest bits: parts, then whole powers of two
    fraction = bits_of(_FRACTIONS[np.uint64(whole & (_PARTS - 1))])
    power = number_of(fraction + ((whole >> _PART_BITS) << _EXPONENT_AT))
    square = r * r
    rest = r + square * (0.5 + r * (1.0 / 6.0) + square * (1.0 / 24.0 + r * (1.0 / 120.0)))
    return power + power * rest


@inlined_fused
def log(x):  # type: ignore[no-untyped-def]
    """The natural logarithm of a float64 from 2^-1022 on; NaN of infinity."""
    bits = bits_of(x)
    m = number_of((bits & _MANTISSA) | _ONE)  # in [1, 2)
    centre = np.uint64((((bits >> _CENTRE_AT) & 255) + 1) >> 1)
    e = np.float64((bits >> _EXPONENT_AT) - (1022 if centre >= _HALVED else 1023))
    r = (m - _CENTRES[centre]) * _INVERSES[centre]
    square = r * r
    rest = square * (-0.5 + r * (1.0 / 3.0) + square * (-0.25 + r * 0.2 + square * (-1.0 / 6.0 + r * (1.0 / 7.0))))
    # the last term is not 0 where x is not a number
    return e * _LN2_HIGH + (_LOGARITHMS[centre] + (r + (rest + e * _LN2_LOW))) + (x - x)
