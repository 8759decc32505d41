"""Fit on the morning, check on the afternoon, against the constant rate of the morning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmrl.calibrate.blocks import SECOND, Floats, Ints, block_sums, numbered, ratio
from mmrl.calibrate.estimate import Estimate
from mmrl.calibrate.excitation import pass_over
from mmrl.calibrate.hawkes import Marks, fit_marks, marks, waits
from mmrl.calibrate.intensity import TOKE_YOSHIDA, Form, exposure, fit_exposure, residuals, row_log_likelihood
from mmrl.calibrate.residuals import Residuals, kolmogorov_smirnov
from mmrl.data.events import Events
from mmrl.settings.errors import ConfigError


@dataclass(frozen=True)
class HeldOut:
    """How a law of market orders that was fitted before a time does after it."""

    split_s: float
    """Seconds since midnight."""
    fitted: int
    """Market orders before."""
    held_out: int
    """Market orders after."""
    log_likelihood: float
    """Per market order after the split; rates a second."""
    constant: float
    """The same of the constant rate of the time before."""
    gain: Estimate
    """The first over the second; its error is clustered by 5-minute block."""
    residuals: Residuals
    constant_residuals: Residuals


def middle(events: Events) -> int:
    """The middle of the span, nanoseconds since midnight."""
    return int(events.time_ns[0] + events.time_ns[-1]) // 2


def hold_out_intensity(
    events: Events, side: int, queue_unit: float, form: Form = TOKE_YOSHIDA, split_ns: int | None = None
) -> HeldOut:
    """The intensity by spread and queue of market orders against one side; by default split in the middle of the span.

    Raises ConfigError where a part has no market orders.
    """
    split = middle(events) if split_ns is None else split_ns
    data = exposure(events, side)
    before, after = data.between(0, split), data.between(split, int(events.time_ns[-1]) + 1)
    _refuse_empty(split, before.counts.sum(), after.counts.sum())
    rates = fit_exposure(before, side, queue_unit, form).rate(after.spread, after.queue)
    constant = np.full(len(rates), before.counts.sum() / before.seconds.sum())
    return _compare(
        split,
        int(before.counts.sum()),
        after.time_ns,
        after.counts,
        (row_log_likelihood(after, rates), row_log_likelihood(after, constant)),
        (residuals(after, rates), residuals(after, constant)),
    )


def hold_out_hawkes(events: Events, exponentials: int = 2, split_ns: int | None = None) -> HeldOut:
    """The Hawkes process of both sides. It goes on from the state in which the time before left it."""
    split = middle(events) if split_ns is None else split_ns
    data = marks(events)
    at = (split - data.start_ns) / SECOND
    count = int(np.searchsorted(data.time, at))
    _refuse_empty(split, count, len(data.time) - count)
    before = Marks(data.time[:count], data.side[:count], data.start_ns, at)
    values = fit_marks(before, exponentials).values()
    log_rate, integral, _ = pass_over(data.time, data.side, data.end, values, exponentials)
    # the wait that the split cuts: what it holds before the split does not count
    to_split = pass_over(before.time, before.side, at, values, exponentials)[1][-1]
    after = integral[count:].copy()
    after[0] -= to_split
    rates = np.bincount(before.side, minlength=2) / at
    lasted = np.diff(np.concatenate([[at], data.time[count:], [data.end]]))
    constant = lasted[:, None] * rates
    side, orders = data.side[count:], np.append(np.ones(len(data.time) - count), 0.0)
    with np.errstate(divide="ignore"):  # a side without an order before has no rate: minus infinity is right
        likelihoods = tuple(
            np.append(logs, 0.0) - integrals.sum(axis=1)
            for logs, integrals in ((log_rate[count:], after), (np.log(rates)[side], constant))
        )
    ends = data.start_ns + (np.append(data.time[count:], data.end) * SECOND).astype(np.int64)
    tests = (kolmogorov_smirnov(waits(side, after)), kolmogorov_smirnov(waits(side, constant)))
    return _compare(split, count, ends, orders, (likelihoods[0], likelihoods[1]), tests)


def _compare(
    split: int,
    fitted: int,
    time_ns: Ints,
    counts: Floats,
    likelihoods: tuple[Floats, Floats],
    tests: tuple[Residuals, Residuals],
) -> HeldOut:
    """From rows after the split: their times, market orders, and log-likelihoods by the law and by the constant."""
    law, constant = likelihoods
    total = float(counts.sum())
    block, blocks = numbered(time_ns)
    gain = ratio(block_sums(law - constant, block, blocks), block_sums(counts, block, blocks))
    return HeldOut(
        split / SECOND, fitted, int(total), float(law.sum()) / total, float(constant.sum()) / total, gain, *tests
    )


def _refuse_empty(split: int, before: float, after: float) -> None:
    if before == 0 or after == 0:
        raise ConfigError(
            f"{before:g} market orders before {split / SECOND:g} s since midnight and {after:g} after: a held-out "
            "check needs some in both; choose another time"
        )
