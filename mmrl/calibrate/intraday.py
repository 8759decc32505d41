"""The course of a day: rates of all kinds of order by half hour."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmrl.calibrate.blocks import BLOCK_NS, SECOND, Floats, Ints, dispersion, ratio, seconds_of_blocks
from mmrl.calibrate.estimate import Estimate, Goodness
from mmrl.calibrate.market_orders import market_orders
from mmrl.data.events import CANCEL, LIMIT, Events

HALF_HOUR_NS = 1800 * SECOND


@dataclass(frozen=True)
class Course:
    """Orders of one kind a second, both sides together, by half hour."""

    rates: tuple[Estimate, ...]
    relative: tuple[float, ...]
    """Each rate over that of the whole span."""
    flat: Goodness
    """Dispersion of the counts of 5-minute blocks about one constant rate; 1 is a Poisson process."""
    fit: Goodness
    """The same about the rates by half hour."""


@dataclass(frozen=True)
class Intraday:
    """By half hour of the clock, from that in which the data begin to that in which they end."""

    start_s: tuple[float, ...]
    """Seconds since midnight at which each half hour begins."""
    limit: Course
    cancel: Course
    market: Course


def intraday(events: Events) -> Intraday:
    """Rates by half hour; errors from the up to six 5-minute blocks of each."""
    start, end = int(events.time_ns[0]), int(events.time_ns[-1])
    first = start // HALF_HOUR_NS
    halves = np.arange(first, max(end - 1, start) // HALF_HOUR_NS + 1)
    kinds = [events.time_ns[events.kind == kind] for kind in (LIMIT, CANCEL)]
    courses = [_course(time, start, end, halves) for time in (*kinds, market_orders(events).time_ns)]
    return Intraday(tuple((halves * HALF_HOUR_NS / SECOND).tolist()), *courses)


def _course(time_ns: Ints, start: int, end: int, halves: Ints) -> Course:
    seconds = seconds_of_blocks(start, end)
    first = start // BLOCK_NS
    counts = np.bincount(time_ns // BLOCK_NS - first, minlength=len(seconds)).astype(np.float64)
    half = (np.arange(len(seconds)) + first) * BLOCK_NS // HALF_HOUR_NS
    rates = tuple(ratio(counts[half == h], seconds[half == h]) for h in halves)
    whole = counts.sum() / seconds.sum()
    return Course(
        rates=rates,
        relative=tuple(float(rate.value / whole) if whole else 1.0 for rate in rates),
        flat=Goodness("dispersion about a constant rate", dispersion(counts, seconds), 1.0),
        fit=Goodness("dispersion about the half hours", _about_halves(counts, seconds, half, halves), 1.0),
    )


def _about_halves(counts: Floats, seconds: Floats, half: Ints, halves: Ints) -> float:
    """Pearson's chi^2 per degree of freedom with one rate a half hour."""
    chi, degrees = 0.0, 0
    for h in halves:
        own = (half == h) & (seconds > 0)
        if own.sum() > 1 and counts[own].sum() > 0:
            chi += dispersion(counts[own], seconds[own]) * (int(own.sum()) - 1)
            degrees += int(own.sum()) - 1
    return chi / degrees if degrees else math.nan
