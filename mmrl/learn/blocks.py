"""Rows in blocks that stay in the cache, [units, BLOCK], so that the innermost loops run over rows; spans of them on
several threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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


def share(work: Callable[[int, int, int], None], rows: int, threads: int) -> None:
    """Run work(k, first, last) for each span of rows, on so many threads."""
    spans = [(k, first, min(first + SPAN, rows)) for k, first in enumerate(range(0, rows, SPAN))]
    if threads <= 1 or len(spans) <= 1:
        for span in spans:
            work(*span)
        return

    def several(k: int) -> None:
        for span in spans[k::threads]:
            work(*span)

    pool = _pools.setdefault(threads, ThreadPoolExecutor(threads, thread_name_prefix="learner"))
    list(pool.map(several, range(threads)))
