"""The recursion of `mmrl.evaluate.optimum` in compiled code: one step's gain, the best distances, whole games.

`p` holds A dt, k, J, dt, gamma, phi, alpha and 1.0 for poisson fills; u and d are the costs of a share more and less.
"""

import math

import numpy as np

from mmrl.market.compilation import kernel

_STOP = 1e-11  # of the alternation between bid and ask, in units of distance


@kernel
def _fill(p, delta):
    rate = p[0] * math.exp(min(-p[1] * delta, 50.0))
    return -math.expm1(-rate) if p[7] > 0.0 else min(1.0, rate)


@kernel
def _gain(gamma, up, down, bid, ask, u, d):
    """-ln E exp(-gamma G) / gamma of a step's gain, given fill probabilities up and down; gamma = 0: E G."""
    b, a, both = bid - u, ask - d, bid + ask
    if up == 0.0:
        b, both = 0.0, 0.0
    if down == 0.0:
        a, both = 0.0, 0.0
    if gamma == 0.0:
        return up * (1.0 - down) * b + (1.0 - up) * down * a + up * down * both
    most = max(-gamma * b, -gamma * a, -gamma * both, 0.0)
    if most < 30.0:
        m = up * (1.0 - down) * math.expm1(-gamma * b) + (1.0 - up) * down * math.expm1(-gamma * a)
        m += up * down * math.expm1(-gamma * both)
        if m > -0.5:
            return -math.log1p(m) / gamma
    total = (1.0 - up) * (1.0 - down) * math.exp(-most) + up * (1.0 - down) * math.exp(-gamma * b - most)
    total += (1.0 - up) * down * math.exp(-gamma * a - most) + up * down * math.exp(-gamma * both - most)
    return -(most + math.log(total)) / gamma


@kernel
def _best_distance(p, c):
    """The distance that maximises fill(delta) (1 - exp(-gamma (delta - c))) / gamma."""
    gamma, k = p[4], p[1]
    x = math.log1p(gamma / k) / gamma if gamma > 0.0 else 1.0 / k
    if p[7] == 0.0:  # where a fill is certain, further away is better
        return max(c + x, math.log(p[0]) / k)
    target = math.log(gamma / k) if gamma > 0.0 else -math.log(k)
    for _ in range(200):  # Newton's method on a rising concave function, from the left: it cannot overshoot
        r = p[0] * math.exp(min(-k * (c + x), 50.0))
        if r > 1e-9:
            log_h = math.log(r) - (r if r > 30.0 else math.log(math.expm1(r)))
            slope = k * (r / -math.expm1(-r) - 1.0)
        else:
            log_h, slope = -0.5 * r, 0.5 * k * r
        if gamma > 0.0:
            y = gamma * x
            rest = y + math.log(-math.expm1(-y))
            slope += gamma / -math.expm1(-y)
        else:
            rest = math.log(x)
            slope += 1.0 / x
        move = (target - log_h - rest) / slope
        x += move
        if abs(move) < 1e-13 * max(1.0, abs(x)):
            break
    return c + x


@kernel
def _indifference(gamma, other, distance, u, d, opposite):
    """Distance at which a fill of one side is worth nothing, given the other side's fill probability and distance."""
    if other == 0.0:
        return u
    if gamma == 0.0:
        return u - other * (u + opposite)
    # ln of (1 - other) exp(gamma u) + other exp(-gamma distance), and of the same without this side's fill
    with_fill = u + math.log1p(other * math.expm1(-gamma * (distance + u))) / gamma
    without = math.log1p(other * math.expm1(-gamma * (distance - opposite))) / gamma
    return with_fill - without


@kernel
def _left(p, theta, out):
    """phi_t(q) from theta_{t+1}(q)."""
    gamma = p[4]
    reach = (theta.shape[0] - 1) // 2
    for i in range(theta.shape[0]):
        q = i - reach
        cost = p[5] * q * q * p[3]
        if gamma > 0.0:
            y = abs(gamma * q * p[2])
            if y < 1.0:
                s = math.sinh(0.5 * y)
                cost += math.log1p(2.0 * s * s) / gamma
            else:
                cost += (y + math.log1p(math.exp(-2.0 * y)) - math.log(2.0)) / gamma
        out[i] = theta[i] - cost


@kernel
def solve(p, steps, reach):
    """Value [steps + 1, 2 reach + 1] and best distances [steps, 2 reach + 1, 2]."""
    width = 2 * reach + 1
    theta = np.empty((steps + 1, width))
    delta = np.empty((steps, width, 2))
    for i in range(width):
        theta[steps, i] = -p[6] * (i - reach) ** 2
    left = np.empty(width)
    gamma = p[4]
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
                bid = _best_distance(p, u)
                ask = _best_distance(p, d)
                for _ in range(500):
                    old_bid, old_ask = bid, ask
                    bid = _best_distance(p, _indifference(gamma, _fill(p, ask), ask, u, d, d))
                    ask = _best_distance(p, _indifference(gamma, _fill(p, bid), bid, d, u, u))
                    if abs(bid - old_bid) + abs(ask - old_ask) < _STOP * (1.0 + abs(bid) + abs(ask)):
                        break
            delta[t, i, 0], delta[t, i, 1] = bid, ask
            up = _fill(p, bid) if u < math.inf else 0.0
            down = _fill(p, ask) if d < math.inf else 0.0
            theta[t, i] = left[i] + _gain(gamma, up, down, bid, ask, u, d)
    return theta, delta


@kernel
def evaluate(p, table, reach):
    """Value [steps + 1, 2 reach + 1] of given distances; beyond the table's inventories its last column."""
    steps = table.shape[0]
    width = 2 * reach + 1
    known = (table.shape[1] - 1) // 2
    theta = np.empty((steps + 1, width))
    for i in range(width):
        theta[steps, i] = -p[6] * (i - reach) ** 2
    left = np.empty(width)
    for t in range(steps - 1, -1, -1):
        _left(p, theta[t + 1], left)
        for i in range(width):
            row = min(max(i - reach, -known), known) + known
            bid, ask = table[t, row, 0], table[t, row, 1]
            u, d, up, down = 0.0, 0.0, 0.0, 0.0
            if i + 1 < width and bid < math.inf:
                u, up = left[i] - left[i + 1], _fill(p, bid)
            if i > 0 and ask < math.inf:
                d, down = left[i] - left[i - 1], _fill(p, ask)
            theta[t, i] = left[i] + _gain(p[4], up, down, bid, ask, u, d)
    return theta
