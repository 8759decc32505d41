"""Rows in blocks that stay in the cache, [units, BLOCK], so that the innermost loops run over rows; spans of them on
several threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from mmrl.kernels.jit import inlined_fast
from mmrl.kernels.products import BLOCK, mix
from mmrl.kernels.tanh import tanh

SPAN = 32 * BLOCK
"""Rows whose sums are formed together, by one thread."""
_pools: dict[int, ThreadPoolExecutor] = {}


@inlined_fast
def affine(weights: Any, at: int, inputs: int, outputs: int, source: Any, target: Any, squash: bool) -> None:
    """target[j, :] = bias[j] + sum_i weight[j, i] source[i, :], through tanh if asked; weights from `at` on."""
    for j in range(outputs):
        row, bias = target[j], weights[at + inputs * outputs + j]
        for r in range(BLOCK):
            row[r] = bias
    mix(weights, at, inputs, 1, inputs, outputs, source, target)
    if squash:
        for j in range(outputs):
            row = target[j]
            for r in range(BLOCK):
                row[r] = tanh(row[r])


def spans_of(rows: int) -> int:
    """How many spans so many rows have."""
    return -(-rows // SPAN)


def share(work: Callable[[int, int], object], parts: int, threads: int) -> None:
    """Run work(first, step) on so many threads, the calling one among them: each takes the parts first, first + step,
    ... of `parts`."""
    threads = min(threads, parts)
    if threads <= 1:
        work(0, 1)
        return
    pool = _pools.setdefault(threads, ThreadPoolExecutor(threads - 1, thread_name_prefix="learner"))
    others = [pool.submit(work, first, threads) for first in range(1, threads)]
    try:
        work(0, threads)
    finally:  # an error leaves no thread behind that still writes
        wait(others)
    for other in others:
        other.result()
