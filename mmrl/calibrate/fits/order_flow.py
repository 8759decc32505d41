"""`order-flow` from a day: rates by distance, or by distance and queue; sizes; excitation of market orders, or of all
kinds of events.

Rates go as far from the opposite best price as the source shows both limit orders and cancellations, at most ten ticks.
Both sides have one law. A share of the market stands for `unit` lots of the data (a contract; a round lot of shares).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmrl.calibrate.estimate import Estimate
from mmrl.calibrate.excitation_kinds import KINDS
from mmrl.calibrate.fits import Fitted, Rate, Wanted
from mmrl.calibrate.hawkes import NOTHING, Hawkes, fit_hawkes
from mmrl.calibrate.hawkes_kinds import HawkesKinds, fit_kinds
from mmrl.calibrate.informed import Informed, fit_informed
from mmrl.calibrate.rates import QueueReactive, Rates, queue_reactive
from mmrl.calibrate.study import DISTANCES, LONGEST, Study, pair, significant
from mmrl.settings.errors import ConfigError

SEEN = 1 / 60
"""Minutes in which a queue must have been seen; rarer ones take the rate of the next shorter or longer one."""
LARGEST = 200
"""Shares of an order; larger ones count as so large."""
LEVELS = 30
EXPONENTIALS_OF_ALL = 4
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
    law, how_excited = excited(found, wanted, len(values["cancel_rates"]) // (longest + 1))
    if law:
        for table in (values, errors):
            for name, share in law.base.items():
                if name in table:
                    table[name] = scaled(table[name], share)
        values |= law.settings
        errors |= law.errors
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
    settings = {**head, **values, **tables}
    leaning, how_informed = informed(found, settings) if wanted.efficient_price == "fitted" else (None, "")
    if leaning:
        settings |= leaning.settings
        found_errors = {"efficient_volatility": leaning.volatility.error, "informed_share": leaning.share.error}
        errors |= {name: significant(error, 3) for name, error in found_errors.items() if math.isfinite(error)}
    how += how_excited + how_informed + f"a share is {found.unit} lots; time in minutes"
    return Fitted(settings, errors, how, lots=found.unit)


def informed(found: Study, settings: dict[str, Any]) -> tuple[Informed | None, str]:
    """The efficient price, and how it was found; None where the mid does not move more as in the data with it."""
    sigma = found.needed("volatility", "order-flow").two_scale.ticks_per_root_second.times(math.sqrt(MINUTE))
    leaning = fit_informed(found.events, settings, sigma, found.profile.spread.value, found.unit)
    if leaning is None or not leaning.better:
        return None, "no efficient price: the mid moves no more as in the data with one; "
    edge = "" if math.isfinite(leaning.share.error) else ", the share at the end of its range"
    return leaning, (
        "efficient price and share of the traders who know it by indirect inference from the volatility signature "
        f"(mean |ln ratio| {leaning.fit.value:.2f}, without {leaning.without.value:.2f}{edge}); "
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


@dataclass(frozen=True)
class Excitation:
    """Settings of the excitation, their errors, and what share of each rate nothing excites."""

    settings: dict[str, Any]
    errors: dict[str, Any]
    base: dict[str, float]


def excited(found: Study, wanted: Wanted, furthest: int) -> tuple[Excitation | None, str]:
    """The excitation that is wanted, and how it was found; None where it is none.

    Of all kinds, that of orders up to the `furthest` distance that has a rate: the market has no others.
    """
    if wanted.exponentials == 0:
        if wanted.hawkes_kinds:
            raise ConfigError("--hawkes-kinds has no effect with --exponentials 0: drop one of the two")
        return None, ""
    if wanted.hawkes_kinds == "all":
        if not found.needed("rates", "order-flow").deep:
            raise ConfigError("--hawkes-kinds all needs data of all orders, these are of the best prices: use market")
        every = fit_kinds(found.events, wanted.exponentials or EXPONENTIALS_OF_ALL, furthest)
        traded = found.sizes.market.mean.value / found.sizes.limit.mean.value
        law, steady = of_all_kinds(every, traded)
        kept = "cancellations keep queues steady" if steady else "queues may grow, as the rates of the fit have it"
        return law, f"all kinds of events excite each other, {len(every.decays)} exponentials, {kept}; "
    of_market: Hawkes = found.needed("hawkes", "order-flow")
    if wanted.exponentials not in (None, len(of_market.decays)):
        of_market = fit_hawkes(found.events, wanted.exponentials or 0)
    return of_market_orders(of_market), f"market orders excite market orders, {len(of_market.decays)} exponentials; "


def of_market_orders(hawkes: Hawkes) -> Excitation:
    """Kernels of market orders, with decays a minute."""
    values, errors = _both(
        {
            "hawkes_decays": [beta.times(MINUTE) for beta in hawkes.decays],
            "hawkes_same": hawkes.same,
            "hawkes_cross": hawkes.cross,
        }
    )
    return Excitation(values, errors, {"market_rates": 1 - hawkes.branching.value})


def of_all_kinds(hawkes: HawkesKinds, traded: float) -> tuple[Excitation, bool]:
    """Kernels of all kinds, with decays a minute, a row of the matrix for each excited kind; whether queues are steady.

    `traded`: limit orders that a market order takes, by their mean sizes.
    """
    none = Estimate(0.0, 0.0)  # at the edge, where only the bound of the search keeps them from being 0
    kept = [each if each.value > NOTHING else none for each in hawkes.numbers]
    numbers = np.array(kept, object).reshape(-1, KINDS, KINDS, 2).transpose(0, 1, 3, 2)
    values, errors = _both(
        {"hawkes_decays": [beta.times(MINUTE) for beta in hawkes.decays], "hawkes_matrix": numbers.ravel().tolist()}
    )
    unexcited, steady = settled(hawkes, traded)
    limit, cancel, market = (mu / rate for mu, rate in zip(unexcited, hawkes.rate, strict=True))
    base = {"limit_rates": limit, "limit_scale": limit, "cancel_rates": cancel, "market_rates": market}
    return Excitation({"hawkes_kinds": "all", **values}, errors, base), steady


def settled(hawkes: HawkesKinds, traded: float) -> tuple[tuple[float, ...], bool]:
    """Rates that nothing excites, such that limit and market orders come as often as in the data and queues are steady;
    and whether there are such rates.

    A day that fills its book has fewer cancellations than limit orders that are not traded. Where most events are
    excited, few cancellations grow with the queue, and the market would add up that difference to queues many times as
    long: so cancellations are what keeps queues steady. Where that leaves no kind of order unexcited, the fit's own.
    """
    matrix = np.array([e.value for e in hawkes.numbers]).reshape(-1, KINDS, KINDS, 2).sum(axis=(0, 3))
    limit, _, market = hawkes.rate
    rate = np.array([limit, limit - traded * market, market])
    mu = rate - matrix @ rate
    steady = bool((mu > 0).all())
    return tuple(mu.tolist()) if steady else tuple(e.value for e in hawkes.mu), steady


def scaled(value: Any, share: float) -> Any:
    """A number, or all of a list, times a share."""
    return [significant(x * share) for x in value] if isinstance(value, list) else significant(value * share)


def _both(columns: Mapping[str, Sequence[Estimate]]) -> tuple[dict[str, Any], dict[str, Any]]:
    pairs = {name: [pair(each) for each in row] for name, row in columns.items()}
    values = {name: [value for value, _ in row] for name, row in pairs.items()}
    errors = {name: [error if np.isfinite(error) else 0.0 for _, error in row] for name, row in pairs.items()}
    return values, errors
