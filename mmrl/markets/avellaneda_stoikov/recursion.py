"""The recursion of the exact optimum in compiled code: one step's gain, the best distances, whole episodes.

u and d are the costs of a share more and less.
"""

import math
from typing import NamedTuple

import numpy as np

from mmrl.kernels.jit import kernel
from mmrl.markets.avellaneda_stoikov.dynamics import fill_probability


class Problem(NamedTuple):
    """The numbers of a market and an objective."""

    rate: float
    """A dt."""
    k: float
    jump: float
    """J = sigma sqrt(dt)."""
    dt: float
    gamma: float
    phi: float
    alpha: float
    poisson: int


_GOLDEN = 0.6180339887498949
_STOP = 1e-11  # of the alternation between bid and ask, in units of distance


@kernel
def _gain(gamma, up, down, bid, ask, u, d):
    """-ln E exp(-gamma G) / gamma of a step's gain, given fill probabilities up and down; gamma = 0: E G."""
    none, buys, sells, both = (1.0 - up) * (1.0 - down), up * (1.0 - down), (1.0 - up) * down, up * down
    b = bid - u if buys > 0.0 else 0.0  # what cannot happen must not count, however extreme
    a = ask - d if sells > 0.0 else 0.0
    c = bid + ask if both > 0.0 else 0.0
    if gamma == 0.0:
        return buys * b + sells * a + both * c
    if -gamma * min(b, a, c) < 30.0:
        m = buys * math.expm1(-gamma * b) + sells * math.expm1(-gamma * a) + both * math.expm1(-gamma * c)
        if m > -0.5:
            return -math.log1p(m) / gamma
    top = -1e300
    for chance, gain in ((none, 0.0), (buys, b), (sells, a), (both, c)):
        if chance > 0.0:
            top = max(top, -gamma * gain)
    total = none * math.exp(min(-top, 700.0)) if none > 0.0 else 0.0
    for chance, gain in ((buys, b), (sells, a), (both, c)):
        if chance > 0.0:
            total += chance * math.exp(-gamma * gain - top)
    return -(top + math.log(total)) / gamma


@kernel
def _condition(p, c, x):
    """How far ln(left side) is above 0 in the condition of a best bid x beyond indifference c, and its slope."""
    gamma, k = p.gamma, p.k
    r = p.rate * math.exp(min(-k * (c + x), 50.0))
    if r > 1e-9:
        above = math.log(r) - (r if r > 30.0 else math.log(math.expm1(r)))
        slope = k * (r / -math.expm1(-r) - 1.0)
    else:
        above, slope = -0.5 * r, 0.5 * k * r
    if gamma > 0.0:
        y = gamma * x
        above += y + math.log(-math.expm1(-y)) - math.log(gamma / k)
        slope += gamma / -math.expm1(-y)
    else:
        above += math.log(x) + math.log(k)
        slope += 1.0 / x
    return above, slope


@kernel
def _best_distance(p, c):
    """The distance that maximises fill(delta) (1 - exp(-gamma (delta - c))) / gamma."""
    gamma, k = p.gamma, p.k
    x = math.log1p(gamma / k) / gamma if gamma > 0.0 else 1.0 / k
    if not p.poisson:  # where a fill is certain, further away is better
        return max(c + x, math.log(p.rate) / k)
    for rate in (1e6, 1e4, 700.0, 100.0, 10.0):  # far too near: begin where fills are merely certain
        start = math.log(p.rate / rate) / k - c
        if start > x and _condition(p, c, start)[0] < 0.0:
            x = start
    for _ in range(200):  # Newton's method on a rising concave function, from the left: it cannot overshoot
        above, slope = _condition(p, c, x)
        x -= above / slope
        if abs(above) < 1e-12 * slope * max(1.0, abs(x)):
            break
    return c + x


@kernel
def _mixed(chance, z):
    """ln(1 - chance + chance exp(z))."""
    if chance >= 1.0:
        return z
    if z > 30.0:
        return z + math.log(chance + (1.0 - chance) * math.exp(-z))
    return math.log1p(chance * math.expm1(z))


@kernel
def _indifference(gamma, other, distance, own, opposite):
    """Distance at which a fill of one side is worth nothing, given the other's fill probability and distance.

    `own` and `opposite` are the costs of this side's share and of the other side's; without the other it is `own`.
    """
    if other == 0.0:
        return own
    if gamma == 0.0:
        return own - other * (own + opposite)
    return own + (_mixed(other, -gamma * (distance + own)) - _mixed(other, -gamma * (distance - opposite))) / gamma


@kernel
def _answer(p, ask, u, d):
    """The best bid to an ask, and the gain of the pair."""
    down = fill_probability(p, ask)
    bid = _best_distance(p, _indifference(p.gamma, down, ask, u, d))
    return bid, _gain(p.gamma, fill_probability(p, bid), down, bid, ask, u, d)


@kernel
def _best_pair(p, u, d):
    """The best bid and ask together.

    The sides depend on each other through the curvature u + d of the value. Where that is small the answers to each
    other settle at once; where it is large they may settle at a pair that is not the best, so all asks are searched.
    An ask's indifference lies between -u and d, whatever the bid.
    """
    bid, ask = _best_distance(p, u), _best_distance(p, d)
    gamma = p.gamma
    if max(gamma, p.k) * abs(u + d) < 1.0:
        for _ in range(200):
            old_bid, old_ask = bid, ask
            bid = _best_distance(p, _indifference(gamma, fill_probability(p, ask), ask, u, d))
            ask = _best_distance(p, _indifference(gamma, fill_probability(p, bid), bid, d, u))
            if abs(bid - old_bid) + abs(ask - old_ask) < _STOP * (1.0 + abs(bid) + abs(ask)):
                break
        return bid, ask
    low, high = min(ask, _best_distance(p, -u)), max(ask, _best_distance(p, -u))
    count = int(min(max(16.0, (high - low) * p.k * 8.0), 200.0))
    width = (high - low) / count
    best, at = -math.inf, low
    for i in range(count + 1):
        gain = _answer(p, low + i * width, u, d)[1]
        if gain > best:
            best, at = gain, low + i * width
    left, right = max(at - width, low), min(at + width, high)
    a, b = right - _GOLDEN * (right - left), left + _GOLDEN * (right - left)
    gain_a, gain_b = _answer(p, a, u, d)[1], _answer(p, b, u, d)[1]
    for _ in range(60):
        if right - left < 1e-9 * (1.0 + abs(left)):
            break
        if gain_a > gain_b:
            right, b, gain_b = b, a, gain_a
            a = right - _GOLDEN * (right - left)
            gain_a = _answer(p, a, u, d)[1]
        else:
            left, a, gain_a = a, b, gain_b
            b = left + _GOLDEN * (right - left)
            gain_b = _answer(p, b, u, d)[1]
    ask = 0.5 * (left + right)
    bid, gain = _answer(p, ask, u, d)
    if gain < best:  # the best is at an edge, such as a fill probability of 1
        ask = at
        bid = _answer(p, ask, u, d)[0]
    return bid, ask


@kernel
def _left(p, theta, out):
    """phi_t(q) from theta_{t+1}(q)."""
    gamma = p.gamma
    max_inventory = (theta.shape[0] - 1) // 2
    for i in range(theta.shape[0]):
        q = i - max_inventory
        cost = p.phi * q * q * p.dt
        if gamma > 0.0:
            y = abs(gamma * q * p.jump)
            if y < 1.0:
                s = math.sinh(0.5 * y)
                cost += math.log1p(2.0 * s * s) / gamma
            else:
                cost += (y + math.log1p(math.exp(-2.0 * y)) - math.log(2.0)) / gamma
        out[i] = theta[i] - cost


@kernel
def solve(p, steps, max_inventory):
    """Value [steps + 1, 2 max_inventory + 1] and best distances [steps, 2 max_inventory + 1, 2]."""
    width = 2 * max_inventory + 1
    theta = np.empty((steps + 1, width))
    delta = np.empty((steps, width, 2))
    for i in range(width):
        theta[steps, i] = -p.alpha * (i - max_inventory) ** 2
    left = np.empty(width)
    for t in range(steps - 1, -1, -1):
        _left(p, theta[t + 1], left)
        for i in range(width):
            u = left[i] - left[i + 1] if i + 1 < width else math.inf
            d = left[i] - left[i - 1] if i > 0 else math.inf
            if u == math.inf:
                bid, ask = math.inf, _best_distance(p, d)
            elif d == math.inf:
                bid, ask = _best_distance(p, u), math.inf
            else:
                bid, ask = _best_pair(p, u, d)
            delta[t, i, 0], delta[t, i, 1] = bid, ask
            up = fill_probability(p, bid) if u < math.inf else 0.0
            down = fill_probability(p, ask) if d < math.inf else 0.0
            theta[t, i] = left[i] + _gain(p.gamma, up, down, bid, ask, u, d)
    return theta, delta


@kernel
def evaluate(p, table, max_inventory):
    """Value [steps + 1, 2 max_inventory + 1] of given distances; beyond the table's inventories its last column."""
    steps = table.shape[0]
    width = 2 * max_inventory + 1
    known = (table.shape[1] - 1) // 2
    theta = np.empty((steps + 1, width))
    for i in range(width):
        theta[steps, i] = -p.alpha * (i - max_inventory) ** 2
    left = np.empty(width)
    for t in range(steps - 1, -1, -1):
        _left(p, theta[t + 1], left)
        for i in range(width):
            row = min(max(i - max_inventory, -known), known) + known
            bid, ask = table[t, row, 0], table[t, row, 1]
            u, d, up, down = 0.0, 0.0, 0.0, 0.0
            if i + 1 < width and bid < math.inf:
                u, up = left[i] - left[i + 1], fill_probability(p, bid)
            if i > 0 and ask < math.inf:
                d, down = left[i] - left[i - 1], fill_probability(p, ask)
            theta[t, i] = left[i] + _gain(p.gamma, up, down, bid, ask, u, d)
    return theta
