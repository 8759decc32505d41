"""What the order flow says of itself: observation, actions, units, agents."""

from __future__ import annotations

import math

from mmrl.markets.contract import CLOSED_FORM, TABS, Axis, Column, Part, Spec
from mmrl.markets.order_flow.depletion import pace, unsolved
from mmrl.markets.order_flow.settings import AFTER, Settings

TABLE_ROWS = 500
"""Times at most in a table of quotes."""
ORDER = 16
"""Bytes of an order that rests."""
SIDES = ("bid", "ask")
FILL_TICKS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
"""From the mid, where fills are measured: further out they are few."""


def spec(settings: Settings) -> Spec:
    """The order flow with these settings. Queues are those of the others; the policy sees all numbers normalised."""
    s, reason = settings, unsolved(settings)
    naive, last = ("naive",), ("fixed", "best-fixed", "best-linear")
    if s.depletion == "redraw":
        last = () if reason else ("optimum",)
    elif s.distance_from == "mid":
        last = (CLOSED_FORM,)
    return Spec(
        name=s.name,
        short="flow",
        prefix="OF_",
        time_unit="min",
        columns=_columns(s),
        axes=(*(axis for k in range(s.quotes) for side in SIDES for axis in _quote(s, side, k)), *_market_orders(s)),
        steps=s.nt,
        end_time=s.nt * (s.decision_interval if s.decide_by == "time" else s.decision_events / _event_rate(s)),
        price=s.midprice,
        volatility=_volatility(s),
        agents=naive + last,
        usual_agents=("naive", "fixed", "glft") if s.depletion == "next-price" else last + naive,
        from_mid={"distance_from": "mid"} if s.depletion == "next-price" else {},
        parameters=("nt", "tick", "levels", "decide_by", "actions", "distance_from", "position_limit", "gamma"),
        tabs=(*TABS[:2], "book", *TABS[2:]),
        heuristic=True,
        mirrored=True,
        split=(
            Part("fees", "fees", "spread"),
            *(Part(f"adverse_{n}", f"adverse {n}", "inventory") for n in AFTER),
        ),
        exact_states=not reason,
        unsolved=reason,
        table_rows=min(s.nt, TABLE_ROWS),
        trajectory_memory=ORDER * s.room,
        memory_remedy="lower market.limit_rates or raise the last of market.cancel_rates",
    )


def _columns(s: Settings) -> tuple[Column, ...]:
    columns = [Column("imbalance of the best queues", "1: bids only", signed=True), Column("spread", "ticks")]
    for side, other in ("bid", "ask"), ("ask", "bid"):
        for i in range(s.depth):
            behind = f" queue, {i} behind the best" if i else " queue"
            columns.append(Column(side + behind, "shares", twin=other + behind))
    for horizon in s.horizons:
        columns.append(Column(f"bought less sold over {horizon:g} min", "shares", signed=True))
        columns.append(Column(f"moves of the mid over {horizon:g} min", "ticks", signed=True))
    for side, other in ("bid", "ask"), ("ask", "bid"):
        for k in range(s.quotes):
            order, twin = (f"own {name}" + (f" {k + 1}" if s.quotes > 1 else "") for name in (side, other))
            columns.append(Column(order, "shares", twin=twin))
            columns.append(Column(f"{order} behind the best", "ticks", twin=f"{twin} behind the best"))
            columns.append(Column(f"shares ahead of {order}", "shares", twin=f"shares ahead of {twin}"))
    columns += [Column("inventory", "shares", "inventory", signed=True), Column("time left", "T", "time left")]
    return tuple(columns)


def _quote(s: Settings, side: str, k: int) -> tuple[Axis, Axis]:
    order, out = side + (f" {k + 1}" if k else ""), k * s.quote_step
    sizes = tuple(float(n) for n in s.size_grid)
    grid = tuple((x + out) * s.tick for x in s.delta_grid) if s.depletion == "next-price" else (0.0,)
    lean = -s.size_skew if side == "bid" else s.size_skew
    size = Axis(
        f"{order} size", "size", side, "shares", s.size_centre, s.size_scale, lean, grid=sizes, grid_skew=lean, low=0.0,
        whole=True, rank=k,
    )  # fmt: skip
    distance = Axis(
        f"{order} distance", "distance", side, "currency", (s.delta_centre + out) * s.tick, s.delta_scale * s.tick,
        grid=grid, rank=k,
    )  # fmt: skip
    return size, distance


def _market_orders(s: Settings) -> tuple[Axis, ...]:
    """Sizes of market orders; at action 0 none is sent."""
    if s.actions == "limit":
        return ()
    grid = tuple(float(n) for n in s.take_grid)
    return tuple(
        Axis(f"{verb} at market", "market order", side, "shares", -1.0, 1.0, grid=grid, low=0.0, whole=True)
        for verb, side in (("buy", "ask"), ("sell", "bid"))
    )


def _event_rate(s: Settings) -> float:
    """Events of others a minute: where queues are drawn anew as `pace` says, else about."""
    return pace(s)[0] if s.depletion == "redraw" else s.event_rate


def _volatility(s: Settings) -> float:
    """Where queues are drawn anew, the price moves a tick at the rate of `pace`, each way as likely. Elsewhere about
    sqrt(D) g ticks. D is the rate at which a best queue runs empty, of the stationary birth-death queue at distance 1;
    g the ticks to the next price at which orders stand, Poisson(lambda(i) / theta(i)) at distance i.

    Within 5 % of the measured in the default book, within 25 % with rates changed by a factor 2.
    """
    if s.depletion == "redraw":
        return math.sqrt(pace(s)[1]) * s.tick
    column, mu = min(1, s.queue_sizes), s.market_rate
    births = s.limit_rates[column :: s.columns]
    deaths = s.cancel_rates[column :: s.columns]
    law = [1.0]
    while len(law) < 1_000 and law[-1] > 1e-9 * max(law):
        law.append(law[-1] * births[0] / (mu + len(law) * max(deaths[0], s.cancel_rates[-1] / 10)))
    empty, gap = 1.0, 1.0
    for born, dies in zip(births[1:], deaths[1:], strict=True):
        empty *= math.exp(-born / dies) if dies > 0 else 0.0
        gap += empty
    running_out = law[1] / math.fsum(law[1:]) * (mu + deaths[0])
    return math.sqrt(running_out) * gap * s.tick


def fill_experiment(settings: Settings) -> tuple[Settings, tuple[float, ...]]:
    """Settings with which fills are measured, and the distances from the mid, currency: one order a side, no limits."""
    plain = {"distance_from": "mid", "quotes": 1, "actions": "limit", "position_limit": 1_000_000, "nt": 500}
    unseen = {"maker_fee": 0.0, "taker_fee": 0.0, "gamma": 0.1, "horizons": (1.0,)}
    return settings.model_copy(update=plain | unseen), tuple(x * settings.tick for x in FILL_TICKS)
