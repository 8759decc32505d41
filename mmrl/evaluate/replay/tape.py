"""A day of real data as the array of events that hftbacktest replays: changes of levels and trades.

Every source is replayed by price (level 2), so that all of them meet the same queue models: after each event the level
that it changed has its new size, and the best prices have those that the source tells. Levels behind the best that
stood before the first event are known from the moment that an event shows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mmrl.data import hftbacktest as form
from mmrl.data.events import BID, HALT, NO_SIZE, TRADE, Events
from mmrl.data.files import source_of
from mmrl.data.notes import BACKWARDS, DataError, Notes, refuse
from mmrl.data.recognise import AUTO, read, recognised
from mmrl.data.table import DAY, Options, day_named
from mmrl.data.units import decimal, inferred, units_of
from mmrl.evaluate.replay.conversion import Table, convert
from mmrl.evaluate.replay.engine import EVENT

BOTH = form.EXCH | form.LOCAL
BEHIND = 20
"""Ticks behind the best price up to which it is counted how often the source shows orders."""
SHOWN = 0.001
"""Share of the limit orders and cancellations that must lie so far behind the best, if the source shows that far."""
LEAST = 2
"""Events of a tape at least: before the first and after the last nothing can be decided."""


@dataclass(frozen=True)
class Tape:
    """Events for hftbacktest, times in nanoseconds since 1970 (or since midnight where the data have no date)."""

    rows: npt.NDArray[np.void]
    tick: float
    lot: float
    date: str
    midnight: int
    """Of the day, in the tape's time."""
    seen: npt.NDArray[np.int64]
    """When each event of the market is seen locally; a trade and the change that it makes are one."""
    behind: int
    """Ticks behind the best price up to which orders are shown; 0: the best prices only."""
    format: str
    files: tuple[str, ...]
    notes: dict[str, int] = field(default_factory=dict)
    places: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def start(self) -> int:
        """When the first event is seen."""
        return int(self.seen[0])

    @property
    def end(self) -> int:
        """When the last event is seen."""
        return int(self.seen[-1])


def tape_of(paths: Sequence[str | Path], form_: str, options: Options, latency_ns: int, until: int | None) -> Tape:
    """The tape of one day of one instrument, to a time of the day (nanoseconds since midnight).

    The maker sees everything `latency_ns` after it happened; event arrays of hftbacktest tell this themselves.
    DataError where the files cannot be read.
    """
    files = [Path(path) for path in paths]
    if len(files) == 1 and (form_ == "hftbacktest" or (form_ == AUTO and recognised(files[0]) == "hftbacktest")):
        direct = _by_price(files[0], options, until)
        if direct is not None:
            return direct
    return of_events(read(paths, form_, options), latency_ns, until)


def of_events(events: Events, latency_ns: int = 0, until: int | None = None) -> Tape:
    """The tape of a table of events."""
    last = len(events) if until is None else int(np.searchsorted(events.time_ns, until))
    name = ", ".join(source.name for source in events.sources)
    if last < LEAST:
        raise DataError(f"{name or 'the data'}: {last} events in the time to replay: give more of the day")
    price, bid, ask = (column[:last] for column in (events.price, events.bid_price, events.ask_price))
    told = [events.bid_size[:last] != NO_SIZE, events.ask_size[:last] != NO_SIZE]
    kind, side = events.kind[:last], events.side[:last]
    resting = kind <= TRADE
    prices = np.unique(np.concatenate([price[kind != HALT], bid[told[0]], ask[told[1]]]))
    if not len(prices):
        raise DataError(f"{name or 'the data'}: no event has a price")

    def ranks(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        return np.minimum(np.searchsorted(prices, values), len(prices) - 1).astype(np.int32)

    midnight = int(np.datetime64(events.date or "1970-01-01", "ns").astype(np.int64))
    table = Table(
        events.time_ns[:last] + midnight, kind, side, ranks(price), events.size[:last],
        ranks(bid), events.bid_size[:last], ranks(ask), events.ask_size[:last],
        prices * events.tick, events.lot, latency_ns,
    )  # fmt: skip
    count = convert(table, np.zeros(0, EVENT))
    rows = np.empty(count, EVENT)
    convert(table, rows)
    moved = resting & (kind != TRADE)
    away = np.where(side == BID, bid - price, price - ask)[moved & np.where(side == BID, *told)]
    return Tape(
        rows, events.tick, events.lot, events.date, midnight, table.time + latency_ns, _behind(away),
        events.sources[0].format if events.sources else "", tuple(source.name for source in events.sources),
        dict(events.notes), dict(events.places),
    )  # fmt: skip


def _behind(away: npt.NDArray[np.int64]) -> int:
    """Ticks behind the best up to which orders come and go."""
    return max((i for i in range(1, BEHIND + 1) if len(away) and float((away >= i).mean()) >= SHOWN), default=0)


def _by_price(path: Path, options: Options, until: int | None) -> Tape | None:
    """The tape of an event array by price, as it stands; None for other arrays, which the reader of events reads."""
    if options.symbol is not None:
        raise refuse(path, None, f"symbol={options.symbol}: a hftbacktest file holds one instrument: drop it")
    data = form.array_of(path)
    kinds = (data["ev"] & form.KIND).astype(np.int64)
    allowed = (form.DEPTH, form.TRADE, form.CLEAR, form.SNAPSHOT)
    if not (kinds == form.DEPTH).any() or not np.isin(kinds, (*allowed, form.BEST, form.HALT)).all():
        return None
    notes = Notes(path)
    kept = np.isin(kinds, allowed)
    notes.add("rows of best prices and halts, left out", count=int((~kept).sum()))
    plain = kinds == form.CLEAR
    numbers = (np.isfinite(data["px"]) & np.isfinite(data["qty"])) | plain
    if not numbers.all():
        raise refuse(path, int(np.argmin(numbers)) + 1, "price or quantity is no number")
    (prices,), price_scale = decimal([np.where(plain, 0.0, data["px"])])
    (sizes,), size_scale = decimal([np.where(plain, 0.0, data["qty"])])
    tick = inferred(prices) if options.tick is None else units_of(options.tick, price_scale, "tick")
    lot = inferred(sizes) if options.lot is None else units_of(options.lot, size_scale, "lot")
    for values, step, what in ((prices, tick, "price"), (sizes, lot, "quantity")):
        if (values % step).any():
            raise refuse(path, int((values % step != 0).argmax()) + 1, f"{what} is no multiple of its step")
    del prices, sizes, numbers, plain
    rows = data.astype(EVENT) if kept.all() else data[kept].astype(EVENT)
    del data
    for flag, column in ((form.EXCH, "exch_ts"), (form.LOCAL, "local_ts")):
        here = np.flatnonzero((rows["ev"] & flag) > 0)
        if not len(here):
            raise refuse(path, None, f"no row with the flag {'EXCH' if flag == form.EXCH else 'LOCAL'} in the array")
        times = rows[column][here]
        raised = np.maximum.accumulate(times)
        notes.add_each(BACKWARDS, here[times < raised] + 1)
        rows[column][here] = raised
    day = int(rows["exch_ts"][0] // DAY)
    days = np.unique(rows["exch_ts"] // DAY)
    if len(days) > 1 and options.date is None:
        many = f"{day_named(int(days[0]))} to {day_named(int(days[-1]))}"
        raise refuse(path, None, f"more than one day in one file ({many}): choose one with --date YYYY-MM-DD")
    if options.date is not None:
        day = int(np.datetime64(options.date, "D").astype(np.int64))
        if day not in days:
            raise refuse(path, None, f"holds no event of {options.date}: it holds {day_named(int(days[0]))}")
        rows = rows[rows["exch_ts"] // DAY == day]
    midnight = day * DAY
    if until is not None:
        rows = rows[rows["exch_ts"] < midnight + until]
    shown = (rows["ev"] & form.LOCAL) > 0
    seen = rows["local_ts"][shown]
    if len(seen) < LEAST:
        raise refuse(path, None, f"{len(seen)} events in the time to replay: give more of the day")
    return Tape(
        rows, tick / price_scale, lot / size_scale, day_named(day), midnight, np.array(seen), BEHIND, "hftbacktest",
        (source_of(path, "hftbacktest").name,), dict(notes.counts), notes.places(),
    )  # fmt: skip
