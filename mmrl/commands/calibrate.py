"""`mmrl calibrate`: a report on real data, a market fitted to them, and how realistic it is."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmrl.calibrate.estimate import Estimate, by_name, fits_by_name
from mmrl.calibrate.fits import Fitted, Wanted, fit
from mmrl.calibrate.intensity import FORMS, Intensity
from mmrl.calibrate.realism import Score, missed, realism
from mmrl.calibrate.simulated import simulated_beside
from mmrl.calibrate.source import clock, cut, source
from mmrl.calibrate.study import Study, study
from mmrl.data.events import Events
from mmrl.data.recognise import read
from mmrl.data.table import Options
from mmrl.plots.lines import panels
from mmrl.plots.numbers import HALF
from mmrl.plots.output import say, terminal_size
from mmrl.plots.streams import charset, wants_colour
from mmrl.plots.table import Column, pairs, room, table
from mmrl.plots.text import wrapped
from mmrl.runs.atomic import durable_write, naming
from mmrl.runs.outputs import check_output
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError
from mmrl.settings.market_file import MarketFile, market_toml, read_market_file
from mmrl.settings.sources import resolve

RESULTS = ("profile", "book", "toke_yoshida", "depth", "rates", "queues", "sizes", "volatility", "hawkes", "intraday")
HEIGHT, WIDEST = 14, 200
"""Of a row of charts: its lines, and its columns at most."""
PLAIN = "order-flow"
"""The market of plain Poisson orders that distances stand beside."""
Z = 1.96
"""Standard errors in half of a 95 % interval."""


def load(data: Sequence[str], form: str, options: Options, start: str | None, end: str | None) -> Events:
    """The events of the files, from one time of the day to another."""
    return cut(read([Path(path) for path in data], form, options), start, end)


def calibrate(events: Events, market: str, wanted: Wanted, output: str | None, force: bool, as_json: bool) -> None:
    """Print the report and write the market file."""
    target = None if output is None else Path(output)
    if output is not None:
        check_output("-o", output, force)
    found = study(events)
    fitted = fit(market, found, wanted)
    build({"market": fitted.settings})  # refuses in one line what the market cannot be
    about = source(found, fitted)
    comments = [f"{market} fitted by mmrl calibrate; [errors] has standard errors. mmrl train --market-file FILE"]
    text = market_toml(fitted.settings, fitted.errors, about, comments)
    if as_json:
        print(json.dumps(as_plain(found, fitted, about), allow_nan=False))
    else:
        print("\n".join(report(found, fitted, about, room())))
    if target:
        with naming(target):
            durable_write(target, text.encode())
        say(f"wrote {target}", sys.stderr)


def as_plain(found: Study, fitted: Fitted, about: dict[str, Any]) -> dict[str, Any]:
    """All that was found, fit for JSON: every estimate by its name; null where none could be made."""
    law = next((each for each in (found.book, found.toke_yoshida) if each and each.both.form == fitted.form), None)
    sides = {"buys": law.buys, "sells": law.sells} if law else {}
    estimates = {f"{name}.{key}": e for name in RESULTS for key, e in by_name(getattr(found, name))}
    return {
        "market": fitted.settings["name"],
        "source": about,
        "notes": found.events.notes,
        "places": found.events.places,
        **{name: _intensity(each) for name, each in sides.items()},
        "estimates": {name: {"value": _number(e.value), "error": _number(e.error)} for name, e in estimates.items()},
        "fits": {
            name: {"figure": each.figure, "value": _number(each.value), "perfect": _number(each.perfect)}
            for result in RESULTS
            for name, each in fits_by_name(getattr(found, result), result)
        },
        "missing": found.missing,
        "settings": fitted.settings,
        "errors": fitted.errors,
    }


def _intensity(law: Intensity) -> dict[str, Any]:
    return {
        "form": law.form,
        "terms": list(FORMS[law.form].terms),
        "intensity": [_number(b.value) for b in law.coefficients],
        "errors": [_number(b.error) for b in law.coefficients],
        "log_likelihood_gain": _number(law.gain),
        "ks_distance": _number(law.residuals.distance),
        "orders": law.orders,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def report(found: Study, fitted: Fitted, about: dict[str, Any], width: int) -> Iterator[str]:
    """Tables, then charts."""
    day, v = found.profile, found.volatility
    one_tick, median = _shown(day.at_one_tick.times(100)), f"median {day.median_spread:g}"
    best = f"{_shown(day.bid_depth)} bid, {_shown(day.ask_depth)} ask, median {day.median_depth:g}"
    date = f" {about['date']}" if about["date"] else ""
    where = f"{', '.join(about['files'])} ({about['format']}),{date} {about['from']} to {about['to']}"
    yield from wrapped(where, width)
    yield from wrapped(
        f"{len(found.events)} events: {day.limit_orders} limit orders, {day.cancellations} cancellations, "
        f"{day.market_orders} market orders; {HALF}, clustered by 5 minutes",
        width,
    )
    for reason, count in found.events.notes.items():
        places = found.events.places.get(reason, ())
        yield from wrapped(f"note: {count} {reason}{f', first at {places[0]}' if places else ''}", width, "  ")
    yield ""
    yield from pairs([
        ("tick", f"{day.tick_size:g}"),
        ("spread, ticks", f"{_shown(day.spread)}, {median}; {one_tick} % one tick"),
        ("size at the best, lots", best),
        ("limit order, lots", _shown(found.sizes.limit.mean)),
        ("market order, lots", _shown(found.sizes.market.mean)),
        *([("volatility, %/year", f"two scales {_shown(v.two_scale.annual.times(100))}, every move "
            f"{_shown(v.tick.annual.times(100))}, 5 minutes {_shown(v.five_minute.annual.times(100))}")] if v else []),
        *([("fills A exp(-k d)", f"A {_shown(found.depth.a)} /s, k {_shown(found.depth.k)} /tick, "
            f"{found.depth.fit.figure} {found.depth.fit.value:.3f}")] if found.depth else []),
        *([("excitation", f"branching {_shown(found.hawkes.branching)}, KS {found.hawkes.residuals.distance:.3f}")]
          if found.hawkes else []),
    ], width)  # fmt: skip
    for law in (found.book, found.toke_yoshida):
        if law:
            yield ""
            yield from _coefficients([("buys", law.buys), ("sells", law.sells), ("both", law.both)], found.unit, width)
    if found.rates:
        yield ""
        yield "limit orders and cancellations a minute of each unit there"
        yield from table(
            [Column("ticks from the opposite best", "label"), Column("limit orders"), Column("cancellations")],
            [
                (str(i), _shown(born), _shown(gone))
                for i, (born, gone) in enumerate(zip(found.rates.limit, found.rates.cancel, strict=True), 1)
            ],
            width,
        )
    for name, why in found.missing.items():
        yield from wrapped(f"no estimate of {name}: {why}", width, "  ")
    wide = min(width, terminal_size()[0], WIDEST)
    from mmrl.calibrate.pictures import panels_of

    drawn = panels_of(found)
    per_row = max(wide // 50, 1)
    rows = -(-len(drawn) // per_row)
    yield ""
    yield "counted (line 1) and fitted (line 2):"
    yield panels(drawn, wide, rows * HEIGHT, wants_colour(sys.stdout), characters=charset(sys.stdout))
    yield from wrapped(f"{fitted.settings['name']}: {fitted.method}", width)


def _coefficients(laws: list[tuple[str, Intensity]], unit: int, width: int) -> Iterator[str]:
    form = FORMS[laws[0][1].form]
    yield from wrapped(f"market orders/s, form {form.name}, q in {unit} lots: coefficients by their terms", width)
    rows = [
        (name, *map(_shown, law.coefficients), f"{law.gain:.0f}", f"{law.residuals.distance:.2f}") for name, law in laws
    ]
    heads = [Column(term) for term in (*form.terms, "gain", "KS")]
    yield from table([Column("side", "label"), *heads], rows, width)


def _shown(e: Estimate) -> str:
    """A number ± half of its 95 % interval."""
    half = e.half if e.blocks else Z * e.error  # without blocks the error is that of a theorem
    return f"{e.value:.4g} ± {half:.2g}" if math.isfinite(half) else f"{e.value:.4g}"


def check(events: Events, market: str, seed: int, as_json: bool) -> None:
    """Print how far the simulated market is from the data."""
    fitted = read_market_file(market, "--check")
    scores = realism(events, *_simulated(events, fitted, seed))
    if as_json:
        print(json.dumps({"market": fitted.name, "sha256": fitted.sha256, "facts": [_plain(s) for s in scores]}))
        return
    print("\n".join(distances(scores, fitted, events, room())))


def distances(scores: Sequence[Score], fitted: MarketFile, events: Events, width: int) -> Iterator[str]:
    """A table of the facts, and how many of them the market meets."""
    yield from wrapped(f"{fitted.name}, fitted to {fitted.origin}", width, "  ")
    yield f"data: {clock(int(events.time_ns[0]))} to {clock(int(events.time_ns[-1]))}, {len(events)} events"
    yield from table(
        [Column("fact", "label"), Column("at"), Column("data"), Column("model")],
        [(s.fact, at, f"{data:.3g}", f"{model:.3g}") for s in scores for at, data, model in s.beside()],
        width,
    )
    yield ""
    yield from wrapped(
        "distance of the model, its 95 % interval, of the data's first half from the second, of a plain Poisson market",
        width,
    )
    heads = ("L1", "interval", "floor", "Poisson", "Wasserstein", "its interval", "its floor", "its Poisson")
    yield from table(
        [Column("fact", "label"), *map(Column, heads), Column("met", "label")],
        [
            (
                s.fact,
                f"{s.distance.l1:.3f}",
                f"{s.distance.low:.3f} - {s.distance.high:.3f}",
                f"{s.floor.l1:.3f}",
                "" if s.poisson is None else f"{s.poisson.l1:.3f}",
                *_wasserstein(s),
                "yes" if s.met else "missed",
            )
            for s in scores
        ],
        width,
    )
    lacking = missed(scores)
    yield f"{len(scores) - len(lacking)} of {len(scores)} facts within twice the floor"
    yield from wrapped(f"missed: {', '.join(lacking) or 'none'}", width)


def _wasserstein(s: Score) -> tuple[str, str, str, str]:
    d = s.distance
    plain = "" if s.poisson is None else f"{s.poisson.wasserstein:.3g}"
    interval = f"{d.wasserstein_low:.3g} - {d.wasserstein_high:.3g}"
    return f"{d.wasserstein:.3g}", interval, f"{s.floor.wasserstein:.3g}", plain


def _simulated(events: Events, fitted: MarketFile, seed: int) -> tuple[Events, Events]:
    """The fitted market, and a plain Poisson one fitted to these data, each as long as the data."""
    config, _ = resolve({}, fitted=fitted)
    found = study(events)
    seconds, lots = float(events.time_ns[-1] - events.time_ns[0]) / 1e9, int(fitted.source.get("lots_of_a_share", 1))
    try:
        model = simulated_beside(found, config, seconds, seed, lots)
    except ConfigError as error:
        raise ConfigError(f"--check {fitted.name}: {error}") from None
    plain = fit(PLAIN, found, Wanted(queue_sizes=0, exponentials=0))
    return model, simulated_beside(found, build({"market": plain.settings}), seconds, seed, found.unit)


def _plain(score: Score) -> dict[str, Any]:
    def apart(d: Any) -> dict[str, Any] | None:
        return None if d is None else {key: _number(value) for key, value in vars(d).items()}

    return {
        "fact": score.fact,
        "at": list(score.at),
        "data": [_number(x) for x in score.data],
        "model": [_number(x) for x in score.model],
        "distance": apart(score.distance),
        "floor": apart(score.floor),
        "poisson": apart(score.poisson),
        "met": score.met,
    }
