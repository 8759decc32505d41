"""Replay on a tape: conversion against a slow book, and trust in fills, profit and what a maker can know."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mmrl.calibrate.simulated import simulated
from mmrl.commands.replay_report import warnings as told_before
from mmrl.data import hftbacktest as form
from mmrl.data.events import ASK, BID, CANCEL, HALT, HIDDEN, LIMIT, NO_ORDER, TRADE, Events
from mmrl.evaluate import compare
from mmrl.evaluate.replay.figures import blocks_of, day_of, figures, total_interval
from mmrl.evaluate.replay.play import Fees, Played, Rules, built, decisions_of, replay
from mmrl.evaluate.replay.tape import Tape, of_events
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError

SECOND = 1_000_000_000
ENGINE = "the engine is an optional extra: pip install market-making-rl[replay]"


def needs_engine() -> Any:
    return pytest.importorskip("hftbacktest", reason=ENGINE)


def table(rows: list[tuple[int, ...]], tick: float = 0.01) -> Events:
    """Events of (time s, kind, side, price, size, bid, bid size, ask, ask size)."""
    columns = np.array(rows, np.int64).T
    time, kind, side, price, size, bid, bid_size, ask, ask_size = columns
    return Events(
        time * SECOND, kind.astype(np.int8), side.astype(np.int8), price, size, np.full(len(rows), NO_ORDER),
        bid, bid_size, ask, ask_size, tick, 1.0, "2024-01-02", (),
    )  # fmt: skip


def test_conversion_by_hand() -> None:
    events = table([
        (1, LIMIT, BID, 99, 5, 100, 3, 102, 4),
        (2, TRADE, BID, 100, 2, 100, 3, 102, 4),
        (2, TRADE, BID, 100, 1, 100, 3, 102, 4),  # of the same order, with the best prices of the group
        (3, HIDDEN, ASK, 101, 7, 99, 5, 102, 4),
        (4, CANCEL, ASK, 102, 4, 99, 5, 102, 4),
        (5, LIMIT, ASK, 105, 1, 99, 5, 103, 9),  # 103 comes into sight
        (6, HALT, 0, -1, 0, 99, 5, 103, 9),
    ])  # fmt: skip
    tape = of_events(events, latency_ns=7)
    day = int(np.datetime64("2024-01-02", "ns").astype(np.int64))
    seen = [
        ((int(row["exch_ts"]) - day) // SECOND, int(row["ev"]) & form.KIND, 1 if int(row["ev"]) & form.BUY else -1,
         round(float(row["px"]) * 100), int(row["qty"]))
        for row in tape.rows
    ]  # fmt: skip
    assert seen == [
        (1, form.DEPTH, 1, 100, 3),
        (1, form.DEPTH, -1, 102, 4),
        (1, form.DEPTH, 1, 99, 5),
        (2, form.TRADE, -1, 100, 2),
        (2, form.DEPTH, 1, 100, 1),
        (2, form.TRADE, -1, 100, 1),
        (2, form.DEPTH, 1, 100, 0),
        (3, form.TRADE, 1, 101, 7),
        (4, form.DEPTH, -1, 102, 0),
        (4, form.DEPTH, -1, 103, 9),
        (5, form.DEPTH, -1, 105, 1),
    ]
    assert (tape.rows["local_ts"] - tape.rows["exch_ts"] == 7).all()


@pytest.mark.parametrize(
    ("tick", "midprice", "said"),
    [
        (0.01, 2.5e7, "prices of 25000000.00 in ticks of 0.01; here they are about 1.00 in ticks of 0.01: another"),
        (0.01, 1.0, ""),
        (1e-8, 1.0, "prices of 1.00000000 in ticks of 1e-08; here they are about 1.00 in ticks of 0.01: another"),
    ],
)
def test_another_instrument_is_told_with_the_decimals_of_its_ticks(tick: float, midprice: float, said: str) -> None:
    tape = SimpleNamespace(tick=0.01, files=(), behind=1, midnight=0)
    first = SimpleNamespace(tape=tape, path_bid=[99], path_ask=[101], left=0)
    config = build({"market": {"name": "book", "midprice": midprice}})
    found = [text for text in told_before(first, config, {"tick": tick}) if "instrument" in text]
    assert [said in text for text in found] == ([True] if said else []), found


FLOW = {
    "name": "order-flow", "limit_rates": (37.0, 30.2, 21.8, 17.6, 15.4), "limit_scale": 38.4, "limit_size": 1.0,
    "market_size": 20.0, "nt": 50, "decision_interval": 0.2, "horizons": (0.5, 2.0), "depth": 3,
}  # fmt: skip
"""Queues of dozens of orders, so that one share more is little."""


@cache
def market(**more: Any) -> Any:
    return build({"market": FLOW | more})


@cache
def flow(hours: float, seed: int = 3) -> Events:
    return simulated(market(), hours * 3600, seed)


def played(agent: str, events: Events, config: Any, **rules: Any) -> Played:
    own = Rules(**{"latency_ns": 0, **rules})
    tape = of_events(events, own.latency_ns)
    return replay(compare.named_agent(agent, config), tape, own, decisions_of(config, tape, own, False, "x"))


def test_converted_book_is_that_of_the_tape() -> None:
    events = flow(0.5)
    tape = of_events(events)
    sizes: dict[tuple[int, int], float] = {}
    row = 0
    for i in range(1, len(events)):
        if events.time_ns[i] == events.time_ns[i - 1]:
            continue
        while row < len(tape.rows) and tape.rows["exch_ts"][row] < events.time_ns[i]:
            ev = int(tape.rows["ev"][row])
            if ev & form.KIND == form.DEPTH:
                side = BID if ev & form.BUY else ASK
                sizes[side, round(float(tape.rows["px"][row]) * 100)] = float(tape.rows["qty"][row])
            row += 1
        if i % 37:
            continue
        bids = {price: size for (side, price), size in sizes.items() if side == BID and size > 0}
        asks = {price: size for (side, price), size in sizes.items() if side == ASK and size > 0}
        assert (max(bids), bids[max(bids)]) == (events.bid_price[i], events.bid_size[i])
        assert (min(asks), asks[min(asks)]) == (events.ask_price[i], events.ask_size[i])


def test_infinitesimal_maker_is_filled_as_in_the_simulator() -> None:
    needs_engine()
    config = market(position_limit=1_000_000)
    told = compare.simulate(compare.named_agent("naive", config), 300, 0)
    mean, error = told.fills.mean(), told.fills.std() / len(told.fills) ** 0.5
    worth, worth_error = told.value.mean(), told.value.std() / len(told.value) ** 0.5
    fills, values = {}, {}
    for queue in ("power:1", "risk-averse"):
        p = played("naive", flow(12), config, queue=queue)
        episode = (np.searchsorted(p.times, p.fill_time, "right") - 1) // p.steps
        whole = len(p.times) // p.steps
        fills[queue] = np.bincount(episode, np.abs(p.fill_lots), whole)[:whole]
        edges = np.append(p.times[:: p.steps][:whole], p.end)
        values[queue] = np.diff(day_of(p, edges + 1).value)
    # cancellations anywhere in the queue with equal chance are what power:1 assumes
    scale = np.hypot(error, fills["power:1"].std() / len(fills["power:1"]) ** 0.5)
    assert abs(fills["power:1"].mean() - mean) < 2.5 * scale
    assert fills["risk-averse"].mean() < mean - 4 * scale
    scale = np.hypot(worth_error, values["power:1"].std() / len(values["power:1"]) ** 0.5)
    assert abs(values["power:1"].mean() - worth) < 2.5 * scale


def direct(tape: Tape, times: np.ndarray, steps: int, limit: int, latency: int, fees: Fees) -> tuple[list, float]:
    """One share at the best of each side, written against hftbacktest's own interface: fills and profit."""
    hft = needs_engine()
    asset = (
        hft.BacktestAsset().data(tape.rows).linear_asset(1.0).constant_order_latency(latency, latency)
        .risk_adverse_queue_model().no_partial_fill_exchange().trading_qty_fee_model(fees.maker, fees.taker)
        .tick_size(tape.tick).lot_size(tape.lot)
    )  # fmt: skip
    bt = hft.HashMapMarketDepthBacktest([asset])
    assert bt.elapse(0) == 0
    number, fills, leaving = 1, list[tuple[int, int]](), set[int]()
    live: dict[int, tuple[int, int, int]] = {}

    def look() -> None:
        for order_id in list(live):
            order = bt.orders(0).get(order_id)
            if order.status == hft.FILLED:
                fills.append((live[order_id][0], order.exec_price_tick))
            if order.status in (hft.FILLED, hft.EXPIRED, hft.CANCELED) and order.req == hft.NONE:
                del live[order_id]

    def send(side: int, tick: int, kind: int) -> None:
        nonlocal number
        submit = bt.submit_buy_order if side > 0 else bt.submit_sell_order
        submit(0, number, tick * tape.tick, 1.0, hft.GTX if kind == hft.LIMIT else hft.GTC, kind, False)
        live[number] = side, tick, kind
        number += 1

    def cancel_all_but(wanted: dict[int, int]) -> None:
        for order_id, (side, tick, kind) in live.items():
            order = bt.orders(0).get(order_id)
            if kind == hft.LIMIT and wanted.get(side) == tick and order_id not in leaving:
                del wanted[side]
            elif kind == hft.LIMIT:
                leaving.add(order_id)
                if order.cancellable:
                    bt.cancel(0, order_id, False)

    for k, time in enumerate(times):
        bt.elapse(int(time) - bt.current_timestamp)
        look()
        held = sum(side for side, _ in fills)
        if k % steps == 0:
            cancel_all_but({})
            for _ in range(abs(held)):
                send(-1 if held > 0 else 1, 0, hft.MARKET)
            held = 0
        depth = bt.depth(0)
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        wanted = {1: bid} if held + 1 <= limit else {}
        wanted |= {-1: ask} if -held + 1 <= limit else {}
        cancel_all_but(wanted)
        for side, tick in wanted.items():
            send(side, tick, hft.LIMIT)
    bt.elapse(SECOND // 10)
    look()
    state = bt.state_values(0)
    mid = 0.5 * (bt.depth(0).best_bid + bt.depth(0).best_ask)
    return fills, float(state.balance - state.fee + state.position * mid)


@pytest.mark.slow
def test_fixed_quoter_does_what_a_strategy_written_against_the_engine_does() -> None:
    needs_engine()
    config, fees = market(position_limit=3, close_at_end=True), Fees(-0.002, 0.003)
    p = played("fixed:0", flow(2), config, fees=fees)
    last = int(np.searchsorted(p.fill_time, p.times[-1] + SECOND // 10, "right"))
    fills, profit = direct(p.tape, p.times, p.steps, 3, 0, fees)
    mine = list(zip(np.sign(p.fill_lots[:last]).tolist(), p.fill_tick[:last].tolist(), strict=True))
    assert len(fills) > 100 and sum(abs(p.fill_lots[:last])) == len(fills)
    expanded = [fill for fill, lots in zip(mine, np.abs(p.fill_lots[:last]), strict=True) for _ in range(lots)]
    assert sorted(expanded) == sorted((int(side), int(tick)) for side, tick in fills)
    assert day_of(p, np.array([p.times[-1] + SECOND // 10])).value[0] == pytest.approx(profit, abs=1e-6)


def test_maker_that_never_trades_has_no_profit() -> None:
    needs_engine()
    p = played("fixed:0@0", flow(0.5), market())
    found = figures(p)
    assert p.sent == 0 and not len(p.fill_time) and not p.inventory.any()
    for name, value in found.items():
        if name.startswith(("pnl", "adverse", "volume", "shares", "max_drawdown", "inventory")):
            assert value in (0.0, None), name


def test_the_future_changes_no_decision() -> None:
    needs_engine()
    events, config = flow(0.5), market(latency_law="none")
    for latency in (0, 2_000_000_000):
        a = played("naive", events, config, latency_ns=latency, queue="power:1")
        past = 73  # decisions; the first event that the last of them has not seen is the first that changes
        seen = int(np.searchsorted(events.time_ns + latency + a.tape.midnight, a.times[past - 1], "right"))
        later = np.arange(len(events)) >= seen
        assert 0 < events.time_ns[seen] - events.time_ns[seen - 1] < SECOND
        moved = np.arange(len(events)) > seen  # the best prices before an event are what the one before it left
        shifted = {name: getattr(events, name) + np.where(moved, 5, 0) for name in ("price", "bid_price", "ask_price")}
        other = dataclasses.replace(
            events, **shifted, size=np.where(later, events.size * 3, events.size),
            time_ns=events.time_ns + np.where(later, 1_000_003, 0),
        )  # fmt: skip
        b = played("naive", other, config, latency_ns=latency, queue="power:1")
        for name in ("times", "observation", "action", "bid", "ask", "inventory"):
            assert (getattr(a, name)[:past] == getattr(b, name)[:past]).all(), name
        assert (a.observation[past:] != b.observation[past : len(a.times)]).any()


def test_observation_is_what_the_spec_says() -> None:
    needs_engine()
    events, config = flow(0.5), market()
    p = played("fixed:10", events, config)  # far away: nothing of its own among the best queues
    k = 90
    i = int(np.searchsorted(events.time_ns, p.times[k], "right"))
    bid, ask = int(events.bid_price[i]), int(events.ask_price[i])
    book: dict[int, dict[int, int]] = {BID: {}, ASK: {}}
    for j in range(i):
        side, price, size = int(events.side[j]), int(events.price[j]), int(events.size[j])
        book[side][price] = book[side].get(price, 0) + (size if events.kind[j] == LIMIT else -size)
    row = p.observation[k]
    queue_bid, queue_ask = int(events.bid_size[i]), int(events.ask_size[i])
    assert row[0] == pytest.approx(np.clip((queue_bid - queue_ask) / (queue_bid + queue_ask), -10, 10), abs=1e-6)
    assert row[1] == ask - bid
    assert (row[2], row[5]) == (min(queue_bid, 10), min(queue_ask, 10))  # normalised values are clipped at 10
    trades = (events.kind == TRADE) & (events.time_ns <= p.times[k]) & (events.time_ns > p.times[0])
    age = (p.times[k] - events.time_ns[trades]) / (0.5 * 60 * SECOND)
    flowed = -(events.side[trades] * events.size[trades] * np.exp(-age)).sum()
    assert row[8] == pytest.approx(np.clip(flowed, -10, 10), abs=0.01 + 1e-3 * abs(flowed))
    assert row[-1] == pytest.approx(1 - (k % 50) / 50) and row[-2] == p.inventory[k]


def test_figures_by_hand() -> None:
    tape = dataclasses.replace(of_events(table([
        (t, LIMIT, BID, 99, 5, 100, 3, 102, 4) for t in (0, 100, 1000)
    ])), midnight=0)  # fmt: skip
    start = tape.start
    times = start + np.array([0, 300, 600]) * SECOND
    p = Played(
        "x", tape, Rules(fees=Fees(0.01, 0.02)), 3, times, np.zeros((3, 1), np.float32), np.zeros((3, 1)),
        np.array([100, 100, 100]), np.array([102, 104, 102]), np.array([0, 1, 1]),
        start + np.array([10, 700]) * SECOND, np.array([2, -2]), np.array([100, 105]), np.array([False, True]),
        start + np.array([0, 10, 20, 500]) * SECOND, np.array([100, 101, 99, 105]), np.array([102, 103, 101, 107]),
        start + 900 * SECOND, 2, 8, 0, 0,
    )  # fmt: skip
    found = figures(p)
    # bought 2 at 1.00 with the mid at 1.01; sold at 1.05 with the mid at 1.06; fees 0.02 and 0.04
    assert found["pnl"] == pytest.approx(2 * 0.05 - 0.06)
    assert found["pnl_spread"] == pytest.approx(2 * 0.01 - 2 * 0.01) and found["pnl_closing"] == pytest.approx(-0.02)
    assert found["pnl_fees"] == pytest.approx(-0.06) and found["pnl_inventory"] == pytest.approx(2 * 0.05)
    assert found["adverse_1s"] == pytest.approx(2 * 0.01) and found["adverse_10s"] == pytest.approx(2 * -0.01)
    assert found["adverse_60s"] == pytest.approx(2 * -0.01)
    assert (found["fills"], found["orders"], found["shares"]) == (1, 2, 4)
    assert found["fill_rate"] == pytest.approx(2 / 8)
    assert found["spread_quoted"] == pytest.approx(0.08 / 3)
    assert found["inventory_abs_mean"] == pytest.approx(2 * 690 / 1000) and found["inventory_most"] == 2
    assert found["max_drawdown"] == pytest.approx(0.1 - 0.04)
    assert blocks_of(p).sum() == pytest.approx(found["pnl"]) and found["pnl_ci"] is None


def test_interval_of_a_sum_over_blocks() -> None:
    blocks = np.random.default_rng(1).normal(2.0, 3.0, 400)
    low, high = total_interval(blocks) or (0.0, 0.0)
    assert (low + high) / 2 == pytest.approx(blocks.sum(), abs=8)
    assert high - low == pytest.approx(2 * 1.96 * blocks.std() * 20, rel=0.08)
    assert total_interval(blocks[:9]) is None


def test_column_that_the_tape_lacks_is_named() -> None:
    events = flow(0.2)
    best = (events.kind == TRADE) | (
        np.where(events.side == BID, events.bid_price - events.price, events.price - events.ask_price) <= 0
    )
    thin = dataclasses.replace(events, **{
        each.name: getattr(events, each.name)[best]
        for each in dataclasses.fields(Events) if isinstance(getattr(events, each.name), np.ndarray)
    })  # fmt: skip
    needs_engine()
    with pytest.raises(ConfigError, match=r"'bid queue, 1 behind the best'.* the best prices only"):
        played("naive", thin, market())


def test_engine_with_its_models_is_closed() -> None:
    needs_engine()
    from mmrl.evaluate.replay.play import _closed

    tape = of_events(flow(0.2))
    for queue in ("risk-averse", "log", "power:2"):
        address, alive = built(tape, Rules(queue=queue))
        assert address and alive
        _closed(address)


def test_day_is_a_finished_run(tmp_path: Path) -> None:
    needs_engine()
    from mmrl.evaluate.replay.folder import write_day
    from mmrl.plots.episodes import fill_marks
    from mmrl.runs.episodes import read_episode
    from mmrl.runs.history import read_metrics
    from mmrl.runs.listing import describe

    p = played("naive", flow(0.5), market())
    folder = write_day(p, market(), "day", str(tmp_path))
    found, arrays = describe(folder), read_episode(folder)
    assert (found.state, found.epoch, found.name) == ("finished", found.target, "day")
    records = read_metrics(folder / "metrics.jsonl")
    assert sum(record["reward_mean"] for record in records) == pytest.approx(figures(p)["pnl"])
    assert sum(record["fills"] for record in records) == len(p.fill_time) > 10
    bought, sold = fill_marks(arrays)
    assert len(bought.x) + len(sold.x) == len(p.fill_time)  # type: ignore[arg-type]
    assert set(np.asarray(bought.y)) <= set(p.fill_tick * 0.01)
