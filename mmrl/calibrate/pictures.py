"""Charts of a study: what was counted as points, what was fitted as lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmrl.calibrate.blocks import Floats, Ints
from mmrl.calibrate.intensity import Intensity, exposure
from mmrl.calibrate.study import Study
from mmrl.data.events import ASK, BID
from mmrl.plots.lines import BLUE, ORANGE, Line

POINTS = 12
Panel = tuple[str, Sequence[Line]]


def panels_of(found: Study) -> list[Panel]:
    """Panels for all that could be estimated."""
    drawn: list[Panel] = []
    if found.toke_yoshida:
        drawn += [intensity_panel(found, found.toke_yoshida.both, by) for by in ("spread", "queue")]
    if found.depth:
        distance = np.array(found.depth.distances)
        fitted = np.log(found.depth.a.value) - found.depth.k.value * distance
        counted = np.log([rate.value for rate in found.depth.rates])
        drawn.append(
            ("ln fills/s by distance, ticks", [Line(distance, counted), Line(distance, fitted, colour=ORANGE)])
        )
    if found.volatility:
        annual = [100 * each.annual.value for each in found.volatility.signature]
        errors = np.array([100 * each.annual.half for each in found.volatility.signature])
        at = np.log10(found.volatility.signature_seconds)
        line = Line(at, annual, np.array(annual) - errors, np.array(annual) + errors)
        two = 100 * found.volatility.two_scale.annual.value
        drawn.append(
            ("volatility %/year by log10 s (line: two-scale)", [line, Line(at, np.full(len(at), two), colour=ORANGE)])
        )
    if found.rates:
        distance = np.arange(1, len(found.rates.limit) + 1)
        lines = [Line(distance, [rate.value for rate in found.rates.limit])]
        if found.rates.power_law:
            law = found.rates.power_law
            lines.append(Line(distance, law.k.value / distance**law.alpha.value, colour=ORANGE))
        drawn.append(("limit orders/min by distance", lines))
    hours = np.array(found.intraday.start_s) / 3600 + 0.25
    if len(hours) > 1:
        drawn.append(
            ("market orders/s by hour of the day", [Line(hours, [r.value for r in found.intraday.market.rates])])
        )
    return drawn


def intensity_panel(found: Study, law: Intensity, by: str) -> Panel:
    """Market orders a second of a side in bins of equal time, and what the law says in the same bins."""
    sides = [exposure(found.events, side) for side in (BID, ASK)]
    spread, queue, seconds, counts = (
        np.concatenate([getattr(side, name) for side in sides]) for name in ("spread", "queue", "seconds", "counts")
    )
    values = spread if by == "spread" else queue / law.queue_unit
    bins = equal_time(values, seconds)
    time = np.bincount(bins, seconds)
    seen = time > 0
    x, counted, fitted = (
        np.bincount(bins, weights)[seen] / time[seen]
        for weights in (values * seconds, counts, law.rate(spread, queue) * seconds)
    )
    unit = "ticks" if by == "spread" else f"{law.queue_unit:g} lots"
    return f"market orders/s by {by}, {unit}", [Line(x, counted, colour=BLUE), Line(x, fitted, colour=ORANGE)]


def equal_time(values: Floats, seconds: Floats) -> Ints:
    """Number of the bin of each value, bins of about equal time; equal values share one."""
    order = np.argsort(values, kind="stable")
    passed = np.cumsum(seconds[order])
    places = np.searchsorted(passed, np.linspace(0, passed[-1], POINTS + 1)[1:-1])
    edges = np.unique(values[order][places])
    return np.searchsorted(edges, values, side="right")
