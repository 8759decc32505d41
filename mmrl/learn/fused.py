"""Forward and backward pass of a small tanh network, as one compiled kernel where that pays.

For float32 on a CPU rows go through all layers in blocks that stay in the first-level cache, with features
along the slow axis so that every inner loop is a vector loop over rows. Threads share the blocks of a call;
each span of blocks sums its own gradients and the spans are added in their order, so the result does not
depend on the number of threads. Anywhere else (float64, accelerators) it is plain torch.

Shapes: R rows, L layers, weights [out, in].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.nn import functional

from mmrl.market.compilation import fast_law

BLOCK = 128  # rows of a block
SPAN = 32  # blocks whose gradients are summed together
_pools: dict[int, ThreadPoolExecutor] = {}
_threads: list[int] = []  # innermost last: what own_threads() took over from torch


@fast_law
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


@fast_law
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


@fast_law
def _forward_block(x: Any, weights: Any, sizes: Any, units: Any, result: Any, out: Any, start: int) -> None:
    """One block of rows from `start`: activations into units [units, BLOCK], outputs into out [R, out]."""
    rows = min(BLOCK, x.shape[0] - start)
    layers = sizes.size - 1
    for i in range(sizes[0]):
        for r in range(rows):
            units[i, r] = x[start + r, i]
        for r in range(rows, BLOCK):
            units[i, r] = np.float32(0.0)
    at, base = 0, 0
    for k in range(layers):
        n_in, n_out = sizes[k], sizes[k + 1]
        source = units[base : base + n_in]
        if k + 1 < layers:
            _affine(weights, at, n_in, n_out, source, units[base + n_in : base + n_in + n_out], True)
        else:
            _affine(weights, at, n_in, n_out, source, result, False)
        at, base = at + (n_in + 1) * n_out, base + n_in
    for r in range(rows):
        for j in range(sizes[layers]):
            out[start + r, j] = result[j, r]


@njit(cache=True, nogil=True)
def _forward(x: Any, weights: Any, sizes: Any, hidden: Any, out: Any, first: int, last: int) -> None:
    """Blocks first..last: outputs into out [R, out], activations into hidden [blocks, units, BLOCK]."""
    result = np.zeros((sizes[sizes.size - 1], BLOCK), np.float32)
    for block in range(first, last):
        _forward_block(x, weights, sizes, hidden[block], result, out, block * BLOCK)


@fast_law
def _backward_block(
    upstream: Any, weights: Any, sizes: Any, units: Any, grads: Any, delta: Any, below: Any, start: int
) -> None:
    """One block of rows from `start`: adds the gradient of all weights, laid out as they are, to grads."""
    layers = sizes.size - 1
    rows = min(BLOCK, upstream.shape[0] - start)
    for j in range(sizes[layers]):
        for r in range(rows):
            delta[j, r] = upstream[start + r, j]
        for r in range(rows, BLOCK):
            delta[j, r] = np.float32(0.0)
    at, base = weights.size, 0
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
            for i in range(n_in):
                source = units[base + i]
                total = np.float32(0.0)
                for r in range(BLOCK):
                    total += d[r] * source[r]
                grads[at + j * n_in + i] += total
        if k > 0:
            for i in range(n_in):
                row, source = below[i], units[base + i]
                for r in range(BLOCK):
                    row[r] = np.float32(0.0)
                for j in range(n_out):
                    w, d = weights[at + j * n_in + i], delta[j]
                    for r in range(BLOCK):
                        row[r] += w * d[r]
                for r in range(BLOCK):
                    row[r] *= np.float32(1.0) - source[r] * source[r]
            for i in range(n_in):
                row, d = below[i], delta[i]
                for r in range(BLOCK):
                    d[r] = row[r]


@njit(cache=True, nogil=True)
def _backward(upstream: Any, weights: Any, sizes: Any, hidden: Any, grads: Any, first: int, last: int) -> None:
    """Blocks first..last: adds the gradient of all weights, laid out as they are, to grads."""
    widest = sizes.max()
    delta = np.zeros((widest, BLOCK), np.float32)
    below = np.zeros((widest, BLOCK), np.float32)
    for block in range(first, last):
        _backward_block(upstream, weights, sizes, hidden[block], grads, delta, below, block * BLOCK)


@contextmanager
def own_threads() -> Iterator[None]:
    """Leave torch one thread and its number of threads to the kernel, until the block ends.

    Torch's own threads spin while they wait for one another: over chunks this small that is slower than one
    thread, and many times slower on a machine that has other work.
    """
    before = torch.get_num_threads()
    _threads.append(before)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        _threads.pop()
        torch.set_num_threads(before)


def _share(work: Any, tasks: int) -> None:
    """Run work(task) for each task on the threads there are; tasks must not share what they write."""
    threads = min(_threads[-1] if _threads else torch.get_num_threads(), tasks)
    if threads <= 1:
        for task in range(tasks):
            work(task)
        return
    pool = _pools.setdefault(threads, ThreadPoolExecutor(threads, thread_name_prefix="learner"))

    def strided(k: int) -> None:
        for task in range(k, tasks, threads):
            work(task)

    list(pool.map(strided, range(threads)))


class _Fused(torch.autograd.Function):
    """The compiled network; gradients for the weights only, since observations are leaves."""

    @staticmethod
    def forward(ctx: Any, observation: Tensor, *parameters: Tensor) -> Tensor:
        weights = np.concatenate([p.detach().numpy().ravel() for p in parameters])
        sizes = np.array([observation.shape[1], *[p.shape[0] for p in parameters[::2]]], dtype=np.int64)
        x = np.ascontiguousarray(observation.detach().numpy())
        blocks = -(-len(x) // BLOCK)
        hidden = np.empty((blocks, int(sizes[:-1].sum()), BLOCK), np.float32)
        out = np.empty((len(x), int(sizes[-1])), np.float32)
        spans = -(-blocks // SPAN)
        _share(lambda s: _forward(x, weights, sizes, hidden, out, s * SPAN, min(blocks, (s + 1) * SPAN)), spans)
        ctx.kept = (weights, sizes, hidden, [p.shape for p in parameters])
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        weights, sizes, hidden, shapes = ctx.kept
        gradient = np.ascontiguousarray(upstream[0].detach().numpy())
        blocks = len(hidden)
        spans = -(-blocks // SPAN)
        sums = np.zeros((spans, weights.size), np.float32)
        _share(
            lambda s: _backward(gradient, weights, sizes, hidden, sums[s], s * SPAN, min(blocks, (s + 1) * SPAN)),
            spans,
        )
        flat = torch.from_numpy(sums.sum(axis=0))
        parts = flat.split([shape.numel() for shape in shapes])
        return None, *[part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def tanh_network(observation: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Tensor:
    """Outputs [R, out] of a multilayer perceptron with tanh hidden units."""
    if _compiled_applies(observation, weights):
        parameters = [p for pair in zip(weights, biases, strict=True) for p in pair]
        return _Fused.apply(observation, *parameters)  # type: ignore[no-any-return, no-untyped-call]
    return plain_tanh_network(observation, weights, biases)


def plain_tanh_network(observation: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Tensor:
    """The same network as ordinary torch operations, on any device and in any precision."""
    hidden = observation
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        hidden = torch.tanh(functional.linear(hidden, weight, bias))
    return functional.linear(hidden, weights[-1], biases[-1])


def _compiled_applies(observation: Tensor, weights: Sequence[Tensor]) -> bool:
    return (
        observation.device.type == "cpu"
        and observation.dtype == weights[0].dtype == torch.float32
        and observation.dim() == 2
        and observation.shape[0] >= 4 * BLOCK  # below, calling the kernel costs more than it saves
        and not observation.requires_grad
    )
