"""The rate of market orders as a function of the spread and of the queue that they hit.

Between events spread and queue stand still, so the likelihood is exactly that of a Poisson regression with log link and
offset ln(dt), where y = 1 if the interval ends in a market order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from mmrl.calibrate.blocks import Floats, Ints, block_sums, estimates, numbered
from mmrl.calibrate.estimate import Estimate
from mmrl.calibrate.intervals import intervals
from mmrl.calibrate.market_orders import Merge, market_orders
from mmrl.calibrate.poisson import Regression, log_likelihood, regress
from mmrl.calibrate.residuals import Residuals, between_events, kolmogorov_smirnov
from mmrl.data.events import ASK, BID, Events
from mmrl.settings.errors import ConfigError

SIDES = {BID: "sells", ASK: "buys"}
"""Market orders by the side of the resting orders that they hit."""


@dataclass(frozen=True)
class Form:
    """A log rate that is linear in functions of the spread (ticks) and the best queue (in some unit)."""

    name: str
    terms: tuple[str, ...]
    columns: Callable[[Floats, Floats], tuple[Floats, ...]]


def _toke_yoshida(spread: Floats, queue: Floats) -> tuple[Floats, ...]:
    s, q = np.log(spread), np.log1p(queue)
    return np.ones_like(s), s, s * s, q, q * q, s * q


def _book(spread: Floats, queue: Floats) -> tuple[Floats, ...]:
    distance = spread / 2
    d, q = np.log1p(distance), np.log1p(queue)
    return np.ones_like(d), d, d * d, q, q * q, np.log1p(distance + queue)


TOKE_YOSHIDA = Form("toke-yoshida", ("1", "ln S", "ln^2 S", "ln(1+q)", "ln^2(1+q)", "ln S ln(1+q)"), _toke_yoshida)
"""Toke & Yoshida, Modelling intensities of order flows in a limit order book (Quantitative Finance 17(5), 2017); the
law `spread-queue` of the market `order-flow`. S is the spread in ticks."""
BOOK = Form("book", ("1", "ln(1+d)", "ln^2(1+d)", "ln(1+q)", "ln^2(1+q)", "ln(1+d+q)"), _book)
"""The law of the market `book`. d is the distance of the best price from the mid, in ticks."""
FORMS = {form.name: form for form in (TOKE_YOSHIDA, BOOK)}


@dataclass(frozen=True)
class Intensity:
    """A fitted rate of market orders against one side, orders a second."""

    form: str
    side: int
    queue_unit: float
    """Lots in one unit of q."""
    coefficients: tuple[Estimate, ...]
    """As `terms` of the form names them; 0 without an error where the data cannot tell (a spread that never moves)."""
    orders: int
    seconds: float
    log_likelihood: float
    gain: float
    """Log-likelihood over that of a constant rate."""
    residuals: Residuals
    left_out: int
    """Intervals without a usable book: a side empty, prices crossed or locked, trading halted."""

    def rate(self, spread: ArrayLike, queue: ArrayLike) -> Floats:
        """Orders a second at spreads (ticks) and best queues (lots)."""
        columns = FORMS[self.form].columns(*_as_floats(spread, np.asarray(queue) / self.queue_unit))
        return np.asarray(np.exp(sum(b.value * column for b, column in zip(self.coefficients, columns, strict=True))))


@dataclass(frozen=True)
class Exposure:
    """What a rate of market orders against one side is fitted to: one row a usable interval."""

    time_ns: Ints
    """End of the interval."""
    seconds: Floats
    counts: Floats
    """1 where the interval ends in a market order."""
    spread: Floats
    queue: Floats
    """Lots at the best price of the side before the event."""
    left_out: int

    def between(self, start_ns: int, end_ns: int) -> Exposure:
        """Rows whose interval ends in [start, end)."""
        rows = (self.time_ns >= start_ns) & (self.time_ns < end_ns)
        columns = {name: getattr(self, name)[rows] for name in ("time_ns", "seconds", "counts", "spread", "queue")}
        return replace(self, **columns)

    def design(self, form: Form, queue_unit: float) -> Floats:
        """Columns of the regression [n, p]."""
        return np.stack(form.columns(self.spread, self.queue / queue_unit), axis=1)


def exposure(events: Events, side: int, merge: Merge = "rows") -> Exposure:
    """Intervals of the book, and which of them end in a market order against a side (BID or ASK).

    Executions are merged by neighbouring rows, as the published coefficients for AMZN were fitted; "time" moves them by
    hundredths of their errors.
    """
    if side not in SIDES:
        raise ValueError(f"side = {side}: allowed are BID = {BID} and ASK = {ASK}")
    between = intervals(events)
    counts = np.zeros(len(events))
    counts[market_orders(events, merge).against(side).row] = 1
    row = between.row[between.usable]
    return Exposure(
        events.time_ns[row],
        between.seconds[between.usable],
        counts[row],
        between.spread[between.usable].astype(np.float64),
        (events.bid_size if side == BID else events.ask_size)[row].astype(np.float64),
        int((~between.usable).sum()),
    )


def fit_intensity(events: Events, side: int, queue_unit: float, form: Form = TOKE_YOSHIDA) -> Intensity:
    """Fit the log rate of market orders against one side by maximum likelihood (Poisson GLM, Newton).

    Errors are clustered by 5-minute block. `queue_unit` is the number of lots in one unit of q: 100 for shares, the
    mean limit order for the market `order-flow`. Raises ConfigError where the side has no market order.
    """
    return fit_exposure(exposure(events, side), side, queue_unit, form)


def fit_exposure(data: Exposure, side: int, queue_unit: float, form: Form = TOKE_YOSHIDA) -> Intensity:
    """The same for intervals that are already chosen, such as those of a morning."""
    if not (0 < queue_unit < math.inf):
        raise ConfigError(f"queue_unit = {queue_unit} lots: allowed are numbers > 0")
    design = data.design(form, queue_unit)
    fitted = regress(design, data.counts, data.seconds)
    return Intensity(
        form=form.name,
        side=side,
        queue_unit=queue_unit,
        coefficients=_clustered(fitted, design, data),
        orders=int(data.counts.sum()),
        seconds=float(data.seconds.sum()),
        log_likelihood=fitted.log_likelihood,
        gain=fitted.log_likelihood - fitted.constant,
        residuals=residuals(data, fitted.rates),
        left_out=data.left_out,
    )


def _clustered(fitted: Regression, design: Floats, data: Exposure) -> tuple[Estimate, ...]:
    block, blocks = numbered(data.time_ns)
    scores = block_sums(design * (data.counts - fitted.rates * data.seconds)[:, None], block, blocks)
    known = ~np.isnan(np.diag(fitted.inverse))
    influence = np.full((blocks, len(known)), math.nan)
    influence[:, known] = scores[:, known] @ fitted.inverse[np.ix_(known, known)]
    return estimates(fitted.coefficients, influence)


def residuals(data: Exposure, rates: Floats) -> Residuals:
    """Test the times between market orders, rescaled by the rates [n] of the intervals."""
    return kolmogorov_smirnov(between_events(rates * data.seconds, np.flatnonzero(data.counts)))


def row_log_likelihood(data: Exposure, rates: Floats) -> Floats:
    """Log-likelihood of each interval [n] at the given rates."""
    return log_likelihood(rates, data.counts, data.seconds)


def _as_floats(*values: ArrayLike) -> list[Floats]:
    return [np.asarray(value, np.float64) for value in np.broadcast_arrays(*values)]
