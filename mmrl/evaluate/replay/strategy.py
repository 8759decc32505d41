"""The loop of a maker on a tape: see every event that reaches it, decide, send orders; no Python in between.

It learns what a trader would: the book as it arrives at its place, trades, answers to its orders. Nothing else of the
tape is in its reach, so that a decision cannot know what comes after it.
"""

import math

from mmrl.evaluate.replay import engine as e
from mmrl.evaluate.replay.columns import Shows
from mmrl.evaluate.replay.orders import apply, close, go_on_closing, held, note_fills, ranked, resting, sweep
from mmrl.evaluate.replay.state import (
    ANSWERED,
    ARRIVED,
    ASK,
    ASK_TICK,
    BID,
    BID_TICK,
    CASH,
    CASH_BEGAN,
    COUNT,
    DECIDED,
    ERROR,
    FADED,
    FLOW,
    MOVED,
    NEXT,
    NOTHING,
    PATH,
    POSITION,
)
from mmrl.kernels.jit import called, inlined, kernel
from mmrl.kernels.play import OBSERVATION_CLIP, decide, scratch
from mmrl.kernels.random import seed_stream
from mmrl.kernels.sampling import normalise

_BUY = 1 << 29
_EVENT_BYTES = e.EVENT.itemsize
PARTS = 8
"""Of the time after the last decision, in each of which what is left of the position is closed on."""
_CLIP = OBSERVATION_CLIP


@inlined
def _fade(plan, s, time):
    elapsed = time - s.meta[FADED]
    if elapsed > 0:
        for h in range(plan.horizons.shape[0]):
            left = math.exp(-elapsed / plan.horizons[h])
            s.signals[FLOW, h] *= left
            s.signals[MOVED, h] *= left
        s.meta[FADED] = time


@inlined
def _see_trades(bt, plan, s, time):
    trade = e.last_trades(bt, 0, e.as_pointer(s.told_at + 24))
    count = s.told[3]
    if count == 0:
        return
    _fade(plan, s, time)
    for i in range(count):
        at = i * _EVENT_BYTES
        lots = e.real(trade, at + e.QUANTITY) / plan.lot
        buys = (e.whole(trade, at + e.EV) & _BUY) > 0
        for h in range(plan.horizons.shape[0]):
            s.signals[FLOW, h] += lots if buys else -lots
        if plan.queues:
            tick = math.floor(e.real(trade, at + e.PRICE) / plan.tick + 0.5)
            for j in range(s.meta[COUNT]):
                if s.own[j]["tick"] == tick and s.own[j]["side"] == (ASK if buys else BID):
                    s.own[j]["ahead"] = max(s.own[j]["ahead"] - lots, 0.0)
    e.clear_trades(bt, 0)


@inlined
def _see_book(bt, plan, s, rec, time):
    depth = e.depth_of(bt, 0)
    bid, ask = e.best_bid(depth), e.best_ask(depth)
    if e.NO_BID < bid < ask < e.NO_ASK and (bid != s.meta[BID_TICK] or ask != s.meta[ASK_TICK]):
        if s.meta[PATH] > 0:
            _fade(plan, s, time)
            for h in range(plan.horizons.shape[0]):
                s.signals[MOVED, h] += 0.5 * (bid + ask - s.meta[BID_TICK] - s.meta[ASK_TICK])
        s.meta[BID_TICK], s.meta[ASK_TICK] = bid, ask
        at = s.meta[PATH]
        if at < rec.path_time.shape[0]:
            rec.path_time[at], rec.path_bid[at], rec.path_ask[at] = time, bid, ask
        s.meta[PATH] = at + 1
    if plan.queues:
        for j in range(s.meta[COUNT]):
            tick = s.own[j]["tick"]
            there = e.bid_qty(depth, tick) if s.own[j]["side"] == BID else e.ask_qty(depth, tick)
            s.own[j]["ahead"] = min(s.own[j]["ahead"], there / plan.lot)


@inlined
def _see_answers(bt, plan, s, rec, time):
    e.order_latency(bt, 0, e.as_pointer(s.told_at), e.as_pointer(s.told_at + 8), e.as_pointer(s.told_at + 16))
    if s.told[2] != s.meta[ANSWERED] or s.told[1] != s.meta[ARRIVED]:
        s.meta[ANSWERED], s.meta[ARRIVED] = s.told[2], s.told[1]
        note_fills(bt, plan, s, rec, time)


@called
def wait(bt, plan, s, rec, until):
    """See everything up to a time; returns whether the tape goes on."""
    while True:
        time = e.now(bt)
        left = 1 if time == e.NOT_BEGUN else until - time
        if left <= 0:
            return True
        code = e.wait_next_feed(bt, True, left)
        time = e.now(bt)
        _see_trades(bt, plan, s, time)
        _see_book(bt, plan, s, rec, time)
        _see_answers(bt, plan, s, rec, time)
        if code == e.END:
            return False
        if code > e.RESPONSE or code < 0:
            s.meta[ERROR] = code
            return False


@called
def observe(bt, plan, s, left, out):
    """The columns of the spec, from the tape; `out` holds the observation before."""
    depth = e.depth_of(bt, 0)
    bid, ask = s.meta[BID_TICK], s.meta[ASK_TICK]
    share = plan.share * plan.lot
    for j in range(plan.columns.shape[0] - 1, -1, -1):  # backwards: older states are taken from where newer ones stood
        what, a, b = plan.columns[j, 0], plan.columns[j, 1], plan.columns[j, 2]
        value = 0.0
        if what == Shows.INVENTORY:
            value = held(s) / plan.share
        elif what == Shows.TIME_LEFT:
            value = left
        elif what == Shows.IMBALANCE:
            queue_bid, queue_ask = e.bid_qty(depth, bid), e.ask_qty(depth, ask)
            value = (queue_bid - queue_ask) / max(queue_bid + queue_ask, plan.lot)
        elif what == Shows.SPREAD:
            value = ask - bid
        elif what == Shows.QUEUE:
            value = (e.bid_qty(depth, bid - b) if a == BID else e.ask_qty(depth, ask + b)) / share
        elif what == Shows.FLOW:
            value = s.signals[FLOW, a] / plan.share
        elif what == Shows.MOVES:
            value = s.signals[MOVED, a]
        elif what == Shows.OWN or what == Shows.OWN_BEHIND or what == Shows.AHEAD:
            at = ranked(s, a, b)
            if at >= 0:
                if what == Shows.OWN:
                    value = s.own[at]["lots"] / plan.share
                elif what == Shows.OWN_BEHIND:
                    value = (s.own[at]["tick"] - bid) * -1.0 if a == BID else (s.own[at]["tick"] - ask) * 1.0
                else:
                    value = s.own[at]["ahead"] / plan.share
        elif what == Shows.TOUCH_SIZE or what == Shows.TOUCH_DISTANCE:
            if b > 0:
                value = out[j - 4]
            else:
                tick, lots = resting(s, a)
                best = bid if a == BID else ask
                there = (e.bid_qty(depth, best) if a == BID else e.ask_qty(depth, best)) / plan.lot
                away = (tick - best) * (1 if a == ASK else -1)
                if tick == NOTHING or away > 0:
                    tick, lots = best, there
                elif away == 0:
                    lots += there
                if what == Shows.TOUCH_SIZE:
                    value = lots / plan.share
                else:
                    value = abs(0.5 * (bid + ask) - tick) / plan.ticks
        elif what == Shows.MID_CHANGE:
            value = 0.5 * (bid + ask - s.start[0] - s.start[1]) / plan.ticks
        else:
            value = (s.money[CASH] - s.money[CASH_BEGAN]) / (plan.share * plan.ticks)
        out[j] = value


@inlined
def join(p, s, rng, quote):
    """The simple maker of a tape: one share at the best price of each side."""
    for a in range(quote.shape[0]):
        quote[a] = 0.0
    for side in range(2):
        away = 0.0
        if p.from_mid:
            away = 0.5 * (s.meta[ASK_TICK] - s.meta[BID_TICK]) / p.ticks
        if p.axes[side, 0, 0] >= 0:
            quote[p.axes[side, 0, 0]] = 1.0
        quote[p.axes[side, 0, 1]] = away


@inlined
def _begin(plan, s, x, episode):
    seed_stream(x.rng, plan.seed, 0, episode)
    x.raw[:] = 0.0
    s.start[0], s.start[1] = s.meta[BID_TICK], s.meta[ASK_TICK]
    s.money[CASH_BEGAN] = s.money[CASH]


@kernel
def play(address, plan, maker, s, rec):
    """Play a tape to its end; returns the decisions made."""
    bt = e.as_pointer(address)
    x = scratch(maker, rec)
    last = plan.decisions.shape[0] - 1
    s.meta[NEXT] = 1
    for k in range(last + 1):
        on = wait(bt, plan, s, rec, plan.decisions[k])
        sweep(bt, s)
        bid, ask = s.meta[BID_TICK], s.meta[ASK_TICK]
        if not on:
            break
        if s.meta[PATH] == 0:  # no best prices yet
            if k < last:
                rec.bid[k] = rec.ask[k] = NOTHING
                s.meta[DECIDED] = k + 1
            continue
        t = k % plan.steps
        if t == 0 or k == last:
            close(bt, plan, s, bid, ask)
            _begin(plan, s, x, k // plan.steps)
        else:
            go_on_closing(bt, plan, s, bid, ask)
        if k == last:
            for part in range(1, PARTS + 1):
                wait(bt, plan, s, rec, plan.decisions[k] + plan.settle * part // PARTS)
                sweep(bt, s)
                go_on_closing(bt, plan, s, s.meta[BID_TICK], s.meta[ASK_TICK])
            break
        _fade(plan, s, e.now(bt))
        observe(bt, plan, s, (plan.steps - t) / plan.steps, x.raw)
        normalise(x.raw, maker.mean, maker.std, _CLIP, x.hidden, rec.observation, k)
        rec.inventory[k] = s.meta[POSITION]
        shares = math.floor(held(s) / plan.share + 0.5)
        decide(join, plan, s, maker, shares, t, plan.steps, x.rng, x, rec.action[k])
        for a in range(x.quote.shape[0]):
            rec.action[k, a] = x.quote[a]  # not in a policy's units: in the market's
        apply(bt, plan, s, x.quote, bid, ask)
        rec.bid[k] = resting(s, BID)[0]
        rec.ask[k] = resting(s, ASK)[0]
        s.meta[DECIDED] = k + 1
    return s.meta[DECIDED]
