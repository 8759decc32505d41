"""One maker on one tape: the engine with its models, the plan of the maker, and what it leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.evaluate.compare import Entrant
from mmrl.evaluate.replay import engine
from mmrl.evaluate.replay.columns import NS, Shows, columns_of, observes
from mmrl.evaluate.replay.state import (
    DECIDED,
    ERROR,
    FILLS,
    LOTS_SENT,
    NOTHING,
    NUMBERS,
    OWN,
    PATH,
    POSITION,
    REFUSED,
    SENT,
    Memory,
    Plan,
    Records,
)
from mmrl.evaluate.replay.tape import Tape
from mmrl.markets.contract import Spec, spec_of
from mmrl.rollout.makers import maker_of
from mmrl.rollout.streams import stream_seed
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config

Int64 = npt.NDArray[np.int64]
SECOND = 1_000_000_000
UNBOUNDED = 2**40
"""Lots."""
MOST_FILLS = 20_000_000
MOST_DECISIONS = 20_000_000
SLACK = SECOND
"""Before the end of a tape, in which the last orders are answered; half as much for tapes of less than a minute."""


@dataclass(frozen=True)
class Fees:
    """Of fills of resting orders and of those that take; currency a share, or a share of the value; below 0: paid."""

    maker: float = 0.0
    taker: float = 0.0
    of_value: bool = False

    def table(self, tape: Tape) -> npt.NDArray[np.float64]:
        """[2, 2]: of making and of taking, in ticks a lot and as a share of the value."""
        each = np.array([self.maker, self.taker])
        nothing = np.zeros(2)
        return np.stack([nothing, each] if self.of_value else [each / tape.tick, nothing], axis=1)


@dataclass(frozen=True)
class Rules:
    """How the tape is traded on."""

    latency_ns: int = 1_000_000
    """One way, of market data, orders and their answers."""
    queue: str = "risk-averse"
    fees: Fees = Fees()
    interval: float | None = None
    """Seconds from one decision to the next; None: as in the run's market."""
    lots: int = 1
    """Lots of the tape that one share of the run's market stands for."""
    start: int | None = None
    """Nanoseconds since midnight at which the maker begins."""
    seed: int = 0


@dataclass(frozen=True)
class Played:
    """What a maker did on a tape. Prices in ticks, sizes in lots, times of the tape as they are known to the maker."""

    name: str
    tape: Tape
    rules: Rules
    steps: int
    """Decisions of an episode."""
    times: Int64
    """[D], of the decisions."""
    observation: npt.NDArray[np.float32]
    action: npt.NDArray[np.float64]
    bid: Int64
    ask: Int64
    inventory: Int64
    fill_time: Int64
    fill_lots: Int64
    fill_tick: Int64
    fill_taking: npt.NDArray[np.bool_]
    path_time: Int64
    path_bid: Int64
    path_ask: Int64
    end: int
    sent: int
    """Orders."""
    lots_sent: int
    """Of limit orders."""
    refused: int
    """Orders that the engine did not take."""
    left: int
    """Lots that could not be closed before the tape ended."""


def queue_of(text: str) -> tuple[str, float]:
    """The queue model in a text, risk-averse, log or power:N. ConfigError for others."""
    name, _, number = text.partition(":")
    if name in ("risk-averse", "log") and not number:
        return name, 0.0
    if name == "power" and number:
        try:
            n = float(number)
        except ValueError:
            n = 0.0
        if 0 < n <= 100:
            return name, n
    raise ConfigError(f"--queue = {text!r} is not allowed: risk-averse, log, or power:N with 0 < N <= 100")


def decisions_of(config: Config, tape: Tape, rules: Rules, seconds: bool, run: str) -> Int64:
    """Times [D + 1] of the decisions and of the end; `seconds`: a market without units of its own counts in seconds."""
    spec = spec_of(config)
    settle = _settle(tape, rules)
    start = tape.start if rules.start is None else max(tape.start, tape.midnight + rules.start + rules.latency_ns)
    end = tape.end - settle
    if end <= start:
        raise ConfigError(f"{', '.join(tape.files)} has {max(tape.end - start, 0) / 1e9:.3g} s to replay: too short")
    settings = config.market.model_dump()
    if rules.interval is None and settings.get("decide_by") == "events":
        every = int(settings["decision_events"])
        seen = tape.seen[(tape.seen >= start) & (tape.seen < end)][every - 1 :: every]
        if not len(seen):
            raise ConfigError(f"run {run} decides every {every} events, and {', '.join(tape.files)} has fewer")
        return np.append(np.maximum.accumulate(seen), end)
    if rules.interval is not None:
        step = rules.interval * SECOND
    elif spec.time_unit in NS or seconds:
        step = spec.end_time / spec.steps * NS.get(spec.time_unit, SECOND)
    else:
        raise ConfigError(
            f"run {run} counts time in units of its market: say with --decision-interval S how many seconds lie "
            f"between two of its {spec.steps} decisions"
        )
    count = int((end - start) / step)
    if count < 1:
        raise ConfigError(
            f"--decision-interval {step / SECOND:g}: {', '.join(tape.files)} has {(end - start) / 1e9:.4g} s to replay"
        )
    if count > MOST_DECISIONS:
        raise ConfigError(
            f"{count:,} decisions, one in {step / 1e6:.3g} ms: choose a longer --decision-interval, or less of the day"
        )
    times = start + np.rint(np.arange(count) * step).astype(np.int64)
    return np.append(times, end)


def _settle(tape: Tape, rules: Rules) -> int:
    return int(min(SLACK, (tape.end - tape.start) // 20)) + 3 * rules.latency_ns


def plan_of(entrant: Entrant, tape: Tape, rules: Rules, decisions: Int64, run: str) -> Plan:
    """The plan of a maker. ConfigError where it observes what the tape does not tell."""
    config, spec = entrant.config, spec_of(entrant.config)
    columns, horizons = columns_of(spec, tape, run)
    settings = config.market.model_dump()
    limit = settings.get("position_limit")
    return Plan(
        decisions=decisions,
        steps=spec.steps,
        share=rules.lots,
        limit=UNBOUNDED if limit is None else int(limit) * rules.lots,
        tick=tape.tick,
        lot=tape.lot,
        ticks=1.0 / distance_of_tick(config, tape),
        from_mid=int(all(settings[key] == value for key, value in spec.from_mid.items())),
        keeps=int(any(axis.kind == "size" and axis.low < 0 for axis in spec.axes)),
        post_only=int(bool(settings.get("post_only", True))),
        quotes=1 + max(axis.rank for axis in spec.axes),
        axes=_axes(spec),
        takes=np.array([_place(spec, "market order", side, 0) for side in ("ask", "bid")], np.int64),
        columns=columns,
        horizons=horizons,
        queues=int(observes(columns, (Shows.AHEAD,))),
        fees=rules.fees.table(tape),
        settle=_settle(tape, rules) - rules.latency_ns,
        seed=stream_seed(rules.seed, "evaluation"),
    )


def distance_of_tick(config: Config, tape: Tape) -> float:
    """What a tick of the tape is in the run's distances: in a market that counts in ticks one of its own."""
    in_ticks = any(column.unit == "ticks" for column in spec_of(config).columns)
    return float(config.market.model_dump().get("tick", tape.tick)) if in_ticks else tape.tick


def _axes(spec: Spec) -> Int64:
    quotes = 1 + max(axis.rank for axis in spec.axes)
    return np.array(
        [
            [[_place(spec, kind, side, k) for kind in ("size", "distance")] for k in range(quotes)]
            for side in ("bid", "ask")
        ],
        np.int64,
    )


def _place(spec: Spec, kind: str, side: str, rank: int) -> int:
    found = (n for n, axis in enumerate(spec.axes) if (axis.kind, axis.side, axis.rank) == (kind, side, rank))
    return next(found, -1)


def built(tape: Tape, rules: Rules) -> tuple[int, Any]:
    """The address of an engine on a tape, and what must live as long as it."""
    library = engine.loaded()
    asset = library.BacktestAsset().data(tape.rows).linear_asset(1.0)
    asset = asset.constant_order_latency(rules.latency_ns, rules.latency_ns)
    name, n = queue_of(rules.queue)
    if name == "power":
        asset = asset.power_prob_queue_model(n)
    else:
        asset = asset.log_prob_queue_model() if name == "log" else asset.risk_adverse_queue_model()
    asset = asset.trading_qty_fee_model(0.0, 0.0).partial_fill_exchange()  # fees are counted with the fills
    asset = asset.tick_size(tape.tick).lot_size(tape.lot).last_trades_capacity(10_000)
    return int(library.build_hashmap_backtest([asset])), (asset, tape.rows)


def replay(entrant: Entrant, tape: Tape, rules: Rules, decisions: Int64) -> Played:
    """Let a maker play a tape. ConfigError where it cannot, RuntimeError where the engine fails."""
    from mmrl.evaluate.replay.strategy import play

    plan = plan_of(entrant, tape, rules, decisions, entrant.name)
    maker = maker_of(entrant.config, entrant.quoter)
    spec = spec_of(entrant.config)
    records = _records(len(decisions) - 1, len(spec.columns), len(spec.axes), len(tape.rows))
    memory = _memory(plan)
    address, alive = built(tape, rules)
    try:
        play(address, plan, maker, memory, records)
    finally:
        _closed(address)
        del alive
    meta = memory.meta
    if meta[ERROR]:
        raise RuntimeError(f"hftbacktest stopped with code {meta[ERROR]} in {', '.join(tape.files)}")
    done, f, p = int(meta[DECIDED]), int(meta[FILLS]), int(meta[PATH])
    if not p:
        raise ConfigError(f"{', '.join(tape.files)} never has a bid and an ask: nothing can be quoted")
    return Played(
        entrant.name, tape, rules, plan.steps, decisions[:done], records.observation[:done], records.action[:done],
        records.bid[:done], records.ask[:done], records.inventory[:done], records.fill_time[:f].copy(),
        records.fill_lots[:f].copy(), records.fill_tick[:f].copy(), records.fill_taking[:f] > 0,
        records.path_time[:p].copy(), records.path_bid[:p].copy(), records.path_ask[:p].copy(), int(decisions[-1]),
        int(meta[SENT]), int(meta[LOTS_SENT]), int(meta[REFUSED]), int(meta[POSITION]),
    )  # fmt: skip


def _records(decisions: int, columns: int, axes: int, rows: int) -> Records:
    """Room to write in; what is never written takes no memory."""
    fills = min(MOST_FILLS, 4 * rows + 1000)
    return Records(
        observation=np.zeros((decisions, columns), np.float32),
        action=np.zeros((decisions, axes)),
        bid=np.full(decisions, NOTHING),
        ask=np.full(decisions, NOTHING),
        inventory=np.zeros(decisions, np.int64),
        fill_time=np.empty(fills, np.int64),
        fill_lots=np.empty(fills, np.int64),
        fill_tick=np.empty(fills, np.int64),
        fill_taking=np.empty(fills, np.int8),
        path_time=np.empty(rows + 1, np.int64),
        path_bid=np.empty(rows + 1, np.int64),
        path_ask=np.empty(rows + 1, np.int64),
    )


def _memory(plan: Plan) -> Memory:
    told = np.zeros(4, np.int64)
    orders = 64 + 2 * plan.quotes * (plan.steps if plan.keeps else 256)
    return Memory(
        meta=np.zeros(NUMBERS, np.int64),
        own=np.zeros(orders, OWN),
        signals=np.zeros((2, len(plan.horizons))),
        money=np.zeros(2),
        wanted=np.zeros((2, plan.quotes, 2), np.int64),
        told=told,
        told_at=told.ctypes.data,
        start=np.zeros(2, np.int64),
    )


def _closed(address: int) -> None:
    import ctypes

    library = ctypes.CDLL(engine.loaded()._hftbacktest.__file__)
    library.hashmapbt_close.argtypes, library.hashmapbt_close.restype = [ctypes.c_void_p], ctypes.c_int64
    library.hashmapbt_close(address)
