"""`order-flow` from a day: rates by distance, or by distance and queue; sizes; excitation of market orders by others.

Rates go as far from the opposite best price as the source shows both limit orders and cancellations, at most ten ticks.
Both sides have one law. A share of the market stands for `unit` lots of the data (a contract; a round lot of shares).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmrl.calibrate.estimate import Estimate
from mmrl.calibrate.fits import Fitted, Rate, Wanted
from mmrl.calibrate.hawkes import Hawkes, fit_hawkes
from mmrl.calibrate.rates import QueueReactive, Rates, queue_reactive
from mmrl.calibrate.study import DISTANCES, LONGEST, Study, pair, significant
from mmrl.settings.declare import ConfigError

SEEN = 1 / 60
"""Minutes in which a queue must have been seen; rarer ones take the rate of the next shorter or longer one."""
LARGEST = 200
"""Shares of an order; larger ones count as so large."""
LEVELS = 30
MINUTE = 60.0
RATES = (
    Rate("limit_rates", "limit"),
    Rate("limit_scale", "limit"),
    Rate("cancel_rates", "limit"),
    Rate("market_rates", "market"),
)


def fit(found: Study, wanted: Wanted) -> Fitted:
    """The settings and their errors."""
    market = "order-flow"
    rates: Rates = found.needed("rates", market)
    longest = wanted.queue_sizes or 0
    excited: Hawkes | None = None if wanted.exponentials == 0 else found.needed("hawkes", market)
    if excited and wanted.exponentials not in (None, len(excited.decays)):
        excited = fit_hawkes(found.events, wanted.exponentials)
    if longest:
        queues = (
            found.queues if longest == LONGEST and found.queues else queue_reactive(found.events, DISTANCES, longest)
        )
        values, errors = by_queue(queues)
    else:
        values, errors = by_distance(rates)
    if rates.power_law and rates.power_law.alpha.value >= 0:
        values["limit_scale"], errors["limit_scale"] = pair(rates.power_law.k)
        values["limit_decay"], errors["limit_decay"] = pair(rates.power_law.alpha)
    if excited:
        base = 1 - excited.branching.value
        for table in (values, errors):
            table["market_rates"] = [significant(rate * base) for rate in table["market_rates"]]
        more, more_errors = excitation(excited)
        values |= more
        errors |= more_errors
    tables = {
        f"{kind}_size_table": [significant(w) for w in getattr(found.sizes, kind).table(found.unit, LARGEST)]
        for kind in ("limit", "market")
    }
    head = {
        "name": market,
        "midprice": significant(found.profile.mid),
        "tick": found.profile.tick_size,
        "levels": max(LEVELS, len(values["cancel_rates"]) // (longest + 1)),
        "queue_sizes": longest,
        "size_law": "table",
    }
    how = f"rates by distance and {f'queue up to {longest}' if longest else 'no queue'}, both sides as one; "
    how += f"market orders excite market orders, {len(excited.decays)} exponentials; " if excited else ""
    return Fitted(
        {**head, **values, **tables}, errors, how + f"a share is {found.unit} lots; time in minutes", lots=True
    )


def by_distance(rates: Rates) -> tuple[dict[str, Any], dict[str, Any]]:
    """Rates up to the last distance at which both kinds are known and not 0."""
    known = 0
    for limit, cancel in zip(rates.limit, rates.cancel, strict=True):
        if not (limit.value > 0 and cancel.value > 0):
            break
        known += 1
    if not known:
        raise ConfigError("no distance has both limit orders and cancellations: order-flow needs some; give more data")
    columns = {
        "limit_rates": rates.limit[:known],
        "cancel_rates": rates.cancel[:known],
        "market_rates": (rates.market,),
    }
    return _both(columns)


def by_queue(queues: QueueReactive) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tables by distance (rows) and queue (columns); the empty queue has no cancellations and no market orders."""
    limit, cancel = [], []
    for born, gone, minutes in zip(queues.limit, queues.cancel, queues.observed, strict=True):
        limit += seen(born, minutes)
        cancel += [Estimate(0.0, 0.0), *seen(gone[1:], minutes[1:])]
    market = [Estimate(0.0, 0.0), *seen(queues.market[1:], queues.observed[0][1:])]
    return _both({"limit_rates": limit, "cancel_rates": cancel, "market_rates": market})


def seen(row: Sequence[Estimate], minutes: Sequence[float]) -> list[Estimate]:
    """A row of a table; queues that were hardly seen take the rate of the nearest one that was."""
    there = [n for n, each in enumerate(row) if minutes[n] >= SEEN and math.isfinite(each.value)]
    if not there:
        raise ConfigError("a distance was never observed: use --queue-sizes 0, or give more data")
    nearest = [min(there, key=lambda known: abs(known - n)) for n in range(len(row))]
    return [row[n] for n in nearest]


def excitation(hawkes: Hawkes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The kernels with decays a minute."""
    return _both(
        {
            "hawkes_decays": [beta.times(MINUTE) for beta in hawkes.decays],
            "hawkes_same": hawkes.same,
            "hawkes_cross": hawkes.cross,
        }
    )


def _both(columns: Mapping[str, Sequence[Estimate]]) -> tuple[dict[str, Any], dict[str, Any]]:
    pairs = {name: [pair(each) for each in row] for name, row in columns.items()}
    values = {name: [value for value, _ in row] for name, row in pairs.items()}
    errors = {name: [error if np.isfinite(error) else 0.0 for _, error in row] for name, row in pairs.items()}
    return values, errors
