"""An estimate with its error, how well a fit meets the data, and all estimates of a result by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from mmrl.statistics.intervals import LEAST, student_t


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error, which is NaN where none can be given."""

    value: float
    error: float = math.nan
    blocks: int = 0
    """Blocks of time from which the error was computed."""

    @property
    def half(self) -> float:
        """Half of the 95 % interval, by Student's t; NaN for fewer than ten blocks."""
        return float(student_t(self.blocks)) * self.error if self.blocks >= LEAST else math.nan

    def times(self, factor: float) -> Estimate:
        """The same in another unit."""
        return Estimate(self.value * factor, self.error * abs(factor), self.blocks)

    def z(self, truth: float) -> float:
        """Standard errors between the estimate and a known value."""
        return (self.value - truth) / self.error


@dataclass(frozen=True)
class Goodness:
    """How well a fit meets the data: which figure, its value, and the value of a perfect fit (NaN: none)."""

    figure: str
    value: float
    perfect: float


def by_name(result: Any, name: str = "") -> Iterator[tuple[str, Estimate]]:
    """Every estimate in a result of nested dataclasses, tuples and mappings, by its dotted name.

    Entries of tuples are numbered from 1, as the papers number distances and coefficients.
    """
    yield from _by_name(result, name, Estimate)


def fits_by_name(result: Any, name: str = "") -> Iterator[tuple[str, Goodness]]:
    """Every figure of a fit in a result, by its dotted name."""
    yield from _by_name(result, name, Goodness)


def _by_name(result: Any, name: str, kind: type) -> Iterator[tuple[str, Any]]:
    if isinstance(result, kind):
        yield name, result
        return
    parts: list[tuple[Any, Any]] = []
    if is_dataclass(result):
        parts = [(field.name, getattr(result, field.name)) for field in fields(result)]
    elif isinstance(result, tuple | list):
        parts = list(enumerate(result, 1))
    elif isinstance(result, Mapping):
        parts = list(result.items())
    for part, value in parts:
        yield from _by_name(value, f"{name}.{part}" if name else str(part), kind)
