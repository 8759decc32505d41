"""The rollout loop for makers that need no network: eight trajectories side by side, so that a market's law is vectors.

It does what `mmrl.kernels.play.play` does, with the same random streams and to the last bit, for markets whose episodes
all have the same number of steps, whose law has no branches that LLVM cannot turn into choices, and which show two
numbers and take two. Eight states lie beside each other, so that a loop over them becomes vectors, in records of which
LLVM knows that nothing else is written there (`on_stack`). Eight steps of eight trajectories are kept, then written to
the batch a whole line at a time: numbers of eight trajectories, one at a time, would go to a hundred places.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmrl.kernels.account import FLOWS, GOES_ON, Account
from mmrl.kernels.instructions import LANES
from mmrl.kernels.jit import called, inlined, record_type
from mmrl.kernels.play import CLIP, WHOLE, Rows, play_one, record_account, record_end, record_flows, record_quotes
from mmrl.kernels.prefetch import prefetch_to_write
from mmrl.kernels.random import seed_stream
from mmrl.kernels.reward import Utility, price_held, reward_of_step, step_reward
from mmrl.kernels.sampling import Kind, column_of, linear_quote, normalised, row_of
from mmrl.kernels.shares import next_few
from mmrl.kernels.turning import clear, largest, put, take, take_pairs, turn

fetch_rows: Any = prefetch_to_write([k for k, name in enumerate(Rows._fields) if name not in FLOWS])
fetch_flows: Any = prefetch_to_write([k for k, name in enumerate(Rows._fields) if name in FLOWS])
"""Ask for the lines that the next tile is written to."""
UNKNOWN = np.int64(1 << 62)
"""Place of a price that no table has."""
_WIDE = ("observation", "action")


def lanes_of(state: np.dtype) -> np.dtype:
    """The type of a record of eight states of a market beside each other: the arrays of one, with one more axis."""
    assert state.fields is not None
    return record_type([(name, kind.base, (*kind.shape, LANES)) for name, (kind, *_) in state.fields.items()])


WORK = record_type(
    [
        ("rng", np.uint64, (4, LANES)),
        ("raw", np.float32, (2, LANES)),
        ("quote", np.float64, (2, LANES)),
        ("column", np.int64, (LANES,)),
        ("place", np.int64, (LANES,)),
        ("value", np.float64, (LANES,)),  # before the step, as the inventory
        ("inventory", np.int64, (LANES,)),
        ("price", np.float64, (LANES,)),
    ]
)
"""What the loop keeps of eight trajectories."""
RECORDED = [name for name in Rows._fields if name != "log_prob"]  # of what is not drawn it is 0
_KINDS = dict.fromkeys(WHOLE, np.int64) | dict.fromkeys(_WIDE, np.float32)
TILE = record_type([(name, _KINDS.get(name, np.float64), ((1 + (name in _WIDE)) * LANES, LANES)) for name in RECORDED])
"""Eight steps of eight trajectories: columns of `Rows`, step by step, in numbers of one size, so that a step lies
equally far into each of them."""


@inlined
def before(tile, work, k, lane):
    """What a reward reads of the account of a lane before step k of a tile."""
    return Account(
        tile.time[k, lane], 0.0, 0.0, work.inventory[lane], 0.0, work.value[lane], 0.0, 0.0, 0.0, 0, 0, 0.0, 0.0, 0.0
    )


@inlined
def look_around(observe, p, s, maker, reward, work, lane, a):
    """Note what the next quote of a lane needs, and where the price of its inventory stands."""
    observe(p, s, work.raw[:, lane])
    work.column[lane] = column_of(maker.table, a.inventory)
    work.place[lane] = abs(a.inventory) if a.elapsed == reward.step else UNKNOWN


@inlined
def quote_all(account, p, lane_of, m, maker, t, steps, work):
    """The quotes of all lanes at step t."""
    if maker.kind == Kind.TABLE:
        take_pairs(maker.table[row_of(maker.table, t, steps)], work.column, work.quote)
    else:
        for lane in range(LANES):
            linear_quote(maker.linear, t, steps, account(p, lane_of(m, lane)).inventory, work.quote[:, lane])


@inlined
def price_all(account, p, lane_of, m, reward, work):
    """`price_held` of all lanes: of the prices that are known, if those of all are."""
    if largest(work.place) < reward.prices.shape[0]:
        take(reward.prices, work.place, work.price)
    else:
        for lane in range(LANES):
            work.price[lane] = price_held(reward, account(p, lane_of(m, lane)))


@inlined
def reward_all(account, p, lane_of, m, reward, work, tile, k):
    """The rewards of all lanes, from their accounts before and after step k of a tile."""
    if reward.utility == Utility.ENTROPIC and not reward.inventory_bonus > 0.0:
        price_all(account, p, lane_of, m, reward, work)
        for lane in range(LANES):  # what is known when it is compiled is no branch
            tile.reward[k, lane] = reward_of_step(
                reward, Utility.ENTROPIC, 0.0, before(tile, work, k, lane), account(p, lane_of(m, lane)),
                work.price[lane],
            )  # fmt: skip
    else:
        for lane in range(LANES):
            after = account(p, lane_of(m, lane))
            tile.reward[k, lane] = step_reward(reward, before(tile, work, k, lane), after)


@inlined
def turn_all(tile, rows, first, apart, flows):
    """Write eight steps of all lanes, of the first lane from row `first` on."""
    turn(tile.observation, rows.observation, first, apart)
    turn(tile.action, rows.action, first, apart)
    clear(rows.log_prob, first, apart)  # of what is not drawn
    turn(tile.reward, rows.reward, first, apart)
    turn(tile.time, rows.time, first, apart)
    turn(tile.cash, rows.cash, first, apart)
    turn(tile.inventory, rows.inventory, first, apart)
    turn(tile.mid, rows.mid, first, apart)
    turn(tile.bid, rows.bid, first, apart)
    turn(tile.ask, rows.ask, first, apart)
    if flows:
        turn(tile.bought, rows.bought, first, apart)
        turn(tile.sold, rows.sold, first, apart)
        turn(tile.paid, rows.paid, first, apart)
        turn(tile.received, rows.received, first, apart)
        turn(tile.revaluation, rows.revaluation, first, apart)


@called
def turn_some(tile, rows, first, apart, steps, flows):
    """The same for the last steps of an episode, fewer than eight."""
    for lane in range(LANES):
        for k in range(steps):
            at = first + lane * apart + k
            for j in range(2):
                rows.observation[at, j] = tile.observation[2 * k + j, lane]
                rows.action[at, j] = tile.action[2 * k + j, lane]
            rows.log_prob[at] = 0.0
            rows.reward[at] = tile.reward[k, lane]
            rows.time[at] = tile.time[k, lane]
            rows.cash[at] = tile.cash[k, lane]
            rows.inventory[at] = tile.inventory[k, lane]
            rows.mid[at] = tile.mid[k, lane]
            rows.bid[at] = tile.bid[k, lane]
            rows.ask[at] = tile.ask[k, lane]
            if flows:
                rows.bought[at] = tile.bought[k, lane]
                rows.sold[at] = tile.sold[k, lane]
                rows.paid[at] = tile.paid[k, lane]
                rows.received[at] = tile.received[k, lane]
                rows.revaluation[at] = tile.revaluation[k, lane]


@inlined
def play_eight(
    reset, observe, act, advance, account, split, p, maker, reward, rows, ends, draw, lane_of, m, work, tile, n
):
    """Roll out trajectories n to n + 7 of `draw`."""
    steps, first, flows = draw.steps, n * draw.steps, rows.revaluation.shape[0] > 0
    work.raw[:] = 0.0
    for lane in range(LANES):
        seed_stream(work.rng[:, lane], draw.seed, draw.epoch, draw.first + n + lane)
        s = lane_of(m, lane)
        reset(p, s, work.rng[:, lane], draw.first + n + lane)
        look_around(observe, p, s, maker, reward, work, lane, account(p, s))
    mean, other_mean, std, other_std = maker.mean[0], maker.mean[1], maker.std[0], maker.std[1]
    for t in range(steps):
        step = t % LANES
        k, one, other = np.uint64(step), np.uint64(2 * step), np.uint64(2 * step + 1)  # never tested for being negative
        soon = (
            first + t % LANES * (steps - 1) + t + 2 * LANES - 1
        )  # the last row of the next tile, of one lane at each step
        fetch_rows(rows, soon)
        if flows:
            fetch_flows(rows, soon)
        for lane in range(LANES):
            tile.observation[one, lane] = normalised(work.raw[0, lane], mean, std, CLIP)
            tile.observation[other, lane] = normalised(work.raw[1, lane], other_mean, other_std, CLIP)
        quote_all(account, p, lane_of, m, maker, t, steps, work)
        for j in range(2):
            put(tile.action, 2 * step + j, work.quote[j])
        for lane in range(LANES):
            s, rng = lane_of(m, lane), work.rng[:, lane]
            account_before = account(p, s)
            work.value[lane], work.inventory[lane] = account_before.value, account_before.inventory
            record_account(tile, (k, lane), account_before)
            act(p, s, work.quote[:, lane])
            advance(p, s, rng)
            after = account(p, s)
            record_quotes(tile, (k, lane), after)
            look_around(observe, p, s, maker, reward, work, lane, after)
        if flows:
            for lane in range(LANES):
                record_flows(tile, (k, lane), account(p, lane_of(m, lane)))
        reward_all(account, p, lane_of, m, reward, work, tile, k)
        if step == LANES - 1:
            turn_all(tile, rows, first + t + 1 - LANES, steps, flows)
        elif t == steps - 1:
            turn_some(tile, rows, first + steps - steps % LANES, steps, steps % LANES, flows)
    for lane in range(LANES):
        s, end = lane_of(m, lane), np.uint64(first + (lane + 1) * steps)
        ends.observation[n + lane, 0] = normalised(work.raw[0, lane], mean, std, CLIP)
        ends.observation[n + lane, 1] = normalised(work.raw[1, lane], other_mean, other_std, CLIP)
        record_end(rows, ends, n + lane, end, steps, steps, GOES_ON, reward, account(p, s))
        split(p, s, ends.split[n + lane])


@inlined
def play_beside(
    reset, observe, act, advance, account, heuristic, split, p, s, maker, reward, rows, ends, draw, x, lane_of, m,
    work, tile,
):  # fmt: skip
    """Roll out trajectories of a `SharedDraw` until none is left.

    What `play` takes, and `lane_of(m, lane)`: the state of a lane out of the record `m` of type `lanes_of`. Learned
    policies, and what is left of a draw, are played one by one.
    """
    beside = maker.kind == Kind.TABLE or maker.kind == Kind.LINEAR
    least = LANES if beside else 1
    n, end = next_few(draw.taken, draw.thread, draw.count, 0, least, LANES)
    while n < draw.count:
        if beside and n + LANES == end:
            play_eight(
                reset, observe, act, advance, account, split, p, maker, reward, rows, ends, draw, lane_of, m, work,
                tile, n,
            )  # fmt: skip
        else:
            for one in range(n, end):
                play_one(
                    reset, observe, act, advance, account, heuristic, split, p, s, maker, reward, rows, ends, draw,
                    one, x,
                )  # fmt: skip
        n, end = next_few(draw.taken, draw.thread, draw.count, 0, least, LANES)
