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

SPAN = 32 * BLOCK
"""Rows whose sums are formed together, by one thread."""


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


def spans_of(rows: int) -> int:
    """How many spans so many rows have."""
    return -(-rows // SPAN)


def share(work: Callable[[int, int], object], parts: int, threads: int) -> None:
    """Run work(first, step) on so many threads: each takes the parts first, first + step, ... of `parts`."""
    threads = min(threads, parts)
    each(lambda first: work(first, threads), threads, threads)
