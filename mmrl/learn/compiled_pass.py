"""One gradient of the policy over many rows in compiled code, for learning on a CPU.

The same loss as `gradient.policy_loss`, differentiated by hand: rows go through in blocks that stay in the cache,
forward, loss and backward at once. Sums are formed over fixed spans of rows and added in their order, so the result
does not depend on the number of threads.

Legend: R rows of the minibatch, A action dimensions, BLOCK rows of a block; arrays of a block are
[units, BLOCK], so that the innermost loops run over rows.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mmrl.kernels.jit import inlined_fast, kernel

BLOCK = 128  # rows of a block
SPAN = 32  # blocks whose sums are formed together
LOG_RATIO_BOUND = 20.0  # exp of it is still a float32 to calculate with
POLICY_LOSS, ENTROPY, KL, CLIPPED = range(4)
REINFORCE, NOCLIP, CLIP = range(3)
_pools: dict[int, ThreadPoolExecutor] = {}


class Weights(NamedTuple):
    """A network's numbers in one vector, layer by layer weight [out, in] then bias, at last the linear map [outputs,
    inputs]; and the layer sizes."""

    flat: npt.NDArray[np.float32]
    sizes: npt.NDArray[np.int64]

    def require_all(self) -> None:
        """Raise ValueError where numbers are missing: compiled code would read and write beyond the vector."""
        n = self.sizes
        wanted = int(((n[:-1] + 1) * n[1:]).sum() + n[0] * n[-1])
        if self.flat.size != wanted:
            raise ValueError(f"a network of layers {n.tolist()} has {wanted} weights, not {self.flat.size}")


class Rows(NamedTuple):
    """What is learned from; rows as in `LearningBatch`."""

    observation: npt.NDArray[np.float32]
    action: npt.NDArray[np.float32]
    log_prob: npt.NDArray[np.float32]
    advantage: npt.NDArray[np.float32]


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


class Sums(NamedTuple):
    """Sums over rows: gradients, and the totals of loss and diagnostics."""

    policy: npt.NDArray[np.float32]
    log_std: npt.NDArray[np.float64]
    totals: npt.NDArray[np.float64]


@inlined_fast
def _tanh(x: Any) -> Any:
    """tanh of a float32 by the rational fit that Eigen uses, within a few ulp."""
    one = np.float32(7.90531110763549805)
    x = min(max(x, -one), one)
    s = x * x
    p = np.float32(-2.76076847742355e-16) * s + np.float32(2.00018790482477e-13)
    p = p * s + np.float32(-8.60467152213735e-11)
    p = p * s + np.float32(5.12229709037114e-08)
    p = p * s + np.float32(1.48572235717979e-05)
    p = p * s + np.float32(6.37261928875436e-04)
    p = (p * s + np.float32(4.89352455891786e-03)) * x
    q = np.float32(1.19825839466702e-06) * s + np.float32(1.18534705686654e-04)
    q = q * s + np.float32(2.26843463243900e-03)
    q = q * s + np.float32(4.89352518554385e-03)
    return p / q


@inlined_fast
def _affine(weights: Any, at: int, inputs: int, outputs: int, source: Any, target: Any, squash: bool) -> None:
    """target[j, :] = bias[j] + sum_i weight[j, i] source[i, :], through tanh if asked; weights from `at` on."""
    for j in range(outputs):
        row = target[j]
        bias = weights[at + inputs * outputs + j]
        for r in range(BLOCK):
            row[r] = bias
        w = at + j * inputs
        i = 0
        while i + 4 <= inputs:
            a, b, c, d = weights[w + i], weights[w + i + 1], weights[w + i + 2], weights[w + i + 3]
            s0, s1, s2, s3 = source[i], source[i + 1], source[i + 2], source[i + 3]
            for r in range(BLOCK):
                row[r] += a * s0[r] + b * s1[r] + c * s2[r] + d * s3[r]
            i += 4
        while i < inputs:
            a, s0 = weights[w + i], source[i]
            for r in range(BLOCK):
                row[r] += a * s0[r]
            i += 1
        if squash:
            for r in range(BLOCK):
                row[r] = _tanh(row[r])


@inlined_fast
def _forward(weights: Any, sizes: Any, units: Any) -> Any:
    """Run a block through the network: inputs in the first rows of units; returns where the outputs stand."""
    layers = sizes.size - 1
    at = base = np.int64(0)
    for k in range(layers):
        n_in, n_out = sizes[k], sizes[k + 1]
        _affine(weights, at, n_in, n_out, units[base : base + n_in], units[base + n_in :], k + 1 < layers)
        at, base = at + (n_in + 1) * n_out, base + n_in
    inputs = sizes[0]
    for j in range(sizes[layers]):
        row = units[base + j]
        for i in range(inputs):
            a, s0 = weights[at + j * inputs + i], units[i]
            for r in range(BLOCK):
                row[r] += a * s0[r]
    return base


@inlined_fast
def _backward(weights: Any, sizes: Any, units: Any, delta: Any, below: Any, grads: Any) -> None:
    """Add the gradient of all weights to grads, given that of the outputs in delta, which is used up."""
    layers = sizes.size - 1
    inputs, outputs = sizes[0], sizes[layers]
    at, base = weights.size - inputs * outputs, 0
    for j in range(outputs):
        d = delta[j]
        for i in range(inputs):
            s0 = units[i]
            total = np.float32(0.0)
            for r in range(BLOCK):
                total += d[r] * s0[r]
            grads[at + j * inputs + i] += total
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
            w = at + j * n_in
            i = 0
            while i + 4 <= n_in:
                s0, s1, s2, s3 = units[base + i], units[base + i + 1], units[base + i + 2], units[base + i + 3]
                t0 = t1 = t2 = t3 = np.float32(0.0)
                for r in range(BLOCK):
                    t0 += d[r] * s0[r]
                    t1 += d[r] * s1[r]
                    t2 += d[r] * s2[r]
                    t3 += d[r] * s3[r]
                grads[w + i] += t0
                grads[w + i + 1] += t1
                grads[w + i + 2] += t2
                grads[w + i + 3] += t3
                i += 4
            while i < n_in:
                s0 = units[base + i]
                total = np.float32(0.0)
                for r in range(BLOCK):
                    total += d[r] * s0[r]
                grads[w + i] += total
                i += 1
        if k == 0:
            continue
        for i in range(n_in):
            row = below[i]
            for r in range(BLOCK):
                row[r] = np.float32(0.0)
            for j in range(n_out):
                weight, d = weights[at + j * n_in + i], delta[j]
                for r in range(BLOCK):
                    row[r] += weight * d[r]
        for i in range(n_in):
            row, d, source = below[i], delta[i], units[base + i]
            for r in range(BLOCK):
                d[r] = row[r] * (np.float32(1.0) - source[r] * source[r])


@inlined_fast
def _surrogate(loss: Any, log_prob: float, old: float, advantage: float, totals: Any) -> float:
    """Add one row's loss and diagnostics to totals; returns the loss's derivative by the log-probability."""
    change = log_prob - old
    log_ratio = min(max(change, -LOG_RATIO_BOUND), LOG_RATIO_BOUND)
    ratio = np.exp(log_ratio)
    totals[KL] += ratio - 1.0 - log_ratio
    if abs(ratio - 1.0) > loss.clip:
        totals[CLIPPED] += 1.0
    if loss.rule == REINFORCE:
        totals[POLICY_LOSS] -= log_prob * advantage
        return -advantage
    gain = ratio * advantage
    slope = gain if change == log_ratio else 0.0
    if loss.rule == CLIP:
        clipped = min(max(ratio, 1.0 - loss.clip), 1.0 + loss.clip) * advantage
        if clipped < gain:
            gain = clipped
            slope = 0.0
    totals[POLICY_LOSS] -= gain
    return -slope


@inlined_fast
def _gaussian_head(means: Any, inverse_std: Any, rows: Any, index: Any, loss: Any, delta: Any, sums: Any) -> None:
    """Loss of the rows `index` under a Gaussian policy: the gradient by the means into delta, by log_std added."""
    dims, log_std, count = loss.log_std.size, loss.log_std, index.size
    constant = 0.0
    for a in range(dims):
        constant -= 0.5 * np.log(2.0 * np.pi) + log_std[a]
    for r in range(count):
        k = index[r]
        log_prob = constant
        for a in range(dims):
            z = (rows.action[k, a] - means[a, r]) * inverse_std[a]
            delta[a, r] = z
            log_prob -= 0.5 * z * z
        slope = _surrogate(loss, log_prob, rows.log_prob[k], rows.advantage[k], sums.totals)
        for a in range(dims):
            z = np.float64(delta[a, r])
            delta[a, r] = slope * z * inverse_std[a]
            sums.log_std[a] += slope * (z * z - 1.0)
        sums.totals[ENTROPY] += 0.5 * dims - constant
    for a in range(dims):
        for r in range(count, BLOCK):
            delta[a, r] = np.float32(0.0)


@inlined_fast
def _categorical_head(logits: Any, rows: Any, index: Any, loss: Any, delta: Any, totals: Any) -> None:
    """Loss of the rows `index` under a categorical policy: the gradient by the logits, entropy bonus included, into
    delta."""
    groups, count = loss.groups, index.size
    for r in range(count):
        k = index[r]
        log_prob = 0.0
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
            log_prob += delta[start + np.int64(rows.action[k, a]), r]
            start += groups[a]
        slope = _surrogate(loss, log_prob, rows.log_prob[k], rows.advantage[k], totals)
        start = 0
        for a in range(groups.size):
            entropy = 0.0
            for j in range(start, start + groups[a]):
                entropy -= np.exp(np.float64(delta[j, r])) * delta[j, r]
            chosen = start + np.int64(rows.action[k, a])
            for j in range(start, start + groups[a]):
                log_p = np.float64(delta[j, r])
                p = np.exp(log_p)
                delta[j, r] = slope * ((1.0 if j == chosen else 0.0) - p) + loss.bonus * p * (log_p + entropy)
            totals[ENTROPY] += entropy
            start += groups[a]
    for j in range(logits.shape[0]):
        for r in range(count, BLOCK):
            delta[j, r] = np.float32(0.0)


@kernel
def _gradient(rows: Any, order: Any, first: int, last: int, policy: Any, loss: Any, sums: Any) -> None:
    """Rows first..last of `order`: adds to `sums`."""
    widest = policy.sizes.max()
    units = np.zeros((policy.sizes.sum(), BLOCK), np.float32)
    delta = np.zeros((widest, BLOCK), np.float32)
    below = np.zeros((widest, BLOCK), np.float32)
    inverse_std = np.exp(-loss.log_std.astype(np.float64))
    inputs = rows.observation.shape[1]
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        index = order[start : start + count]
        for i in range(inputs):
            for r in range(count):
                units[i, r] = rows.observation[index[r], i]
            for r in range(count, BLOCK):
                units[i, r] = np.float32(0.0)
        base = _forward(policy.flat, policy.sizes, units)
        outputs = units[base : base + policy.sizes[-1]]
        if loss.groups.size:
            _categorical_head(outputs, rows, index, loss, delta, sums.totals)
        else:
            _gaussian_head(outputs, inverse_std, rows, index, loss, delta, sums)
        _backward(policy.flat, policy.sizes, units, delta, below, sums.policy)


def _share(work: Any, rows: int, threads: int) -> None:
    """Run work(k, first, last) for each span of rows, on so many threads."""
    size = BLOCK * SPAN
    spans = [(k, first, min(first + size, rows)) for k, first in enumerate(range(0, rows, size))]
    if threads <= 1 or len(spans) == 1:
        for span in spans:
            work(*span)
        return
    pool = _pools.setdefault(threads, ThreadPoolExecutor(threads, thread_name_prefix="learner"))
    list(pool.map(lambda k: [work(*span) for span in spans[k::threads]], range(threads)))


def gradient(rows: Rows, order: npt.NDArray[np.int64], policy: Weights, loss: Loss, threads: int) -> Sums:
    """Sums over the rows `order` of the gradients of policy and log_std, and of the totals [4].

    The entropy bonus is part of a categorical policy's gradient; a Gaussian's entropy depends on log_std alone.
    """
    policy.require_all()
    spans = -(-len(order) // (BLOCK * SPAN))
    sums = Sums(
        policy=np.zeros((spans, policy.flat.size), np.float32),
        log_std=np.zeros((spans, loss.log_std.size), np.float64),
        totals=np.zeros((spans, 4), np.float64),
    )

    def work(k: int, first: int, last: int) -> None:
        _gradient(rows, order, first, last, policy, loss, Sums(*(array[k] for array in sums)))

    _share(work, len(order), threads)
    return Sums(*(array.sum(0) for array in sums))
