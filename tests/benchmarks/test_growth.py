"""Lines and operations of the benchmark of growing sizes."""

from __future__ import annotations

import pytest

from benchmarks.growth import line, multiplications, operations, products, recorded


def test_a_line_is_found_again() -> None:
    constant, slope = line([1, 10, 100, 1_000], [2.0 + 0.5 * n for n in (1, 10, 100, 1_000)])
    assert (constant, slope) == pytest.approx((2.0, 0.5))


def test_operations_are_those_of_the_products_of_a_gradient() -> None:
    """6-16-16-4 with a linear map: outputs and weights of 440 numbers each, deltas of two layers behind the first."""
    assert multiplications((6, 16, 16, 4)) == 96 + 256 + 64 + 24
    assert operations((6, 16, 16, 4)) == 2 * (440 + 440 + 256 + 64)
    assert products((6, 16, 16, 4))() > 0.0  # which counts the same of its matrices


def test_a_step_of_the_book_records_its_columns() -> None:
    assert recorded() == 4 * 6 + 4 * 4 + 4 + 8 * 6 + 4
