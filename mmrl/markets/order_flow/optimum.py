"""The exact optimum where two queues are all there is (`depletion.py`), by backward induction over the decisions.

The state is what the maker observes: on each side the n orders of others and the place of its own order among them, if
it has one; and the inventory q. A decision chooses for each side whether one share rests there: it joins the back of
the queue, stays, or leaves. Then `decision_events` events of others happen, each in proportion to its rate:

    a limit order  lambda(m)        m = n + the maker's share
    a cancellation theta(m) n       ahead of the maker's order or behind it, as many as stand there
    a market order mu(m)            takes the first order

A side that has lost its last order, by an event or by the decision, moves the price by a tick: the queues are drawn
anew and the maker has no order. Money is counted from the price half-way between the two queues: a fill earns half a
tick less the fee, a move of the price earns q ticks up or down, and the end pays what `ending` says. The objective is

    CARA      certainty equivalent -ln E exp(-gamma V_T) / gamma
    penalty   E[V_T - alpha q_T^2 - phi sum q'^2 dt], q' and dt inventory and length of each step (gamma = 0)

Values are kept as u(v) = (1 - exp(-gamma v)) / gamma, in which E u(g + v') = E[u(g) + exp(-gamma g) u(v')] is linear.
Waiting times do not depend on which event comes next, so E[q'^2 dt] follows from the same chain.

Shapes: K = 2 L + 1 inventories from -L to L, S states of a side, index S: the side is empty; values [K, S, S] or
[K, S + 1, S + 1] by inventory, bid side, ask side. Nothing here is shared with the compiled law.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmrl.markets.contract import Objective
from mmrl.markets.order_flow.depletion import Rates, rates, unsolved
from mmrl.markets.order_flow.depletion import decisions as decisions
from mmrl.markets.order_flow.settings import Settings

Float64 = npt.NDArray[np.float64]
Decide = Callable[[npt.NDArray[np.float32]], Float64]
"""Chances [X, 4] of the choices of `MENU`, given raw observations [X, obs]."""

MENU = ((0.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (1.0, 0.0, 1.0, 0.0))
"""The choices as actions (n_b, delta_b, n_a, delta_a): nothing, a bid, an ask, both."""
HEURISTIC = 3
"""What the simple maker of the market chooses: it joins both queues."""
_LIMIT, _AHEAD, _BEHIND, _MARKET = range(4)
_WEIGHT = 1e-16
"""Of the Poisson law of events in the warm-up that are left out."""


@dataclass(frozen=True)
class Solution:
    """The value at the start, before the queues are drawn, and the best choice uint8 [nt, K, S, S] by decision."""

    value: float
    choices: npt.NDArray[np.uint8]


class Side:
    """The states of one side, and where decisions and events lead."""

    def __init__(self, r: Rates) -> None:
        longest = r.longest
        pairs = [(n, 0) for n in range(1, longest + 1)]
        pairs += [(n, own) for n in range(longest + 1) for own in range(1, n + 2)]
        index = {pair: i for i, pair in enumerate(pairs)} | {(0, 0): len(pairs)}
        self.states = len(pairs)
        self.others, self.own = np.array(pairs).T
        """n, and 0 without an order of the maker, else 1 + the orders ahead of it; int64 [S]."""
        self.alone = np.array([index[n, 0] for n in range(longest + 1)])
        """The state of n others and no order of the maker, [N + 1]."""
        self.join = np.array([index[n, own or n + 1] for n, own in pairs])
        self.leave = np.array([index[n, 0] for n, own in pairs])
        self.rates = np.zeros((4, self.states))
        self.to = np.zeros((4, self.states), np.int64)
        for i, (n, own) in enumerate(pairs):
            shares = n + (own > 0)
            ahead = own - 1 if own else 0
            if n < longest:
                self.rates[_LIMIT, i], self.to[_LIMIT, i] = r.limit[shares], index[n + 1, own]
            if ahead:
                self.rates[_AHEAD, i], self.to[_AHEAD, i] = r.cancel[shares] * ahead, index[n - 1, own - 1]
            if n > ahead:
                self.rates[_BEHIND, i], self.to[_BEHIND, i] = r.cancel[shares] * (n - ahead), index[n - 1, own]
            after = (n, 0) if own == 1 else (n - 1, max(own - 1, 0))
            self.rates[_MARKET, i], self.to[_MARKET, i] = r.market[shares], index[after]
        self.total = self.rates.sum(0)
        self.filled = np.flatnonzero(self.own == 1)
        """Where a market order fills the maker, [F]."""


class Chain:
    """One event, and what a decision can choose from, for values in the units of u."""

    def __init__(self, market: Settings, gamma: float, longest: int | None = None) -> None:
        self.r = rates(market, longest)
        self.side, self.gamma = Side(self.r), gamma
        self.held = np.arange(-market.position_limit, market.position_limit + 1)
        self.move: Float64 = self.held * market.tick
        self.edge = 0.5 * market.tick - market.maker_fee
        self.speed = self.side.total[:, None] + self.side.total

    def utility(self, value: Float64) -> Float64:
        """u of amounts of money."""
        return -np.expm1(-self.gamma * value) / self.gamma if self.gamma else value

    def worth(self, utility: float) -> float:
        """The amount of money of a utility."""
        return -math.log1p(-self.gamma * utility) / self.gamma if self.gamma else utility

    def plus(self, gain: Float64 | float, values: Float64) -> Float64:
        """u(gain + v) of values u(v)."""
        gain = np.asarray(gain, float)
        return self.utility(gain) + np.exp(-self.gamma * gain) * values

    def extended(self, values: Float64, paid: bool = True) -> Float64:
        """Values [K, S + 1, S + 1], those of empty sides by what follows; unless `paid` gains count nothing."""
        size, new, alone = self.side.states, self.r.new, self.side.alone
        drawn = np.einsum("b,qba,a->q", new[1:], values[:, alone[1:, None], alone[1:]], new[1:])
        full = np.empty((len(self.held), size + 1, size + 1))
        full[:, :size, :size] = values
        move = self.move if paid else 0.0 * self.move
        full[:, size, :size] = self.plus(-move, drawn)[:, None]
        full[:, :size, size] = self.plus(move, drawn)[:, None]
        full[:, size, size] = drawn
        return full

    def event(self, values: Float64, paid: bool = True) -> Float64:
        """Values [K, S, S] before an event of others, from those after it."""
        side, full, edge = self.side, self.extended(values, paid), self.edge * paid
        size, filled = side.states, side.filled
        total = np.zeros_like(values)
        for kind in range(4):
            bid, ask = full[:, side.to[kind], :size], full[:, :size, side.to[kind]]
            if kind == _MARKET:  # at +-L no order rests that could lead beyond
                bid[:-1, filled] = self.plus(edge, full[1:, side.to[kind, filled], :size])
                ask[1:, :, filled] = self.plus(edge, full[:-1, :size, side.to[kind, filled]])
            total += side.rates[kind][:, None] * bid + side.rates[kind] * ask
        return total / self.speed

    def options(self, full: Float64) -> Float64:
        """Values [4, K, S, S] of the choices of `MENU`, given those [K, S + 1, S + 1] after the decision."""
        rows = (self.side.leave, self.side.join)
        found = np.stack([full[:, rows[choice & 1]][:, :, rows[choice >> 1]] for choice in range(4)])
        found[[1, 3], -1] = found[[0, 2], -1]  # beyond the position limit nothing is sent
        found[[2, 3], 0] = found[[0, 1], 0]
        return found

    def time_held(self, events: int) -> Float64:
        """E[q'^2 dt] [K, S + 1, S + 1]: inventory after so many events, squared, times how long they take."""
        square = np.broadcast_to((self.held**2.0)[:, None, None], (len(self.held), *self.speed.shape))
        found = np.zeros(square.shape)
        for _ in range(events):
            square = self.event(square, paid=False)
            found = square / self.speed + self.event(found, paid=False)
        return self.extended(found, paid=False)

    def start(self, values: Float64, warm_up: float) -> float:
        """What values [K, S, S] are worth before the queues are drawn and have lived for some minutes without a maker.

        The chain is made uniform: events at the highest rate, some of which change nothing.
        """
        alone, zero = self.side.alone[1:], len(self.held) // 2
        now, fastest = values.copy(), float(self.speed[alone[:, None], alone].max())
        mean, total = fastest * warm_up, np.zeros_like(values)
        for n in range(int(mean + 12 * math.sqrt(mean) + 40)):
            weight = math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) if mean > 0 else float(n == 0)
            if weight > _WEIGHT:
                total += weight * now
            if mean == 0:
                break
            moved = self.event(now, paid=False)
            now = now + (moved - now) * self.speed / fastest
        return float(self.extended(total)[zero, -1, -1])


def ending(market: Settings, objective: Objective, chain: Chain) -> Float64:
    """What the end pays [K, S, S] beyond cash and q times the price half-way between the queues.

    The maker is paid by the mid of the others, whose best counts a tick beyond where only the maker's order is left.
    """
    gone, q = chain.side.others == 0, chain.held[:, None, None]
    half_ticks = gone.astype(float) - gone[:, None]
    return 0.5 * market.tick * q * half_ticks - objective.alpha * q**2.0


def _backward(
    market: Settings,
    objective: Objective,
    end: Float64 | None,
    longest: int | None,
    decided: Callable[[int, Float64], Float64],
) -> float:
    """The value where `decided` makes values [K, S, S] of those [4, K, S, S] of the choices at decision t."""
    reason = unsolved(market)
    if reason:
        raise ValueError(f"order-flow cannot be solved: {reason}")
    if objective.gamma and objective.phi:
        raise ValueError("CARA utility and a running penalty cannot be solved together: set one of them to 0")
    chain = Chain(market, objective.gamma, longest)
    values = chain.utility(ending(market, objective, chain) if end is None else end)
    penalty = objective.phi * chain.time_held(market.decision_events) if objective.phi else 0.0
    for t in range(market.nt - 1, -1, -1):
        for _ in range(market.decision_events):
            values = chain.event(values)
        values = decided(t, chain.options(chain.extended(values) - penalty))
    found = chain.worth(chain.start(values, market.warm_up))
    if not math.isfinite(found):
        raise ValueError(f"gamma = {objective.gamma:g} is too large: a utility is not a finite number")
    return found


def optimum(market: Settings, objective: Objective, end: Float64 | None = None, longest: int | None = None) -> Solution:
    """The best choices and their value; `end` [K, S, S] replaces `ending`, `longest` the queues that are told apart."""
    size, wide = Side(rates(market, longest)).states, 2 * market.position_limit + 1
    choices = np.empty((market.nt, wide, size, size), np.uint8)

    def decided(t: int, options: Float64) -> Float64:
        choices[t] = options.argmax(0)
        best: Float64 = options.max(0)
        return best

    return Solution(_backward(market, objective, end, longest, decided), choices)


def value_of(market: Settings, objective: Objective, decide: Decide, end: Float64 | None = None) -> float:
    """The exact value of a maker that sees nothing but its observation; it may choose at random."""
    seen = observations(market)

    def decided(t: int, options: Float64) -> Float64:
        seen[:, -1] = (market.nt - t) / market.nt
        chances = decide(seen).T.reshape(options.shape)
        return np.einsum("cqba,cqba->qba", chances, options)

    return _backward(market, objective, end, None, decided)


def observations(market: Settings) -> npt.NDArray[np.float32]:
    """What the maker observes in each state [K S S, obs], raw, with no time left."""
    side, depth = Side(rates(market)), market.depth
    held = np.arange(-market.position_limit, market.position_limit + 1)
    q, bid, ask = (i.ravel() for i in np.indices((held.size, side.states, side.states)))
    seen = np.zeros((q.size, 10 + 2 * depth), np.float32)
    n = [side.others[bid], side.others[ask]]
    seen[:, 0] = (n[0] - n[1]) / np.maximum(n[0] + n[1], 1)
    seen[:, 1] = 1 + (n[0] == 0) + (n[1] == 0)  # where others have gone, their best counts a tick beyond
    for k, own in enumerate((side.own[bid], side.own[ask])):
        seen[:, 2 + k * depth] = n[k]
        at = 2 + 2 * depth + 3 * k
        seen[:, at] = own > 0
        seen[:, at + 1] = -1.0 * ((own > 0) & (n[k] == 0))
        seen[:, at + 2] = np.maximum(own - 1, 0)
    seen[:, -2] = held[q]
    return seen


def table(market: Settings, solution: Solution) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8], Float64]:
    """The best choices as a table by what is observed (`mmrl.rollout.quoters.observed`)."""
    side, depth, limit = Side(rates(market)), market.depth, market.position_limit
    longest = int(side.others.max())
    width = longest + 2
    wide = (longest + 1) * width
    places = np.zeros((10 + 2 * depth, 3), np.int64)
    for k, stride in enumerate((wide, 1)):
        at = 2 + 2 * depth + 3 * k
        places[2 + k * depth] = 0, longest, width * stride
        places[at] = 0, 1, stride
        places[at + 2] = 0, longest, stride
    places[-2] = -limit, limit, wide * wide
    cell = side.others * width + side.own
    chosen = np.zeros((market.nt, 2 * limit + 1, wide, wide), np.uint8)
    chosen[:, :, cell[:, None], cell] = solution.choices
    return places, chosen.reshape(market.nt, -1), np.array(MENU)
