"""Log-rates, integrals and gradients of a Hawkes process of three kinds of events on two sides, in one pass.

Streams are numbered 2 * kind + side, kinds are limit orders, cancellations, market orders. As `excitation.py`, whose
papers hold here too; the gradient is summed by block of time at once, for there are many parameters.
"""

from __future__ import annotations

import math

import numpy as np

from mmrl.calibrate.blocks import Floats, Ints
from mmrl.kernels.jit import kernel

KINDS = 3
STREAMS = 2 * KINDS
PAIRS = 2 * KINDS**2
"""Numbers of an exponential: [excited kind, exciting kind, same or other side]."""


def pass_over(
    wait: Floats, stream: Ints, last: float, block: Ints, blocks: int, values: Floats, exponentials: int
) -> tuple[float, Floats]:
    """Log-likelihood and its gradient [blocks, K] of events that come `wait` [n] seconds after the one before.

    `last` seconds follow the last event; `block` [n + 1] is where each wait ends. `values` holds mu of the kinds, then
    for each exponential its numbers [3, 3, 2], then all decays: K = 3 + 19 P.
    """
    gradient = np.zeros((blocks, len(values)))
    value = _pass(wait, stream, float(last), block, values, exponentials, gradient)
    return float(value), gradient


@kernel
def _pass(wait, stream, last, block, values, exponentials, gradient):  # type: ignore[no-untyped-def]
    # level[p, j] = sum over events of stream j of exp(-beta_p (t - t_i)); slope is its derivative in beta_p
    level, slope = np.zeros((exponentials, STREAMS)), np.zeros((exponentials, STREAMS))
    decays = values[KINDS + PAIRS * exponentials :]
    excited = np.zeros((exponentials, KINDS))  # by one of a kind, of all kinds and sides
    for p in range(exponentials):
        for a in range(KINDS):
            for b in range(KINDS):
                for d in range(2):
                    excited[p, b] += values[KINDS + PAIRS * p + 2 * KINDS * a + 2 * b + d]
    value = 0.0
    for i in range(len(wait) + 1):
        waited = wait[i] if i < len(wait) else last
        into = gradient[block[i]]
        for a in range(KINDS):
            value -= 2.0 * values[a] * waited
            into[a] -= 2.0 * waited
        for p in range(exponentials):
            beta = decays[p]
            kept, lost = math.exp(-beta * waited), -math.expm1(-beta * waited)
            for b in range(KINDS):
                gone, gone_slope = 0.0, 0.0
                for j in range(2 * b, 2 * b + 2):
                    gone += level[p, j] * lost
                    gone_slope += slope[p, j] * lost + level[p, j] * waited * kept
                    slope[p, j] = kept * (slope[p, j] - waited * level[p, j])
                    level[p, j] *= kept
                value -= excited[p, b] * gone
                into[KINDS + PAIRS * exponentials + p] -= excited[p, b] * gone_slope
                for a in range(KINDS):
                    for d in range(2):
                        into[KINDS + PAIRS * p + 2 * KINDS * a + 2 * b + d] -= gone
        if i == len(wait):
            break
        own = stream[i]
        kind, side = own >> 1, own & 1
        rate = values[kind]
        for p in range(exponentials):
            at = KINDS + PAIRS * p + 2 * KINDS * kind
            for j in range(STREAMS):
                rate += decays[p] * values[at + 2 * (j >> 1) + ((j ^ side) & 1)] * level[p, j]
        value += math.log(rate)
        into[kind] += 1.0 / rate
        for p in range(exponentials):
            at = KINDS + PAIRS * p + 2 * KINDS * kind
            felt = 0.0
            for j in range(STREAMS):
                number = at + 2 * (j >> 1) + ((j ^ side) & 1)
                into[number] += decays[p] * level[p, j] / rate
                felt += values[number] * (level[p, j] + decays[p] * slope[p, j])
            into[KINDS + PAIRS * exponentials + p] += felt / rate
            level[p, own] += 1.0
    return value


def integrals(wait: Floats, stream: Ints, last: float, values: Floats, exponentials: int) -> Floats:
    """The integral of each stream's rate over each wait [n + 1, 6]."""
    found = np.zeros((len(wait) + 1, STREAMS))
    _integrals(wait, stream, float(last), values, exponentials, found)
    return found


@kernel
def _integrals(wait, stream, last, values, exponentials, found):  # type: ignore[no-untyped-def]
    level = np.zeros((exponentials, STREAMS))
    decays = values[KINDS + PAIRS * exponentials :]
    for i in range(len(wait) + 1):
        waited = wait[i] if i < len(wait) else last
        for k in range(STREAMS):
            found[i, k] = values[k >> 1] * waited
        for p in range(exponentials):
            lost = -math.expm1(-decays[p] * waited)
            for k in range(STREAMS):
                at = KINDS + PAIRS * p + 2 * KINDS * (k >> 1)
                for j in range(STREAMS):
                    found[i, k] += values[at + 2 * (j >> 1) + ((j ^ k) & 1)] * level[p, j] * lost
            for j in range(STREAMS):
                level[p, j] *= 1.0 - lost
        if i < len(wait):
            for p in range(exponentials):
                level[p, stream[i]] += 1.0
