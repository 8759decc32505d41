"""Numbers for readers: rounded before their suffix is chosen, prices with the decimals of their tick, enough digits."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.plots.numbers import amount, compact, decimals, percent, price


@pytest.mark.parametrize(
    ("number", "digits", "text"),
    [
        (273_000, 2, "270k"),  # was 2.7e+02k
        (999_999, 3, "1M"),  # was 1e+03k
        (999_999_999, 4, "1G"),
        (-999_960, 4, "-1M"),
        (9_999.96, 4, "10000"),  # was 1e+04
        (99_960, 3, "100k"),
        (99_949, 3, "99949"),
        (12_345_678, 4, "12.35M"),
        (1.5e14, 2, "150T"),
        (9.999e14, 2, "1e+15"),
        (0.000_099_99, 2, "0.0001"),
        (0.00001, 4, "1.00e-05"),
        (0, 4, "0"),
    ],
)
def test_compact(number: float, digits: int, text: str) -> None:
    assert compact(number, digits) == text


@given(st.floats(1e-4, 9.99e14, allow_nan=False), st.integers(1, 8))
def test_compact_has_no_exponent_and_is_near(number: float, digits: int) -> None:
    text = compact(number, digits)
    found = re.fullmatch(r"([0-9.]+)([kMGT]?)", text)
    if found is None:
        assert float(f"{number:.{digits - 1}e}") in (1e-4, 1e15) or number > 9.4e14 or number < 1.1e-4
        return
    value = float(found[1]) * {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[found[2]]
    assert value == pytest.approx(number, rel=0.51 * 10.0 ** (1 - digits))
    assert not found[2] or float(found[1]) < 1000


@pytest.mark.parametrize(
    ("tick", "places"), [(0.01, 2), (0.25, 2), (1e-8, 8), (0.5, 1), (1.0, 0), (5.0, 0), (100.0, 0), (2.5e-7, 8)]
)
def test_decimals(tick: float, places: int) -> None:
    assert decimals(tick) == places


@pytest.mark.parametrize(
    ("ticks", "tick", "text"),
    [
        (2_500_000_001, 0.01, "25000000.01"),
        (5_000_001, 1e-8, "0.05000001"),
        (5_000_002, 1e-8, "0.05000002"),
        (-150, 0.01, "-1.50"),
        (3, 0.25, "0.75"),
        (7, 100.0, "700"),
        (9_007_199_254_740_993, 0.01, "90071992547409.93"),  # beyond what a float tells apart
    ],
)
def test_prices_are_exact(ticks: int, tick: float, text: str) -> None:
    assert price(ticks, tick) == text


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (0.0413, 0.0098, "0.0413 ± 0.0098"),  # was 0.04 ± 0.01
        (64.9123, 0.143, "64.91 ± 0.14"),
        (12_345.6, 271.0, "12,346 ± 271"),
        (5.1e-8, 3.2e-9, "0.0000000510 ± 0.0000000032"),
        (5.12e-12, 3.2e-13, "5.120e-12 ± 3.2e-13"),
        (-0.5, 0.0996, "-0.50 ± 0.10"),
        (0.04134, None, "0.04134"),
        (1.4913, None, "1.491"),
        (68.26, None, "68.26"),
        (123_456.7, None, "123,457"),
        (0.0, None, "0"),
        (3.25, math.nan, "3.250"),
        (1.99e300, None, "1.990e+300"),
        (-2e15, 3e13, "-2.000e+15 ± 3.0e+13"),
        (math.nan, None, "-"),
    ],
)
def test_amounts(value: float, half: float | None, text: str) -> None:
    assert amount(value, half) == text


def test_a_share_of_the_optimum_is_written_in_one_way() -> None:
    assert [percent(x) for x in (0.994161, 1.0, -3.25, None, math.nan)] == [
        "99.42 %",
        "100.00 %",
        "-325.00 %",
        "-",
        "-",
    ]
