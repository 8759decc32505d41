"""Rows in blocks that stay in the cache, [units, BLOCK], so that the innermost loops run over rows; spans of them on
several threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mmrl.kernels.jit import allocating, inlined_fast
from mmrl.kernels.prefetch import LINE
from mmrl.kernels.products import BLOCK, mix
from mmrl.kernels.tanh import tanh_beside
from mmrl.rollout.threads import each

MANY = 32_768
"""Rows from which on sums take much longer than to wake a thread."""
LONGEST, SHORTEST, SPREAD = 32, 3, 16
"""Blocks of a span, whose sums are formed together by one thread; of fewer rows at least so many, and into how many
spans they are divided at most, so that all threads have work."""
COPIES = 2**21
"""Numbers of all sums of so few rows: copies of large ones would fill the memory."""


@allocating
def block_of(units: int) -> Any:
    """Zeros, float32 [units, BLOCK], that begin with a line of memory: no vector is then in two of them."""
    line = LINE // 4
    memory = np.zeros(units * BLOCK + line, np.float32)
    begins = (-memory.ctypes.data % LINE) // 4
    return memory[begins : begins + units * BLOCK].reshape(units, BLOCK)


@inlined_fast
def affine(weights: Any, at: int, inputs: int, outputs: int, source: Any, target: Any, squash: bool) -> None:
    """target[j, :] = bias[j] + sum_i weight[j, i] source[i, :], through tanh if asked; weights from `at` on."""
    for j in range(outputs):
        row, bias = target[j], weights[at + inputs * outputs + j]
        for r in range(BLOCK):
            row[r] = bias
    mix(weights, at, inputs, 1, inputs, outputs, source, target)
    if squash:
        tanh_beside(target, outputs * BLOCK)


def span_of(rows: int, numbers: int = 0) -> int:
    """Rows of a span where so many are summed to so many numbers. It depends on nothing else, so the sums do not."""
    blocks, spans = -(-rows // BLOCK), 1 if rows > MANY else SPREAD
    while spans > 1 and (spans * SHORTEST > blocks or spans * numbers > COPIES):
        spans //= 2
    return min(max(-(-blocks // spans), 1), LONGEST) * BLOCK


def spans_of(rows: int, span: int) -> int:
    """How many spans so many rows have."""
    return -(-rows // span)


def share(work: Callable[[int, int], object], parts: int, threads: int) -> None:
    """Run work(first, step) on so many threads: each takes the parts first, first + step, ... of `parts`."""
    threads = min(threads, parts)
    each(lambda first: work(first, threads), threads, threads)
