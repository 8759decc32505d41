"""The maker's orders at the engine: what a decision changes, as the README of its market says, and what was filled."""

import math

from mmrl.evaluate.replay import engine as e
from mmrl.evaluate.replay.state import (
    ASK,
    BID,
    CASH,
    COUNT,
    ERROR,
    FILLS,
    LOTS_SENT,
    NEXT,
    NOTHING,
    PENDING,
    POSITION,
    REFUSED,
    SENT,
    TO_CLOSE,
)
from mmrl.kernels.jit import called, inlined

MOST_SHARES = 1_000_000
TAKES, CLOSES = 1, 2
"""Market orders: those that the maker decides on, and those that close its position."""
BARELY = 1.0 - 1e-9
"""Of a size that is sent: hftbacktest 2.4 forgets to remove an order of which exactly all that is left is traded, and
stops when it meets it again. One that is a little smaller is traded with more than is left, and removed."""


@inlined
def outwards(side):
    """Away from the mid: -1 for bids, 1 for asks."""
    return 2 * side - 1


@inlined
def held(s):
    """Lots that the maker holds when the market orders that close or take have been filled."""
    return s.meta[POSITION] + s.meta[PENDING] + s.meta[TO_CLOSE]


@called
def submit(bt, plan, s, side, tick, lots, market):
    """Send an order of a side; one that takes stands on the side that it buys or sells for."""
    if s.meta[COUNT] == s.own.shape[0]:
        s.meta[REFUSED] += 1
        return
    number, price, quantity = s.meta[NEXT], tick * plan.tick, lots * plan.lot * BARELY
    force = e.GTC if market or not plan.post_only else e.GTX
    kind = e.MARKET if market else e.LIMIT
    if side == BID:
        code = e.submit_buy(bt, 0, number, price, quantity, force, kind, False)
    else:
        code = e.submit_sell(bt, 0, number, price, quantity, force, kind, False)
    s.meta[NEXT] += 1
    s.meta[SENT] += 1
    if code != 0:
        s.meta[REFUSED] += 1
        return
    j = s.meta[COUNT]
    s.own[j]["id"], s.own[j]["side"], s.own[j]["tick"], s.own[j]["lots"] = number, side, tick, lots
    s.own[j]["market"], s.own[j]["stale"] = market, 0
    s.own[j]["ahead"] = 0.0
    if not market:
        s.meta[LOTS_SENT] += lots
        depth = e.depth_of(bt, 0)
        there = e.bid_qty(depth, tick) if side == BID else e.ask_qty(depth, tick)
        s.own[j]["ahead"] = there / plan.lot
    s.meta[COUNT] = j + 1
    if market:
        s.meta[PENDING] += -outwards(side) * lots


@inlined
def _live(pointer):
    status = e.byte(pointer, e.STATUS)
    return status == e.NEW or status == e.PARTLY_FILLED


@called
def withdraw(bt, s, j):
    """Ask for an order to be cancelled; while a request is unanswered that waits until the next decision."""
    s.own[j]["stale"] = 1
    pointer = e.order_of(e.orders_of(bt, 0), s.own[j]["id"])
    if e.address_of(pointer) != 0 and _live(pointer) and e.byte(pointer, e.REQUEST) == e.NO_REQUEST:
        e.cancel(bt, 0, s.own[j]["id"], False)


@called
def withdraw_all(bt, s):
    """All orders shall leave."""
    for j in range(s.meta[COUNT]):
        if not s.own[j]["market"]:
            withdraw(bt, s, j)


@called
def sweep(bt, s):
    """Forget the orders that have ended, and ask again for those that shall leave."""
    kept = 0
    orders = e.orders_of(bt, 0)
    for j in range(s.meta[COUNT]):
        pointer = e.order_of(orders, s.own[j]["id"])
        ended = e.address_of(pointer) == 0
        if not ended:
            ended = e.byte(pointer, e.REQUEST) == e.NO_REQUEST and not _live(pointer)
        if ended:
            if s.own[j]["market"]:
                signed = -outwards(s.own[j]["side"]) * s.own[j]["lots"]
                s.meta[PENDING] -= signed
                if s.own[j]["market"] == CLOSES:
                    s.meta[TO_CLOSE] += signed
            continue
        s.own[kept] = s.own[j]
        kept += 1
    s.meta[COUNT] = kept
    e.clear_inactive(bt, 0)
    for j in range(kept):
        if s.own[j]["stale"] and not s.own[j]["market"]:
            withdraw(bt, s, j)


@called
def note_fills(bt, plan, s, rec, time):
    """Write down what was filled of the maker's orders since the last look."""
    orders = e.orders_of(bt, 0)
    for j in range(s.meta[COUNT]):
        if s.own[j]["lots"] == 0:
            continue
        pointer = e.order_of(orders, s.own[j]["id"])
        if e.address_of(pointer) == 0:
            continue
        left, status = s.own[j]["lots"], e.byte(pointer, e.STATUS)
        if status == e.FILLED:
            left = 0
        elif status == e.PARTLY_FILLED or (status == e.EXPIRED and s.own[j]["market"]):
            left = math.floor(e.real(pointer, e.LEAVES) / plan.lot + 0.5)
        lots = s.own[j]["lots"] - left
        if lots <= 0:
            continue
        s.own[j]["lots"] = left
        signed = -outwards(s.own[j]["side"]) * lots
        s.meta[POSITION] += signed
        if s.own[j]["market"]:
            s.meta[PENDING] -= signed
        tick, takes = e.whole(pointer, e.EXECUTED), 0 if e.byte(pointer, e.MAKES) else 1
        s.money[CASH] -= signed * tick + lots * (plan.fees[takes, 0] + plan.fees[takes, 1] * tick)
        at = s.meta[FILLS]
        if at < rec.fill_time.shape[0]:
            rec.fill_time[at] = time
            rec.fill_lots[at] = signed
            rec.fill_tick[at] = tick
            rec.fill_taking[at] = takes
        else:
            s.meta[ERROR] = -1
        s.meta[FILLS] = at + 1


@inlined
def _shares(n):
    return math.floor(min(n, MOST_SHARES) + 0.5) if n >= 0.5 else 0


@inlined
def _price(plan, side, delta, bid, ask):
    """The tick a distance away from the mid or the best of a side, rounded outwards from the mid."""
    out = outwards(side)
    ticks = min(max(delta * plan.ticks, -1e6), 1e6)
    if plan.from_mid:  # the margin keeps 0.29 / 0.01 = 28.999... on its own tick
        return int(out * math.ceil(out * (0.5 * (bid + ask) + out * ticks) - 1e-7))
    return (bid if side == BID else ask) + out * math.floor(ticks + 0.5)


@called
def _want(plan, s, side, quote, bid, ask):
    """Write down what a decision wants to rest on a side; returns its best price, or one that is out of reach."""
    before, out = 0, outwards(side)
    first = out * 2**61
    for k in range(plan.quotes):
        size = 1.0 if plan.axes[side, k, 0] < 0 else quote[plan.axes[side, k, 0]]
        delta = quote[plan.axes[side, k, 1]]
        lots = _shares(size) * plan.share if delta == delta else 0
        if -out * held(s) + before + lots > plan.limit:
            lots = 0
        price = _price(plan, side, delta, bid, ask) if lots > 0 else 0
        if plan.post_only and lots > 0:
            limit = (ask - 1) if side == BID else (bid + 1)
            price = limit if (price - limit) * out < 0 else price
        s.wanted[side, k, 0], s.wanted[side, k, 1] = lots, price
        before += lots
        if lots > 0 and (price - first) * out < 0:
            first = price
    return first


@inlined
def _bound(plan, s, side, limit):
    for k in range(plan.quotes):
        if (s.wanted[side, k, 1] - limit) * outwards(side) < 0:
            s.wanted[side, k, 1] = limit


@inlined
def _keep(bt, plan, s):
    """Of what rests keep what is wanted, at the same price with as many lots; all else leaves."""
    for j in range(s.meta[COUNT]):
        if s.own[j]["market"] or s.own[j]["stale"]:
            continue
        side, serves = s.own[j]["side"], False
        for k in range(plan.quotes):
            same = s.wanted[side, k, 1] == s.own[j]["tick"] and s.wanted[side, k, 0] == s.own[j]["lots"]
            if same and s.own[j]["lots"] > 0 and not serves:
                s.wanted[side, k, 0] = 0
                serves = True
        if not serves:
            withdraw(bt, s, j)


@called
def _take_back(bt, plan, s, side, lots, limit):
    """Withdraw so many lots of a side, best price first, no further out than a price.

    Whole orders leave; of one that is too large the rest is sent anew, at the back.
    """
    while lots > 0:
        best = -1
        for j in range(s.meta[COUNT]):
            mine = s.own[j]["side"] == side and not s.own[j]["market"] and not s.own[j]["stale"]
            near = (s.own[j]["tick"] - limit) * outwards(side) <= 0 and s.own[j]["lots"] > 0
            nearest = best < 0 or (s.own[j]["tick"] - s.own[best]["tick"]) * outwards(side) < 0
            if mine and near and nearest:
                best = j
        if best < 0:
            return
        there, tick = s.own[best]["lots"], s.own[best]["tick"]
        withdraw(bt, s, best)
        if there > lots:
            submit(bt, plan, s, side, tick, there - lots, 0)
        lots -= there


@called
def apply(bt, plan, s, quote, bid, ask):
    """A decision sets out: market orders, then what shall rest, given the best prices of the others (ticks)."""
    for side in range(2):  # 0 buys
        axis = plan.takes[side]
        lots = _shares(quote[axis]) * plan.share if axis >= 0 else 0
        if lots > 0 and -outwards(side) * held(s) + lots <= plan.limit:
            submit(bt, plan, s, side, ask if side == BID else bid, lots, TAKES)
    first_bid = _want(plan, s, BID, quote, bid, ask)
    first_ask = _want(plan, s, ASK, quote, bid, ask)
    if first_ask <= first_bid:
        back = (first_bid - first_ask + 2) // 2
        _bound(plan, s, BID, first_bid - back)
        _bound(plan, s, ASK, first_ask + back)
    if plan.keeps:
        for side in range(2):
            for k in range(plan.quotes):
                size = quote[plan.axes[side, k, 0]] if plan.axes[side, k, 0] >= 0 else 1.0
                if size <= -0.5:
                    limit = _price(plan, side, quote[plan.axes[side, k, 1]], bid, ask)
                    _take_back(bt, plan, s, side, _shares(-size) * plan.share, limit)
    else:
        _keep(bt, plan, s)
    for side in range(2):
        for k in range(plan.quotes):
            if s.wanted[side, k, 0] > 0:
                submit(bt, plan, s, side, s.wanted[side, k, 1], s.wanted[side, k, 0], 0)


@called
def close(bt, plan, s, bid, ask):
    """Withdraw all orders and let the position be closed by market orders."""
    withdraw_all(bt, s)
    s.meta[TO_CLOSE] = -(s.meta[POSITION] + s.meta[PENDING])
    go_on_closing(bt, plan, s, bid, ask)


@called
def go_on_closing(bt, plan, s, bid, ask):
    """Send as much of what is to be closed as stands at the best price."""
    depth, left = e.depth_of(bt, 0), s.meta[TO_CLOSE]
    if left != 0:
        side = BID if left > 0 else ASK
        there = e.ask_qty(depth, ask) if left > 0 else e.bid_qty(depth, bid)
        lots = min(abs(left), max(math.floor(there / plan.lot + 0.5), 1))
        s.meta[TO_CLOSE] -= -outwards(side) * lots
        submit(bt, plan, s, side, ask if side == BID else bid, lots, CLOSES)


@called
def resting(s, side):
    """The best price of the maker's orders on a side that rest or set out, and the lots there; NOTHING and 0: none."""
    tick, lots = NOTHING, 0
    for j in range(s.meta[COUNT]):
        if s.own[j]["side"] == side and not s.own[j]["market"] and not s.own[j]["stale"] and s.own[j]["lots"] > 0:
            if tick == NOTHING or (s.own[j]["tick"] - tick) * outwards(side) < 0:
                tick, lots = s.own[j]["tick"], s.own[j]["lots"]
            elif s.own[j]["tick"] == tick:
                lots += s.own[j]["lots"]
    return tick, lots


@called
def ranked(s, side, rank):
    """Place in the table of the order of a side that is so many-th in line, best price and oldest first; -1: none."""
    for j in range(s.meta[COUNT]):
        if s.own[j]["side"] != side or s.own[j]["market"] or s.own[j]["stale"] or s.own[j]["lots"] == 0:
            continue
        ahead = 0
        for i in range(s.meta[COUNT]):
            if s.own[i]["side"] == side and not s.own[i]["market"] and not s.own[i]["stale"] and s.own[i]["lots"] > 0:
                better = (s.own[i]["tick"] - s.own[j]["tick"]) * outwards(side)
                if better < 0 or (better == 0 and i < j):
                    ahead += 1
        if ahead == rank:
            return j
    return -1
