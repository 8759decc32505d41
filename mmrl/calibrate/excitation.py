"""Log-rates, integrals and gradients of a Hawkes process of two sides, in one pass over its events.

Sums over the past fade exponentially, so they follow from the event before: Ogata (Annals of the Institute of
Statistical Mathematics 30, 1978) and Ozaki (the same 31, 1979). O(n) for each exponential.
"""

from __future__ import annotations

import math

import numpy as np

from mmrl.calibrate.blocks import Floats, Ints
from mmrl.kernels.jit import kernel


def pass_over(time: Floats, side: Ints, end: float, values: Floats, exponentials: int) -> tuple[Floats, Floats, Floats]:
    """Events at times [n] in seconds from 0, on sides 0 and 1, up to `end`.

    `values` holds mu_0, mu_1, then n_same, n_cross and beta of each exponential: K = 2 + 3 P numbers. Returns the
    log-rate of each event's side just before it [n]; the integral of both rates over each wait [n + 1, 2], the last one
    to the end; and the gradient of the log-likelihood in K by these pieces of time [n + 1, K].
    """
    log_rate, integral = np.zeros(len(time)), np.zeros((len(time) + 1, 2))
    gradient = np.zeros((len(time) + 1, len(values)))
    _pass(time, side, float(end), values, exponentials, log_rate, integral, gradient)
    return log_rate, integral, gradient


@kernel
def _pass(time, side, end, values, exponentials, log_rate, integral, gradient):  # type: ignore[no-untyped-def]
    # level[s, p] = sum over events of side s of exp(-beta (t - t_i)); slope is its derivative in beta
    level, slope = np.zeros((2, exponentials)), np.zeros((2, exponentials))
    now = 0.0
    for i in range(len(time) + 1):
        then = time[i] if i < len(time) else end
        waited = then - now
        now = then
        for s in range(2):
            integral[i, s] = values[s] * waited
            gradient[i, s] = -waited
        for p in range(exponentials):
            same, cross, beta = values[2 + p], values[2 + exponentials + p], values[2 + 2 * exponentials + p]
            kept = math.exp(-beta * waited)
            lost = -math.expm1(-beta * waited)
            for s in range(2):
                # n beta times the integral of exp(-beta u) over the wait is n * lost
                gone = level[s, p] * lost
                integral[i, s] += same * gone
                integral[i, 1 - s] += cross * gone
                gradient[i, 2 + p] -= gone
                gradient[i, 2 + exponentials + p] -= gone
                gone_slope = slope[s, p] * lost + level[s, p] * waited * kept
                gradient[i, 2 + 2 * exponentials + p] -= (same + cross) * gone_slope
                slope[s, p] = kept * (slope[s, p] - waited * level[s, p])
                level[s, p] *= kept
        if i == len(time):
            break
        own = side[i]
        rate = values[own]
        for p in range(exponentials):
            same, cross, beta = values[2 + p], values[2 + exponentials + p], values[2 + 2 * exponentials + p]
            rate += beta * (same * level[own, p] + cross * level[1 - own, p])
        log_rate[i] = math.log(rate)
        gradient[i, own] += 1 / rate
        for p in range(exponentials):
            same, cross, beta = values[2 + p], values[2 + exponentials + p], values[2 + 2 * exponentials + p]
            mine, other = level[own, p], level[1 - own, p]
            gradient[i, 2 + p] += beta * mine / rate
            gradient[i, 2 + exponentials + p] += beta * other / rate
            felt = same * (mine + beta * slope[own, p]) + cross * (other + beta * slope[1 - own, p])
            gradient[i, 2 + 2 * exponentials + p] += felt / rate
        for p in range(exponentials):
            level[own, p] += 1
