"""A fitted market at one half hour of the day: its rates of orders times what that half hour has over the whole span.

Each market says which of its settings are rates, and of what. Cancellations follow limit orders, so that queues stay as
long as they are over the whole span; volatility, sizes and excitation (as a share) stay too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmrl.calibrate.blocks import SECOND
from mmrl.calibrate.fits import Fitted, Rate
from mmrl.calibrate.intraday import HALF_HOUR_NS, Intraday
from mmrl.calibrate.source import clock
from mmrl.calibrate.study import significant
from mmrl.settings.errors import ConfigError


def at_half_hour(fitted: Fitted, rates: Sequence[Rate], day: Intraday, start_ns: int) -> Fitted:
    """The market at the half hour that begins at `start_ns`; errors as if the course and the rate were independent.

    ConfigError where the data have no such half hour, or no orders in it.
    """
    starts = [round(second * SECOND) for second in day.start_s]
    if start_ns not in starts:
        raise ConfigError(
            f"--half-hour {clock(start_ns)} is not in the data: they have half hours from {clock(starts[0])} to "
            f"{clock(starts[-1])}"
        )
    at = starts.index(start_ns)
    settings, errors = dict(fitted.settings), dict(fitted.errors)
    for rate in rates:
        if rate.setting not in settings:
            continue
        course = getattr(day, rate.course)
        factor, estimate = course.relative[at], course.rates[at]
        if not factor > 0:
            raise ConfigError(f"--half-hour {clock(start_ns)}: the data have no {rate.course} orders then")
        own = estimate.error / estimate.value if math.isfinite(estimate.error) else 0.0
        settings[rate.setting], errors[rate.setting] = _scaled(
            rate, settings[rate.setting], errors[rate.setting], factor, own
        )
    until = clock(start_ns + HALF_HOUR_NS)
    method = f"{fitted.method}; rates of {clock(start_ns)} to {until}"
    return replace(fitted, settings=settings, errors=errors, method=method)


def _scaled(rate: Rate, value: Any, error: Any, factor: float, own: float) -> tuple[Any, Any]:
    values, errors = np.atleast_1d(np.array(value, float)), np.atleast_1d(np.array(error, float))
    chosen = slice(None) if rate.entry is None else slice(rate.entry, rate.entry + 1)
    if rate.logarithm:
        values[chosen] += math.log(factor)
        errors[chosen] = np.hypot(errors[chosen], own)
    else:
        errors[chosen] = np.hypot(errors[chosen] * factor, values[chosen] * factor * own)
        values[chosen] *= factor
    new, spread = [significant(x) for x in values], [significant(x, 3) for x in errors]
    return (new, spread) if isinstance(value, list) else (new[0], spread[0])
