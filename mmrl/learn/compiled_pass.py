"""One gradient of the policy over many rows in compiled code, for learning on a CPU.

The same loss as `gradient.policy_loss`, differentiated by hand: rows go through in blocks that stay in the cache,
forward, loss and backward at once. Sums are formed over fixed spans of rows, which `mmrl.learn.team` adds in their
order, so the result does not depend on the number of threads.

Legend: R rows of the minibatch, A action dimensions; arrays of a block are [units, BLOCK].
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mmrl.kernels.jit import inlined_fast, kernel
from mmrl.kernels.prefetch import prefetch_to_read
from mmrl.kernels.products import BLOCK, mix, pair
from mmrl.kernels.shares import (
    CLOSED,
    LINE,
    PATIENCE,
    add_at_once,
    playing_of,
    put_at_once,
    read_at_once,
    wait_for_helpers,
)
from mmrl.learn.blocks import affine, block_of

LOG_RATIO_BOUND = 20.0  # exp of it is still a float32 to calculate with
POLICY_LOSS, ENTROPY, KL, CLIPPED = range(4)
REINFORCE, NOCLIP, CLIP = range(3)
COUNT, SIZE, SPANS = CLOSED + 1, CLOSED + 2, CLOSED + 3
"""Places of what is asked of `add_spans`, beside the counters of the threads that share it."""
LEFT = LINE
"""Place of the number of spans that nobody has taken."""
ANYONE = -1
"""A thread that is called for the spans of one minibatch."""


class Weights(NamedTuple):
    """A network's numbers in one vector, layer by layer weight [out, in] then bias, at last the linear map [outputs,
    inputs]; and the layer sizes."""

    flat: npt.NDArray[np.float32]
    sizes: npt.NDArray[np.int64]

    def require_all(self) -> None:
        """Raise ValueError where numbers are missing: compiled code would read and write beyond the vector."""
        n = self.sizes.tolist()
        wanted = sum((a + 1) * b for a, b in pairwise(n)) + n[0] * n[-1]
        if self.flat.size != wanted:
            raise ValueError(f"a network of layers {n} has {wanted} weights, not {self.flat.size}")


class Rows(NamedTuple):
    """What is learned from; rows as in `LearningBatch`."""

    observation: npt.NDArray[np.float32]
    action: npt.NDArray[np.float32]
    log_prob: npt.NDArray[np.float32]
    advantage: npt.NDArray[np.float32]


fetch: Any = prefetch_to_read(range(len(Rows._fields)))
"""Asks for the lines of a row that the next block needs: rows of a minibatch lie far apart."""


class Loss(NamedTuple):
    """What the policy is trained by, and what its outputs mean."""

    log_std: npt.NDArray[np.float32]
    """[A], of a Gaussian policy; empty for a categorical one."""
    groups: npt.NDArray[np.int64]
    """[A], choices on each axis of a categorical policy; empty for a Gaussian one."""
    rule: int
    """REINFORCE, NOCLIP or CLIP."""
    clip: float
    bonus: float
    """Weight of the entropy."""


class Block(NamedTuple):
    """What is known of the rows of a block beside their observations."""

    action: npt.NDArray[np.float32]
    """[A, BLOCK]"""
    old: npt.NDArray[np.float64]
    """[BLOCK], log-probability under the policy that acted."""
    advantage: npt.NDArray[np.float64]
    log_prob: npt.NDArray[np.float64]
    slope: npt.NDArray[np.float64]
    """[BLOCK], derivative of the loss by `log_prob`."""


class Sums(NamedTuple):
    """Sums over rows: gradients, and the totals of loss and diagnostics."""

    policy: npt.NDArray[np.float32]
    log_std: npt.NDArray[np.float64]
    totals: npt.NDArray[np.float64]


@inlined_fast
def _forward(weights: Any, sizes: Any, units: Any) -> Any:
    """Run a block through the network: inputs in the first rows of units; returns where the outputs stand."""
    layers = sizes.size - 1
    at = base = np.int64(0)
    for k in range(layers):
        n_in, n_out = sizes[k], sizes[k + 1]
        affine(weights, at, n_in, n_out, units[base : base + n_in], units[base + n_in :], k + 1 < layers)
        at, base = at + (n_in + 1) * n_out, base + n_in
    mix(weights, at, sizes[0], 1, sizes[0], sizes[layers], units, units[base:])
    return base


@inlined_fast
def _backward(weights: Any, sizes: Any, units: Any, delta: Any, below: Any, grads: Any) -> None:
    """Add the gradient of all weights to grads, given that of the outputs in delta, which is used up."""
    layers = sizes.size - 1
    inputs, outputs = sizes[0], sizes[layers]
    at, base = weights.size - inputs * outputs, 0
    pair(delta, outputs, units, inputs, grads, at)
    for k in range(layers):
        base += sizes[k]
    for k in range(layers - 1, -1, -1):
        n_in, n_out = sizes[k], sizes[k + 1]
        at -= (n_in + 1) * n_out
        base -= n_in
        for j in range(n_out):
            d = delta[j]
            total = np.float32(0.0)
            for r in range(BLOCK):
                total += d[r]
            grads[at + n_in * n_out + j] += total
        pair(delta, n_out, units[base:], n_in, grads, at)
        if k == 0:
            continue
        for i in range(n_in):
            row = below[i]
            for r in range(BLOCK):
                row[r] = np.float32(0.0)
        mix(weights, at, 1, n_in, n_out, n_in, delta, below)
        for i in range(n_in):
            row, d, source = below[i], delta[i], units[base + i]
            for r in range(BLOCK):
                d[r] = row[r] * (np.float32(1.0) - source[r] * source[r])


@inlined_fast
def _exp(x: float) -> float:
    """exp(x) for |x| <= LOG_RATIO_BOUND in arithmetic alone, so that rows go through it as vectors; relative error
    below 1e-12: the series of exp(x / 64), squared six times. It has reciprocals: a CPU gets
    them from LLVM anyway, CUDA would divide in float64."""
    x /= 64.0
    p = 1.0 + x * (1.0 / 11.0)
    p = 1.0 + p * x * (1.0 / 10.0)
    p = 1.0 + p * x * (1.0 / 9.0)
    p = 1.0 + p * x / 8.0
    p = 1.0 + p * x * (1.0 / 7.0)
    p = 1.0 + p * x * (1.0 / 6.0)
    p = 1.0 + p * x * (1.0 / 5.0)
    p = 1.0 + p * x / 4.0
    p = 1.0 + p * x * (1.0 / 3.0)
    p = 1.0 + p * x / 2.0
    p = 1.0 + p * x
    p *= p
    p *= p
    p *= p
    p *= p
    p *= p
    return p * p


@inlined_fast
def _surrogate(loss: Any, log_prob: Any, old: Any, advantage: Any, count: int, slope: Any, totals: Any) -> None:
    """Add the loss and diagnostics of `count` rows to totals; the loss's derivative by log_prob into slope [BLOCK]."""
    policy_loss = kl = clipped = 0.0
    for r in range(count):
        change = log_prob[r] - old[r]
        log_ratio = min(max(change, -LOG_RATIO_BOUND), LOG_RATIO_BOUND)
        ratio = _exp(log_ratio)
        kl += ratio - 1.0 - log_ratio
        clipped += 1.0 if abs(ratio - 1.0) > loss.clip else 0.0
        slope[r] = ratio * advantage[r] if change == log_ratio else 0.0
        if loss.rule == REINFORCE:
            policy_loss += log_prob[r] * advantage[r]
            slope[r] = advantage[r]
        elif loss.rule == NOCLIP:
            policy_loss += ratio * advantage[r]
        else:
            bounded = min(max(ratio, 1.0 - loss.clip), 1.0 + loss.clip) * advantage[r]
            policy_loss += min(ratio * advantage[r], bounded)
            slope[r] = 0.0 if bounded < ratio * advantage[r] else slope[r]
        slope[r] = -slope[r]
    totals[POLICY_LOSS] -= policy_loss
    totals[KL] += kl
    totals[CLIPPED] += clipped


@inlined_fast
def _gaussian_head(means: Any, inverse_std: Any, loss: Any, block: Any, count: int, delta: Any, sums: Any) -> None:
    """Loss of a block under a Gaussian policy: the gradient by the means into delta, by log_std added."""
    dims, log_std = loss.log_std.size, loss.log_std
    constant = 0.0
    for a in range(dims):
        constant -= 0.5 * np.log(2.0 * np.pi) + log_std[a]
    for r in range(count):
        block.log_prob[r] = constant
    for a in range(dims):
        for r in range(count):
            z = (block.action[a, r] - means[a, r]) * inverse_std[a]
            delta[a, r] = z
            block.log_prob[r] -= 0.5 * z * z
    _surrogate(loss, block.log_prob, block.old, block.advantage, count, block.slope, sums.totals)
    for a in range(dims):
        total = 0.0
        for r in range(count):
            z = np.float64(delta[a, r])
            delta[a, r] = block.slope[r] * z * inverse_std[a]
            total += block.slope[r] * (z * z - 1.0)
        sums.log_std[a] += total
    sums.totals[ENTROPY] += count * (0.5 * dims - constant)


@inlined_fast
def _categorical_head(logits: Any, loss: Any, block: Any, count: int, delta: Any, totals: Any) -> None:
    """Loss of a block under a categorical policy: the gradient by the logits, entropy bonus included, into delta."""
    groups = loss.groups
    for r in range(count):
        block.log_prob[r] = 0.0
        start = 0
        for a in range(groups.size):
            top = logits[start, r]
            for j in range(start + 1, start + groups[a]):
                top = max(top, logits[j, r])
            total = 0.0
            for j in range(start, start + groups[a]):
                total += np.exp(np.float64(logits[j, r] - top))
            norm = top + np.log(total)
            for j in range(start, start + groups[a]):
                delta[j, r] = logits[j, r] - norm  # log-probabilities, for the moment
            block.log_prob[r] += delta[start + np.int64(block.action[a, r]), r]
            start += groups[a]
    _surrogate(loss, block.log_prob, block.old, block.advantage, count, block.slope, totals)
    for r in range(count):
        start = 0
        for a in range(groups.size):
            entropy = 0.0
            for j in range(start, start + groups[a]):
                entropy -= np.exp(np.float64(delta[j, r])) * delta[j, r]
            chosen = start + np.int64(block.action[a, r])
            for j in range(start, start + groups[a]):
                log_p = np.float64(delta[j, r])
                p = np.exp(log_p)
                gained = (1.0 if j == chosen else 0.0) - p
                delta[j, r] = block.slope[r] * gained + loss.bonus * p * (log_p + entropy)
            totals[ENTROPY] += entropy
            start += groups[a]


@inlined_fast
def _add_span(rows: Any, order: Any, start: int, last: int, policy: Any, loss: Any, own: Any, memory: Any) -> None:
    """The sums over rows order[start:last] into `own`, in memory for one block and with 1 / std."""
    units, delta, below, block, inverse_std = memory
    inputs, axes = rows.observation.shape[1], rows.action.shape[1]
    own.policy[:] = np.float32(0.0)
    own.log_std[:] = 0.0
    own.totals[:] = 0.0
    for first in range(start, last, BLOCK):
        count = min(BLOCK, last - first)
        for r in range(count):
            k = np.uint64(order[first + r])  # unsigned, so that no index is tested for being negative
            fetch(rows, order[min(first + r + BLOCK, last - 1)])
            for i in range(inputs):
                units[i, r] = rows.observation[k, i]
            for a in range(axes):
                block.action[a, r] = rows.action[k, a]
            block.old[r] = rows.log_prob[k]
            block.advantage[r] = rows.advantage[k]
        for i in range(inputs):
            for r in range(count, BLOCK):
                units[i, r] = np.float32(0.0)
        base = _forward(policy.flat, policy.sizes, units)
        outputs = units[base : base + policy.sizes[-1]]
        if loss.groups.size:
            _categorical_head(outputs, loss, block, count, delta, own.totals)
        else:
            _gaussian_head(outputs, inverse_std, loss, block, count, delta, own)
        for j in range(outputs.shape[0]):
            for r in range(count, BLOCK):
                delta[j, r] = np.float32(0.0)
        _backward(policy.flat, policy.sizes, units, delta, below, own.policy)


@kernel
def add_spans(rows: Any, order: Any, policy: Any, loss: Any, sums: Any, counters: Any, thread: int) -> None:
    """Sums over the first counters[COUNT] rows of `order`, in counters[SPANS] spans of counters[SIZE] rows, each into
    its own of `sums`, as one of several threads that take one span after another.

    Thread 0 begins and waits for the others, in one call. Another one looks for spans to take, and looks again, until
    it has looked long in vain. As ANYONE a thread takes spans until none is left.
    """
    widest = policy.sizes.max()
    numbers = np.zeros((4, BLOCK))
    action = np.zeros((rows.action.shape[1], BLOCK), np.float32)
    block = Block(action, numbers[0], numbers[1], numbers[2], numbers[3])
    inverse_std = np.zeros(loss.log_std.size)
    memory = (block_of(policy.sizes.sum()), block_of(widest), block_of(widest), block, inverse_std)
    helps, looks = thread > 0, 0
    while looks < (PATIENCE if helps else 1) and not (helps and read_at_once(counters, CLOSED) != 0):
        looks += 1
        if thread == 0:
            wait_for_helpers(counters)  # of a call that an error has ended
            put_at_once(counters, LEFT, counters[SPANS])
        elif not helps:
            pass
        elif read_at_once(counters, LEFT) > 0:
            put_at_once(counters, playing_of(thread), 1)
            looks = 0
        else:
            continue
        span = add_at_once(counters, LEFT, -1) - 1
        inverse_std[:] = np.exp(-loss.log_std.astype(np.float64))
        while span >= 0:  # what else is asked for stands since before the span was there to take
            size, count = counters[SIZE], counters[COUNT]
            own = Sums(sums.policy[span], sums.log_std[span], sums.totals[span])
            last = min((span + 1) * size, count)
            _add_span(rows, order, span * size, last, policy, loss, own, memory)
            span = add_at_once(counters, LEFT, -1) - 1
        if helps:
            put_at_once(counters, playing_of(thread), 0)
        elif thread == 0:
            wait_for_helpers(counters)
