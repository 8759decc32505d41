"""`mmrl calibrate`: a report on real data, a market fitted to them, and how realistic it is."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmrl.calibrate.estimate import Estimate, by_name
from mmrl.calibrate.fits import Fitted, Wanted, fit
from mmrl.calibrate.intensity import FORMS, Intensity
from mmrl.calibrate.realism import Score, missed, realism
from mmrl.calibrate.simulated import simulated
from mmrl.calibrate.source import clock, cut, source
from mmrl.calibrate.study import Study, study
from mmrl.data.events import Events
from mmrl.data.recognise import read
from mmrl.data.table import Options
from mmrl.plots.lines import panels
from mmrl.plots.streams import charset, wants_colour
from mmrl.runs.atomic import durable_write, naming
from mmrl.settings.build import build
from mmrl.settings.declare import ConfigError
from mmrl.settings.market_file import MarketFile, market_toml, read_market_file
from mmrl.settings.sources import resolve

RESULTS = ("profile", "book", "toke_yoshida", "depth", "rates", "queues", "sizes", "volatility", "hawkes", "intraday")
HEIGHT = 14
"""Lines of a row of charts."""


def load(data: Sequence[str], form: str, options: Options, start: str | None, end: str | None) -> Events:
    """The events of the files, from one time of the day to another."""
    return cut(read([Path(path) for path in data], form, options), start, end)


def refuse_contradictions(check: str | None, fitting: dict[str, Any], seed: int | None) -> None:
    """Raise ConfigError for options that have no effect beside others."""
    if check is None and seed is not None:
        raise ConfigError(f"--seed = {seed} has no effect without --check: drop it")
    given = next((f"{name} {value}" for name, value in fitting.items() if value is not None), None)
    if check is not None and given:
        raise ConfigError(f"{given} has no effect with --check, which fits nothing new: drop it")


def calibrate(events: Events, market: str, wanted: Wanted, output: str | None, force: bool, as_json: bool) -> None:
    """Print the report and write the market file."""
    target = None if output is None else Path(output)
    if target and target.exists() and not force:
        raise ConfigError(f"-o {target} exists: choose another name, or overwrite it with --force")
    if target and not target.parent.is_dir():
        raise ConfigError(f"-o {target}: there is no folder {target.parent}")
    found = study(events)
    fitted = fit(market, found, wanted)
    build({"market": fitted.settings})  # refuses in one line what the market cannot be
    about = source(found, fitted)
    comments = [f"{market} fitted by mmrl calibrate; [errors] has standard errors. mmrl train --market-file FILE"]
    text = market_toml(fitted.settings, fitted.errors, about, comments)
    if as_json:
        print(json.dumps(as_plain(found, fitted, about), allow_nan=False))
    else:
        print("\n".join(report(found, fitted, about)))
    if target:
        with naming(target):
            durable_write(target, text.encode())
        print(f"wrote {target}", file=sys.stderr)


def as_plain(found: Study, fitted: Fitted, about: dict[str, Any]) -> dict[str, Any]:
    """All that was found, fit for JSON: every estimate by its name; null where none could be made."""
    law = next((each for each in (found.book, found.toke_yoshida) if each and each.both.form == fitted.form), None)
    sides = {"buys": law.buys, "sells": law.sells} if law else {}
    estimates = {f"{name}.{key}": e for name in RESULTS for key, e in by_name(getattr(found, name))}
    return {
        "market": fitted.settings["name"],
        "source": about,
        "notes": found.events.notes,
        **{name: _intensity(each) for name, each in sides.items()},
        "estimates": {name: {"value": _number(e.value), "error": _number(e.error)} for name, e in estimates.items()},
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


def report(found: Study, fitted: Fitted, about: dict[str, Any]) -> Iterator[str]:
    """Tables, then charts. ± is one standard error."""
    day, v = found.profile, found.volatility
    one_tick, median = _shown(day.at_one_tick.times(100)), f"median {day.median_spread:g}"
    best = f"{_shown(day.bid_depth)} bid, {_shown(day.ask_depth)} ask, median {day.median_depth:g}"
    yield f"{', '.join(about['files'])} ({about['format']}), {about['date']} {about['from']} to {about['to']}"
    yield (
        f"{len(found.events)} events: {day.limit_orders} limit orders, {day.cancellations} cancellations, "
        f"{day.market_orders} market orders; ± is one standard error, clustered by 5 minutes"
    )
    for reason, count in found.events.notes.items():
        yield f"  note: {count} {reason}"
    yield ""
    yield from _rows([
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
    ])  # fmt: skip
    for law in (found.book, found.toke_yoshida):
        if law:
            yield ""
            yield from _coefficients([("buys", law.buys), ("sells", law.sells), ("both", law.both)], found.unit)
    if found.rates:
        yield ""
        yield "distance from the opposite best, ticks: limit orders/min, cancellations/min of each unit there"
        for i, (born, gone) in enumerate(zip(found.rates.limit, found.rates.cancel, strict=True), 1):
            yield f"  {i:>3}  {_shown(born):>18}  {_shown(gone):>18}"
    for name, why in found.missing.items():
        yield f"no estimate of {name}: {why}"
    wide = min(shutil.get_terminal_size((100, 30)).columns, 200)
    from mmrl.calibrate.pictures import panels_of

    drawn = panels_of(found)
    per_row = max(wide // 50, 1)
    rows = -(-len(drawn) // per_row)
    yield ""
    yield "counted (line 1) and fitted (line 2):"
    yield panels(drawn, wide, rows * HEIGHT, wants_colour(sys.stdout), characters=charset(sys.stdout))
    yield f"{fitted.settings['name']}: {fitted.method}"


def _coefficients(laws: list[tuple[str, Intensity]], unit: int) -> Iterator[str]:
    form = FORMS[laws[0][1].form]
    yield f"market orders/s, form {form.name}, q in {unit} lots: coefficients of {', '.join(form.terms)}"
    for name, law in laws:
        cells = "  ".join(_shown(b) for b in law.coefficients)
        yield f"  {name:<6}{cells}   gain {law.gain:.0f}, KS {law.residuals.distance:.2f}"


def _rows(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = max(len(name) for name, _ in rows) + 2
    for name, text in rows:
        yield f"{name:<{width}}{text}"


def _shown(e: Estimate) -> str:
    return f"{e.value:.4g} ± {e.error:.2g}" if math.isfinite(e.error) else f"{e.value:.4g}"


def check(events: Events, market: str, seed: int, as_json: bool) -> None:
    """Print how far the simulated market is from the data."""
    fitted = read_market_file(market)
    scores = realism(events, *_simulated(events, fitted, seed))
    if as_json:
        print(json.dumps({"market": fitted.name, "sha256": fitted.sha256, "facts": [_plain(s) for s in scores]}))
        return
    print(f"{fitted.name}, fitted to {fitted.origin}")
    print(f"data: {clock(int(events.time_ns[0]))} to {clock(int(events.time_ns[-1]))}, {len(events)} events")
    print(
        "distance of the model, its 95 % interval, of the data's first half from the second, of a plain Poisson market"
    )
    print(f"{'fact':<41}{'L1':>7}{'interval':>17}{'floor':>8}{'Poisson':>9}{'Wasserstein':>13}{'floor':>9}")
    for s in scores:
        d, plain = s.distance, math.nan if s.poisson is None else s.poisson.l1
        far = "" if math.isnan(d.wasserstein) else f"{d.wasserstein:>13.3g}{s.floor.wasserstein:>9.3g}"
        span = f"{d.low:.3f} - {d.high:.3f}"
        print(f"{s.fact:<41}{d.l1:>7.3f}{span:>17}{s.floor.l1:>8.3f}{plain:>9.3f}{far:<22}{'' if s.met else ' missed'}")
    lacking = missed(scores)
    print(f"{len(scores) - len(lacking)} of {len(scores)} facts within twice the floor")
    print(f"missed: {', '.join(lacking) or 'none'}")


def _simulated(events: Events, fitted: MarketFile, seed: int) -> tuple[Events, Events]:
    """The fitted market, and a plain Poisson one of the same kind fitted to these data, each as long as the data."""
    config, _ = resolve({}, fitted=fitted)
    seconds, lots = float(events.time_ns[-1] - events.time_ns[0]) / 1e9, int(fitted.source.get("lots_of_a_share", 1))
    model = simulated(config, seconds, seed, lots, events.tick)
    found = study(events)
    plain = fit(config.market.name, found, Wanted(queue_sizes=0, exponentials=0))
    return model, simulated(build({"market": plain.settings}), seconds, seed, found.unit, events.tick)


def _plain(score: Score) -> dict[str, Any]:
    def apart(d: Any) -> dict[str, Any] | None:
        return None if d is None else {key: _number(value) for key, value in vars(d).items()}

    return {
        "fact": score.fact,
        "data": [_number(x) for x in score.data],
        "model": [_number(x) for x in score.model],
        "distance": apart(score.distance),
        "floor": apart(score.floor),
        "poisson": apart(score.poisson),
        "met": score.met,
    }
